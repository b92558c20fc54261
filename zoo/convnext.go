package zoo

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func convnexts() []Arch {
	return []Arch{{Name: "convnext_tiny", Source: "torchvision", Paper: "arXiv:2201.03545", Classes: 1000, Size: [2]int{224, 224}, Channels: 3,
		Params: 28589128, Recipe: "convnext-tiny", build: func(b *builder, x value) value { return b.convnext(x, [4]int{3, 3, 9, 3}, 96) }}}
}

// toLast and toFirst move the channels.
func (b *builder) toLast(name string, x value) value {
	return b.unary("Transpose", name, x, attrInts("perm", 0, 2, 3, 1))
}

func (b *builder) toFirst(name string, x value) value {
	return b.unary("Transpose", name, x, attrInts("perm", 0, 3, 1, 2))
}

func (b *builder) convnext(x value, blocks [4]int, width int) value {
	b.inits = inits{normal(0.02), allZero, normal(0.02), allZero}
	x = b.conv("features.0.0", x, width, square(4, 4, 0), true)
	x = b.layerNorm2d("features.0.1", x)
	for i, n := range blocks {
		if i > 0 {
			name := fmt.Sprintf("features.%d", 2*i)
			x = b.layerNorm2d(name+".0", x)
			x = b.conv(name+".1", x, 2*x.c, square(2, 2, 0), true)
		}
		for j := range n {
			x = b.convnextBlock(fmt.Sprintf("features.%d.%d", 2*i+1, j), x)
		}
	}
	if b.NoTop {
		return x
	}
	x = b.globalPool("avgpool", x)
	x = b.layerNorm2d("classifier.0", x)
	x = b.flatten("classifier.1", x)
	return b.linear("classifier.2", x, b.Classes)
}

func (b *builder) convnextBlock(name string, x value) value {
	y := b.groupConv(name+".block.0", x, x.c, x.c, square(7, 1, 3), true)
	y = b.toLast(name+".block.1", y)
	y = b.layerNorm(name+".block.2", y)
	y = b.linearLast(name+".block.3", y, 4*x.c)
	y = b.gelu(name+".block.4", y)
	y = b.linearLast(name+".block.5", y, x.c)
	y = b.toFirst(name+".block.6", y)
	scale := b.param(name+".layer_scale", distribution{blank: 1e-6}, []int{x.c, 1, 1}, 0, 0)
	y.name = b.node("Mul", name+".scale", []string{y.name, scale})
	return b.add(name+".add", y, x)
}

// linearLast is a dense layer on the channels of a map that has them last.
func (b *builder) linearLast(name string, x value, out int) value {
	w := b.param(name+b.layout.weight, b.inits.linear, []int{out, x.c}, x.c, out)
	w = b.node("Transpose", name+".transpose", []string{w}, attrInts("perm", 1, 0))
	x.name = b.node("MatMul", name, []string{x.name, w})
	x.name = b.node("Add", name+".add", []string{x.name, b.param(name+b.layout.bias, b.inits.linearBias, []int{out}, x.c, out)})
	x.c = out
	return x
}

// layerNorm2d is torchvision's LayerNorm2d: over the channels, at each position.
func (b *builder) layerNorm2d(name string, x value) value {
	return b.toFirst(name+".first", b.layerNorm(name, b.toLast(name+".last", x)))
}

// layerNorm normalises over the last axis, the channels.
func (b *builder) layerNorm(name string, x value) value {
	const epsilon = 1e-6
	s := []int{x.c}
	scale, shift := b.param(name+b.layout.scale, allOne, s, 0, 0), b.param(name+b.layout.shift, allZero, s, 0, 0)
	if b.Opset >= 17 {
		x.name = b.node("LayerNormalization", name, []string{x.name, scale, shift}, attrInt("axis", -1), attrFloat("epsilon", epsilon))
		return x
	}
	op := func(typ, part string, in ...string) string { return b.node(typ, name+part, in) }
	centred := op("Sub", ".centred", x.name, b.mean(name+".mean", x.name, "", -1))
	square := op("Mul", ".square", centred, centred)
	variance := op("Add", ".variance", b.mean(name+".moment", square, "", -1), b.constant(name+".epsilon", onnx.Of([]int{}, []float32{epsilon})))
	x.name = op("Div", ".normal", centred, op("Sqrt", ".deviation", variance))
	x.name = op("Mul", ".scaled", x.name, scale)
	x.name = op("Add", "", x.name, shift)
	return x
}
