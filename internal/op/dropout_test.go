package op

import (
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestDropoutNodeCases(t *testing.T) { runNodeCases(t, "Dropout", nil) }

// The masks of training are those of numpy:
//
//	numpy.random.seed(s); print(numpy.random.uniform(0, 1, 8) >= ratio)
func TestDropout(t *testing.T) {
	three := []int{3}
	x := f32(three, 1, 2, 3)
	all := bools(three, true, true, true)
	eight := f32([]int{8}, 1, 1, 1, 1, 1, 1, 1, 1)
	kept := bools([]int{8}, true, true, true, true, false, true, false, true)
	doubled := f32([]int{8}, 2, 2, 2, 2, 0, 2, 0, 2)
	on, off := bools(nil, true), bools(nil, false)
	half := func(v ...float32) *onnx.Tensor {
		h := make([]onnx.Float16Bits, len(v))
		for i, f := range v {
			h[i] = onnx.Float16FromFloat32(f)
		}
		return onnx.Of([]int{len(v)}, h)
	}
	halves := half(1, 1, 1, 1, 1, 1, 1, 1)
	runCases(t, []opCase{
		{name: "case 8 d", opset: 3, node: node("Dropout", 1, 2, attrs{"is_test": 1, "ratio": 0.5, "consumed_inputs": []int{0}}), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{x, f32(three, 1, 1, 1)}},
		{name: "case 10, opset 13", opset: 13, node: node("Dropout", 2, 2, nil), in: []*onnx.Tensor{x, f32(nil, 0.5)}, want: []*onnx.Tensor{x, all}},
		{name: "case 10, opset 7", opset: 7, node: node("Dropout", 1, 2, attrs{"ratio": 0.5}), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{x, f32(three, 1, 1, 1)}},
		{name: "opset 10", opset: 10, node: node("Dropout", 1, 2, nil), in: []*onnx.Tensor{x}, want: []*onnx.Tensor{x, all}},
		{name: "training off", node: node("Dropout", 3, 2, nil), in: []*onnx.Tensor{x, f32(nil, 0.5), off}, want: []*onnx.Tensor{x, all}},
		{name: "training, seed 0", node: node("Dropout", 3, 2, nil), in: []*onnx.Tensor{eight, nil, on}, want: []*onnx.Tensor{doubled, kept}},
		{name: "training, seed 5, ratio 0.75", node: node("Dropout", 3, 2, attrs{"seed": 5}), in: []*onnx.Tensor{f64([]int{8}, 1, 1, 1, 1, 1, 1, 1, 1), f64(nil, 0.75), on},
			want: []*onnx.Tensor{f64([]int{8}, 0, 4, 0, 4, 0, 0, 4, 0), bools([]int{8}, false, true, false, true, false, false, true, false)}},
		{name: "training, half", node: node("Dropout", 3, 1, nil), in: []*onnx.Tensor{halves, halfScalar(0.5), on}, want: []*onnx.Tensor{half(2, 2, 2, 2, 0, 2, 0, 2)}},
		{name: "training, opset 6", opset: 6, node: node("Dropout", 1, 2, nil), in: []*onnx.Tensor{eight}, want: []*onnx.Tensor{doubled, f32([]int{8}, 1, 1, 1, 1, 0, 1, 0, 1)}},
		{name: "ratio 0", node: node("Dropout", 3, 2, nil), in: []*onnx.Tensor{x, f32(nil, 0), on}, want: []*onnx.Tensor{x, all}},
		{name: "ratio 1", node: node("Dropout", 3, 1, nil), in: []*onnx.Tensor{x, f32(nil, 1), on}, want: []*onnx.Tensor{f32(three, 0, 0, 0)}},
		{name: "ratio out of range", node: node("Dropout", 3, 1, nil), in: []*onnx.Tensor{x, f32(nil, 1.5), on}, wantErr: "ratio is 1.5"},
		{name: "attribute out of range", opset: 7, node: node("Dropout", 1, 1, attrs{"ratio": -1.0}), in: []*onnx.Tensor{x}, wantErr: "ratio is -1"},
		{name: "ratio input in opset 10", opset: 10, node: node("Dropout", 2, 1, nil), in: []*onnx.Tensor{x, f32(nil, 1)}, wantErr: "wants 1"},
		{name: "many ratios", node: node("Dropout", 2, 1, nil), in: []*onnx.Tensor{x, x}, wantErr: "one number"},
		{name: "ratio of integers", node: node("Dropout", 2, 1, nil), in: []*onnx.Tensor{x, i64(nil, 1)}, wantErr: "input 1: type int64"},
		{name: "training mode of integers", node: node("Dropout", 3, 1, nil), in: []*onnx.Tensor{x, nil, i64(nil, 1)}, wantErr: "one bool"},
		{name: "type", node: node("Dropout", 1, 1, nil), in: []*onnx.Tensor{i64(nil, 1)}, wantErr: "type int64"},
	})
}

func halfScalar(v float32) *onnx.Tensor {
	return onnx.Of(nil, []onnx.Float16Bits{onnx.Float16FromFloat32(v)})
}

// Only where nothing can be dropped and no mask is wanted does the output share the input's memory.
func TestDropoutAliases(t *testing.T) {
	for _, c := range []struct {
		opset, in, out int
		a              attrs
		consts         []*onnx.Tensor
		want           bool
	}{
		{opset: 7, in: 1, out: 1, want: true},
		{opset: 7, in: 1, out: 2, want: false},
		{opset: 6, in: 1, out: 1, want: false},
		{opset: 6, in: 1, out: 1, a: attrs{"is_test": 1}, want: true},
		{opset: 13, in: 2, out: 1, want: true},
		{opset: 13, in: 3, out: 1, want: false},
		{opset: 13, in: 3, out: 1, consts: []*onnx.Tensor{nil, nil, bools(nil, false)}, want: true},
		{opset: 13, in: 3, out: 1, consts: []*onnx.Tensor{nil, nil, bools(nil, true)}, want: false},
	} {
		var warned []string
		o, _, err := Make(node("Dropout", c.in, c.out, c.a), c.opset, func(s string) { warned = append(warned, s) })
		if err != nil {
			t.Fatal(err)
		}
		if random := c.opset == 6 && c.a == nil; random != strings.Contains(strings.Join(warned, ""), "at random") {
			t.Errorf("opset %d: warnings %q", c.opset, warned)
		}
		prepared, err := o.(Preparer).Prepare(c.consts)
		if err != nil {
			t.Fatal(err)
		}
		if prepared != nil {
			o = prepared
		}
		if got := o.(Aliaser).Aliases(); got != c.want {
			t.Errorf("opset %d, %d inputs, %d outputs, %v: aliases %v, want %v", c.opset, c.in, c.out, c.a, got, c.want)
		}
	}
}
