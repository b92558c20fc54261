package gradcam

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/zoo"
)

// TestPublishedFields holds fields against those of Araujo et al. 2019. Their ResNet50 has 483, as it halves maps in the
// last block of a stage; torchvision's halves them in the first block's 3x3 convolution, which makes
// 11 + 3*2*4 + (2*4+3*2*8) + (2*8+5*2*16) + (2*16+2*2*32) = 427.
func TestPublishedFields(t *testing.T) {
	for _, c := range []struct {
		net          string
		op           string // the last layer of that operator
		size, stride int
	}{
		{"alexnet", "MaxPool", 195, 32},
		{"vgg16", "Conv", 196, 16},
		{"vgg16", "MaxPool", 212, 32},
		{"resnet50", "Add", 427, 32},
	} {
		a, ok := zoo.Lookup(c.net)
		if !ok {
			t.Fatalf("no network %s", c.net)
		}
		m, err := a.Build(zoo.BuildOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all, err := Fields(m, nil)
		if err != nil {
			t.Fatalf("%s: %v", c.net, err)
		}
		var got ReceptiveField
		for _, f := range all {
			if f.Layer.Op == c.op {
				got = f
			}
			if f.Err != nil {
				t.Errorf("%s: layer %s: %v", c.net, f.Layer.Name, f.Err)
			}
		}
		if got.Size != [2]int{c.size, c.size} || got.Stride != [2]int{c.stride, c.stride} {
			t.Errorf("%s: last %s %s: size %v, stride %v; want %d, %d", c.net, c.op, got.Layer.Name, got.Size, got.Stride, c.size, c.stride)
		}
	}
}
