package zoo

import "fmt"

func densenets() []Arch {
	return []Arch{{Name: "densenet121", Source: "torchvision", Paper: "arXiv:1608.06993", Classes: 1000, Size: [2]int{224, 224}, Channels: 3,
		Params: 7978856, Recipe: "torchvision-v1", build: func(b *builder, x value) value { return b.densenet(x, [4]int{6, 12, 24, 16}, 32) }}}
}

// densenet is a densely connected network: each layer reads the maps of all those before it in its block, and adds growth
// channels.
func (b *builder) densenet(x value, blocks [4]int, growth int) value {
	b.inits = inits{kaimingIn, allZero, lecun, allZero}
	const epsilon = 1e-5
	x = b.conv("features.conv0", x, 2*growth, square(7, 2, 3), false)
	x = b.relu("features.relu0", b.norm("features.norm0", x, epsilon))
	x = b.maxPool("features.pool0", x, square(3, 2, 1))
	for i, n := range blocks {
		block := fmt.Sprintf("features.denseblock%d", i+1)
		maps := []value{x}
		for j := range n {
			name := fmt.Sprintf("%s.denselayer%d", block, j+1)
			if j > 0 {
				x = b.concat(name+".concat", maps...)
			}
			x = b.relu(name+".relu1", b.norm(name+".norm1", x, epsilon))
			x = b.conv(name+".conv1", x, 4*growth, square(1, 1, 0), false)
			x = b.relu(name+".relu2", b.norm(name+".norm2", x, epsilon))
			x = b.conv(name+".conv2", x, growth, square(3, 1, 1), false)
			maps = append(maps, x)
		}
		x = b.concat(block+".concat", maps...)
		if i < len(blocks)-1 {
			name := fmt.Sprintf("features.transition%d", i+1)
			x = b.relu(name+".relu", b.norm(name+".norm", x, epsilon))
			x = b.conv(name+".conv", x, x.c/2, square(1, 1, 0), false)
			x = b.avgPool(name+".pool", x, square(2, 2, 0), false)
		}
	}
	x = b.relu("relu", b.norm("features.norm5", x, epsilon))
	if b.NoTop {
		return x
	}
	x = b.flatten("flatten", b.globalPool("avgpool", x))
	return b.linear("classifier", x, b.Classes)
}
