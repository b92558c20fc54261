package gradcam

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// ReceptiveField is the part of the input that one position of a layer's output depends on. Position (i,j) sees the rows
// from Start[0]+i*Stride[0], Size[0] of them, and the columns likewise. Rows and columns outside the image are padding.
type ReceptiveField struct {
	Layer backend.Layer

	// Height and width, in pixels of the network's input.
	Size   [2]int
	Stride [2]int // by how much the field moves from a position to the next; 0 where all see the same
	Start  [2]int // first row and column of the field of position (0,0); negative in the padding

	Extent [2]int // positions of the layer's output
	Err    error  // why the field is not known; the other numbers are 0 then
}

// Fields returns the receptive field of every layer of a network, in the order of [backend.Layers]. shapes gives the
// shapes of inputs by name, as there.
//
// For a window of kernel k, dilation d, stride s and padding p over a value with field r, stride j and start b (Araujo,
// Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", doi:10.23915/distill.00021):
//
//	r' = r + (k-1)*d*j,  b' = b - p*j,  j' = s*j
//
// Where branches meet, the field is the smallest one that holds those of all branches. What looks at all positions, such
// as a global pool, makes one field of them. A field that differs from position to position in shape, as behind a layer
// that enlarges maps, is not given: Err says so.
func Fields(m *onnx.Model, shapes map[string][]int) ([]ReceptiveField, error) {
	in, err := features.ImageInput(m)
	if err != nil {
		return nil, err
	}
	if m, err = m.Inlined(); err != nil {
		return nil, err
	}
	layers, err := backend.Layers(m, shapes)
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		if l.Err != nil {
			return nil, fmt.Errorf("layer %d %q does not fit the input: %w", l.Index, l.Name, l.Err)
		}
	}
	values, err := graph.Values(m, shapes)
	if err != nil {
		return nil, err
	}
	sorted, err := m.Graph.Sort()
	if err != nil {
		return nil, err
	}
	shape := values[in.Name].Shape
	if len(shape) != 4 {
		return nil, fmt.Errorf("input %q has shape %v: want images, of rank 4", in.Name, shape)
	}
	f := &fieldWalk{opset: m.OpsetVersion(""), values: values, seen: map[string]*sight{}}
	h := 2
	if lastChannels(shape) {
		h = 1
	}
	f.seen[in.Name] = &sight{axes: [2]span{{dim: h, jump: 1}, {dim: h + 1, jump: 1}}}
	for _, n := range sorted {
		f.node(n)
	}
	var all []ReceptiveField
	for _, l := range layers {
		r := ReceptiveField{Layer: l}
		s := f.seen[l.Output]
		switch {
		case s == nil:
			r.Err = errors.New("it does not depend on the image")
		case s.err != nil:
			r.Err = s.err
		default:
			for i, a := range s.axes {
				r.Size[i], r.Stride[i], r.Start[i], r.Extent[i] = a.hi-a.lo+1, a.jump, a.lo, f.extent(l.Output, a)
			}
		}
		all = append(all, r)
	}
	return all, nil
}

// span is what the positions of a value see of one axis of the image: position i the pixels lo+i*jump to hi+i*jump.
type span struct {
	dim    int // the value's dimension that runs along the axis, -1 where none does
	lo, hi int
	jump   int
}

// sight is what a value sees of the image's two axes, or why that is not known.
type sight struct {
	axes [2]span
	err  error
}

// all is what n positions see together.
func (s span) all(n int) span {
	s.hi += (n - 1) * s.jump
	s.jump = 0
	return s
}

// join is the smallest span that holds two, for n positions.
func (s span) join(t span, n int) (span, error) {
	switch {
	case n == 1 || s.jump == t.jump:
	case s.jump == 0:
		t = t.all(n)
	case t.jump == 0:
		s = s.all(n)
	default:
		return s, fmt.Errorf("branches of strides %d and %d meet", s.jump, t.jump)
	}
	return span{dim: max(s.dim, t.dim), lo: min(s.lo, t.lo), hi: max(s.hi, t.hi), jump: max(s.jump, t.jump)}, nil
}

// fieldWalk follows the image through a graph.
type fieldWalk struct {
	opset  int
	values map[string]op.Info
	seen   map[string]*sight // by value; what does not depend on the image is absent
}

// extent is how many positions a value has along an axis.
func (f *fieldWalk) extent(value string, a span) int {
	if s := f.values[value].Shape; a.dim >= 0 && a.dim < len(s) {
		return s[a.dim]
	}
	return 1
}

// node sets what the outputs of a node see.
func (f *fieldWalk) node(n *onnx.Node) {
	var inputs []string
	var failed error
	for in := range n.Uses() {
		if s := f.seen[in]; s != nil {
			inputs = append(inputs, in)
			if failed == nil {
				failed = s.err
			}
		}
	}
	if len(inputs) == 0 || n.OpType == "Shape" || n.OpType == "Size" {
		return
	}
	for i, out := range n.Outputs {
		if out == "" {
			continue
		}
		s := &sight{err: failed}
		if failed == nil {
			rule := rules[n.OpType]
			if rule == nil || n.Domain != "" && n.Domain != "ai.onnx" {
				s.err = fmt.Errorf("fields are not followed through %s", n)
			} else if s.axes, s.err = rule(f, n, inputs, i); s.err != nil {
				s.err = fmt.Errorf("%s: %w", n, s.err)
			}
		}
		f.seen[out] = s
	}
}

// ints returns a list that a node has as an attribute or, in later versions, as a constant input; nil for neither.
func (f *fieldWalk) ints(n *onnx.Node, attr string, input int) ([]int, error) {
	if a := n.Attr(attr); a != nil {
		return toInts(a.Ints), nil
	}
	if input < 0 || input >= len(n.Inputs) || n.Inputs[input] == "" {
		return nil, nil
	}
	t := f.values[n.Inputs[input]].Value
	switch {
	case t == nil:
		return nil, fmt.Errorf("%s is not constant", attr)
	case t.Type == onnx.Int64:
		return toInts(t.Int64s()), nil
	case t.Type == onnx.Int32:
		return toInts(onnx.Data[int32](t)), nil
	}
	return nil, fmt.Errorf("%s is of type %v", attr, t.Type)
}

func toInts[T int32 | int64](v []T) []int {
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

// attrInt returns an integer attribute.
func attrInt(n *onnx.Node, name string, def int) int {
	if a := n.Attr(name); a != nil {
		return int(a.I)
	}
	return def
}
