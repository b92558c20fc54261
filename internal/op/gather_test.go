package op

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestGather(t *testing.T) {
	axis := func(a int) *onnx.Node { return node("Gather", 2, 1, attrs{"axis": a}) }
	x := seq([]int{3, 2}, 1, 6)
	runCases(t, []opCase{
		{name: "rows", opset: 1, node: node("Gather", 2, 1, nil), in: tensors{x, i64([]int{1, 2}, 2, 0)}, want: tensors{f32([]int{1, 2, 2}, 5, 6, 1, 2)}},
		{name: "columns, negative, int32", node: axis(-1), in: tensors{x, i32([]int{1}, -1)}, want: tensors{f32([]int{3, 1}, 2, 4, 6)}},
		{name: "scalar index of a shape", node: axis(0), in: tensors{i64([]int{4}, 1, 3, 224, 225), i64(nil, 2)}, want: tensors{i64(nil, 224)}},
		{name: "no indices", node: axis(0), in: tensors{x, i64([]int{0})}, want: tensors{f32([]int{0, 2})}},
		{name: "strings", node: axis(0), in: tensors{fill(onnx.String, 3), i64([]int{2}, 2, 2)}, want: tensors{{Type: onnx.String, Shape: []int{2}, Strings: []string{"s2", "s2"}}}},
		{name: "outside", node: axis(0), in: tensors{x, i64([]int{1}, 3)}, wantErr: "index 3 is outside [-3,2] (dimension 3)"},
		{name: "far outside", node: axis(0), in: tensors{x, i64([]int{1}, -1<<63)}, wantErr: "is outside [-3,2]"},
		{name: "of nothing", node: axis(0), in: tensors{f32([]int{0}), i64([]int{1}, 0)}, wantErr: "index 0 is outside"},
		{name: "axis", node: axis(2), in: tensors{x, i64([]int{1}, 0)}, wantErr: "axis 2 is outside"},
		{name: "float indices", node: axis(0), in: tensors{x, f32([]int{1}, 0)}, wantErr: "indices: want int64 or int32, got float32"},
		{name: "packed", node: axis(0), in: tensors{onnx.New(onnx.Int4, 2), i64([]int{1}, 0)}, wantErr: "int4 is not supported"},
		{name: "huge", node: axis(0), in: tensors{f32([]int{1 << 40, 0}), i64([]int{1 << 40, 0})}, want: tensors{f32([]int{1 << 40, 0, 0})}},
	})
	for _, typ := range moverTypes {
		x := fill(typ, 3, 5, 4)
		y, err := runNode(axis(1), 0, tensors{x, i64([]int{3}, 4, -5, 2)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range y[0].Len() {
			from := i/12*20 + []int{4, 0, 2}[i/4%3]*4 + i%4
			if element(y[0], i) != element(x, from) {
				t.Fatalf("%v: element %d", typ, i)
			}
		}
	}
}

func TestGatherElements(t *testing.T) {
	axis := func(a int) *onnx.Node { return node("GatherElements", 2, 1, attrs{"axis": a}) }
	x := seq([]int{3, 2}, 1, 6)
	runCases(t, []opCase{
		{name: "axis 0", node: axis(0), in: tensors{x, i64([]int{2, 2}, 1, 2, -1, 0)}, want: tensors{f32([]int{2, 2}, 3, 6, 5, 2)}},
		{name: "axis 1", node: axis(-1), in: tensors{x, i32([]int{2, 3}, 1, 0, 0, 0, 1, 1)}, want: tensors{f32([]int{2, 3}, 2, 1, 1, 3, 4, 4)}},
		{name: "none", node: axis(0), in: tensors{x, i64([]int{0, 2})}, want: tensors{f32([]int{0, 2})}},
		{name: "strings", node: axis(0), in: tensors{fill(onnx.String, 3), i64([]int{1}, 2)}, want: tensors{{Type: onnx.String, Shape: []int{1}, Strings: []string{"s2"}}}},
		{name: "outside", node: axis(0), in: tensors{x, i64([]int{1, 1}, -4)}, wantErr: "index -4 is outside [-3,2]"},
		{name: "rank", node: axis(0), in: tensors{x, i64([]int{1}, 0)}, wantErr: "want the same rank"},
		{name: "reaches outside", node: axis(0), in: tensors{x, i64([]int{1, 3}, 0, 0, 0)}, wantErr: "reach outside data of shape [3 2] in dimension 1"},
		{name: "axis", node: axis(2), in: tensors{x, i64([]int{1, 1}, 0)}, wantErr: "axis 2 is outside"},
		{name: "scalar", node: axis(0), in: tensors{f32(nil, 1), i64(nil, 0)}, wantErr: "axis 0 is outside"},
		{name: "float indices", node: axis(0), in: tensors{x, f32([]int{1, 1}, 0)}, wantErr: "indices: want int64"},
		{name: "packed", node: axis(0), in: tensors{onnx.New(onnx.Int4, 2), i64([]int{1}, 0)}, wantErr: "int4 is not supported"},
	})
}

func TestGatherND(t *testing.T) {
	batch := func(b int) *onnx.Node { return node("GatherND", 2, 1, attrs{"batch_dims": b}) }
	x := seq([]int{2, 2, 2}, 0, 7)
	runCases(t, []opCase{
		{name: "elements", node: batch(0), in: tensors{x, i64([]int{2, 3}, 0, 0, 1, 1, -1, 0)}, want: tensors{f32([]int{2}, 1, 6)}},
		{name: "slices", node: batch(0), in: tensors{x, i64([]int{1, 2, 1}, 1, 0)}, want: tensors{f32([]int{1, 2, 2, 2}, 4, 5, 6, 7, 0, 1, 2, 3)}},
		{name: "batch", node: batch(1), in: tensors{x, i64([]int{2, 1}, 1, 0)}, want: tensors{f32([]int{2, 2}, 2, 3, 4, 5)}},
		{name: "all batch", node: batch(2), in: tensors{x, i64([]int{2, 2, 1}, 1, 0, 0, 1)}, want: tensors{f32([]int{2, 2}, 1, 2, 4, 7)}},
		{name: "none", node: batch(0), in: tensors{x, i64([]int{0, 1})}, want: tensors{f32([]int{0, 2, 2})}},
		{name: "outside", node: batch(0), in: tensors{x, i64([]int{1, 2}, 0, 2)}, wantErr: "index 2 is outside [-2,1]"},
		{name: "vector too long", node: batch(0), in: tensors{x, i64([]int{1, 4}, 0, 0, 0, 0)}, wantErr: "index vectors of 4 numbers"},
		{name: "vector of nothing", node: batch(0), in: tensors{x, i64([]int{1, 0})}, wantErr: "index vectors of 0 numbers"},
		{name: "batch too large", node: batch(2), in: tensors{x, i64([]int{2, 1}, 0, 0)}, wantErr: "batch_dims 2 does not fit"},
		{name: "batches differ", node: batch(1), in: tensors{x, i64([]int{1, 1}, 0)}, wantErr: "differ in their 1 batch dimensions"},
		{name: "scalar", node: batch(0), in: tensors{f32(nil, 1), i64([]int{1}, 0)}, wantErr: "want rank 1 or more"},
		{name: "int32 indices", node: batch(0), in: tensors{x, i32([]int{1, 1}, 0)}, wantErr: "want int64, got int32"},
		{name: "packed", node: batch(0), in: tensors{onnx.New(onnx.Int4, 2), i64([]int{1, 1}, 0)}, wantErr: "int4 is not supported"},
	})
}

func TestScatterElements(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("ScatterElements", 3, 1, a) }
	x := seq([]int{2, 3}, 1, 6)
	idx, up := i64([]int{1, 3}, 1, -2, 1), f32([]int{1, 3}, 10, 20, 30)
	runCases(t, []opCase{
		{name: "copy", node: n(nil), in: tensors{x, idx, up}, want: tensors{f32([]int{2, 3}, 1, 20, 3, 10, 5, 30)}},
		{name: "the old name", opset: 9, node: node("Scatter", 3, 1, nil), in: tensors{x, idx, up}, want: tensors{f32([]int{2, 3}, 1, 20, 3, 10, 5, 30)}},
		{name: "the old name later", node: node("Scatter", 3, 1, nil), in: tensors{x, idx, up}, want: tensors{f32([]int{2, 3}, 1, 20, 3, 10, 5, 30)}},
		{name: "the last one wins", node: n(attrs{"axis": -1}), in: tensors{x, i32([]int{1, 3}, 0, 0, 0), up}, want: tensors{f32([]int{2, 3}, 30, 2, 3, 4, 5, 6)}},
		{name: "add", node: n(attrs{"axis": 1, "reduction": "add"}), in: tensors{x, i64([]int{1, 3}, 0, 0, 2), up}, want: tensors{f32([]int{2, 3}, 31, 2, 33, 4, 5, 6)}},
		{name: "mul", node: n(attrs{"axis": 1, "reduction": "mul"}), in: tensors{x, i64([]int{1, 3}, 1, 1, 2), up}, want: tensors{f32([]int{2, 3}, 1, 400, 90, 4, 5, 6)}},
		{name: "max", node: n(attrs{"axis": 1, "reduction": "max"}), in: tensors{x, i64([]int{1, 3}, 1, 1, 2), f32([]int{1, 3}, 1, 7, 0)}, want: tensors{f32([]int{2, 3}, 1, 7, 3, 4, 5, 6)}},
		{name: "min", node: n(attrs{"axis": 1, "reduction": "min"}), in: tensors{x, i64([]int{1, 3}, 1, 1, 2), f32([]int{1, 3}, 1, 7, 0)}, want: tensors{f32([]int{2, 3}, 1, 1, 0, 4, 5, 6)}},
		{name: "strings", node: n(nil), in: tensors{fill(onnx.String, 2), i64([]int{1}, 1), fill(onnx.String, 1)}, want: tensors{{Type: onnx.String, Shape: []int{2}, Strings: []string{"s0", "s0"}}}},
		{name: "nothing", node: n(nil), in: tensors{x, i64([]int{0, 3}), f32([]int{0, 3})}, want: tensors{x}},
		{name: "outside", node: n(nil), in: tensors{x, i64([]int{1, 3}, 2, 0, 0), up}, wantErr: "index 2 is outside [-2,1]"},
		{name: "updates' shape", node: n(nil), in: tensors{x, idx, f32([]int{1, 2}, 1, 2)}, wantErr: "indices of shape [1 3] and updates of shape [1 2]"},
		{name: "updates' type", node: n(nil), in: tensors{x, idx, i64([]int{1, 3}, 1, 2, 3)}, wantErr: "updates are int64, data is float32"},
		{name: "rank", node: n(nil), in: tensors{x, i64([]int{1}, 0), f32([]int{1}, 0)}, wantErr: "want the same rank"},
		{name: "reduction", node: n(attrs{"reduction": "mean"}), in: tensors{x, idx, up}, wantErr: "reduction \"mean\" is not known"},
		{name: "reduction of strings", node: n(attrs{"reduction": "add"}), in: tensors{fill(onnx.String, 2), i64([]int{1}, 1), fill(onnx.String, 1)}, wantErr: "reduction add of string is not supported"},
		{name: "packed", node: n(nil), in: tensors{onnx.New(onnx.Int4, 2), idx, up}, wantErr: "int4 is not supported"},
	})
}

func TestScatterND(t *testing.T) {
	n := func(a attrs) *onnx.Node { return node("ScatterND", 3, 1, a) }
	x := seq([]int{3, 2}, 1, 6)
	runCases(t, []opCase{
		{name: "rows", node: n(nil), in: tensors{x, i64([]int{2, 1}, 2, 0), f32([]int{2, 2}, 7, 8, 9, 10)}, want: tensors{f32([]int{3, 2}, 9, 10, 3, 4, 7, 8)}},
		{name: "elements", node: n(nil), in: tensors{x, i64([]int{1, 2}, -1, -2), f32([]int{1}, 9)}, want: tensors{f32([]int{3, 2}, 1, 2, 3, 4, 9, 6)}},
		{name: "add twice", node: n(attrs{"reduction": "add"}), in: tensors{x, i64([]int{2, 1}, 1, 1), f32([]int{2, 2}, 1, 2, 10, 20)}, want: tensors{f32([]int{3, 2}, 1, 2, 14, 26, 5, 6)}},
		{name: "nothing", node: n(nil), in: tensors{x, i64([]int{0, 1}), f32([]int{0, 2})}, want: tensors{x}},
		{name: "outside", node: n(nil), in: tensors{x, i64([]int{1, 2}, 3, 0), f32([]int{1}, 9)}, wantErr: "index 3 is outside [-3,2] (dimension 0"},
		{name: "updates' shape", node: n(nil), in: tensors{x, i64([]int{1, 1}, 0), f32([]int{1}, 9)}, wantErr: "updates have shape [1], data [3 2] and indices [1 1] want [1 2]"},
		{name: "vector too long", node: n(nil), in: tensors{x, i64([]int{1, 3}, 0, 0, 0), f32([]int{1}, 9)}, wantErr: "index vectors of 3 numbers"},
		{name: "scalar", node: n(nil), in: tensors{f32(nil, 1), i64([]int{1, 1}, 0), f32([]int{1}, 9)}, wantErr: "want rank 1 or more"},
		{name: "int32 indices", node: n(nil), in: tensors{x, i32([]int{1, 1}, 0), f32([]int{1, 2}, 9, 9)}, wantErr: "want int64, got int32"},
		{name: "reduction", node: n(attrs{"reduction": "xor"}), in: tensors{x, i64([]int{1, 1}, 0), f32([]int{1, 2}, 9, 9)}, wantErr: "reduction \"xor\" is not known"},
		{name: "types", node: n(nil), in: tensors{x, i64([]int{1, 1}, 0), f64([]int{1, 2}, 9, 9)}, wantErr: "updates are float64"},
	})
}

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
