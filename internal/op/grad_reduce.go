package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// The gradients of the Reduce operators, with dy and y stretched to the shape of the input:
//
//	ReduceSum dy; ReduceMean dy/n; ReduceSumSquare 2*x*dy; ReduceL1 sign(x)*dy; ReduceL2 x*dy/y, 0 where y is 0;
//	ReduceLogSum dy/e^y; ReduceLogSumExp e^(x-y)*dy; ReduceProd dy times the product of the others;
//	ReduceMax and ReduceMin dy at the first extreme element, 0 elsewhere.
func init() {
	for name, rule := range map[string]func(g *reduceGrad) string{
		"ReduceSum":  func(g *reduceGrad) string { return g.stretched(g.dy) },
		"ReduceMean": func(g *reduceGrad) string { return g.stretched(g.mul(g.dy, g.Scalar(1/float64(g.count)))) },
		"ReduceSumSquare": func(g *reduceGrad) string {
			return g.mul(g.Input(0), g.mul(g.dy, g.Scalar(2)))
		},
		"ReduceL1": func(g *reduceGrad) string { return g.mul(g.Add("Sign", []string{g.Input(0)}), g.dy) },
		"ReduceL2": func(g *reduceGrad) string {
			zero := g.Add("Equal", []string{g.y, g.Scalar(0)})
			safe := g.Add("Where", []string{zero, g.Scalar(1), g.y})
			return g.mul(g.Input(0), g.Add("Div", []string{g.dy, safe}))
		},
		"ReduceLogSum": func(g *reduceGrad) string {
			return g.stretched(g.Add("Div", []string{g.dy, g.Add("Exp", []string{g.y})}))
		},
		"ReduceLogSumExp": func(g *reduceGrad) string {
			return g.mul(g.Add("Exp", []string{g.Add("Sub", []string{g.Input(0), g.y})}), g.dy)
		},
		"ReduceProd": func(g *reduceGrad) string {
			return g.AddInternal("ReduceProdGrad", 1, []string{g.dy, g.Input(0)})[0]
		},
		"ReduceMax": func(g *reduceGrad) string {
			return g.AddInternal("ReduceExtremeGrad", 1, []string{g.dy, g.Input(0), g.y})[0]
		},
		"ReduceMin": func(g *reduceGrad) string {
			return g.AddInternal("ReduceExtremeGrad", 1, []string{g.dy, g.Input(0), g.y})[0]
		},
	} {
		registerGrad("", name, func(g *Grad) error {
			r, err := g.reduction(name)
			if err == nil {
				g.Set(0, rule(r))
			}
			return err
		})
	}
	register(Def{Domain: Internal, Type: "ReduceProdGrad", Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(*Spec) (Op, error) {
		return reduceProdGrad{}, nil
	}})
	register(Def{Domain: Internal, Type: "ReduceExtremeGrad", Since: 1, MinIn: 3, MaxIn: 3, MaxOut: 1, New: func(*Spec) (Op, error) {
		return reduceExtremeGrad{}, nil
	}})
	// CumSum: the sum from the other end.
	registerGrad("", "CumSum", func(g *Grad) error {
		reverse := bit(!g.Bool("reverse", false))
		g.Set(0, g.Add("CumSum", []string{g.Up[0], g.Input(1)}, Attr("exclusive", g.Int("exclusive", 0)), Attr("reverse", reverse)))
		return nil
	})
}

// reduceGrad is a Reduce node whose gradient is wanted.
type reduceGrad struct {
	*Grad
	dy, y string // gradient and output, with all dimensions kept
	count int    // elements that become one
}

func (g *Grad) reduction(name string) (*reduceGrad, error) {
	kind := reduceMax
	if name == "ReduceSum" {
		kind = reduceSum // its axes became an input earlier
	}
	o, err := newReduce(g.Spec, kind)
	if err != nil {
		return nil, err
	}
	var axes *onnx.Tensor
	given := len(g.In) > 1 && !g.In[1].Absent()
	if given {
		axes = g.In[1].Value
	}
	flags, known, err := o.(reduce).reducedDims(len(g.In[0].Shape), axes, given)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, errors.New("its axes are not constant, which training does not support")
	}
	r := &reduceGrad{Grad: g, dy: g.Up[0], y: g.Output(0), count: planReduce(g.In[0].Shape, flags).count}
	if kept := reducedShape(g.In[0].Shape, flags, true); !sameShape(kept, g.Out[0].Shape) {
		r.dy = g.Reshape(r.dy, kept)
		switch name {
		case "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMin":
			r.y = g.Reshape(r.y, kept)
		}
	}
	return r, nil
}

