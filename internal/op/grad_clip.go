package op

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "ClipGrad", Since: 1, MinIn: 2, MaxIn: 4, MaxOut: 1, New: func(*Spec) (Op, error) {
		return clipGrad{}, nil
	}})
	registerGrad("", "Clip", func(g *Grad) error {
		if g.Wanted(1) || g.Wanted(2) {
			return errors.New("its bounds cannot be trained")
		}
		in := []string{g.Up[0], g.Output(0), g.Input(1), g.Input(2)}
		if g.Opset < 11 {
			lo, hi := g.Spec.clipAttrs()
			in[2], in[3] = g.Scalar(float64(lo)), g.Scalar(float64(hi))
		}
		g.Set(0, g.AddInternal("ClipGrad", 1, in)[0])
		return nil
	})
}

// clipGrad is the gradient of Clip, from dy, the output, and the bounds: dy where the output lies between the bounds,
// else 0. At a bound it is 0, as that of PyTorch's hardtanh and relu6 is, so that the output is enough.
type clipGrad struct{}

func (clipGrad) InPlace() []int { return []int{0, 1} }

func (clipGrad) Infer(in []Info) ([]Info, error) {
	out, err := sameFloats(in, 2)
	if err != nil {
		return nil, err
	}
	for _, b := range in[2:] {
		if !b.Absent() && (b.Type != in[0].Type || prod(b.Shape) != 1) {
			return nil, fmt.Errorf("bound is %v%v, want one %v", b.Type, b.Shape, in[0].Type)
		}
	}
	return out, nil
}

func (clipGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Float {
		dy, y, dx := in[0].Float32s(), in[1].Float32s(), out[0].Float32s()
		lo, hi := openBounds[float32](in)
		rt.Pool.For(len(dx), cheapGrain/2, func(from, to int) { clipGrad32(dx[from:to], dy[from:to], y[from:to], lo, hi) })
		return nil
	}
	dy, y, dx := onnx.Data[float64](in[0]), onnx.Data[float64](in[1]), onnx.Data[float64](out[0])
	lo, hi := openBounds[float64](in)
	rt.Pool.For(len(dx), cheapGrain/2, func(from, to int) {
		for i := from; i < to; i++ {
			d := 0.0
			if y[i] > lo && y[i] < hi {
				d = dy[i]
			}
			dx[i] = d
		}
	})
	return nil
}

func openBounds[T float](in []*onnx.Tensor) (lo, hi T) {
	lo, hi = T(math.Inf(-1)), T(math.Inf(1))
	if in[2] != nil {
		lo = onnx.Data[T](in[2])[0]
	}
	if in[3] != nil {
		hi = onnx.Data[T](in[3])[0]
	}
	return lo, hi
}

// clipGrad32 masks bits: a branch would go wrong often.
func clipGrad32(dx, dy, y []float32, lo, hi float32) {
	dx, dy = dx[:len(y)], dy[:len(y)]
	for i, v := range y {
		mask := -uint32(bit(v > lo) & bit(v < hi))
		dx[i] = math.Float32frombits(math.Float32bits(dy[i]) & mask)
	}
}
