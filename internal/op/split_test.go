package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestSplit(t *testing.T) {
	n := func(in, out int, a attrs) *onnx.Node { return node("Split", in, out, a) }
	x := seq([]int{2, 5}, 1, 10)
	y := tensors{f32([]int{2, 2}, 1, 2, 6, 7), f32([]int{2, 2}, 3, 4, 8, 9), f32([]int{2, 1}, 5, 10)}
	runCases(t, []opCase{
		{name: "sizes", node: n(2, 3, attrs{"axis": 1}), in: tensors{x, i64([]int{3}, 2, 2, 1)}, want: y},
		{name: "attribute", opset: 2, node: n(1, 3, attrs{"axis": 1, "split": []int{2, 2, 1}}), in: tensors{x}, want: y},
		{name: "opset 1 input", opset: 1, node: n(2, 3, attrs{"axis": 1}), in: tensors{x, i64([]int{3}, 2, 2, 1)}, want: y},
		{name: "attribute in a late opset", node: n(1, 3, attrs{"axis": 1, "split": []int{2, 2, 1}}), in: tensors{x}, want: y},
		{name: "uneven", opset: 18, node: n(1, 3, attrs{"axis": -1, "num_outputs": 3}), in: tensors{x}, want: y},
		{name: "even", opset: 13, node: n(1, 2, nil), in: tensors{x}, want: tensors{seq([]int{1, 5}, 1, 5), seq([]int{1, 5}, 6, 10)}},
		{name: "uneven before 18", opset: 13, node: n(1, 3, attrs{"axis": 1}), in: tensors{x}, wantErr: "size 5 cannot be split into 3"},
		{name: "nothing left for the last", opset: 18, node: n(1, 4, attrs{"axis": 1, "num_outputs": 4}), in: tensors{x}, wantErr: "size 5 cannot be split into 4"},
		{name: "none", node: n(2, 2, nil), in: tensors{f32([]int{0}), i64([]int{2}, 0, 0)}, want: tensors{f32([]int{0}), f32([]int{0})}},
		{name: "too much", node: n(2, 2, nil), in: tensors{x, i64([]int{2}, 1, 2)}, wantErr: "[1 2] do not add up to 2"},
		{name: "too little", node: n(2, 2, nil), in: tensors{x, i64([]int{2}, 1, 0)}, wantErr: "[1 0] do not add up to 2"},
		{name: "negative", node: n(2, 2, nil), in: tensors{x, i64([]int{2}, 3, -1)}, wantErr: "do not add up"},
		{name: "sizes and outputs", node: n(2, 3, nil), in: tensors{x, i64([]int{2}, 1, 1)}, wantErr: "2 sizes for 3 outputs"},
		{name: "num_outputs and outputs", node: n(1, 2, attrs{"num_outputs": 3}), in: tensors{x}, wantErr: "num_outputs is 3, but the node has 2 outputs"},
		{name: "both", node: n(2, 2, attrs{"num_outputs": 2}), in: tensors{x, i64([]int{2}, 1, 1)}, wantErr: "both num_outputs and sizes"},
		{name: "no outputs", node: n(1, 0, nil), in: tensors{x}, wantErr: "no outputs"},
		{name: "axis", node: n(1, 2, attrs{"axis": 2}), in: tensors{x}, wantErr: "axis 2 is outside"},
		{name: "float sizes", node: n(2, 2, nil), in: tensors{x, f32([]int{2}, 1, 1)}, wantErr: "split: want int64"},
		{name: "packed", node: n(1, 1, nil), in: tensors{onnx.New(onnx.Int4, 2)}, wantErr: "int4 is not supported"},
	})
	// An output that nobody wants is left out.
	skip := n(2, 3, attrs{"axis": 1})
	skip.Outputs[1] = ""
	got, err := runNode(skip, 13, tensors{x, i64([]int{3}, 2, 2, 1)})
	if err != nil || got[1] != nil || diffTensor(got[2], y[2], 0) != "" {
		t.Fatal(got, err)
	}
}
