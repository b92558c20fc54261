package op

import "github.com/onnxcnn/onnxcnn/onnx"

// The gradients of operators that move elements are the opposite movements; where an element went to several places its
// gradients add up.
func init() {
	for _, name := range []string{"Reshape", "Flatten", "Squeeze", "Unsqueeze"} {
		registerGrad("", name, func(g *Grad) error {
			g.setIfWanted(0, func() string { return g.Reshape(g.Up[0], g.In[0].Shape) })
			return nil
		})
	}
	registerGrad("", "Transpose", transposeGrad)
	registerGrad("", "Expand", func(g *Grad) error {
		g.setIfWanted(0, func() string { return g.SumTo(g.Up[0], g.Out[0].Shape, g.In[0].Shape) })
		return nil
	})
	registerGrad("", "Tile", tileGrad)
	registerGrad("", "Concat", concatGrad)
	registerGrad("", "Split", splitGrad)
	registerGrad("", "Trilu", func(g *Grad) error {
		g.setIfWanted(0, func() string {
			in := []string{g.Up[0]}
			if k := g.Input(1); k != "" {
				in = append(in, k)
			}
			return g.Add("Trilu", in, Attr("upper", g.Int("upper", 1)))
		})
		return nil
	})
	for name, back := range map[string]string{"DepthToSpace": "SpaceToDepth", "SpaceToDepth": "DepthToSpace"} {
		registerGrad("", name, func(g *Grad) error {
			g.setIfWanted(0, func() string {
				return g.Add(back, []string{g.Up[0]}, Attr("blocksize", g.Int("blocksize", 1)), Attr("mode", g.String("mode", "DCR")))
			})
			return nil
		})
	}
}

// setIfWanted sets the gradient of an input to what value makes, if it is wanted.
func (g *Grad) setIfWanted(input int, value func() string) {
	if g.Wanted(input) {
		g.Set(input, value())
	}
}

// padded returns n inputs, absent ones as the zero Info, as Infer takes them.
func (g *Grad) padded(n int) []Info {
	in := make([]Info, max(n, len(g.In)))
	copy(in, g.In)
	return in
}

// Zeros adds a constant of zeros.
func (g *Grad) Zeros(typ onnx.DataType, shape []int) string {
	return g.Builder.Const(onnx.New(typ, shape...))
}

func transposeGrad(g *Grad) error {
	perm, err := transpose{perm: g.Spec.Ints("perm")}.order(len(g.In[0].Shape))
	if err != nil {
		return err
	}
	back := make([]int, len(perm))
	for i, p := range perm {
		back[p] = i
	}
	g.setIfWanted(0, func() string { return g.Add("Transpose", []string{g.Up[0]}, Attr("perm", back)) })
	return nil
}

// tileGrad sums over the copies, which are dimensions of their own.
func tileGrad(g *Grad) error {
	if !g.Wanted(0) {
		return nil
	}
	shape := g.In[0].Shape
	if prod(shape) == 0 {
		g.Set(0, g.Zeros(g.In[0].Type, shape))
		return nil
	}
	var wide, axes []int
	for i, d := range shape {
		if n := g.Out[0].Shape[i] / d; n != 1 {
			axes = append(axes, len(wide))
			wide = append(wide, n)
		}
		wide = append(wide, d)
	}
	if len(axes) == 0 {
		g.Set(0, g.Up[0])
		return nil
	}
	sum := g.Add("ReduceSum", []string{g.Reshape(g.Up[0], wide), g.Ints(axes)}, Attr("keepdims", 0))
	g.Set(0, sum)
	return nil
}

func concatGrad(g *Grad) error {
	axis, err := normAxis(g.Int("axis", 1), len(g.Out[0].Shape))
	if err != nil {
		return err
	}
	at := 0
	for i, in := range g.In {
		n := in.Shape[axis]
		g.setIfWanted(i, func() string {
			if len(g.In) == 1 {
				return g.Up[0]
			}
			return g.Add("Slice", []string{g.Up[0], g.Ints([]int{at}), g.Ints([]int{at + n}), g.Ints([]int{axis})})
		})
		at += n
	}
	return nil
}

func splitGrad(g *Grad) error {
	if !g.Wanted(0) {
		return nil
	}
	o, err := newSplit(g.Spec)
	if err != nil {
		return err
	}
	pieces, err := o.Infer(g.padded(2)) // outputs without a name have a shape too
	if err != nil {
		return err
	}
	parts := make([]string, len(pieces))
	for i := range pieces {
		if parts[i] = g.Up[i]; parts[i] == "" {
			parts[i] = g.Zeros(g.In[0].Type, pieces[i].Shape)
		}
	}
	g.Set(0, g.Add("Concat", parts, Attr("axis", g.Int("axis", 0))))
	return nil
}
