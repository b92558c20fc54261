package zoo

import "strconv"

// courseNets are small networks that courses train from the beginning: one for digits of 28x28 grey pixels (MNIST,
// Fashion-MNIST) that ends in a global average, and one for photos of cats and dogs at 150x150, with and without Dropout
// (F. Chollet, Deep Learning with Python).
func courseNets() []Arch {
	photos := func(name string, dropout bool) Arch {
		return Arch{Name: name, Source: "course", Paper: "Chollet, Deep Learning with Python, chapter 5", Classes: 1, Size: [2]int{150, 150},
			Channels: 3, Params: 3453121, Recipe: "unit", build: func(b *builder, x value) value { return b.photoNet(x, dropout) }}
	}
	return []Arch{
		{Name: "mnist_cnn", Source: "course", Paper: "Chollet, Deep Learning with Python, 3rd edition, chapter 8", Classes: 10, Size: [2]int{28, 28},
			Channels: 1, Params: 372234, Recipe: "unit-gray", build: (*builder).digitNet},
		photos("cats_dogs", false),
		photos("cats_dogs_dropout", true),
	}
}

func (b *builder) digitNet(x value) value {
	for i, c := range []int{64, 128, 256} {
		n := strconv.Itoa(i + 1)
		if i > 0 {
			x = b.maxPool("pool"+strconv.Itoa(i), x, square(2, 2, 0))
		}
		x = b.conv("conv"+n, x, c, square(3, 1, 0), true)
		x = b.relu("relu"+n, x)
	}
	if b.NoTop {
		return x
	}
	x = b.globalPool("avgpool", x)
	x = b.flatten("flatten", x)
	return b.linear("fc", x, b.Classes)
}

func (b *builder) photoNet(x value, dropout bool) value {
	for i, c := range []int{32, 64, 128, 128} {
		n := strconv.Itoa(i + 1)
		x = b.conv("conv"+n, x, c, square(3, 1, 0), true)
		x = b.relu("relu"+n, x)
		x = b.maxPool("pool"+n, x, square(2, 2, 0))
	}
	if b.NoTop {
		return x
	}
	x = b.flatten("flatten", x)
	if dropout {
		x = b.dropout("dropout", x, 0.5)
	}
	x = b.linear("fc1", x, 512)
	x = b.relu("relu5", x)
	return b.linear("fc2", x, b.Classes)
}
