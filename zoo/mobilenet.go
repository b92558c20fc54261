package zoo

import (
	"fmt"
	"strconv"
)

func mobilenets() []Arch {
	arch := func(name, paper string, params int, build func(b *builder, x value) value) Arch {
		return Arch{Name: name, Source: "torchvision", Paper: paper, Classes: 1000, Size: [2]int{224, 224}, Channels: 3, Params: params,
			Recipe: "torchvision-v1", build: build}
	}
	return []Arch{
		arch("mobilenet_v2", "arXiv:1801.04381", 3504872, (*builder).mobilenetV2),
		arch("mobilenet_v3_small", "arXiv:1905.02244", 2542856, func(b *builder, x value) value { return b.mobilenetV3(x, mobilenetSmall, 1024) }),
		arch("mobilenet_v3_large", "arXiv:1905.02244", 5483032, func(b *builder, x value) value { return b.mobilenetV3(x, mobilenetLarge, 1280) }),
	}
}

// activation is a layer that computes each element from one.
type activation func(name string, x value) value

// convNormAct is torchvision's Conv2dNormActivation: convolution NAME.0, normalisation NAME.1 and activation NAME.2,
// which may be nil.
func (b *builder) convNormAct(name string, x value, out, groups int, k window, epsilon float32, act activation) value {
	x = b.groupConv(name+".0", x, out, groups, k, false)
	x = b.norm(name+".1", x, epsilon)
	if act != nil {
		x = act(name+".2", x)
	}
	return x
}

func (b *builder) mobilenetV2(x value) value {
	b.inits = inits{kaimingOut, allZero, normal(0.01), allZero}
	x = b.convNormAct("features.0", x, 32, 1, square(3, 2, 1), 1e-5, b.relu6)
	i := 1
	for _, s := range []struct{ expand, out, n, stride int }{
		{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
	} {
		for j := range s.n {
			name, stride := fmt.Sprintf("features.%d", i), 1
			if j == 0 {
				stride = s.stride
			}
			x = b.invertedV2(name, x, s.expand, s.out, stride)
			i++
		}
	}
	x = b.convNormAct(fmt.Sprintf("features.%d", i), x, 1280, 1, square(1, 1, 0), 1e-5, b.relu6)
	if b.NoTop {
		return x
	}
	x = b.flatten("flatten", b.globalPool("avgpool", x))
	x = b.dropout("classifier.0", x, 0.2)
	return b.linear("classifier.1", x, b.Classes)
}

// invertedV2 is an inverted residual: a pointwise convolution to more channels, a depthwise one, and one back.
func (b *builder) invertedV2(name string, x value, expand, out, stride int) value {
	y, hidden, n := x, x.c*expand, 0
	part := func() string {
		n++
		return name + ".conv." + strconv.Itoa(n-1)
	}
	if expand != 1 {
		y = b.convNormAct(part(), y, hidden, 1, square(1, 1, 0), 1e-5, b.relu6)
	}
	y = b.convNormAct(part(), y, hidden, hidden, square(3, stride, 1), 1e-5, b.relu6)
	y = b.conv(part(), y, out, square(1, 1, 0), false)
	y = b.norm(part(), y, 1e-5)
	if stride == 1 && x.c == out {
		return b.add(name+".add", x, y)
	}
	return y
}

// mobileBlock is a row of the tables of the MobileNetV3 paper.
type mobileBlock struct {
	kernel, expanded, out int
	se, hs                bool // squeeze and excitation; hard swish instead of ReLU
	stride                int
}

var mobilenetLarge = []mobileBlock{
	{3, 16, 16, false, false, 1}, {3, 64, 24, false, false, 2}, {3, 72, 24, false, false, 1}, {5, 72, 40, true, false, 2},
	{5, 120, 40, true, false, 1}, {5, 120, 40, true, false, 1}, {3, 240, 80, false, true, 2}, {3, 200, 80, false, true, 1},
	{3, 184, 80, false, true, 1}, {3, 184, 80, false, true, 1}, {3, 480, 112, true, true, 1}, {3, 672, 112, true, true, 1},
	{5, 672, 160, true, true, 2}, {5, 960, 160, true, true, 1}, {5, 960, 160, true, true, 1},
}

var mobilenetSmall = []mobileBlock{
	{3, 16, 16, true, false, 2}, {3, 72, 24, false, false, 2}, {3, 88, 24, false, false, 1}, {5, 96, 40, true, true, 2},
	{5, 240, 40, true, true, 1}, {5, 240, 40, true, true, 1}, {5, 120, 48, true, true, 1}, {5, 144, 48, true, true, 1},
	{5, 288, 96, true, true, 2}, {5, 576, 96, true, true, 1}, {5, 576, 96, true, true, 1},
}

func (b *builder) mobilenetV3(x value, blocks []mobileBlock, last int) value {
	b.inits = inits{kaimingOut, allZero, normal(0.01), allZero}
	x = b.convNormAct("features.0", x, 16, 1, square(3, 2, 1), 1e-3, b.hardSwish)
	for i, c := range blocks {
		x = b.invertedV3(fmt.Sprintf("features.%d", i+1), x, c)
	}
	x = b.convNormAct(fmt.Sprintf("features.%d", len(blocks)+1), x, 6*x.c, 1, square(1, 1, 0), 1e-3, b.hardSwish)
	if b.NoTop {
		return x
	}
	x = b.flatten("flatten", b.globalPool("avgpool", x))
	x = b.linear("classifier.0", x, last)
	x = b.hardSwish("classifier.1", x)
	x = b.dropout("classifier.2", x, 0.2)
	return b.linear("classifier.3", x, b.Classes)
}

func (b *builder) invertedV3(name string, x value, c mobileBlock) value {
	act := b.relu
	if c.hs {
		act = b.hardSwish
	}
	n := 0
	part := func() string {
		n++
		return name + ".block." + strconv.Itoa(n-1)
	}
	y := x
	if c.expanded != x.c {
		y = b.convNormAct(part(), y, c.expanded, 1, square(1, 1, 0), 1e-3, act)
	}
	y = b.convNormAct(part(), y, c.expanded, c.expanded, square(c.kernel, c.stride, c.kernel/2), 1e-3, act)
	if c.se {
		y = b.squeezeExcite(part(), y, divisible(float64(c.expanded/4)), b.relu, b.hardSigmoid)
	}
	y = b.convNormAct(part(), y, c.out, 1, square(1, 1, 0), 1e-3, nil)
	if c.stride == 1 && x.c == c.out {
		return b.add(name+".add", y, x)
	}
	return y
}
