package zoo

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"testing"
)

// case 19: one pixel R=255, G=128, B=0 through the conventions of the model families.
func TestConventions(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	img.SetNRGBA(0, 0, color.NRGBA{255, 128, 0, 255})
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		want [3]float64
	}{
		{"torchvision-v1", [3]float64{2.2489083, 0.2051821, -1.8044444}},
		{"keras-torch", [3]float64{2.2489083, 0.2051821, -1.8044444}},
		{"keras-caffe", [3]float64{-103.939, 11.221, 131.32}},
		{"keras-tf", [3]float64{1, 0.0039216, -1}},
		{"timm-inception", [3]float64{1, 0.0039216, -1}},
		{"unit", [3]float64{1, 0.5019608, 0}},
		{"raw", [3]float64{255, 128, 0}},
	} {
		r, ok := RecipeByName(c.name)
		if !ok {
			t.Fatalf("no recipe %q", c.name)
		}
		got := make([]float32, 3)
		if err := r.WithSize(1, 1).Load(bytes.NewReader(file.Bytes()), got); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for i := range got {
			if d := math.Abs(float64(got[i]) - c.want[i]); d > 1e-5+1e-6*math.Abs(c.want[i]) {
				t.Errorf("%s: channel %d: got %v, want %v", c.name, i, got[i], c.want[i])
			}
		}
		if c.name != "torchvision-v1" {
			continue
		}
		// torchvision's InceptionV3 turns `torch` into `tf` inside the graph.
		tf := [3]float64{1, 0.0039216, -1}
		for i := range got {
			v := float64(got[i])*(imageNetStd[i]/0.5) + (imageNetMean[i]-0.5)/0.5
			if math.Abs(v-tf[i]) > 1e-6 {
				t.Errorf("after Inception's transform: channel %d: got %v, want %v", i, v, tf[i])
			}
		}
	}
}
