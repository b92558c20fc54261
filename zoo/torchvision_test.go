package zoo

import (
	"encoding/json"
	"os/exec"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// The catalogue's torchvision recipes and the labels are those that torchvision's weights carry.
func TestTorchvision(t *testing.T) {
	python := reftest.Python(t, "torch", "torchvision", "numpy")
	out, err := exec.Command(python, "-c", `
import json
from torchvision import models as m
names = {
    "torchvision-v1": [m.VGG16_Weights.IMAGENET1K_V1, m.ResNet50_Weights.IMAGENET1K_V1, m.DenseNet121_Weights.IMAGENET1K_V1, m.MobileNet_V2_Weights.IMAGENET1K_V1],
    "torchvision-v2": [m.ResNet50_Weights.IMAGENET1K_V2, m.MobileNet_V3_Large_Weights.IMAGENET1K_V2],
    "inception-v3": [m.Inception_V3_Weights.IMAGENET1K_V1],
    "efficientnet-b1-v2": [m.EfficientNet_B1_Weights.IMAGENET1K_V2],
    "convnext-tiny": [m.ConvNeXt_Tiny_Weights.IMAGENET1K_V1],
    "convnext-small": [m.ConvNeXt_Small_Weights.IMAGENET1K_V1],
    "convnext-base": [m.ConvNeXt_Base_Weights.IMAGENET1K_V1, m.ConvNeXt_Large_Weights.IMAGENET1K_V1],
    "efficientnet-v2-s": [m.EfficientNet_V2_S_Weights.IMAGENET1K_V1],
    "efficientnet-v2-m": [m.EfficientNet_V2_M_Weights.IMAGENET1K_V1],
    "efficientnet-v2-l": [m.EfficientNet_V2_L_Weights.IMAGENET1K_V1],
}
for i in range(8):
    names["efficientnet-b%d" % i] = [getattr(m, "EfficientNet_B%d_Weights" % i).IMAGENET1K_V1]
rows = []
for name, weights in names.items():
    for w in weights:
        t = w.transforms()
        rows.append(dict(Name=name, Weights=str(w), Resize=t.resize_size[0], Crop=t.crop_size[0], Filter=t.interpolation.value, Mean=t.mean, Std=t.std))
print(json.dumps(dict(Rows=rows, Labels=m.ResNet50_Weights.IMAGENET1K_V1.meta["categories"])))
`).Output()
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Rows []struct {
			Name, Weights, Filter string
			Resize, Crop          int
			Mean, Std             [3]float64
		}
		Labels []string
	}
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Rows) < 20 {
		t.Fatalf("only %d weights", len(want.Rows))
	}
	for _, w := range want.Rows {
		r, ok := RecipeByName(w.Name)
		if !ok {
			t.Errorf("no recipe %q", w.Name)
			continue
		}
		if r.Resize != "shorter" || r.ResizeTo[0] != w.Resize || r.Size != [2]int{w.Crop, w.Crop} || r.Interpolation != w.Filter || r.Mean != w.Mean || r.Std != w.Std {
			t.Errorf("%s: got %+v, want %+v", w.Name, r, w)
		}
	}
	if !slices.Equal(ImageNetLabels(), want.Labels) {
		t.Error("the labels are not torchvision's")
	}
}
