package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "MaxUnpool", Since: 9, MinIn: 2, MaxIn: 3, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		return maxUnpool{s.window()}, nil
	}})
	registerGrad("", "MaxUnpool", func(g *Grad) error {
		g.setIfWanted(0, func() string {
			up := g.Up[0]
			// What the window does not reach is zero whatever the input is.
			if pooled, err := (maxUnpool{g.window()}).pooled(g.In[0].Shape); err == nil && !sameShape(pooled, g.Out[0].Shape) {
				zeros := make([]int, len(pooled))
				up = g.Add("Slice", []string{up, g.Ints(zeros), g.Ints(pooled)})
			}
			return g.Add("Gather", []string{g.Reshape(up, []int{-1}), g.Input(1)})
		})
		return nil
	})
}

// maxUnpool undoes a max pool as far as it goes: each element goes back to the place that it came from, which the
// second input says as MaxPool's second output does, and all other elements are zero. The third input, where there is
// one, is the shape of the output; what lies beyond the tensor that the window was laid over is zero then. The places
// count in that tensor (ONNX's conformance data; ONNX Runtime has them count in the output).
type maxUnpool struct{ window window }

// pooled returns the shape of the tensor that the pool was laid over: what the places of the second input count in.
func (m maxUnpool) pooled(in []int) ([]int, error) {
	rank := len(in) - 2
	if rank < 1 {
		return nil, fmt.Errorf("input of shape %v: want [N, C] and at least one spatial dimension", in)
	}
	if err := m.window.check(rank, m.window.kernel); err != nil {
		return nil, err
	}
	strides, _ := m.window.steps(rank)
	shape := append([]int{}, in...)
	for i, k := range m.window.kernel {
		if in[2+i] == 0 {
			return nil, fmt.Errorf("input of shape %v is empty", in)
		}
		shape[2+i] = mulSat(in[2+i]-1, strides[i])
		if shape[2+i] > maxElements {
			return nil, fmt.Errorf("axis %d: stride %d makes the output too large", i, strides[i])
		}
		shape[2+i] += k
		if m.window.pads != nil {
			shape[2+i] -= m.window.pads[i] + m.window.pads[rank+i]
		}
		if shape[2+i] < 1 {
			return nil, fmt.Errorf("axis %d: pads of %d and %d leave nothing of the output", i, m.window.pads[i], m.window.pads[rank+i])
		}
	}
	return shape, checkSize(shape)
}

func (m maxUnpool) Infer(in []Info) ([]Info, error) {
	switch in[0].Type {
	case onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16:
	default:
		return nil, typeError(0, in[0].Type)
	}
	if in[1].Type != onnx.Int64 || !sameShape(in[1].Shape, in[0].Shape) {
		return nil, fmt.Errorf("places: want int64%v, got %v%v", in[0].Shape, in[1].Type, in[1].Shape)
	}
	shape, err := m.pooled(in[0].Shape)
	if err != nil {
		return nil, err
	}
	if in[2].Absent() {
		return []Info{{Type: in[0].Type, Shape: shape}}, nil
	}
	asked, known, err := intsInfo("output_shape", in[2])
	if err != nil {
		return nil, err
	}
	if !known {
		return []Info{{Type: in[0].Type, Dynamic: true}}, nil
	}
	if len(asked) != len(shape) || asked[0] != shape[0] || asked[1] != shape[1] {
		return nil, fmt.Errorf("output_shape %v does not fit an input of shape %v", asked, in[0].Shape)
	}
	for i, d := range asked {
		if d < shape[i] {
			return nil, fmt.Errorf("output_shape %v is smaller than %v, which the window was laid over", asked, shape)
		}
	}
	return []Info{{Type: in[0].Type, Shape: asked}}, checkSize(asked)
}

func (m maxUnpool) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	shape, err := m.pooled(in[0].Shape)
	if err != nil {
		return err
	}
	limit := prod(shape)
	places := make([]int, in[1].Len())
	to, strides := rowMajor(out[0].Shape), rowMajor(shape)
	moved := !sameShape(shape, out[0].Shape)
	for i, v := range in[1].Int64s() {
		if v < 0 || v >= int64(limit) {
			return fmt.Errorf("place %d is outside [0,%d] (shape %v)", v, limit-1, shape)
		}
		places[i] = int(v)
		if moved {
			at := 0
			for k, rest := 0, int(v); k < len(shape); k++ {
				at += rest / strides[k] * to[k]
				rest %= strides[k]
			}
			places[i] = at
		}
	}
	clear(out[0].Raw)
	scatterBlocks(out[0], in[0], places, 1, "none")
	return nil
}
