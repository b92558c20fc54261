package op

import (
	"fmt"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestTranspose(t *testing.T) {
	perm := func(p ...int) *onnx.Node { return node("Transpose", 1, 1, attrs{"perm": p}) }
	runCases(t, []opCase{
		{name: "default reverses", node: node("Transpose", 1, 1, nil), in: tensors{seq([]int{2, 3}, 1, 6)}, want: tensors{f32([]int{3, 2}, 1, 4, 2, 5, 3, 6)}},
		{name: "scalar", node: node("Transpose", 1, 1, nil), in: tensors{f32(nil, 1)}, want: tensors{f32(nil, 1)}},
		{name: "empty", node: perm(1, 0), in: tensors{f32([]int{0, 3})}, want: tensors{f32([]int{3, 0})}},
		{name: "strings", node: perm(1, 0), in: tensors{fill(onnx.String, 1, 3)}, want: tensors{fill(onnx.String, 3, 1)}},
		{name: "rank", node: perm(1, 0), in: tensors{seq([]int{2}, 1, 2)}, wantErr: "perm [1 0] has 2 entries, the input has rank 1"},
		{name: "twice", node: perm(0, 0), in: tensors{seq([]int{2, 1}, 1, 2)}, wantErr: "named twice"},
		{name: "packed", node: perm(0), in: tensors{onnx.New(onnx.Int4, 2)}, wantErr: "int4 is not supported"},
	})
	// out[i0,i1,i2,i3] is in at the permuted place, for all widths and layouts that networks use.
	for _, p := range [][]int{{0, 2, 3, 1}, {0, 3, 1, 2}, {3, 2, 1, 0}, {1, 0, 2, 3}, {0, 1, 3, 2}} {
		for _, typ := range moverTypes {
			x := fill(typ, 2, 17, 9, 10)
			y, err := runNode(perm(p...), 13, tensors{x})
			if err != nil {
				t.Fatal(err)
			}
			strides := make([]int, 4)
			for i, a := range p {
				strides[i] = rowMajor(x.Shape)[a]
			}
			at := startAt(dimsOf(y[0].Shape, strides), 0, 0, 0)
			for i := range y[0].Len() {
				if element(y[0], i) != element(x, at.src) {
					t.Fatal(fmt.Sprint(typ, p, " element ", i))
				}
				at.next()
			}
		}
	}
}
