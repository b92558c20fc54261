package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Scan", Since: 8, MinIn: 1, MaxIn: Variadic, MaxOut: Variadic, Half: true, New: newScan})
}

// scan runs its body once for each slice of the scanned inputs. The body takes the carried values and a slice of each
// scanned input, and gives the carried values and a slice of each scan output.
//
// Up to opset 8 the first dimension of everything is the batch, each element of which is scanned by itself, along the
// second dimension, for as many steps as the first input says (all where it is absent); the rest of its outputs is zero.
type scan struct {
	batched         bool
	states          int
	ins, outs       []scanAxis
	first, declared int // inputs before the carried values; outputs of the node
}

func newScan(s *Spec) (Op, error) {
	g := s.Graph("body")
	if g == nil {
		return nil, fmt.Errorf("attribute %q: want a graph", "body")
	}
	o := scan{batched: s.Opset < 9, declared: len(s.Node.Outputs)}
	if o.batched {
		o.first = 1
	}
	scanned := s.Int("num_scan_inputs", 0)
	o.states = len(s.Node.Inputs) - o.first - scanned
	if scanned < 1 || o.states < 0 {
		return nil, fmt.Errorf("num_scan_inputs is %d, and there are %d inputs", scanned, len(s.Node.Inputs)-o.first)
	}
	if len(g.Inputs) != o.states+scanned {
		return nil, fmt.Errorf("body has %d inputs, wants %d (%d carried values and %d slices)", len(g.Inputs), o.states+scanned, o.states, scanned)
	}
	outs := len(g.Outputs) - o.states
	if outs < 0 || o.declared > len(g.Outputs) {
		return nil, fmt.Errorf("body has %d outputs, which does not fit %d carried values and %d outputs of the node", len(g.Outputs), o.states, o.declared)
	}
	directions := "scan_input_directions"
	if o.batched {
		directions = "directions"
	}
	var err error
	if o.ins, err = scanAxes(scanned, directions, s.Ints(directions), s.Ints("scan_input_axes")); err != nil {
		return nil, err
	}
	o.outs, err = scanAxes(outs, "scan_output_directions", s.Ints("scan_output_directions"), s.Ints("scan_output_axes"))
	return o, err
}

func scanAxes(n int, name string, directions, axes []int) ([]scanAxis, error) {
	if directions != nil && len(directions) != n || axes != nil && len(axes) != n {
		return nil, fmt.Errorf("%s and axes have %d and %d elements, want %d", name, len(directions), len(axes), n)
	}
	out := make([]scanAxis, n)
	for i := range out {
		if axes != nil {
			out[i].axis = axes[i]
		}
		if directions == nil {
			continue
		}
		if directions[i] != 0 && directions[i] != 1 {
			return nil, fmt.Errorf("%s: element %d is %d, want 0 or 1", name, i, directions[i])
		}
		out[i].reverse = directions[i] == 1
	}
	return out, nil
}

func (o scan) Infer(in []Info) ([]Info, error) {
	if o.batched && !in[0].Absent() && (in[0].Type != onnx.Int64 || len(in[0].Shape) != 1) {
		return nil, fmt.Errorf("sequence_lens: want a vector of int64, got %v%v", in[0].Type, in[0].Shape)
	}
	for i := o.first; i < len(in); i++ {
		if in[i].Absent() {
			return nil, fmt.Errorf("input %d is absent", i)
		}
		if err := movable(in[i].Type); err != nil {
			return nil, fmt.Errorf("input %d: %w", i, err)
		}
	}
	return dynamic(o.states + len(o.outs)), nil
}

func (o scan) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	var res []*onnx.Tensor
	var err error
	if o.batched {
		res, err = o.batches(rt, in[0], in[1:])
	} else {
		var steps int
		if steps, err = o.steps(in, 0); err == nil {
			res, err = o.sequence(rt, in, steps)
		}
	}
	if err != nil {
		return err
	}
	for i, t := range out {
		if t != nil {
			// A carried value may be the caller's own tensor (no step at all): results are never shared.
			*t = *res[i].Clone()
			t.Name = ""
		}
	}
	return nil
}

// steps returns how many slices the scanned inputs have along their axes, counted after skip dimensions.
func (o scan) steps(in []*onnx.Tensor, skip int) (int, error) {
	steps := 0
	for i, a := range o.ins {
		shape := in[o.states+i].Shape
		if len(shape) <= skip {
			return 0, fmt.Errorf("scanned input %d of shape %v has no dimension to go along", i, shape)
		}
		axis, err := normAxis(a.axis, len(shape)-skip)
		if err != nil {
			return 0, fmt.Errorf("scanned input %d: %w", i, err)
		}
		if n := shape[skip+axis]; i == 0 {
			steps = n
		} else if n != steps {
			return 0, fmt.Errorf("scanned input %d has %d slices, the first %d", i, n, steps)
		}
	}
	return steps, nil
}

