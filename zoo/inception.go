package zoo

import (
	"fmt"
)

// inceptions are InceptionV3 in torchvision's and in Keras' form. torchvision's auxiliary classifier helps training only
// and is left out.
func inceptions() []Arch {
	const paper = "arXiv:1512.00567"
	return []Arch{
		{Name: "inception_v3", Source: "torchvision", Paper: paper, Classes: 1000, Size: [2]int{299, 299}, Channels: 3, Params: 23834568,
			Recipe: "inception-v3", Unused: []string{"AuxLogits."}, build: (*builder).inceptionTorch},
		{Name: "keras_inception_v3", Source: "keras", Paper: paper, Classes: 1000, Size: [2]int{299, 299}, Channels: 3, Params: 23817352,
			Recipe: "keras-tf-299", build: (*builder).inceptionKeras},
	}
}

// inception is what the two forms differ in. Both create their convolutions in the same order.
type inception struct {
	b       *builder
	conv    func(name string, x value, out int, k window) value // with normalisation and ReLU
	concat  func(name string, keras string, xs ...value) value
	maxPool func(name string, x value) value
	avgPool func(x value) value
	block   string // name of the block that is built
}

func (b *builder) inceptionTorch(x value) value {
	b.inits = inits{conv: normal(0.1), bias: allZero, linear: normal(0.1), linearBias: lecun}
	n := &inception{b: b}
	n.conv = func(name string, x value, out int, k window) value {
		x = b.conv(name+".conv", x, out, k, false)
		x = b.norm(name+".bn", x, 1e-3)
		return b.relu(name+".relu", x)
	}
	n.concat = func(name, _ string, xs ...value) value { return b.concat(name, xs...) }
	n.maxPool = func(name string, x value) value { return b.maxPool(name, x, square(3, 2, 0)) }
	n.avgPool = func(x value) value { return b.avgPool(n.block+".avgpool", x, square(3, 1, 1), true) }
	x = n.features(x)
	if b.NoTop {
		return x
	}
	x = b.globalPool("avgpool", x)
	x = b.dropout("dropout", x, 0.5)
	x = b.flatten("flatten", x)
	return b.linear("fc", x, b.Classes)
}

func (b *builder) inceptionKeras(x value) value {
	b.inits = kerasInits
	n := &inception{b: b}
	count := 0
	numbered := func(name string) string {
		if count == 0 {
			return name
		}
		return fmt.Sprintf("%s_%d", name, count)
	}
	n.conv = func(_ string, x value, out int, k window) value {
		x = b.conv(numbered("conv2d"), x, out, k, false)
		x = b.normScaled(numbered("batch_normalization"), x, 1e-3, false)
		x = b.relu(numbered("activation"), x)
		count++
		return x
	}
	n.concat = func(_, keras string, xs ...value) value { return b.concat(keras, xs...) }
	n.maxPool = func(_ string, x value) value { return b.maxPool("max_pooling2d", x, square(3, 2, 0)) }
	n.avgPool = func(x value) value { return b.avgPool("average_pooling2d", x, square(3, 1, 1), false) }
	x = n.features(x)
	if b.NoTop {
		return x
	}
	x = b.flatten("flatten", b.globalPool("avg_pool", x))
	return b.unary("Softmax", "probabilities", b.linear("predictions", x, b.Classes), attrInt("axis", -1))
}

// wide is a window of h x w that keeps the size of the map.
func wide(h, w int) window {
	return window{h: h, w: w, pads: [4]int{h / 2, w / 2, h / 2, w / 2}}
}

// step is one convolution of a branch.
type step struct {
	name string
	out  int
	k    window
}

// branch runs convolutions one behind the other.
func (n *inception) branch(x value, steps ...step) value {
	for _, s := range steps {
		x = n.conv(n.block+"."+s.name, x, s.out, s.k)
	}
	return x
}

// pooled is the branch that averages before its convolution.
func (n *inception) pooled(x value, out int) value {
	return n.branch(n.avgPool(x), step{"branch_pool", out, wide(1, 1)})
}

