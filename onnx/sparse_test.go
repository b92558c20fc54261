package onnx

import (
	"reflect"
	"testing"
)

// sparsePB is a sparse initializer "ws".
func sparsePB(values, indices pb, dims ...int64) pb {
	m := pb{}.sub(1, values).sub(2, indices)
	for _, d := range dims {
		m = m.int(3, d)
	}
	return modelPB(pb{}.sub(15, m))
}

func TestSparse(t *testing.T) {
	values := tensorPB("ws", Float, 2).str(4, raw32(5, 7))
	linear := func(v ...int64) pb { return tensorPB("", Int64, int64(len(v))).str(7, ints(v...)) }
	pairs := func(v ...int64) pb { return tensorPB("", Int64, int64(len(v)/2), 2).str(7, ints(v...)) }
	for _, c := range []struct {
		name string
		pb   pb
		want any
	}{
		{"case 14 d: linear", sparsePB(values, linear(1, 5), 2, 3), []float32{0, 5, 0, 0, 0, 7}},
		{"case 14 d: pairs", sparsePB(values, pairs(0, 1, 1, 2), 2, 3), []float32{0, 5, 0, 0, 0, 7}},
		{"in no order", sparsePB(values, linear(5, 1), 2, 3), []float32{0, 7, 0, 0, 0, 5}},
		{"no values", sparsePB(tensorPB("ws", Float, 0), linear(), 2), []float32{0, 0}},
		{"strings", sparsePB(tensorPB("ws", String, 1).str(6, "a"), linear(1), 2), []string{"", "a"}},
		{"4 bits", sparsePB(tensorPB("ws", Int4, 2).str(5, ints(0x97)), linear(1, 2), 4), []byte{0x70, 0x09}},
		{"6 bits", sparsePB(tensorPB("ws", Float6E2M3, 2).str(5, ints(0x3f, 0x21)), linear(1, 3), 5), []byte{0xc0, 0x0f, 0x84, 0}},
		{"2 bits", sparsePB(tensorPB("ws", Uint2, 2).str(5, ints(0b0111)), linear(1, 4), 5), []byte{0b1100, 0b01}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := parse(t, c.pb).Graph.Initializer("ws")
			if got := elementsOf(x); !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			// As an attribute it is sparse again when it is written.
			a := &Attribute{Name: "sparse_value", Type: AttrSparseTensor, Tensor: x}
			list := &Attribute{Name: "more", Type: AttrSparseTensors, Tensors: []*Tensor{x, x}}
			m := parse(t, rewrite(t, &Model{IRVersion: 8, Graph: &Graph{Nodes: []*Node{{OpType: "Constant", Attrs: []*Attribute{a, list}}}}}))
			n := m.Graph.Nodes[0]
			for _, y := range append(n.Attr("more").Tensors, n.Attr("sparse_value").Tensor) {
				if !reflect.DeepEqual(elementsOf(y), c.want) || !reflect.DeepEqual(x.Shape, y.Shape) {
					t.Errorf("written: got %v of shape %v, want %v of %v", elementsOf(y), y.Shape, c.want, x.Shape)
				}
			}
		})
	}
	for _, c := range []struct {
		name string
		pb   pb
		want string
	}{
		{"case 14 e: index 6", sparsePB(values, linear(1, 6), 2, 3), "index 6 is outside of 0..5"},
		{"case 14 e: index -1", sparsePB(values, linear(-1, 5), 2, 3), "index -1 is outside"},
		{"pair outside", sparsePB(values, pairs(0, 1, 1, 3), 2, 3), "index [1 3] is outside of [2 3]"},
		{"pair below", sparsePB(values, pairs(0, 1, -1, 2), 2, 3), "index [-1 2] is outside"},
		{"twice", sparsePB(values, linear(1, 1), 2, 3), "two values for place 1"},
		{"too few indices", sparsePB(values, linear(1), 2, 3), "indices of shape [1] do not fit 2 values of rank 2"},
		{"other rank", sparsePB(values, pairs(0, 1, 1, 2), 6), "do not fit"},
		{"index type", sparsePB(values, tensorPB("", Int32, 2).str(5, ints(0, 1)), 2, 3), "int64 indices"},
		{"value rank", sparsePB(tensorPB("ws", Float, 1, 1).str(4, raw32(1)), linear(1), 2, 3), "one dimension"},
		{"value type", sparsePB(tensorPB("ws", 99, 0), linear(), 2, 3), "datatype(99)"},
		{"no values", modelPB(pb{}.sub(15, pb{}.int(3, 2))), "without values"},
		{"dims", sparsePB(values, linear(1, 2), -2), "negative dimension"},
		{"too large", sparsePB(values, linear(1, 2), 1<<30), "would expand to 4294967296 bytes, 67108864 are allowed"},
		{"together too large", func() pb {
			s := pb{}.sub(1, tensorPB("ws", Float, 0)).sub(2, tensorPB("", Int64, 0)).int(3, 3<<22)
			return modelPB(pb{}.sub(15, s).sub(15, s))
		}(), "16777216 are allowed"},
		{"strings too large", sparsePB(tensorPB("ws", String, 0), linear(), 1<<28), "would expand"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.pb)
			wantError(t, err, "graph.sparse_initializer[", c.want)
		})
	}
}
