package zoo

// relu6 is ReLU cut off at 6.
func (b *builder) relu6(name string, x value) value {
	lo, hi := b.shared("relu6.min", 0), b.shared("relu6.max", 6)
	x.name = b.node("Clip", name, []string{x.name, lo, hi})
	return x
}

// silu is x*sigmoid(x).
func (b *builder) silu(name string, x value) value {
	return b.mul(name, b.unary("Sigmoid", name+".sigmoid", x), x)
}

// hardSigmoid is max(0, min(1, x/6+1/2)).
func (b *builder) hardSigmoid(name string, x value) value {
	return b.unary("HardSigmoid", name, x, attrFloat("alpha", 1.0/6), attrFloat("beta", 0.5))
}

// hardSwish is x*hardSigmoid(x).
func (b *builder) hardSwish(name string, x value) value {
	if b.Opset < 14 {
		return b.mul(name, b.hardSigmoid(name+".sigmoid", x), x)
	}
	return b.unary("HardSwish", name, x)
}

// gelu is x*(1+erf(x/sqrt(2)))/2.
func (b *builder) gelu(name string, x value) value {
	if b.Opset >= 20 {
		return b.unary("Gelu", name, x)
	}
	y := x
	y.name = b.node("Div", name+".div", []string{x.name, b.shared("gelu.sqrt2", 1.4142135623730951)})
	y = b.unary("Erf", name+".erf", y)
	y.name = b.node("Add", name+".add", []string{y.name, b.shared("gelu.one", 1)})
	y = b.mul(name+".mul", x, y)
	y.name = b.node("Mul", name, []string{y.name, b.shared("gelu.half", 0.5)})
	return y
}

// shared returns a constant of one element that several nodes read.
func (b *builder) shared(name string, v float32) string {
	if !b.taken[name] {
		b.scalar(name, v)
	}
	return name
}

// squeezeExcite weighs the channels of x by what two dense layers, as 1x1 convolutions, make of their means
// (arXiv:1709.01507).
func (b *builder) squeezeExcite(name string, x value, squeezed int, inner, outer func(name string, x value) value) value {
	s := b.globalPool(name+".avgpool", x)
	s = b.conv(name+".fc1", s, squeezed, square(1, 1, 0), true)
	s = inner(name+".activation", s)
	s = b.conv(name+".fc2", s, x.c, square(1, 1, 0), true)
	s = outer(name+".scale_activation", s)
	return b.mul(name+".mul", x, s)
}

// divisible rounds channels to a multiple of 8 that is not more than a tenth below, as the mobile networks do.
func divisible(c float64) int {
	n := max(8, int(c+4)/8*8)
	if float64(n) < 0.9*c {
		n += 8
	}
	return n
}
