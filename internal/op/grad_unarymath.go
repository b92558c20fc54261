package op

import "math"

// The gradients of the functions of one number. Where the output tells the derivative, the input is not kept.
func init() {
	input := func(*Spec) bool { return false }
	output := func(*Spec) bool { return true }
	for _, f := range []struct {
		name  string
		of    func(*Spec) bool
		slope func(v float64) float64
	}{
		{"Sqrt", output, func(y float64) float64 { return 0.5 / y }},
		{"Exp", output, func(y float64) float64 { return y }},
		{"Log", input, func(x float64) float64 { return 1 / x }},
		{"Abs", input, sign[float64]},
		{"Reciprocal", output, func(y float64) float64 { return -y * y }},
		{"Sin", input, math.Cos},
		{"Cos", input, func(x float64) float64 { return -math.Sin(x) }},
		{"Tan", output, func(y float64) float64 { return 1 + y*y }},
		{"Asin", input, func(x float64) float64 { return 1 / math.Sqrt(1-x*x) }},
		{"Acos", input, func(x float64) float64 { return -1 / math.Sqrt(1-x*x) }},
		{"Atan", input, func(x float64) float64 { return 1 / (1 + x*x) }},
		{"Sinh", input, math.Cosh},
		{"Cosh", input, math.Sinh},
		{"Asinh", input, func(x float64) float64 { return 1 / math.Sqrt(x*x+1) }},
		{"Acosh", input, func(x float64) float64 { return 1 / math.Sqrt((x-1)*(x+1)) }},
		{"Atanh", input, func(x float64) float64 { return 1 / (1 - x*x) }},
	} {
		registerDerivative("", f.name, f.of, nil, func(*Spec) derivative { return viaDouble(f.slope) })
	}
	registerGrad("", "Neg", func(g *Grad) error {
		g.Set(0, g.Add("Neg", []string{g.Up[0]}))
		return nil
	})
	// Steps are flat wherever they have a derivative, and EyeLike reads only a shape.
	for _, name := range []string{"Floor", "Ceil", "Round", "Sign", "Hardmax", "EyeLike"} {
		registerGrad("", name, func(*Grad) error { return nil })
	}
}