func (g *reduceGrad) mul(a, b string) string { return g.Add("Mul", []string{a, b}) }

// stretched gives a value the input's shape.
func (g *reduceGrad) stretched(v string) string {
	return g.Add("Expand", []string{v, g.Ints(g.In[0].Shape)})
}

// reducedFrom returns which dimensions of x were reduced to 1.
func reducedFrom(x, kept []int) ([]bool, error) {
	if len(x) != len(kept) {
		return nil, fmt.Errorf("shape %v is not a reduction of %v", kept, x)
	}
	flags := make([]bool, len(x))
	for i, d := range kept {
		if d != x[i] && d != 1 {
			return nil, fmt.Errorf("shape %v is not a reduction of %v", kept, x)
		}
		flags[i] = d != x[i]
	}
	return flags, nil
}

// inferReduced checks dy and x: the dimensions of dy are those of x, or 1.
func inferReduced(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	if in[1].Type != in[0].Type {
		return nil, errors.New("inputs are of different types")
	}
	_, err := reducedFrom(in[1].Shape, in[0].Shape)
	return []Info{{Type: in[1].Type, Shape: in[1].Shape}}, err
}

// reduceExtremeGrad is the gradient of ReduceMax and ReduceMin from dy, x, and the extreme elements y: dy at the first
// element that equals y, 0 elsewhere; a NaN equals NaN.
type reduceExtremeGrad struct{}

func (reduceExtremeGrad) Infer(in []Info) ([]Info, error) {
	if _, err := sameFloats([]Info{in[0], in[2]}, 2); err != nil {
		return nil, err
	}
	return inferReduced(in)
}

func (reduceExtremeGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Float {
		return extremeGradOf[float32](rt, in, out[0])
	}
	return extremeGradOf[float64](rt, in, out[0])
}

func extremeGradOf[T float](rt *Runtime, in []*onnx.Tensor, out *onnx.Tensor) error {
	flags, err := reducedFrom(in[1].Shape, in[0].Shape)
	if err != nil {
		return err
	}
	dy, x, y, dx := onnx.Data[T](in[0]), onnx.Data[T](in[1]), onnx.Data[T](in[2]), onnx.Data[T](out)
	clear(dx)
	eachGroup(rt, planReduce(in[1].Shape, flags), func(o int, at []int) {
		m := y[o]
		for _, i := range at {
			if v := x[i]; v == m || v != v && m != m {
				dx[i] = dy[o]
				return
			}
		}
	})
	return nil
}

// eachGroup calls f for each result with the indices of the elements that went into it, which are f's until it returns.
func eachGroup(rt *Runtime, p reducePlan, f func(o int, at []int)) {
	rt.Pool.For(p.results, max(1, 1<<13/max(p.count, 1)), func(lo, hi int) {
		at := make([]int, p.count)
		out, red := odometerAt(p.out, p.outStride, lo), odometerAt(p.red, p.redStride, 0)
		for o := lo; o < hi; o++ {
			red.reset()
			for i := range at {
				at[i] = out.offset + red.offset
				red.next()
			}
			f(o, at)
			out.next()
		}
	})
}

// reduceProdGrad is the gradient of ReduceProd from dy and x: dy times the product of the other elements, which is right
// where elements are 0, too.
type reduceProdGrad struct{}

func (reduceProdGrad) Infer(in []Info) ([]Info, error) { return inferReduced(in) }

func (reduceProdGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Float {
		return prodGradOf[float32](rt, in, out[0])
	}
	return prodGradOf[float64](rt, in, out[0])
}

func prodGradOf[T float](rt *Runtime, in []*onnx.Tensor, out *onnx.Tensor) error {
	flags, err := reducedFrom(in[1].Shape, in[0].Shape)
	if err != nil {
		return err
	}
	dy, x, dx := onnx.Data[T](in[0]), onnx.Data[T](in[1]), onnx.Data[T](out)
	eachGroup(rt, planReduce(in[1].Shape, flags), func(o int, at []int) {
		// The product of all elements before one, times that of all after it.
		before := make([]float64, len(at))
		p := 1.0
		for k, i := range at {
			before[k] = p
			p *= float64(x[i])
		}
		after := float64(dy[o])
		for k := len(at) - 1; k >= 0; k-- {
			dx[at[k]] = T(before[k] * after)
			after *= float64(x[at[k]])
		}
	})
	return nil
}
