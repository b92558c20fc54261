package gradcam_test

import (
	"context"
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/gradcam"
	"github.com/onnxcnn/onnxcnn/internal/scenes"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// On a network that can only go by a patch, the map's peak lies in the patch for 95 % of new images at least, and maps are
// better than chance by every measure.
func TestPeakLiesInThePatch(t *testing.T) {
	ctx := context.Background()
	m, err := scenes.Train(ctx, 1, 150)
	if err != nil {
		t.Fatal(err)
	}
	x, err := gradcam.New(m, gradcam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if x.Layer().Name != "relu3" {
		t.Errorf("default layer %q, want relu3", x.Layer().Name)
	}
	rng := rand.New(rand.NewPCG(77, 0)) // not the stream that it was trained on
	const images, few = 100, 10         // those of methods with many passes
	right := 0
	inside := map[string]int{}
	for i := range images {
		s := scenes.Draw(i%len(scenes.Classes), rng)
		im, err := x.Image(ctx, zoo.PictureOf(s.Image))
		if err != nil {
			t.Fatal(err)
		}
		if im.Predicted == s.Class {
			right++
		}
		list := []string{"gradcam", "hirescam", "layercam", "cam"}
		if i < few {
			list = append(list, "scorecam", "ablationcam", "occlusion")
		}
		for _, method := range list {
			m, err := x.Explain(ctx, im, method, s.Class)
			if err != nil {
				t.Fatal(err)
			}
			if y, x := m.Peak(scenes.Size, scenes.Size); image.Pt(x, y).In(s.Patch) {
				inside[method]++
			}
			if i > 0 {
				continue
			}
			q, err := x.Measure(ctx, im, m)
			if err != nil {
				t.Fatal(err)
			}
			if !(q.Road > 0.02) || !(q.Insertion.Area > q.Deletion.Area) {
				t.Errorf("%s: ROAD %.3f, insertion %.3f, deletion %.3f", method, q.Road, q.Insertion.Area, q.Deletion.Area)
			}
		}
	}
	t.Logf("%d of %d right, peaks in the patch: %v", right, images, inside)
	if right < 95 {
		t.Errorf("the network names %d of %d scenes: it has not learnt them", right, images)
	}
	for method, n := range inside {
		of := images
		if slices.Contains([]string{"scorecam", "ablationcam", "occlusion"}, method) {
			of = few
		}
		want := of * 95 / 100
		if method == "occlusion" {
			want = of * 70 / 100 // its windows are half as large as the patch, and reach beyond it
		}
		if n < want {
			t.Errorf("%s: the peak lies in the patch for %d of %d", method, n, of)
		}
	}
}