func (n *inception) features(x value) value {
	x = n.conv("Conv2d_1a_3x3", x, 32, square(3, 2, 0))
	x = n.conv("Conv2d_2a_3x3", x, 32, square(3, 1, 0))
	x = n.conv("Conv2d_2b_3x3", x, 64, square(3, 1, 1))
	x = n.maxPool("maxpool1", x)
	x = n.conv("Conv2d_3b_1x1", x, 80, square(1, 1, 0))
	x = n.conv("Conv2d_4a_3x3", x, 192, square(3, 1, 0))
	x = n.maxPool("maxpool2", x)
	mixed := 0
	next := func(block string, build func(x value) []value) {
		n.block = block
		x = n.concat(block+".concat", fmt.Sprintf("mixed%d", mixed), build(x)...)
		mixed++
	}
	for i, pool := range []int{32, 64, 64} {
		next("Mixed_5"+string("bcd"[i]), func(x value) []value { return n.a(x, pool) })
	}
	next("Mixed_6a", n.reduce35)
	for i, c7 := range []int{128, 160, 160, 192} {
		next("Mixed_6"+string("bcde"[i]), func(x value) []value { return n.c(x, c7) })
	}
	next("Mixed_7a", n.reduce17)
	for i := range 2 {
		next("Mixed_7"+string("bc"[i]), func(x value) []value { return n.e(x, i) })
	}
	return x
}

// a is the block of figure 5 of the paper, at 35x35.
func (n *inception) a(x value, pool int) []value {
	return []value{
		n.branch(x, step{"branch1x1", 64, wide(1, 1)}),
		n.branch(x, step{"branch5x5_1", 48, wide(1, 1)}, step{"branch5x5_2", 64, wide(5, 5)}),
		n.branch(x, step{"branch3x3dbl_1", 64, wide(1, 1)}, step{"branch3x3dbl_2", 96, wide(3, 3)}, step{"branch3x3dbl_3", 96, wide(3, 3)}),
		n.pooled(x, pool),
	}
}

// reduce35 goes from 35x35 to 17x17.
func (n *inception) reduce35(x value) []value {
	return []value{
		n.branch(x, step{"branch3x3", 384, square(3, 2, 0)}),
		n.branch(x, step{"branch3x3dbl_1", 64, wide(1, 1)}, step{"branch3x3dbl_2", 96, wide(3, 3)}, step{"branch3x3dbl_3", 96, square(3, 2, 0)}),
		n.maxPool(n.block+".maxpool", x),
	}
}

// c is the block of figure 6, at 17x17: 7x7 convolutions in two parts.
func (n *inception) c(x value, c7 int) []value {
	return []value{
		n.branch(x, step{"branch1x1", 192, wide(1, 1)}),
		n.branch(x, step{"branch7x7_1", c7, wide(1, 1)}, step{"branch7x7_2", c7, wide(1, 7)}, step{"branch7x7_3", 192, wide(7, 1)}),
		n.branch(x, step{"branch7x7dbl_1", c7, wide(1, 1)}, step{"branch7x7dbl_2", c7, wide(7, 1)}, step{"branch7x7dbl_3", c7, wide(1, 7)},
			step{"branch7x7dbl_4", c7, wide(7, 1)}, step{"branch7x7dbl_5", 192, wide(1, 7)}),
		n.pooled(x, 192),
	}
}

// reduce17 goes from 17x17 to 8x8.
func (n *inception) reduce17(x value) []value {
	return []value{
		n.branch(x, step{"branch3x3_1", 192, wide(1, 1)}, step{"branch3x3_2", 320, square(3, 2, 0)}),
		n.branch(x, step{"branch7x7x3_1", 192, wide(1, 1)}, step{"branch7x7x3_2", 192, wide(1, 7)}, step{"branch7x7x3_3", 192, wide(7, 1)},
			step{"branch7x7x3_4", 192, square(3, 2, 0)}),
		n.maxPool(n.block+".maxpool", x),
	}
}

// e is the block of figure 7, at 8x8, whose branches fork.
func (n *inception) e(x value, i int) []value {
	one := n.branch(x, step{"branch1x1", 320, wide(1, 1)})
	fork := func(name, keras string, first ...step) value {
		y := n.branch(x, first...)
		a := n.branch(y, step{name + "a", 384, wide(1, 3)})
		b := n.branch(y, step{name + "b", 384, wide(3, 1)})
		return n.concat(n.block+"."+name+".concat", keras, a, b)
	}
	return []value{
		one,
		fork("branch3x3_2", fmt.Sprintf("mixed9_%d", i), step{"branch3x3_1", 384, wide(1, 1)}),
		fork("branch3x3dbl_3", "concatenate", step{"branch3x3dbl_1", 448, wide(1, 1)}, step{"branch3x3dbl_2", 384, wide(3, 3)}),
		n.pooled(x, 192),
	}
}
