package op

import (
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestBatchNormalizationNodeCases(t *testing.T) { runNodeCases(t, "BatchNormalization", nil) }

func TestBatchNormalization(t *testing.T) {
	c := []int{2}
	stats := []*onnx.Tensor{f32(c, 1, 2), f32(c, 0, 1), f32(c, 1, 3), f32(c, 4, 1)}
	with := func(x *onnx.Tensor) []*onnx.Tensor { return append([]*onnx.Tensor{x}, stats...) }
	x := f32([]int{1, 2, 1, 2}, 3, 5, 4, 3)
	want := []*onnx.Tensor{f32([]int{1, 2, 1, 2}, 0.99987507, 1.9997501, 2.9990005, 1)}
	eps := attrs{"epsilon": 0.001}
	trained := []*onnx.Tensor{f32([]int{1, 2, 1, 2}, -0.9995003, 0.9995005, 2.9960117, -0.9960117), f32(c, 1.3, 3.05), f32(c, 3.7, 0.925)}
	batch := f32(c, 4, 3.5)
	batchVar := f32(c, 1, 0.25)
	element := []int{2, 1, 2}
	runCases(t, []opCase{
		{name: "case 5, opset 9", opset: 9, node: node("BatchNormalization", 5, 1, eps), in: with(x), want: want},
		{name: "case 5, opset 7, spatial=0 with a value a channel", opset: 7, node: node("BatchNormalization", 5, 1, attrs{"epsilon": 0.001, "spatial": 0}), in: with(x), want: want},
		{name: "case 5, opset 1", opset: 1, node: node("BatchNormalization", 5, 1, attrs{"epsilon": 0.001, "is_test": 1, "consumed_inputs": []int{0, 0, 0, 1, 1}}), in: with(x), want: want},
		{name: "case 5, opset 6, Y alone", opset: 6, node: node("BatchNormalization", 5, 1, eps), in: with(x), want: want},
		{name: "case 5, rank 2", node: node("BatchNormalization", 5, 1, nil), in: with(f32([]int{1, 2}, 3, 4)), want: []*onnx.Tensor{f32([]int{1, 2}, 0.9999988, 2.99999)}},
		{name: "case 5, default epsilon", node: node("BatchNormalization", 5, 1, nil), in: []*onnx.Tensor{f32([]int{1, 1}, 1), f32([]int{1}, 1), f32([]int{1}, 0), f32([]int{1}, 0), f32([]int{1}, 0)},
			want: []*onnx.Tensor{f32([]int{1, 1}, 316.22778)}},
		{name: "case 5, statistics of elements", opset: 7, node: node("BatchNormalization", 5, 1, attrs{"epsilon": 0.0, "spatial": 0}),
			in:   []*onnx.Tensor{f32([]int{1, 2, 1, 2}, 3, 5, 4, 3), f32(element, 1, 2, 3, 4), f32(element, 0, 0, 1, 1), f32(element, 1, 1, 2, 2), f32(element, 4, 1, 1, 1)},
			want: []*onnx.Tensor{f32([]int{1, 2, 1, 2}, 1, 8, 7, 5)}},
		{name: "case 6", opset: 15, node: node("BatchNormalization", 5, 3, attrs{"epsilon": 0.001, "training_mode": 1, "momentum": 0.9}), in: with(x), want: trained},
		{name: "case 6, another momentum", opset: 15, node: node("BatchNormalization", 5, 3, attrs{"epsilon": 0.001, "training_mode": 1, "momentum": 0.5}), in: with(x),
			want: []*onnx.Tensor{trained[0], f32(c, 2.5, 3.25), f32(c, 2.5, 0.625)}},
		{name: "case 6, opset 9", opset: 9, node: node("BatchNormalization", 5, 5, eps), in: with(x), want: append(append([]*onnx.Tensor{}, trained...), batch, batchVar)},
		{name: "case 6, opset 6", opset: 6, node: node("BatchNormalization", 5, 5, eps), in: with(x), want: append(append([]*onnx.Tensor{}, trained...), batch, batchVar)},
		{name: "case 6, double", opset: 15, node: node("BatchNormalization", 5, 3, attrs{"epsilon": 0.0, "training_mode": 1}), in: []*onnx.Tensor{f64([]int{2, 1}, 1, 3), f64([]int{1}, 2), f64([]int{1}, 1), f64([]int{1}, 0), f64([]int{1}, 1)},
			want: []*onnx.Tensor{f64([]int{2, 1}, -1, 3), f64([]int{1}, 0.2), f64([]int{1}, 1)}},
		{name: "statistics of another type", opset: 15, node: node("BatchNormalization", 5, 1, attrs{"epsilon": 0.0}), in: []*onnx.Tensor{f32([]int{2, 1}, 1, 3), f32([]int{1}, 2), f32([]int{1}, 1), f64([]int{1}, 1), f64([]int{1}, 4)},
			want: []*onnx.Tensor{f32([]int{2, 1}, 1, 3)}},
		{name: "rank 1", node: node("BatchNormalization", 5, 1, attrs{"epsilon": 0.0}), in: []*onnx.Tensor{f32([]int{2}, 1, 3), f32([]int{1}, 2), f32([]int{1}, 1), f32([]int{1}, 1), f32([]int{1}, 4)},
			want: []*onnx.Tensor{f32([]int{2}, 1, 3)}},
		{name: "scalar", node: node("BatchNormalization", 5, 1, attrs{"epsilon": 0.0}), in: []*onnx.Tensor{f32(nil, 3), f32([]int{1}, 2), f32([]int{1}, 1), f32([]int{1}, 1), f32([]int{1}, 4)},
			want: []*onnx.Tensor{f32(nil, 3)}},
		{name: "no batch", node: node("BatchNormalization", 5, 1, nil), in: with(f32([]int{0, 2, 3})), want: []*onnx.Tensor{f32([]int{0, 2, 3})}},
		{name: "too few statistics", node: node("BatchNormalization", 5, 1, nil), in: with(f32([]int{1, 3}, 1, 2, 3)), wantErr: "scale: want shape [3]"},
		{name: "type", node: node("BatchNormalization", 5, 1, nil), in: with(i64([]int{1, 2}, 1, 2)), wantErr: "type int64"},
		{name: "training per element", opset: 7, node: node("BatchNormalization", 5, 5, attrs{"spatial": 0}),
			in: []*onnx.Tensor{x, f32(element, 1, 2, 3, 4), f32(element, 0, 0, 1, 1), f32(element, 1, 1, 2, 2), f32(element, 4, 1, 1, 1)}, wantErr: "training with spatial=0"},
		{name: "running statistics outside of training", node: node("BatchNormalization", 5, 2, nil), in: with(x), wantErr: "training_mode=1"},
		{name: "saved statistics in opset 14", opset: 14, node: node("BatchNormalization", 5, 5, nil), in: with(x), wantErr: "at most 3"},
	})
}

// Files that are lenient or in training mode are taken with a warning.
func TestBatchNormalizationWarns(t *testing.T) {
	for _, c := range []struct {
		opset int
		a     attrs
		outs  int
		want  string
	}{
		{7, attrs{"spatial": 0}, 1, "spatial=0"},
		{15, attrs{"training_mode": 1}, 1, "training mode"},
		{9, nil, 5, "training mode"},
		{9, attrs{"is_test": 1}, 1, ""},
		{15, nil, 1, ""},
	} {
		var got []string
		if _, _, err := Make(node("BatchNormalization", 5, c.outs, c.a), c.opset, func(s string) { got = append(got, s) }); err != nil {
			t.Fatal(err)
		}
		all := strings.Join(got, "\n")
		if (c.want == "") != (all == "") || !strings.Contains(all, c.want) {
			t.Errorf("opset %d, %v: warnings %q, want one with %q", c.opset, c.a, got, c.want)
		}
	}
}
