package op

// The gradients of the normalisations that are rare enough to be composed of standard operators.
func init() {
	registerGrad("", "LpNormalization", func(g *Grad) error {
		if !g.Wanted(0) {
			return nil
		}
		axes := g.Ints([]int{g.Int("axis", -1)})
		keep := Attr("keepdims", 1)
		up, x, y := g.Up[0], g.Input(0), g.Output(0)
		// y = x/norm: dx = (dy - sum(dy*y) * dnorm/dx) / norm, and 0 where the norm is.
		reduce, direction := "ReduceL2", y
		if g.Int("p", 2) == 1 {
			reduce, direction = "ReduceL1", g.Add("Sign", []string{x})
		}
		norm := g.Add(reduce, []string{x, axes}, keep)
		along := g.Add("ReduceSum", []string{g.Add("Mul", []string{up, y}), axes}, keep)
		d := g.Add("Sub", []string{up, g.Add("Mul", []string{along, direction})})
		zero := g.Scalar(0)
		g.Set(0, g.Add("Where", []string{g.Add("Equal", []string{norm, zero}), zero, g.Add("Div", []string{d, norm})}))
		return nil
	})
	registerGrad("", "MeanVarianceNormalization", func(g *Grad) error {
		if !g.Wanted(0) {
			return nil
		}
		list := []int{0, 2, 3}
		if a := g.Spec.Ints("axes"); a != nil {
			list = a
		}
		axes := g.Ints(list)
		mean := func(v string) string { return g.Add("ReduceMean", []string{v, axes}, Attr("keepdims", 1)) }
		up, x, y := g.Up[0], g.Input(0), g.Output(0)
		// y = c/e with c = x - mean, d the deviation and e = d + 1e-9: dx = (dy - mean(dy) - mean(dy*y)*c/d) / e.
		c := g.Add("Sub", []string{x, mean(x)})
		d := g.Add("Sqrt", []string{mean(g.Add("Mul", []string{c, c}))})
		e := g.Add("Add", []string{d, g.Scalar(1e-9)})
		unit := g.Add("Div", []string{c, g.Add("Max", []string{d, g.Scalar(1e-30)})}) // 0 where all elements are equal
		left := g.Add("Sub", []string{up, mean(up)})
		g.Set(0, g.Add("Div", []string{g.Add("Sub", []string{left, g.Add("Mul", []string{mean(g.Add("Mul", []string{up, y})), unit})}), e}))
		return nil
	})
}
