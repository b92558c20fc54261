package op

import "github.com/onnxcnn/onnxcnn/onnx"

func init() {
	register(Def{Type: "Shape", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		return shapeOf{start: s.Int("start", 0), end: s.Int("end", 1<<31-1)}, nil
	}})
	register(Def{Type: "Size", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, Half: true, New: func(*Spec) (Op, error) {
		return sizeOf{}, nil
	}})
}

// shapeOf gives the dimensions [start,end) of its input; both count from the end where negative, and are clamped.
type shapeOf struct{ start, end int }

func (o shapeOf) Infer(in []Info) ([]Info, error) {
	rank := len(in[0].Shape)
	clamp := func(i int) int {
		if i < 0 {
			i += rank
		}
		return min(max(i, 0), rank)
	}
	dims := []int64{}
	for i := clamp(o.start); i < clamp(o.end); i++ {
		dims = append(dims, int64(in[0].Shape[i]))
	}
	t := onnx.Of([]int{len(dims)}, dims)
	return []Info{{Type: onnx.Int64, Shape: t.Shape, Value: t}}, nil
}

func (o shapeOf) Run(_ *Runtime, in, out []*onnx.Tensor) error {
	return runKnown(o, in, out)
}

// sizeOf gives the number of elements of its input.
type sizeOf struct{}

func (sizeOf) Infer(in []Info) ([]Info, error) {
	t := onnx.Of([]int{}, []int64{int64(prod(in[0].Shape))})
	return []Info{{Type: onnx.Int64, Shape: t.Shape, Value: t}}, nil
}

func (o sizeOf) Run(_ *Runtime, in, out []*onnx.Tensor) error {
	return runKnown(o, in, out)
}

// runKnown runs an operator whose Infer already knows the value.
func runKnown(o Op, in, out []*onnx.Tensor) error {
	info, err := o.Infer([]Info{{Type: in[0].Type, Shape: in[0].Shape}})
	if err != nil {
		return err
	}
	copy(out[0].Raw, info[0].Value.Raw)
	return nil
}