// sequence scans that many steps: in holds the carried values and the scanned inputs.
func (o scan) sequence(rt *Runtime, in []*onnx.Tensor, steps int) ([]*onnx.Tensor, error) {
	args := make([]*onnx.Tensor, len(in))
	copy(args, in[:o.states])
	parts := make([][]*onnx.Tensor, len(o.outs))
	held := 0 // bytes of the parts
	for step := range steps {
		if err := rt.Context.Err(); err != nil {
			return nil, err
		}
		for i, a := range o.ins {
			k := step
			if a.reverse {
				k = steps - 1 - step
			}
			part, err := slice1(rt, in[o.states+i], a.axis, k)
			if err != nil {
				return nil, err
			}
			args[o.states+i] = part
		}
		res, err := rt.Sub("body", args)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", step, err)
		}
		copy(args, res[:o.states])
		for i := range parts {
			part := res[o.states+i]
			parts[i] = append(parts[i], part)
			if held += scanBytes(part); rt.Limit > 0 && held > rt.Limit {
				return nil, fmt.Errorf("step %d: the scan outputs take more than the limit of %d bytes", step, rt.Limit)
			}
		}
	}
	out := append([]*onnx.Tensor{}, args[:o.states]...)
	for i, a := range o.outs {
		t, err := stack(rt, parts[i], a)
		if err != nil {
			return nil, fmt.Errorf("scan output %d: %w", i, err)
		}
		out = append(out, t)
	}
	return out, nil
}

// batches scans each element of a batch.
func (o scan) batches(rt *Runtime, lengths *onnx.Tensor, in []*onnx.Tensor) ([]*onnx.Tensor, error) {
	steps, err := o.steps(in, 1)
	if err != nil {
		return nil, err
	}
	batch := in[o.states].Shape[0]
	for i, t := range in {
		if len(t.Shape) == 0 || t.Shape[0] != batch {
			return nil, fmt.Errorf("input %d of shape %v: want a batch of %d", 1+i, t.Shape, batch)
		}
	}
	if lengths != nil && lengths.Len() != batch {
		return nil, fmt.Errorf("sequence_lens has %d elements, the batch %d", lengths.Len(), batch)
	}
	if batch == 0 {
		return nil, errors.New("the batch is empty")
	}
	all := make([][]*onnx.Tensor, o.states+len(o.outs))
	for b := range batch {
		n := int64(steps)
		if lengths != nil {
			n = lengths.Int64s()[b]
		}
		if n < 0 || n > int64(steps) {
			return nil, fmt.Errorf("sequence_lens: element %d is %d, want 0 to %d", b, n, steps)
		}
		args := make([]*onnx.Tensor, len(in))
		for i, t := range in {
			if args[i], err = slice1(rt, t, 0, b); err != nil {
				return nil, err
			}
		}
		res, err := o.sequence(rt, args, int(n))
		if err != nil {
			return nil, fmt.Errorf("element %d of the batch: %w", b, err)
		}
		for i, t := range res {
			if i >= o.states && int(n) < steps && n > 0 {
				shape := append([]int{steps}, t.Shape[1:]...)
				long := onnx.New(t.Type, shape...)
				copyAll(long, t)
				t = long
			}
			all[i] = append(all[i], t)
		}
	}
	out := make([]*onnx.Tensor, len(all))
	for i := range out {
		if out[i], err = stack(rt, all[i], scanAxis{}); err != nil {
			return nil, fmt.Errorf("output %d: %w", i, err)
		}
	}
	return out, nil
}

// slice1 returns slice k along an axis, without that axis.
func slice1(rt *Runtime, t *onnx.Tensor, axis, k int) (*onnx.Tensor, error) {
	axis, err := normAxis(axis, len(t.Shape))
	if err != nil {
		return nil, err
	}
	outer, inner := prod(t.Shape[:axis]), prod(t.Shape[axis+1:])
	shape := append(append([]int{}, t.Shape[:axis]...), t.Shape[axis+1:]...)
	part := onnx.New(t.Type, shape...)
	gatherBlocks(rt, part, t, outer, t.Shape[axis]*inner, []int{k * inner}, inner)
	return part, nil
}
