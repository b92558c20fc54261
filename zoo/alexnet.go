package zoo

import (
	"fmt"
	"math"
)

// smallNets are AlexNet (in the form of "One weird trick") and SqueezeNet 1.1, as torchvision has them.
func smallNets() []Arch {
	return []Arch{
		{Name: "alexnet", Source: "torchvision", Paper: "arXiv:1404.5997", Classes: 1000, Size: [2]int{224, 224}, Channels: 3,
			Params: 61100840, Recipe: "torchvision-v1", build: (*builder).alexnet},
		{Name: "squeezenet1_1", Source: "torchvision", Paper: "arXiv:1602.07360", Classes: 1000, Size: [2]int{224, 224}, Channels: 3,
			Params: 1235496, Recipe: "torchvision-v1", build: (*builder).squeezenet},
	}
}

func (b *builder) alexnet(x value) value {
	i := 0
	next := func() string {
		i++
		return fmt.Sprintf("features.%d", i-1)
	}
	for _, c := range []struct {
		out  int
		k    window
		pool bool
	}{{64, square(11, 4, 2), true}, {192, square(5, 1, 2), true}, {384, square(3, 1, 1), false}, {256, square(3, 1, 1), false}, {256, square(3, 1, 1), true}} {
		x = b.conv(next(), x, c.out, c.k, true)
		x = b.relu(next(), x)
		if c.pool {
			x = b.maxPool(next(), x, square(3, 2, 0))
		}
	}
	if b.NoTop {
		return x
	}
	x = b.adaptivePool("avgpool", x, 6)
	x = b.flatten("flatten", x)
	x = b.dropout("classifier.0", x, 0.5)
	x = b.linear("classifier.1", x, 4096)
	x = b.relu("classifier.2", x)
	x = b.dropout("classifier.3", x, 0.5)
	x = b.linear("classifier.4", x, 4096)
	x = b.relu("classifier.5", x)
	return b.linear("classifier.6", x, b.Classes)
}

func (b *builder) squeezenet(x value) value {
	b.inits = inits{conv: uniform(func(in, _ int) float64 { return math.Sqrt(6 / float64(in)) }), bias: allZero}
	x = b.conv("features.0", x, 64, square(3, 2, 0), true)
	x = b.relu("features.1", x)
	pool := square(3, 2, 0)
	pool.ceil = true
	x = b.maxPool("features.2", x, pool)
	for i, fire := range [][2]int{3: {16, 64}, 4: {16, 64}, 5: {}, 6: {32, 128}, 7: {32, 128}, 8: {}, 9: {48, 192}, 10: {48, 192}, 11: {64, 256}, 12: {64, 256}} {
		name := fmt.Sprintf("features.%d", i)
		switch {
		case i < 3:
		case fire[0] == 0:
			x = b.maxPool(name, x, pool)
		default:
			x = b.fire(name, x, fire[0], fire[1])
		}
	}
	if b.NoTop {
		return x
	}
	x = b.dropout("classifier.0", x, 0.5)
	b.inits.conv = normal(0.01)
	x = b.conv("classifier.1", x, b.Classes, square(1, 1, 0), true)
	x = b.relu("classifier.2", x)
	return b.flatten("flatten", b.globalPool("classifier.3", x))
}

// fire squeezes the channels and expands them by 1x1 and 3x3 convolutions side by side.
func (b *builder) fire(name string, x value, squeezed, expanded int) value {
	x = b.relu(name+".squeeze_activation", b.conv(name+".squeeze", x, squeezed, square(1, 1, 0), true))
	one := b.relu(name+".expand1x1_activation", b.conv(name+".expand1x1", x, expanded, square(1, 1, 0), true))
	three := b.relu(name+".expand3x3_activation", b.conv(name+".expand3x3", x, expanded, square(3, 1, 1), true))
	return b.concat(name+".concat", one, three)
}
