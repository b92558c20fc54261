package features

import (
	"context"
	"math"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// TestTorch compares the features of photographs with those that PyTorch computes after torchvision's transforms.
func TestTorch(t *testing.T) {
	photos := reftest.Shared(t, "data/photos/train")
	python := reftest.Python(t, "torch", "torchvision", "onnx")
	d, err := Open(photos)
	if err != nil {
		t.Fatal(err)
	}
	// Every 14th photograph: some of each class.
	var some []Item
	for i := 0; i < len(d.Items) && len(some) < 12; i += 14 {
		some = append(some, d.Items[i])
	}
	d.Items = some
	dir := t.TempDir()
	args := []string{"testdata/torch_features.py", dir}
	for _, it := range d.Items {
		args = append(args, it.Path)
	}
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := npz.ReadFile(filepath.Join(dir, "features.npy"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(filepath.Join(dir, "resnet18.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	recipe, _ := zoo.RecipeByName("torchvision-v1")
	x, err := New(m, Options{Recipe: &recipe, Batch: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	ref := want[0].Float32s()

	// Pillow's decoder and ours differ in the last bit of some pixels of a JPEG; the same pictures as PNG show that
	// everything behind the decoder agrees.
	png, err := Open(filepath.Join(dir, "png"))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, extractAll(t, x, d), ref, 0.9999, 0.999)
	compare(t, extractAll(t, x, png), ref, 0.99999, 0.99999)
}

// extractAll returns the features of all images.
func extractAll(t *testing.T, x *Extractor, d *Dataset) []float32 {
	t.Helper()
	var all []float32
	for b, err := range x.Batches(context.Background(), d) {
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Skipped) > 0 {
			t.Fatalf("skipped %v", b.Skipped)
		}
		all = append(all, b.Features...)
	}
	return all
}

// compare wants rows of 512 whose cosine is at least plain, and at least centred once the reference's mean is taken
// off: what all images have in common makes any two of them look alike.
func compare(t *testing.T, got, ref []float32, plain, centred float64) {
	t.Helper()
	const columns = 512
	n := len(ref) / columns
	if len(got) != len(ref) || n == 0 {
		t.Fatalf("%d values, want %d", len(got), len(ref))
	}
	common := make([]float64, columns)
	for i, v := range ref {
		common[i%columns] += float64(v) / float64(n)
	}
	lowest := [2]float64{1, 1}
	for i := range n {
		for k, off := range []float64{0, 1} {
			var ab, aa, bb float64
			for j := range columns {
				a, b := float64(got[i*columns+j])-off*common[j], float64(ref[i*columns+j])-off*common[j]
				ab, aa, bb = ab+a*b, aa+a*a, bb+b*b
			}
			if c := ab / math.Sqrt(aa*bb); !(c >= lowest[k]) {
				lowest[k] = c
			}
		}
	}
	t.Logf("lowest cosine %.7f, centred %.7f", lowest[0], lowest[1])
	if !(lowest[0] > plain && lowest[1] > centred) {
		t.Errorf("want above %v and %v", plain, centred)
	}
}
