package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestPad(t *testing.T) {
	n := func(in int, mode string) *onnx.Node { return node("Pad", in, 1, attrs{"mode": mode}) }
	v := func(a ...int64) *onnx.Tensor { return i64([]int{len(a)}, a...) }
	axes := n(4, "constant")
	noValue := n(4, "constant")
	noValue.Inputs[2] = ""
	four := seq([]int{1, 4}, 1, 4)
	runCases(t, []opCase{
		{name: "case 11 a", node: n(2, "reflect"), in: tensors{seq([]int{3, 4}, 0, 11), v(1, 0, 0, 2)}, want: tensors{f32([]int{4, 6},
			4, 5, 6, 7, 6, 5, 0, 1, 2, 3, 2, 1, 4, 5, 6, 7, 6, 5, 8, 9, 10, 11, 10, 9)}},
		{name: "case 11 b", node: n(2, "edge"), in: tensors{seq([]int{2, 2}, 1, 4), v(0, 1, 1, 0)}, want: tensors{f32([]int{3, 3}, 1, 1, 2, 3, 3, 4, 3, 3, 4)}},
		{name: "case 11 c", node: n(3, "constant"), in: tensors{four, v(0, -1, 0, 2), f32(nil, 9)}, want: tensors{f32([]int{1, 5}, 2, 3, 4, 9, 9)}},
		{name: "case 11 d", opset: 18, node: axes, in: tensors{seq([]int{3, 4}, 1, 12), v(1, 2), f32(nil, 7), v(-1)}, want: tensors{f32([]int{3, 7},
			7, 1, 2, 3, 4, 7, 7, 7, 5, 6, 7, 8, 7, 7, 7, 9, 10, 11, 12, 7, 7)}},
		{name: "case 11 e", opset: 19, node: n(2, "wrap"), in: tensors{four, v(0, 2, 0, 1)}, want: tensors{f32([]int{1, 7}, 3, 4, 1, 2, 3, 4, 1)}},
		{name: "case 11 f", node: n(2, "reflect"), in: tensors{four, v(0, 4, 0, 0)}, wantErr: "cannot reflect 4 elements of dimension 1, which has 4"},
		{name: "case 11 g", node: n(2, "constant"), in: tensors{four, v(0, -3, 0, -2)}, wantErr: "pads -3 and -2 cut off more than the 4 elements"},
		{name: "attributes", opset: 2, node: node("Pad", 1, 1, attrs{"pads": []int{0, 1, 0, 0}, "value": float32(5)}), in: tensors{four}, want: tensors{f32([]int{1, 5}, 5, 1, 2, 3, 4)}},
		{name: "opset 1", opset: 1, node: node("Pad", 1, 1, attrs{"paddings": []int{0, 1, 0, 0}, "mode": "edge"}), in: tensors{four}, want: tensors{f32([]int{1, 5}, 1, 1, 2, 3, 4)}},
		{name: "attributes of doubles", opset: 2, node: node("Pad", 1, 1, attrs{"pads": []int{1, 0}, "value": float32(5)}), in: tensors{f64([]int{1}, 1)}, want: tensors{f64([]int{2}, 5, 1)}},
		{name: "attributes of halves", opset: 2, node: node("Pad", 1, 1, attrs{"pads": []int{0, 1}, "value": float32(3)}), in: tensors{onnx.Of([]int{0}, []onnx.Float16Bits{})}, want: tensors{onnx.Of([]int{1}, []onnx.Float16Bits{0x4200})}},
		{name: "float value for ints", opset: 2, node: node("Pad", 1, 1, attrs{"pads": []int{0, 1}, "value": float32(3)}), in: tensors{i64([]int{1}, 1)}, wantErr: "is a float, the input is int64"},
		{name: "attributes in a late opset", node: node("Pad", 1, 1, attrs{"pads": []int{1, 0}}), in: tensors{f32([]int{1}, 1)}, want: tensors{f32([]int{2}, 0, 1)}},
		{name: "no pads", opset: 2, node: node("Pad", 1, 1, nil), in: tensors{four}, wantErr: "pads are missing"},
		{name: "empty pads", node: func() *onnx.Node { m := n(3, "edge"); m.Inputs[1] = ""; return m }(), in: tensors{four, nil, f32(nil, 1)}, wantErr: "pads are missing"},
		{name: "axes without value", node: noValue, in: tensors{four, v(0, 1), nil, i32([]int{1}, 0)}, want: tensors{f32([]int{2, 4}, 1, 2, 3, 4, 0, 0, 0, 0)}},
		{name: "channels last", node: n(3, "constant"), in: tensors{seq([]int{1, 2, 2}, 1, 4), v(0, 1, 0, 0, 0, 0), f32(nil, 9)}, want: tensors{f32([]int{1, 3, 2}, 9, 9, 1, 2, 3, 4)}},
		{name: "channels last, reflected", node: n(2, "reflect"), in: tensors{seq([]int{1, 2, 2}, 1, 4), v(0, 1, 0, 0, 1, 0)}, want: tensors{f32([]int{1, 4, 2}, 3, 4, 1, 2, 3, 4, 1, 2)}},
		{name: "nothing to add to", node: n(3, "constant"), in: tensors{f32([]int{0, 2}), v(1, 0, 0, 0), f32(nil, 9)}, want: tensors{f32([]int{1, 2}, 9, 9)}},
		{name: "nothing to repeat", node: n(2, "edge"), in: tensors{f32([]int{0}), v(1, 0)}, wantErr: "mode edge needs elements"},
		{name: "nothing", node: n(2, "edge"), in: tensors{f32([]int{0}), v(0, 0)}, want: tensors{f32([]int{0})}},
		{name: "scalar", node: n(2, "constant"), in: tensors{f32(nil, 3), v()}, want: tensors{f32(nil, 3)}},
		{name: "cut through what is added", node: n(3, "constant"), in: tensors{f32([]int{1}, 1), v(3, -2), f32(nil, 9)}, want: tensors{f32([]int{2}, 9, 9)}},
		{name: "wrap more than once", node: n(2, "wrap"), in: tensors{f32([]int{2}, 1, 2), v(3, 2)}, want: tensors{f32([]int{7}, 2, 1, 2, 1, 2, 1, 2)}},
		{name: "cut, then wrap", node: n(2, "wrap"), in: tensors{f32([]int{4}, 1, 2, 3, 4), v(-1, 2)}, want: tensors{f32([]int{5}, 2, 3, 4, 2, 3)}},
		{name: "mode", node: n(2, "mirror"), in: tensors{four, v(0, 0, 0, 0)}, wantErr: "mode \"mirror\" is not known"},
		{name: "count", node: n(2, "edge"), in: tensors{four, v(0, 0)}, wantErr: "2 pads for 2 axes"},
		{name: "huge", node: n(2, "constant"), in: tensors{four, v(0, 1<<62, 0, 0)}, wantErr: "too large"},
		{name: "smallest", node: n(2, "constant"), in: tensors{four, v(0, -1<<63, 0, 0)}, wantErr: "too large"},
		{name: "huge together", node: n(2, "constant"), in: tensors{four, v(1<<40, 1<<40, 0, 0)}, wantErr: "too large"},
		{name: "axis twice", node: axes, in: tensors{four, v(0, 0, 0, 0), f32(nil, 7), v(1, -1)}, wantErr: "named twice"},
		{name: "value of another type", node: n(3, "constant"), in: tensors{four, v(0, 0, 0, 0), i64(nil, 1)}, wantErr: "constant value: want one float32, got int64"},
		{name: "float pads", node: n(2, "constant"), in: tensors{four, f32([]int{4}, 0, 0, 0, 0)}, wantErr: "pads: want int64"},
		{name: "float axes", node: axes, in: tensors{four, v(0, 0), f32(nil, 7), f32([]int{1}, 1)}, wantErr: "axes: want int64"},
		{name: "packed", node: n(2, "constant"), in: tensors{onnx.New(onnx.Int4, 2), v(0, 0)}, wantErr: "int4 is not supported"},
	})
	// Every width, and a mode that reads from a table.
	for _, typ := range moverTypes {
		x := fill(typ, 2, 3)
		y, err := runNode(n(2, "edge"), 0, tensors{x, v(1, 1, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range y[0].Len() {
			from := max(i/5-1, 0)*3 + min(max(i%5-1, 0), 2)
			if element(y[0], i) != element(x, from) {
				t.Fatalf("%v: element %d", typ, i)
			}
		}
	}
}
