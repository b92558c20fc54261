package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// Scattering moves elements of every width, and reduces every type of number.
func TestScatterTypes(t *testing.T) {
	for _, typ := range moverTypes {
		x, up := fill(typ, 3, 2), fill(typ, 1, 2)
		y, err := runNode(node("ScatterND", 3, 1, nil), 0, tensors{x, i64([]int{1, 1}, 1), up})
		if err != nil {
			t.Fatal(err)
		}
		z, err := runNode(node("ScatterElements", 3, 1, nil), 0, tensors{x, i64([]int{1, 2}, 1, 1), up})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			want := element(x, i)
			if i == 2 || i == 3 {
				want = element(up, i-2)
			}
			if element(y[0], i) != want || element(z[0], i) != want {
				t.Fatalf("%v: element %d", typ, i)
			}
		}
	}
	three := map[onnx.DataType]*onnx.Tensor{
		onnx.Float: f32([]int{1}, 3), onnx.Double: f64([]int{1}, 3), onnx.Int8: i8([]int{1}, 3), onnx.Int16: onnx.Of([]int{1}, []int16{3}),
		onnx.Int32: i32([]int{1}, 3), onnx.Int64: i64([]int{1}, 3), onnx.Uint8: u8([]int{1}, 3), onnx.Uint16: onnx.Of([]int{1}, []uint16{3}),
		onnx.Uint32: onnx.Of([]int{1}, []uint32{3}), onnx.Uint64: onnx.Of([]int{1}, []uint64{3}),
		onnx.Float16:  onnx.Of([]int{1}, []onnx.Float16Bits{onnx.Float16FromFloat32(3)}),
		onnx.BFloat16: onnx.Of([]int{1}, []onnx.BFloat16Bits{onnx.BFloat16FromFloat32(3)}),
	}
	for typ, x := range three {
		// (3+3)*3 by way of two nodes, then max with 3.
		idx := i64([]int{1}, 0)
		y := tensors{x}
		for _, how := range []string{"add", "mul", "max"} {
			var err error
			if y, err = runNode(node("ScatterElements", 3, 1, attrs{"reduction": how}), 0, tensors{y[0], idx, x}); err != nil {
				t.Fatal(err)
			}
		}
		var got float64
		if f := floats(y[0]); f != nil {
			got = f[0]
		} else {
			w, err := wholeNumbers(y[0])
			if err != nil {
				t.Fatal(err)
			}
			got = float64(w[0])
		}
		if got != 18 {
			t.Errorf("%v: got %v, want 18", typ, got)
		}
	}
}
