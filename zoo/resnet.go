package zoo

import "fmt"

// resnet is a residual network: the number of blocks in its four stages, and what its blocks are like.
type resnet struct {
	blocks [4]int
	basic  bool // two 3x3 convolutions a block instead of a bottleneck
	groups int
	width  int // channels of a group in the first stage
}

// resnets are the networks of He et al. with the variants that torchvision has (Wide, ResNeXt), and Keras' form.
func resnets() []Arch {
	const he, wide, next = "arXiv:1512.03385", "arXiv:1605.07146", "arXiv:1611.05431"
	var all []Arch
	for _, c := range []struct {
		name, paper string
		params      int
		net         resnet
	}{
		{"resnet18", he, 11689512, resnet{[4]int{2, 2, 2, 2}, true, 1, 64}},
		{"resnet34", he, 21797672, resnet{[4]int{3, 4, 6, 3}, true, 1, 64}},
		{"resnet50", he, 25557032, resnet{[4]int{3, 4, 6, 3}, false, 1, 64}},
		{"resnet101", he, 44549160, resnet{[4]int{3, 4, 23, 3}, false, 1, 64}},
		{"resnet152", he, 60192808, resnet{[4]int{3, 8, 36, 3}, false, 1, 64}},
		{"resnext50_32x4d", next, 25028904, resnet{[4]int{3, 4, 6, 3}, false, 32, 4}},
		{"resnext101_32x8d", next, 88791336, resnet{[4]int{3, 4, 23, 3}, false, 32, 8}},
		{"resnext101_64x4d", next, 83455272, resnet{[4]int{3, 4, 23, 3}, false, 64, 4}},
		{"wide_resnet50_2", wide, 68883240, resnet{[4]int{3, 4, 6, 3}, false, 1, 128}},
		{"wide_resnet101_2", wide, 126886696, resnet{[4]int{3, 4, 23, 3}, false, 1, 128}},
	} {
		all = append(all, Arch{Name: c.name, Source: "torchvision", Paper: c.paper, Classes: 1000, Size: [2]int{224, 224}, Channels: 3,
			Params: c.params, Recipe: "torchvision-v1", build: func(b *builder, x value) value { return b.resnet(x, c.net) }})
	}
	for _, c := range []struct {
		name   string
		params int
		blocks [4]int
	}{
		{"keras_resnet50", 25583592, [4]int{3, 4, 6, 3}},
		{"keras_resnet101", 44601832, [4]int{3, 4, 23, 3}},
		{"keras_resnet152", 60268520, [4]int{3, 8, 36, 3}},
	} {
		all = append(all, Arch{Name: c.name, Source: "keras", Paper: he, Classes: 1000, Size: [2]int{224, 224}, Channels: 3,
			Params: c.params, Recipe: "keras-caffe", build: func(b *builder, x value) value { return b.kerasResnet(x, c.blocks) }})
	}
	return all
}

// resnet is torchvision's form (v1.5: the 3x3 convolution of a bottleneck has the stride).
func (b *builder) resnet(x value, r resnet) value {
	b.inits = inits{kaimingOut, allZero, lecun, lecun}
	x = b.conv("conv1", x, 64, square(7, 2, 3), false)
	x = b.norm("bn1", x, 1e-5)
	x = b.relu("relu", x)
	x = b.maxPool("maxpool", x, square(3, 2, 1))
	for stage, blocks := range r.blocks {
		for i := range blocks {
			stride := 1
			if i == 0 && stage > 0 {
				stride = 2
			}
			x = b.residual(fmt.Sprintf("layer%d.%d", stage+1, i), x, r, 64<<stage, stride)
		}
	}
	if b.NoTop {
		return x
	}
	x = b.globalPool("avgpool", x)
	x = b.flatten("flatten", x)
	return b.linear("fc", x, b.Classes)
}

// residual is a block of the stage that has so many planes.
func (b *builder) residual(name string, x value, r resnet, planes, stride int) value {
	relu, out := name+".relu", planes
	y := x
	if r.basic {
		y = b.conv(name+".conv1", y, planes, square(3, stride, 1), false)
		y = b.norm(name+".bn1", y, 1e-5)
		y = b.relu(relu, y)
		y = b.conv(name+".conv2", y, planes, square(3, 1, 1), false)
		y = b.norm(name+".bn2", y, 1e-5)
	} else {
		out = 4 * planes
		width := planes * r.width / 64 * r.groups
		y = b.conv(name+".conv1", y, width, square(1, 1, 0), false)
		y = b.norm(name+".bn1", y, 1e-5)
		y = b.relu(relu, y)
		y = b.groupConv(name+".conv2", y, width, r.groups, square(3, stride, 1), false)
		y = b.norm(name+".bn2", y, 1e-5)
		y = b.relu(relu, y)
		y = b.conv(name+".conv3", y, out, square(1, 1, 0), false)
		y = b.norm(name+".bn3", y, 1e-5)
	}
	if stride != 1 || x.c != out {
		x = b.conv(name+".downsample.0", x, out, square(1, stride, 0), false)
		x = b.norm(name+".downsample.1", x, 1e-5)
	}
	return b.relu(relu, b.add(name+".add", y, x))
}

// kerasResnet is Keras' form (v1: the first convolution of a bottleneck has the stride, convolutions have biases, the
// padding stands before the stem's convolution and pool).
func (b *builder) kerasResnet(x value, blocks [4]int) value {
	b.inits = kerasInits
	const epsilon = 1.001e-5
	convNorm := func(name string, x value, out int, k window) value {
		return b.norm(name+"_bn", b.conv(name+"_conv", x, out, k, true), epsilon)
	}
	x = b.relu("conv1_relu", convNorm("conv1", x, 64, square(7, 2, 3)))
	// Keras pads the pool's input with zeros. After the ReLU that is what the pool's own padding gives.
	x = b.maxPool("pool1_pool", x, square(3, 2, 1))
	for stage, n := range blocks {
		for i := range n {
			name, f, stride := fmt.Sprintf("conv%d_block%d", stage+2, i+1), 64<<stage, 1
			if i == 0 && stage > 0 {
				stride = 2
			}
			y := x
			if i == 0 {
				x = convNorm(name+"_0", x, 4*f, square(1, stride, 0))
			}
			y = b.relu(name+"_1_relu", convNorm(name+"_1", y, f, square(1, stride, 0)))
			y = b.relu(name+"_2_relu", convNorm(name+"_2", y, f, square(3, 1, 1)))
			y = convNorm(name+"_3", y, 4*f, square(1, 1, 0))
			x = b.relu(name+"_out", b.add(name+"_add", x, y))
		}
	}
	if b.NoTop {
		return x
	}
	x = b.flatten("flatten", b.globalPool("avg_pool", x))
	return b.unary("Softmax", "probabilities", b.linear("predictions", x, b.Classes), attrInt("axis", -1))
}
