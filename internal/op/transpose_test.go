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

func TestExpand(t *testing.T) {
	n := node("Expand", 2, 1, nil)
	x := f32([]int{3, 1}, 1, 2, 3)
	runCases(t, []opCase{
		{name: "both ways", node: n, in: tensors{x, i64([]int{3}, 2, 1, 2)}, want: tensors{f32([]int{2, 3, 2}, 1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3)}},
		{name: "to none", node: n, in: tensors{x, i64([]int{2}, 3, 0)}, want: tensors{f32([]int{3, 0})}},
		{name: "scalar", node: n, in: tensors{f32(nil, 4), i64([]int{1}, 2)}, want: tensors{f32([]int{2}, 4, 4)}},
		{name: "strings", node: n, in: tensors{fill(onnx.String, 1), i64([]int{1}, 2)}, want: tensors{{Type: onnx.String, Shape: []int{2}, Strings: []string{"s0", "s0"}}}},
		{name: "does not fit", node: n, in: tensors{x, i64([]int{2}, 2, 1)}, wantErr: "cannot be broadcast"},
		{name: "negative", node: n, in: tensors{x, i64([]int{2}, -1, 1)}, wantErr: "negative dimension"},
		{name: "huge", node: n, in: tensors{x, i64([]int{3}, 1<<40, 1<<40, 1)}, wantErr: "too large"},
		{name: "huge together", node: n, in: tensors{x, i64([]int{2}, 1, 1<<55)}, wantErr: "too large"},
		{name: "packed", node: n, in: tensors{onnx.New(onnx.Uint4, 2), i64([]int{1}, 2)}, wantErr: "uint4 is not supported"},
		{name: "float shape", node: n, in: tensors{x, f32([]int{1}, 2)}, wantErr: "want int64"},
	})
}

func TestTile(t *testing.T) {
	n := node("Tile", 2, 1, nil)
	x := seq([]int{1, 2}, 1, 2)
	old := node("Tile", 3, 1, nil)
	runCases(t, []opCase{
		{name: "both", node: n, in: tensors{x, i64([]int{2}, 2, 2)}, want: tensors{f32([]int{2, 4}, 1, 2, 1, 2, 1, 2, 1, 2)}},
		{name: "none", node: n, in: tensors{x, i64([]int{2}, 0, 2)}, want: tensors{f32([]int{0, 4})}},
		{name: "opset 1", opset: 1, node: old, in: tensors{x, f32([]int{1}, 3), f32([]int{1}, 1)}, want: tensors{f32([]int{1, 6}, 1, 2, 1, 2, 1, 2)}},
		{name: "opset 1 axis", opset: 1, node: old, in: tensors{x, f32(nil, 3), f32(nil, 2)}, wantErr: "axis 2 is outside"},
		{name: "opset 1 numbers", opset: 1, node: old, in: tensors{x, f32([]int{2}, 3, 3), f32(nil, 2)}, wantErr: "tiles: want one number"},
		{name: "opset 1 of new form", opset: 1, node: n, in: tensors{x, i64([]int{2}, 2, 2)}, wantErr: "wants 3"},
		{name: "old form", node: old, in: tensors{x, f32(nil, 3), f32(nil, 1)}, wantErr: "wants 2"},
		{name: "count", node: n, in: tensors{x, i64([]int{1}, 2)}, wantErr: "1 repeats for an input of rank 2"},
		{name: "negative", node: n, in: tensors{x, i64([]int{2}, -1, 2)}, wantErr: "negative number of repeats -1"},
		{name: "huge", node: n, in: tensors{x, i64([]int{2}, 1<<62, 1<<62)}, wantErr: "too large"},
		{name: "packed", node: n, in: tensors{onnx.New(onnx.Int4, 2), i64([]int{1}, 2)}, wantErr: "int4 is not supported"},
	})
}

func TestConcat(t *testing.T) {
	axis := func(n, a int) *onnx.Node { return node("Concat", n, 1, attrs{"axis": a}) }
	a, b := seq([]int{2, 2}, 1, 4), seq([]int{2, 1}, 5, 6)
	want := f32([]int{2, 3}, 1, 2, 5, 3, 4, 6)
	runCases(t, []opCase{
		{name: "last", node: axis(2, -1), in: tensors{a, b}, want: tensors{want}},
		{name: "opset 1 default", opset: 1, node: node("Concat", 2, 1, nil), in: tensors{a, b}, want: tensors{want}},
		{name: "opset 4 has no default", opset: 4, node: node("Concat", 2, 1, nil), in: tensors{a, b}, wantErr: "\"axis\" is missing"},
		{name: "tiny int64", node: axis(3, 0), in: tensors{i64([]int{1}, 1), i64([]int{2}, 2, 3), i64([]int{0})}, want: tensors{i64([]int{3}, 1, 2, 3)}},
		{name: "strings", node: axis(2, 0), in: tensors{fill(onnx.String, 1), fill(onnx.String, 1)}, want: tensors{{Type: onnx.String, Shape: []int{2}, Strings: []string{"s0", "s0"}}}},
		{name: "types", node: axis(2, 0), in: tensors{a, i64([]int{1, 2}, 1, 2)}, wantErr: "input 1 is int64, input 0 is float32"},
		{name: "shapes", node: axis(2, 0), in: tensors{a, b}, wantErr: "input 1 has shape [2 1], input 0 has [2 2]"},
		{name: "ranks", node: axis(2, 0), in: tensors{a, seq([]int{2}, 1, 2)}, wantErr: "input 1 has shape [2]"},
		{name: "axis", node: axis(1, 2), in: tensors{a}, wantErr: "axis 2 is outside"},
		{name: "packed", node: axis(1, 0), in: tensors{onnx.New(onnx.Int4, 2)}, wantErr: "int4 is not supported"},
	})
}

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

