package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestMatMul(t *testing.T) {
	type in = []*onnx.Tensor
	n := node("MatMul", 2, 1, nil)
	v2, m22 := f32([]int{2}, 1, 10), f32([]int{2, 2}, 1, 2, 3, 4)
	runCases(t, []opCase{
		{name: "row times matrix", node: n, in: in{v2, m22}, want: in{f32([]int{2}, 31, 42)}},
		{name: "matrix times column", node: n, in: in{m22, v2}, want: in{f32([]int{2}, 21, 43)}},
		{name: "row times column", node: n, in: in{v2, v2}, want: in{f32(nil, 101)}},
		{name: "batch times matrix", node: n, in: in{seq([]int{2, 1, 2}, 1, 4), m22}, want: in{f32([]int{2, 1, 2}, 7, 10, 15, 22)}},
		{name: "matrix times batch", node: n, in: in{m22, seq([]int{2, 2, 1}, 1, 4)}, want: in{f32([]int{2, 2, 1}, 5, 11, 11, 25)}},
		{name: "batches broadcast", node: n, in: in{seq([]int{2, 1, 1, 2}, 1, 4), seq([]int{3, 2, 1}, 1, 6)}, want: in{f32([]int{2, 3, 1, 1}, 5, 11, 17, 11, 25, 39)}},
		{name: "row times batch", node: n, in: in{v2, seq([]int{2, 2, 1}, 1, 4)}, want: in{f32([]int{2, 1}, 21, 43)}},
		{name: "K is 0", node: n, in: in{f32([]int{2, 0}), f32([]int{0, 2})}, want: in{f32([]int{2, 2}, 0, 0, 0, 0)}},
		{name: "no batch", node: n, in: in{f32([]int{0, 2, 2}), m22}, want: in{f32([]int{0, 2, 2})}},
		{name: "double", node: n, in: in{f64([]int{1, 2}, 1, 2), f64([]int{2, 1}, 3, 4)}, want: in{f64([]int{1, 1}, 11)}},
		{name: "int32", node: n, in: in{i32([]int{2, 1, 1}, 2, 3), i32([]int{2, 1, 1}, 5, 7)}, want: in{i32([]int{2, 1, 1}, 10, 21)}},
		{name: "int64", node: n, in: in{i64([]int{1, 1}, 1<<40), i64([]int{1, 2}, 1<<20, 1)}, want: in{i64([]int{1, 2}, 1<<60, 1<<40)}},
		{name: "uint32", node: n, in: in{onnx.Of([]int{1}, []uint32{7}), onnx.Of([]int{1}, []uint32{3})}, want: in{onnx.Of(nil, []uint32{21})}},
		{name: "uint64", node: n, in: in{onnx.Of([]int{1}, []uint64{7}), onnx.Of([]int{1}, []uint64{3})}, want: in{onnx.Of(nil, []uint64{21})}},
		{name: "inner sizes", node: n, in: in{v2, f32([]int{3, 1}, 1, 2, 3)}, wantErr: "inner sizes 2 and 3 differ"},
		{name: "batches", node: n, in: in{ones(2, 1, 1), ones(3, 1, 1)}, wantErr: "cannot be broadcast"},
		{name: "scalar", node: n, in: in{f32(nil, 1), v2}, wantErr: "rank 1 or more"},
		{name: "types", node: n, in: in{v2, i32([]int{2}, 1, 2)}, wantErr: "float32 and int32"},
		{name: "bool", node: n, in: in{bools([]int{1}, true), bools([]int{1}, true)}, wantErr: "bool is not supported"},
	})
	runNodeCases(t, "MatMul", nil)
}
