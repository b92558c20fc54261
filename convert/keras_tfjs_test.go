package convert

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// The pretrained networks give what TensorFlow.js gives: the probabilities, and the mean of the last feature map.
func TestTFJSModels(t *testing.T) {
	if testing.Short() {
		t.Skip("two large networks")
	}
	needORT(t)
	check := newChecker(t)
	for name, base := range map[string]string{"inception_v3": "mixed10", "mobilenet_v2": "out_relu"} {
		dir := reftest.Shared(t, "models/tfjs/"+name)
		m, report, err := ReadTFJS(filepath.Join(dir, "model.json"), KerasOptions{})
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
		in := map[string]*onnx.Tensor{m.Graph.Inputs[0].Name: x}
		onORT(t, check, name, m, in)
		last := m.Graph.Outputs[0].Name
		m.Graph.Outputs = append(m.Graph.Outputs, &onnx.Value{Name: base})
		out := runOn(t, "native", m, in)
		for i, want := range ref.Output {
			if got := float64(out[last].Float32s()[i]); math.Abs(got-want) > 1e-4 {
				t.Errorf("%s: output %d is %g, want %g", name, i, got, want)
			}
		}
		plane := out[base].Shape[2] * out[base].Shape[3]
		for i, want := range ref.Mean {
			sum := 0.0
			for _, v := range out[base].Float32s()[i*plane : (i+1)*plane] {
				sum += float64(v)
			}
			if got := sum / float64(plane); math.Abs(got-want) > 1e-4 {
				t.Errorf("%s: mean of channel %d of %s is %g, want %g", name, i, base, got, want)
			}
		}
	}
	check.run(t)
}

// onORT checks that the model in operator sets 13, 17 and 21 gives on ONNX Runtime what it gives on the native engine, and
// hands it to the checker of the ONNX project.
func onORT(t *testing.T, check *checker, name string, m *onnx.Model, in map[string]*onnx.Tensor) {
	t.Helper()
	want := runOn(t, "native", m, in)
	for _, opset := range []int{13, 17, 21} {
		c, err := Opset(m, opset)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		check.add(t, fmt.Sprintf("%s, opset %d", name, opset), c)
		for output, got := range runOn(t, "ort", c, in) {
			if d := difference(t, got, want[output]); d > 1e-4 {
				t.Errorf("%s, opset %d: output %q is %g away from ONNX Runtime's", name, opset, output, d)
			}
		}
	}
}