func TestSlice(t *testing.T) {
	n := func(in int) *onnx.Node { return node("Slice", in, 1, nil) }
	x := seq([]int{3, 4}, 0, 11)
	v := func(a ...int64) *onnx.Tensor { return i64([]int{len(a)}, a...) }
	runCases(t, []opCase{
		{name: "rows", node: n(3), in: tensors{x, v(1), v(1000)}, want: tensors{seq([]int{2, 4}, 4, 11)}},
		{name: "axes", node: n(4), in: tensors{x, v(-3, 0), v(-1, 1), v(1, 0)}, want: tensors{f32([]int{1, 2}, 1, 2)}},
		{name: "steps", node: n(5), in: tensors{x, v(-1), v(-1 << 62), v(-1), v(-2)}, want: tensors{f32([]int{3, 2}, 3, 1, 7, 5, 11, 9)}},
		{name: "int32", node: n(5), in: tensors{x, i32([]int{1}, 1), i32([]int{1}, 3), i32([]int{1}, 0), i32([]int{1}, 1)}, want: tensors{seq([]int{2, 4}, 4, 11)}},
		{name: "steps without axes", node: func() *onnx.Node { m := n(5); m.Inputs[3] = ""; return m }(), in: tensors{x, v(0), v(3), nil, v(2)}, want: tensors{f32([]int{2, 4}, 0, 1, 2, 3, 8, 9, 10, 11)}},
		{name: "start before the first, backwards", node: n(5), in: tensors{seq([]int{2}, 0, 1), v(-3), v(-1 << 62), v(0), v(-1)}, want: tensors{f32([]int{1}, 0)}},
		{name: "huge step", node: n(5), in: tensors{x, v(0), v(3), v(0), v(1<<63 - 1)}, want: tensors{seq([]int{1, 4}, 0, 3)}},
		{name: "smallest step", node: n(5), in: tensors{x, v(2), v(-1 << 63), v(0), v(-1 << 63)}, want: tensors{seq([]int{1, 4}, 8, 11)}},
		{name: "nothing", node: n(3), in: tensors{x, v(2), v(1)}, want: tensors{f32([]int{0, 4})}},
		{name: "of nothing", node: n(5), in: tensors{f32([]int{0}), v(0), v(5), v(0), v(-1)}, want: tensors{f32([]int{0})}},
		{name: "tiny int64", node: n(3), in: tensors{i64([]int{4}, 1, 3, 224, 225), v(2), v(1 << 62)}, want: tensors{i64([]int{2}, 224, 225)}},
		{name: "attributes", opset: 1, node: node("Slice", 1, 1, attrs{"starts": []int{1}, "ends": []int{-1}, "axes": []int{1}}), in: tensors{x}, want: tensors{f32([]int{3, 2}, 1, 2, 5, 6, 9, 10)}},
		{name: "attributes in a late opset", node: node("Slice", 1, 1, attrs{"starts": []int{2}, "ends": []int{3}}), in: tensors{x}, want: tensors{seq([]int{1, 4}, 8, 11)}},
		{name: "no ends", node: node("Slice", 1, 1, attrs{"starts": []int{2}}), in: tensors{x}, wantErr: "starts or ends are missing"},
		{name: "empty name", node: func() *onnx.Node { m := n(3); m.Inputs[2] = ""; return m }(), in: tensors{x, v(0), nil}, wantErr: "starts or ends are missing"},
		{name: "step 0", node: n(5), in: tensors{x, v(0), v(3), v(0), v(0)}, wantErr: "step along axis 0 is 0"},
		{name: "axis twice", node: n(4), in: tensors{x, v(0, 0), v(1, 1), v(0, -2)}, wantErr: "named twice"},
		{name: "ends", node: n(3), in: tensors{x, v(0), v(3, 3)}, wantErr: "1 starts and 2 ends"},
		{name: "axes count", node: n(4), in: tensors{x, v(0), v(3), v(0, 1)}, wantErr: "1 starts and 2 axes"},
		{name: "steps count", node: n(5), in: tensors{x, v(0), v(3), v(0), v(1, 1)}, wantErr: "1 starts and 2 steps"},
		{name: "too many", node: n(3), in: tensors{x, v(0, 0, 0), v(1, 1, 1)}, wantErr: "axis 2 is outside"},
		{name: "float starts", node: n(3), in: tensors{x, f32([]int{1}, 0), v(1)}, wantErr: "starts: want int64"},
		{name: "packed", node: n(3), in: tensors{onnx.New(onnx.Int4, 2), v(0), v(1)}, wantErr: "int4 is not supported"},
	})
}
