package zoo

import (
	"fmt"
	"math"
	"strconv"
)

// efficientnets are EfficientNet-B0 to B3 in torchvision's form, and EfficientNet-Lite0 to Lite2 in timm's: without squeeze
// and excitation, with ReLU6. The networks tf_... have TensorFlow's padding, as those of the authors.
func efficientnets() []Arch {
	const paper, lite = "arXiv:1905.11946", "https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite"
	var all []Arch
	for i, c := range []struct {
		width, depth float64
		size, params int
		dropout      float32
	}{{1, 1, 224, 5288548, 0.2}, {1, 1.1, 240, 7794184, 0.2}, {1.1, 1.2, 288, 9109994, 0.3}, {1.2, 1.4, 300, 12233232, 0.3}} {
		name := fmt.Sprintf("efficientnet_b%d", i)
		all = append(all, Arch{Name: name, Source: "torchvision", Paper: paper, Classes: 1000, Size: [2]int{c.size, c.size}, Channels: 3,
			Params: c.params, Recipe: fmt.Sprintf("efficientnet-b%d", i),
			build: func(b *builder, x value) value { return b.efficientnet(x, c.width, c.depth, c.dropout) }})
	}
	for _, prefix := range []string{"", "tf_"} {
		for i, c := range []struct {
			width, depth float64
			size, params int
			dropout      float32
		}{{1, 1, 224, 4652008, 0.2}, {1, 1.1, 240, 5416680, 0.2}, {1.1, 1.2, 260, 6092072, 0.3}} {
			recipe := "timm"
			if prefix != "" {
				recipe = "timm-inception"
			}
			all = append(all, Arch{Name: fmt.Sprintf("%sefficientnet_lite%d", prefix, i), Source: "timm", Paper: lite, Classes: 1000,
				Size: [2]int{c.size, c.size}, Channels: 3, Params: c.params, Recipe: recipe,
				build: func(b *builder, x value) value {
					return b.efficientnetLite(x, c.width, c.depth, c.dropout, prefix != "")
				}})
		}
	}
	return all
}

// efficientStages is table 1 of the paper, without the first and the last convolution.
var efficientStages = []struct{ expand, kernel, stride, out, n int }{
	{1, 3, 1, 16, 1}, {6, 3, 2, 24, 2}, {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3}, {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1},
}

// inverseRoot is the uniform distribution in 1/sqrt of the outputs.
var inverseRoot = uniform(func(_, out int) float64 { return 1 / math.Sqrt(float64(out)) })

func (b *builder) efficientnet(x value, width, depth float64, dropout float32) value {
	b.inits = inits{kaimingOut, allZero, inverseRoot, allZero}
	x = b.convNormAct("features.0", x, divisible(32*width), 1, square(3, 2, 1), 1e-5, b.silu)
	for i, s := range efficientStages {
		for j := range int(math.Ceil(float64(s.n) * depth)) {
			stride := 1
			if j == 0 {
				stride = s.stride
			}
			x = b.mbConv(fmt.Sprintf("features.%d.%d", i+1, j), x, s.expand, s.kernel, stride, divisible(float64(s.out)*width))
		}
	}
	x = b.convNormAct("features.8", x, 4*x.c, 1, square(1, 1, 0), 1e-5, b.silu)
	if b.NoTop {
		return x
	}
	x = b.flatten("flatten", b.globalPool("avgpool", x))
	x = b.dropout("classifier.0", x, dropout)
	return b.linear("classifier.1", x, b.Classes)
}

// mbConv is an inverted residual with squeeze and excitation.
func (b *builder) mbConv(name string, x value, expand, kernel, stride, out int) value {
	n := 0
	part := func() string {
		n++
		return name + ".block." + strconv.Itoa(n-1)
	}
	y, expanded := x, divisible(float64(x.c*expand))
	if expanded != x.c {
		y = b.convNormAct(part(), y, expanded, 1, square(1, 1, 0), 1e-5, b.silu)
	}
	y = b.convNormAct(part(), y, expanded, expanded, square(kernel, stride, kernel/2), 1e-5, b.silu)
	y = b.squeezeExcite(part(), y, max(1, x.c/4), b.silu, func(name string, x value) value { return b.unary("Sigmoid", name, x) })
	y = b.convNormAct(part(), y, out, 1, square(1, 1, 0), 1e-5, nil)
	if stride == 1 && x.c == out {
		return b.add(name+".add", y, x)
	}
	return y
}

func (b *builder) efficientnetLite(x value, width, depth float64, dropout float32, tf bool) value {
	b.inits = inits{kaimingOut, allZero, inverseRoot, allZero}
	b.groupFan = true
	epsilon := float32(1e-5)
	if tf {
		epsilon = 1e-3
	}
	pad := func(x value, k, stride int) window {
		if tf {
			return square(k, stride, 0).same(x)
		}
		return square(k, stride, k/2)
	}
	one := square(1, 1, 0)
	layer := func(conv, norm string, x value, out, groups int, k window, act bool) value {
		x = b.norm(norm, b.groupConv(conv, x, out, groups, k, false), epsilon)
		if act {
			x = b.relu6(norm+".act", x)
		}
		return x
	}
	x = layer("conv_stem", "bn1", x, 32, 1, pad(x, 3, 2), true)
	for i, s := range efficientStages {
		n := s.n
		if i > 0 && i < len(efficientStages)-1 {
			n = int(math.Ceil(float64(n) * depth))
		}
		for j := range n {
			name, stride, out := fmt.Sprintf("blocks.%d.%d", i, j), 1, divisible(float64(s.out)*width)
			if j == 0 {
				stride = s.stride
			}
			y := x
			if s.expand == 1 {
				y = layer(name+".conv_dw", name+".bn1", y, y.c, y.c, pad(y, s.kernel, stride), true)
				y = layer(name+".conv_pw", name+".bn2", y, out, 1, one, false)
			} else {
				y = layer(name+".conv_pw", name+".bn1", y, divisible(float64(y.c*s.expand)), 1, one, true)
				y = layer(name+".conv_dw", name+".bn2", y, y.c, y.c, pad(y, s.kernel, stride), true)
				y = layer(name+".conv_pwl", name+".bn3", y, out, 1, one, false)
			}
			if stride == 1 && x.c == out {
				y = b.add(name+".add", y, x)
			}
			x = y
		}
	}
	x = layer("conv_head", "bn2", x, 1280, 1, one, true)
	if b.NoTop {
		return x
	}
	x = b.flatten("flatten", b.globalPool("global_pool", x))
	x = b.dropout("dropout", x, dropout)
	return b.linear("classifier", x, b.Classes)
}
