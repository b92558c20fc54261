package op

// The gradients of the four operations: each operand's is summed over the dimensions along which it was broadcast.
func init() {
	registerGrad("", "Add", sumGrad(1))
	registerGrad("", "Sub", sumGrad(-1))
	registerGrad("", "Mul", func(g *Grad) error {
		for i := range 2 {
			if g.Wanted(i) {
				d := g.Add("Mul", []string{g.Up[0], g.Input(1 - i)})
				g.Set(i, g.SumTo(d, g.Out[0].Shape, g.In[i].Shape))
			}
		}
		return nil
	})
	// d(a/b) = da/b - db*(a/b)/b.
	registerGrad("", "Div", func(g *Grad) error {
		q := g.Add("Div", []string{g.Up[0], g.Input(1)})
		if g.Wanted(0) {
			g.Set(0, g.SumTo(q, g.Out[0].Shape, g.In[0].Shape))
		}
		if g.Wanted(1) {
			d := g.Add("Neg", []string{g.Add("Mul", []string{q, g.Output(0)})})
			g.Set(1, g.SumTo(d, g.Out[0].Shape, g.In[1].Shape))
		}
		return nil
	})
	registerGrad("", "Sum", func(g *Grad) error {
		for i := range g.In {
			if g.Wanted(i) {
				g.Set(i, g.SumTo(g.Up[0], g.Out[0].Shape, g.In[i].Shape))
			}
		}
		return nil
	})
	// Identity hands the gradient on.
	registerGrad("", "Identity", func(g *Grad) error {
		g.Set(0, g.Up[0])
		return nil
	})
}

// sumGrad is the gradient of a + sign*b.
func sumGrad(sign int) Gradient {
	return func(g *Grad) error {
		if g.Wanted(0) {
			g.Set(0, g.SumTo(g.Up[0], g.Out[0].Shape, g.In[0].Shape))
		}
		if g.Wanted(1) {
			d := g.Up[0]
			if sign < 0 {
				d = g.Add("Neg", []string{d})
			}
			g.Set(1, g.SumTo(d, g.Out[0].Shape, g.In[1].Shape))
		}
		return nil
	}
}
