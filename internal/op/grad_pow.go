package op

import (
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	for name, slope := range map[string]func(a, b float64) float64{"PowBaseGrad": powBaseSlope, "PowExponentGrad": powExponentSlope} {
		register(Def{Domain: Internal, Type: name, Since: 1, MinIn: 3, MaxIn: 3, MaxOut: 1, New: func(*Spec) (Op, error) {
			return powGrad{slope}, nil
		}})
	}
	registerGrad("", "Pow", func(g *Grad) error {
		second, _, err := g.broadcastRule().shapes(g.In[0].Shape, g.In[1].Shape)
		if err != nil {
			return err
		}
		b, out := g.Input(1), g.Out[0].Shape
		if !sameShape(second, g.In[1].Shape) {
			b = g.Reshape(b, second)
		}
		if g.In[1].Type != g.In[0].Type {
			b = g.Add("Cast", []string{b}, Attr("to", int(g.In[0].Type)))
		}
		if g.Wanted(0) {
			d := g.AddInternal("PowBaseGrad", 1, []string{g.Up[0], g.Input(0), b})[0]
			g.Set(0, g.SumTo(d, out, g.In[0].Shape))
		}
		if g.Wanted(1) {
			d := g.SumTo(g.AddInternal("PowExponentGrad", 1, []string{g.Up[0], g.Input(0), b})[0], out, second)
			if g.In[1].Type != g.In[0].Type {
				d = g.Add("Cast", []string{d}, Attr("to", int(g.In[1].Type)))
			}
			if !sameShape(second, g.In[1].Shape) {
				d = g.Reshape(d, g.In[1].Shape)
			}
			g.Set(1, d)
		}
		return nil
	})
}

// powGrad is the gradient of a^b by a or by b, of the shape of dy, from dy, a and b: dy*slope(a, b).
type powGrad struct{ slope func(a, b float64) float64 }

// powBaseSlope is b*a^(b-1); to the power 0 everything is 1, and the slope 0.
func powBaseSlope(a, b float64) float64 {
	switch b {
	case 0:
		return 0
	case 1:
		return 1
	case 2:
		return 2 * a
	}
	return b * math.Pow(a, b-1)
}

// powExponentSlope is a^b*ln(a); all powers of 0 that are not negative are flat.
func powExponentSlope(a, b float64) float64 {
	if a == 0 && b >= 0 {
		return 0
	}
	return math.Pow(a, b) * math.Log(a)
}

func (powGrad) InPlace() []int { return []int{0} }

func (powGrad) Infer(in []Info) ([]Info, error) {
	d, err := operandGrad(in)
	return []Info{d}, err
}

func (o powGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Float {
		powGradOf[float32](rt, o.slope, in, out[0])
	} else {
		powGradOf[float64](rt, o.slope, in, out[0])
	}
	return nil
}

func powGradOf[T float](rt *Runtime, slope func(a, b float64) float64, in []*onnx.Tensor, out *onnx.Tensor) {
	dy, a, b, d := onnx.Data[T](in[0]), onnx.Data[T](in[1]), onnx.Data[T](in[2]), onnx.Data[T](out)
	plan := newBroadcast(in[0].Shape, in[1].Shape, in[2].Shape)
	plan.run(rt.Pool, costlyGrain, func(o, n int, at *[maxOperands]int) {
		dy, d := dy[o:o+n], d[o:o+n]
		a, b := operand(a, plan.vary[0], at[0], n), operand(b, plan.vary[1], at[1], n)
		sa, sb := bit(len(a) == n), bit(len(b) == n)
		for i, v := range dy {
			d[i] = T(float64(v) * slope(float64(a[i*sa]), float64(b[i*sb])))
		}
	})
}
