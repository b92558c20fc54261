package gradcam_test

import (
	"context"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/gradcam"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// BenchmarkResNet50 is a prediction, and a prediction with the Grad-CAM map of a class.
func BenchmarkResNet50(b *testing.B) {
	prefix := reftest.Model(b, "resnet50")
	m, err := onnx.Open(prefix + ".onnx")
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	images, err := npz.ReadFile(prefix + ".in.npy")
	if err != nil {
		b.Fatal(err)
	}
	input := images[0].Float32s()[:3*224*224]
	ctx := context.Background()
	b.Run("forward", func(b *testing.B) {
		s, err := backend.Open(m, backend.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		for b.Loop() {
			if _, err := s.Run(ctx, map[string]*onnx.Tensor{"input": onnx.Of([]int{1, 3, 224, 224}, input)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	recipe, _ := zoo.RecipeByName("torchvision-v1")
	for name, layer := range map[string]string{"gradcam": "", "gradcam of layer3": "layer3"} {
		b.Run(name, func(b *testing.B) {
			x, err := gradcam.New(m, gradcam.Options{Recipe: &recipe, Layer: layer})
			if err != nil {
				b.Fatal(err)
			}
			defer x.Close()
			for b.Loop() {
				im, err := x.Input(ctx, input)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := x.Explain(ctx, im, "gradcam", im.Predicted); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
