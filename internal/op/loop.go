package op

import (
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Loop", Since: 1, MinIn: 2, MaxIn: Variadic, MaxOut: Variadic, Half: true, New: func(s *Spec) (Op, error) {
		g := s.Graph("body")
		if g == nil {
			return nil, fmt.Errorf("attribute %q: want a graph", "body")
		}
		states := len(s.Node.Inputs) - 2
		if len(g.Inputs) != states+2 {
			return nil, fmt.Errorf("body has %d inputs, wants %d (iteration, condition and %d carried values)", len(g.Inputs), states+2, states)
		}
		scans := len(g.Outputs) - 1 - states
		if scans < 0 || len(s.Node.Outputs) > states+scans {
			return nil, fmt.Errorf("body has %d outputs, which does not fit %d carried values and %d outputs of the node", len(g.Outputs), states, len(s.Node.Outputs))
		}
		return loop{states, scans}, nil
	}})
}

// loop runs its body until the trip count is reached or the condition is false. The body takes iteration number,
// condition and carried values, and gives condition, carried values and one slice of each scan output.
type loop struct{ states, scans int }

func (o loop) Infer(in []Info) ([]Info, error) {
	if !in[0].Absent() && (in[0].Type != onnx.Int64 || prod(in[0].Shape) != 1) {
		return nil, fmt.Errorf("trip count: want one int64, got %v%v", in[0].Type, in[0].Shape)
	}
	if !in[1].Absent() && (in[1].Type != onnx.Bool || prod(in[1].Shape) != 1) {
		return nil, fmt.Errorf("condition: want one bool, got %v%v", in[1].Type, in[1].Shape)
	}
	for i := range o.states {
		if in[2+i].Absent() {
			return nil, fmt.Errorf("carried value %d is absent", i)
		}
	}
	return dynamic(o.states + o.scans), nil
}

func (o loop) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	trips, cond := int64(1<<62), true
	if in[0] != nil {
		trips = in[0].Int64s()[0]
	}
	if in[1] != nil {
		cond = onnx.Data[bool](in[1])[0]
	}
	args := make([]*onnx.Tensor, 2+o.states)
	copy(args[2:], in[2:])
	scans := make([][]*onnx.Tensor, o.scans)
	held := 0 // bytes of the scans
	for i := int64(0); i < trips && cond; i++ {
		if err := rt.Context.Err(); err != nil {
			return err
		}
		args[0] = onnx.Of([]int{}, []int64{i})
		args[1] = onnx.Of([]int{}, []bool{cond})
		res, err := rt.Sub("body", args)
		if err != nil {
			return fmt.Errorf("iteration %d: %w", i, err)
		}
		if res[0].Type != onnx.Bool || res[0].Len() != 1 {
			return fmt.Errorf("iteration %d: the body's condition is %v%v, wants one bool", i, res[0].Type, res[0].Shape)
		}
		cond = onnx.Data[bool](res[0])[0]
		copy(args[2:], res[1:1+o.states])
		for k := range scans {
			scans[k] = append(scans[k], res[1+o.states+k])
			if held += scanBytes(res[1+o.states+k]); rt.Limit > 0 && held > rt.Limit {
				return fmt.Errorf("iteration %d: the scan outputs take more than the limit of %d bytes", i, rt.Limit)
			}
		}
	}
	for i, t := range out {
		switch {
		case t == nil:
		case i < o.states:
			// The carried value may be the caller's own tensor (no trip at all): results are never shared.
			*t = *args[2+i].Clone()
			t.Name = ""
		default:
			s, err := stack(rt, scans[i-o.states], scanAxis{})
			if err != nil {
				return fmt.Errorf("scan output %d: %w", i-o.states, err)
			}
			*t = *s
		}
	}
	return nil
}

// scanBytes returns about how much memory a slice of a scan output takes: that of its elements and of the tensor itself.
func scanBytes(t *onnx.Tensor) int {
	const header = 256
	return header + len(t.Raw) + 16*len(t.Strings)
}

// scanAxis is the axis that a tensor is cut or put together along, and whether that goes from its end to its beginning.
type scanAxis struct {
	axis    int
	reverse bool
}

// stack joins equal tensors along a new dimension.
func stack(rt *Runtime, parts []*onnx.Tensor, along scanAxis) (*onnx.Tensor, error) {
	if len(parts) == 0 {
		return onnx.New(onnx.Float, 0), nil
	}
	first := parts[0]
	if err := movable(first.Type); err != nil {
		return nil, err
	}
	axis, err := normAxis(along.axis, len(first.Shape)+1)
	if err != nil {
		return nil, err
	}
	shape := slices.Insert(slices.Clone(first.Shape), axis, len(parts))
	if err := checkSize(shape); err != nil {
		return nil, err
	}
	t := onnx.New(first.Type, shape...)
	outer, inner := prod(first.Shape[:axis]), prod(first.Shape[axis:])
	for i, p := range parts {
		if p.Type != first.Type || !sameShape(p.Shape, first.Shape) {
			return nil, fmt.Errorf("iteration %d gave %v%v, the first %v%v", i, p.Type, p.Shape, first.Type, first.Shape)
		}
		if along.reverse {
			i = len(parts) - 1 - i
		}
		copyStrided(rt, []int{outer, inner}, t, i*inner, []int{len(parts) * inner, 1}, p, 0, []int{inner, 1})
	}
	return t, nil
}
