package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestDet(t *testing.T) {
	n := node("Det", 1, 1, nil)
	// Each row and column of 1 to n, n at the diagonal's place after it: a cyclic permutation, of sign (-1)^(n-1).
	cycle := onnx.New(onnx.Double, 6, 6)
	for i := range 6 {
		onnx.Data[float64](cycle)[i*6+(i+1)%6] = float64(i + 1)
	}
	runCases(t, []opCase{
		{name: "two rows", node: n, in: tensors{f32([]int{2, 2}, 1, 2, 3, 4)}, want: tensors{f32(nil, -2)}},
		{name: "opset 11", node: n, opset: 11, in: tensors{f32([]int{2, 2}, 1, 2, 3, 4)}, want: tensors{f32(nil, -2)}},
		{name: "several", node: n, in: tensors{f32([]int{1, 3, 2, 2}, 1, 0, 0, 1, 0, 1, 1, 0, 1, 2, 2, 4)}, want: tensors{f32([]int{1, 3}, 1, -1, 0)}},
		{name: "three rows", node: n, in: tensors{f64([]int{3, 3}, 0, 2, 1, 3, 0, 5, 1, 1, 1)}, want: tensors{f64(nil, 7)}},
		{name: "six rows", node: n, in: tensors{cycle}, want: tensors{f64(nil, -720)}},
		{name: "one", node: n, in: tensors{f64([]int{1, 1}, -3)}, want: tensors{f64(nil, -3)}},
		{name: "no rows", node: n, in: tensors{f32([]int{2, 0, 0})}, want: tensors{f32([]int{2}, 1, 1)}},
		{name: "not square", node: n, in: tensors{f32([]int{1, 2}, 1, 2)}, wantErr: "want square"},
		{name: "a vector", node: n, in: tensors{f32([]int{1}, 1)}, wantErr: "want square"},
		{name: "integers", node: n, in: tensors{onnx.New(onnx.Int32, 1, 1)}, wantErr: "int32 is not supported"},
	})
}
