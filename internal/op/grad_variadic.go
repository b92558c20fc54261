package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	for _, name := range []string{"Max", "Min"} {
		register(Def{Domain: Internal, Type: name + "Grad", Since: 1, MinIn: 3, MaxIn: 3, MaxOut: 2, New: func(*Spec) (Op, error) {
			return extremeGrad{least: name == "Min"}, nil
		}})
		registerGrad("", name, func(g *Grad) error { return g.extremes(name) })
	}
	// Mean: a share for each.
	registerGrad("", "Mean", func(g *Grad) error {
		d := g.Add("Mul", []string{g.Up[0], g.Scalar(1 / float64(len(g.In)))})
		for i := range g.In {
			if g.Wanted(i) {
				g.Set(i, g.SumTo(d, g.Out[0].Shape, g.In[i].Shape))
			}
		}
		return nil
	})
	// Mod: a mod b is a - n*b, and n, a whole number, is flat.
	registerGrad("", "Mod", func(g *Grad) error {
		if g.Wanted(0) {
			g.Set(0, g.SumTo(g.Up[0], g.Out[0].Shape, g.In[0].Shape))
		}
		if g.Wanted(1) {
			n := g.Add("Div", []string{g.Add("Sub", []string{g.Output(0), g.Input(0)}), g.Input(1)})
			d := g.Add("Mul", []string{g.Up[0], g.Add("Round", []string{n})})
			g.Set(1, g.SumTo(d, g.Out[0].Shape, g.In[1].Shape))
		}
		return nil
	})
	// Where: each side gets what it gave.
	registerGrad("", "Where", func(g *Grad) error {
		zero := g.Builder.Const(onnx.New(g.Out[0].Type))
		for i := 1; i <= 2; i++ {
			if !g.Wanted(i) {
				continue
			}
			sides := []string{g.Input(0), zero, zero}
			sides[i] = g.Up[0]
			g.Set(i, g.SumTo(g.Add("Where", sides), g.Out[0].Shape, g.In[i].Shape))
		}
		return nil
	})
	// Cast and CastLike: cast back.
	for _, name := range []string{"Cast", "CastLike"} {
		registerGrad("", name, func(g *Grad) error {
			if g.Wanted(0) {
				g.Set(0, g.Add("Cast", []string{g.Up[0]}, Attr("to", int(g.In[0].Type))))
			}
			return nil
		})
	}
}

// extremes is the gradient of Max and Min: all of it goes to the extreme input, to the first one where several are equal.
// It goes down the chain ((x0, x1), x2), ... in which the operator is computed.
func (g *Grad) extremes(name string) error {
	last := len(g.In) - 1
	chain, shapes := []string{g.Input(0)}, [][]int{g.In[0].Shape}
	for i := 1; i < last; i++ {
		chain = append(chain, g.Add(name, []string{chain[i-1], g.Input(i)}))
		shape, err := broadcastShape(shapes[i-1], g.In[i].Shape)
		if err != nil {
			return err
		}
		shapes = append(shapes, shape)
	}
	up, shape := g.Up[0], g.Out[0].Shape
	for i := last; i > 0; i-- {
		d := g.AddInternal(name+"Grad", 2, []string{up, chain[i-1], g.Input(i)})
		if g.Wanted(i) {
			g.Set(i, g.SumTo(d[1], shape, g.In[i].Shape))
		}
		up, shape = g.SumTo(d[0], shape, shapes[i-1]), shapes[i-1]
	}
	if g.Wanted(0) {
		g.Set(0, up)
	}
	return nil
}

// operandGrad checks the inputs of an operator that computes gradients of two operands, which broadcast to the gradient of
// their result, the first input, and returns what such a gradient is.
func operandGrad(in []Info) (Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return Info{}, err
	}
	if in[1].Type != in[0].Type || in[2].Type != in[0].Type {
		return Info{}, errors.New("inputs are of different types")
	}
	if shape, err := broadcastShape(in[1].Shape, in[2].Shape); err != nil || !sameShape(shape, in[0].Shape) {
		return Info{}, fmt.Errorf("shapes %v and %v do not broadcast to %v", in[1].Shape, in[2].Shape, in[0].Shape)
	}
	return Info{Type: in[0].Type, Shape: in[0].Shape}, nil
}

// extremeGrad deals dy out to the two operands, a and b, of a maximum or a minimum: to b where it is beyond a, else to a.
// Its outputs have the shape of dy, to which a and b are broadcast.
type extremeGrad struct{ least bool }

func (extremeGrad) Infer(in []Info) ([]Info, error) {
	d, err := operandGrad(in)
	return []Info{d, d}, err
}

func (o extremeGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Float {
		dealExtreme[float32](rt, o.least, in, out)
	} else {
		dealExtreme[float64](rt, o.least, in, out)
	}
	return nil
}

func dealExtreme[T float](rt *Runtime, least bool, in, out []*onnx.Tensor) {
	dy, a, b := onnx.Data[T](in[0]), onnx.Data[T](in[1]), onnx.Data[T](in[2])
	var da, db []T
	if out[0] != nil {
		da = onnx.Data[T](out[0])
	}
	if len(out) > 1 && out[1] != nil {
		db = onnx.Data[T](out[1])
	}
	if least { // b < a is -b > -a
		a, b = b, a
	}
	plan := newBroadcast(in[0].Shape, in[1].Shape, in[2].Shape)
	plan.run(rt.Pool, cheapGrain/4, func(o, n int, at *[maxOperands]int) {
		ia, ib := 0, 1
		if least {
			ia, ib = 1, 0
		}
		x, z := operand(a, plan.vary[ia], at[ia], n), operand(b, plan.vary[ib], at[ib], n)
		sx, sz := bit(len(x) == n), bit(len(z) == n)
		for i, v := range dy[o : o+n] {
			share := [2]T{v, 0}
			second := bit(z[i*sz] > x[i*sx])
			if da != nil {
				da[o+i] = share[second&1]
			}
			if db != nil {
				db[o+i] = share[1-second&1]
			}
		}
	})
}
