package gradcam_test

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/gradcam"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// TestEqualsTorch compares with the published formulas, computed by PyTorch, on whole networks.
//
// In the middle of VGG16 maps that take gradients place by place cannot agree to 1e-3: a Relu whose input is nearly 0, or a
// MaxPool whose largest inputs are nearly equal, passes a gradient on or not by the last bit of a sum, and the place's number
// changes by all of it. HiResCAM and LayerCAM show this most, Grad-CAM, which takes means, hardly. Winograd's convolutions
// round more than plain ones; but PyTorch's float32 does not agree with its own float64 there either. So there the maps are
// compared as a whole, by the length of the difference.
func TestEqualsTorch(t *testing.T) {
	python := reftest.Python(t, "torch", "torchvision")
	for _, c := range []struct {
		model  string
		layers map[string]string // of PyTorch, and how --layer names them
		suffix []string          // of files with the same network
		class  int
		pixels bool
	}{
		{"resnet50", map[string]string{"layer4": "", "layer3": "layer3"}, []string{".onnx", ".bn.onnx"}, 123, true},
		{"vgg16", map[string]string{"features.29": "", "features.28": "28", "features.22": "22"}, []string{".onnx"}, 7, false},
	} {
		t.Run(c.model, func(t *testing.T) {
			prefix := reftest.Model(t, c.model)
			out := filepath.Join(t.TempDir(), "maps.npz")
			args := []string{"testdata/torch_maps.py", out, c.model, prefix, fmt.Sprint(c.class)}
			for layer := range c.layers {
				args = append(args, layer)
			}
			if c.pixels {
				args = append(args, "pixels")
			}
			if text, err := exec.Command(python, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			want, err := npz.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			images, err := npz.ReadFile(prefix + ".in.npy")
			if err != nil {
				t.Fatal(err)
			}
			input := images[0].Float32s()[:3*224*224]
			for _, suffix := range c.suffix {
				for layer, name := range c.layers {
					t.Run(strings.TrimPrefix(suffix, ".")+" "+layer, func(t *testing.T) {
						compareWithTorch(t, prefix+suffix, layer, name, c.class, c.pixels && name == "", input, want)
					})
				}
			}
		})
	}
}

func compareWithTorch(t *testing.T, file, layer, name string, class int, pixels bool, input []float32, want []*onnx.Tensor) {
	m, err := onnx.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	recipe, _ := zoo.RecipeByName("torchvision-v1")
	x, err := gradcam.New(m, gradcam.Options{Layer: name, Recipe: &recipe})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	im, err := x.Input(context.Background(), input)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, got, want []float32) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
		}
		if d := difference(got, want); !(d <= 1e-3) {
			t.Errorf("%s differs by %.2g of the largest value", what, d)
		}
	}
	check("logits", im.Logits, npz.Find(want, "logits").Float32s())
	for _, method := range []string{"gradcam", "gradcam++", "hirescam", "xgradcam", "layercam", "eigencam"} {
		got, err := x.Explain(context.Background(), im, method, class)
		if err != nil {
			t.Fatal(err)
		}
		w := npz.Find(want, method+":"+layer)
		if w == nil || w.Shape[0] != got.H || w.Shape[1] != got.W {
			t.Fatalf("%s: map of %dx%d", method, got.H, got.W)
		}
		if layer != "features.22" {
			check(method, got.Values, w.Float32s())
		} else if d := distance(got.Values, w.Float32s()); !(d <= 0.03) {
			t.Errorf("%s differs by %.2g of its length", method, d)
		}
	}
	if !pixels {
		return
	}
	for method, of := range map[string]string{"saliency": "saliency", "guided-backprop": "guided"} {
		got, err := x.Explain(context.Background(), im, method, class)
		if err != nil {
			t.Fatal(err)
		}
		// A Relu whose input is nearly 0 may be on one side here and on the other there: through 49 of them some are.
		if d := distance(got.Signed, npz.Find(want, of).Float32s()); !(d <= 0.02) {
			t.Errorf("%s differs by %.2g of its length", method, d)
		}
	}
}

// difference returns the largest difference as a share of the largest value.
func difference(got, want []float32) float64 {
	largest, d := 0.0, 0.0
	for i := range want {
		largest = max(largest, math.Abs(float64(want[i])))
		d = max(d, math.Abs(float64(got[i]-want[i])))
	}
	return d / largest
}

// distance returns the length of the difference as a share of the length.
func distance(got, want []float32) float64 {
	length, d := 0.0, 0.0
	for i, w := range want {
		length += float64(w) * float64(w)
		d += math.Pow(float64(got[i]-w), 2)
	}
	return math.Sqrt(d / length)
}
