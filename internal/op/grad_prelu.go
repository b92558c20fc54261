package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "PReluGrad", Since: 1, MinIn: 3, MaxIn: 3, MaxOut: 1, New: func(*Spec) (Op, error) {
		return preluGrad{}, nil
	}})
	// By x: dy above 0, else slope*dy. By the slope: the sum of x*dy over negative x.
	registerGrad("", "PRelu", func(g *Grad) error {
		x := g.In[0].Shape
		shape := prelu{shared: g.Opset < 7}.slopeShape(x, g.In[1].Shape)
		if g.Wanted(0) {
			s := g.Input(1)
			if !sameShape(shape, g.In[1].Shape) {
				s = g.Reshape(s, shape)
			}
			g.Set(0, g.AddInternal("PReluGrad", 1, []string{g.Up[0], g.Input(0), s})[0])
		}
		if g.Wanted(1) {
			d := g.Add("Mul", []string{g.Up[0], g.Add("Min", []string{g.Input(0), g.Scalar(0)})})
			d = g.SumTo(d, x, shape)
			if !sameShape(shape, g.In[1].Shape) {
				d = g.Reshape(d, g.In[1].Shape)
			}
			g.Set(1, d)
		}
		return nil
	})
}

// preluGrad is the gradient of PRelu by its input, from dy, x, and the slope, which is broadcast to x: dy where x is
// above 0, else slope*dy.
type preluGrad struct{}

func (preluGrad) InPlace() []int { return []int{0, 1} }

func (preluGrad) Infer(in []Info) ([]Info, error) {
	out, err := sameFloats(in, 2)
	if err != nil {
		return nil, err
	}
	shape, err := broadcastShape(in[0].Shape, in[2].Shape)
	if err != nil || !sameShape(shape, in[0].Shape) || in[2].Type != in[0].Type {
		return nil, fmt.Errorf("slope %v%v does not broadcast to %v%v", in[2].Type, in[2].Shape, in[0].Type, in[0].Shape)
	}
	return out, nil
}

func (preluGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Float {
		preluGradOf[float32](rt, in, out[0])
	} else {
		preluGradOf[float64](rt, in, out[0])
	}
	return nil
}

func preluGradOf[T float](rt *Runtime, in []*onnx.Tensor, out *onnx.Tensor) {
	dy, x, s, dx := onnx.Data[T](in[0]), onnx.Data[T](in[1]), onnx.Data[T](in[2]), onnx.Data[T](out)
	plan := newBroadcast(in[0].Shape, in[0].Shape, in[2].Shape)
	plan.run(rt.Pool, cheapGrain/2, func(o, n int, at *[maxOperands]int) {
		dx, dy, x := dx[o:o+n], dy[o:o+n], x[o:o+n]
		slope := operand(s, plan.vary[1], at[1], n)
		if len(slope) < n {
			stepGrad(slope[0])(dx, dy, x)
			return
		}
		for i, v := range x {
			k := slope[i]
			if v > 0 {
				k = 1
			}
			dx[i] = dy[i] * k
		}
	})
}
