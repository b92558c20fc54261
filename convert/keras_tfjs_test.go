package convert_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// The pretrained networks give what TensorFlow.js gives: the probabilities, and the mean of the last feature map.
func TestTFJSModels(t *testing.T) {
	if testing.Short() {
		t.Skip("two large networks")
	}
	for name, base := range map[string]string{"inception_v3": "mixed10", "mobilenet_v2": "out_relu"} {
		dir := reftest.Shared(t, "models/tfjs/"+name)
		m, report, err := convert.ReadTFJS(filepath.Join(dir, "model.json"), convert.KerasOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(report.Unexpected) > 0 || report.Matched != report.Parameters {
			t.Errorf("%s: %+v", name, report)
		}
		var ref struct {
			Shape  []int     `json:"input_shape"`
			Output []float64 `json:"output"`
			Mean   []float64 `json:"base_mean"`
		}
		text, err := os.ReadFile(filepath.Join(dir, "reference.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &ref); err != nil {
			t.Fatal(err)
		}
		h, w, c := ref.Shape[1], ref.Shape[2], ref.Shape[3]
		x := onnx.New(onnx.Float, 1, c, h, w)
		s := uint32(12345)
		for i := range h * w {
			for k := range c {
				s = s*1103515245 + 12345
				x.Float32s()[k*h*w+i] = float32(s>>8) / (1 << 24)
			}
		}
		m.Graph.Outputs = append(m.Graph.Outputs, &onnx.Value{Name: base})
		out := run(t, m, x)
		for i, want := range ref.Output {
			if got := float64(out[0].Float32s()[i]); math.Abs(got-want) > 1e-4 {
				t.Errorf("%s: output %d is %g, want %g", name, i, got, want)
			}
		}
		plane := out[1].Shape[2] * out[1].Shape[3]
		for i, want := range ref.Mean {
			sum := 0.0
			for _, v := range out[1].Float32s()[i*plane : (i+1)*plane] {
				sum += float64(v)
			}
			if got := sum / float64(plane); math.Abs(got-want) > 1e-4 {
				t.Errorf("%s: mean of channel %d of %s is %g, want %g", name, i, base, got, want)
			}
		}
	}
}

// run computes the model's outputs.
func run(t *testing.T, m *onnx.Model, in ...*onnx.Tensor) []*onnx.Tensor {
	t.Helper()
	s, err := backend.Open(m, backend.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	named := map[string]*onnx.Tensor{}
	for i, v := range s.Inputs() {
		named[v.Name] = in[i]
	}
	values, err := s.Run(t.Context(), named)
	if err != nil {
		t.Fatal(err)
	}
	var out []*onnx.Tensor
	for _, v := range s.Outputs() {
		out = append(out, values[v.Name])
	}
	return out
}
