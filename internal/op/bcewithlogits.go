package op

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "BCEWithLogits", Since: 1, MinIn: 2, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		r, err := s.lossReduction()
		return bce{r}, err
	}})
	register(Def{Domain: Internal, Type: "BCEWithLogitsGrad", Since: 1, MinIn: 3, MaxIn: 4, MaxOut: 1, New: func(s *Spec) (Op, error) {
		r, err := s.lossReduction()
		return bceGrad{bce{r}}, err
	}})
	registerGrad(Internal, "BCEWithLogits", func(g *Grad) error {
		if g.Wanted(1) || g.Wanted(2) {
			return errors.New("targets and pos_weight cannot be trained")
		}
		g.Set(0, g.AddInternal("BCEWithLogitsGrad", 1, []string{g.Up[0], g.Input(0), g.Input(1), g.Input(2)},
			Attr("reduction", g.String("reduction", "mean")))[0])
		return nil
	})
}

// bce is the binary cross entropy of each element with target t, a probability, p being sigmoid(x):
//
//	-(pos*t*log(p) + (1-t)*log(1-p))
//
// as PyTorch's binary_cross_entropy_with_logits has it. pos, the third input, is broadcast to the scores' shape; 1 where
// it is left out. It is computed as (1-t)*x + (1+(pos-1)*t)*log(1+e^-x), which cannot overflow.
type bce struct{ reduction lossReduction }

// check looks at scores, targets and pos.
func (bce) check(in []Info) error {
	if _, err := sameFloats(in, 2); err != nil {
		return err
	}
	x, pos := in[0], in[2]
	if pos.Absent() {
		return nil
	}
	shape, err := broadcastShape(x.Shape, pos.Shape)
	if err != nil || pos.Type != x.Type || !sameShape(shape, x.Shape) {
		return fmt.Errorf("pos_weight %v%v does not broadcast to %v%v", pos.Type, pos.Shape, x.Type, x.Shape)
	}
	return nil
}

func (o bce) Infer(in []Info) ([]Info, error) {
	shape := in[0].Shape
	if o.reduction != reduceLossNone {
		shape = []int{}
	}
	return []Info{{Type: in[0].Type, Shape: shape}}, o.check(in)
}

func (o bce) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Float {
		runBCE[float32](rt, o.reduction, in, out[0])
	} else {
		runBCE[float64](rt, o.reduction, in, out[0])
	}
	return nil
}

func runBCE[T float](rt *Runtime, r lossReduction, in []*onnx.Tensor, out *onnx.Tensor) {
	losses := make([]float64, in[0].Len())
	eachScore[T](rt, in, func(i int, x, t, pos float64) {
		losses[i] = (1-t)*x + (1+(pos-1)*t)*softplus(-x)
	})
	storeLosses(r, losses, float64(len(losses)), onnx.Data[T](out))
}

// eachScore calls f for each score, with its target and pos.
func eachScore[T float](rt *Runtime, in []*onnx.Tensor, f func(i int, x, t, pos float64)) {
	x, t, pos, shape := onnx.Data[T](in[0]), onnx.Data[T](in[1]), []T{1}, []int{}
	if in[2] != nil {
		pos, shape = onnx.Data[T](in[2]), in[2].Shape
	}
	plan := newBroadcast(in[0].Shape, in[0].Shape, shape)
	plan.run(rt.Pool, costlyGrain, func(o, n int, at *[maxOperands]int) {
		p := operand(pos, plan.vary[1], at[1], n)
		step := bit(len(p) == n)
		for i := range n {
			f(o+i, float64(x[o+i]), float64(t[o+i]), float64(p[i*step]))
		}
	})
}

// bceGrad is the gradient of bce by the scores, from that of the loss, and the inputs:
// (1-t) - (1+(pos-1)*t)*sigmoid(-x).
type bceGrad struct{ bce }

func (o bceGrad) Infer(in []Info) ([]Info, error) {
	want, err := o.bce.Infer(in[1:])
	if err != nil {
		return nil, err
	}
	if in[0].Type != want[0].Type || !sameShape(in[0].Shape, want[0].Shape) {
		return nil, fmt.Errorf("gradient of the loss is %v%v, want %v%v", in[0].Type, in[0].Shape, want[0].Type, want[0].Shape)
	}
	return []Info{{Type: in[1].Type, Shape: in[1].Shape}}, nil
}

func (o bceGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Float {
		runBCEGrad[float32](rt, o.reduction, in, out[0])
	} else {
		runBCEGrad[float64](rt, o.reduction, in, out[0])
	}
	return nil
}

func runBCEGrad[T float](rt *Runtime, r lossReduction, in []*onnx.Tensor, out *onnx.Tensor) {
	dx := onnx.Data[T](out)
	scale := lossScale(r, onnx.Data[T](in[0]), float64(len(dx)))
	eachScore[T](rt, in[1:], func(i int, x, t, pos float64) {
		dx[i] = T(scale(i) * ((1 - t) - (1+(pos-1)*t)/(1+math.Exp(x))))
	})
}
