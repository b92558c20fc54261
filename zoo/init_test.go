package zoo

import (
	"bytes"
	"math"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// Weights begin with the distribution that the source framework gives them; the same seed gives the same bytes, whatever
// else the network has.
func TestInitialWeights(t *testing.T) {
	var m *onnx.Model
	built := ""
	uniform := func(limit float64) float64 { return limit / math.Sqrt(3) }
	for _, c := range []struct {
		arch, param string
		mean, std   float64
		max         float64 // no value is larger
	}{
		{"vgg11", "features.3.weight", 0, math.Sqrt(2.0 / (128 * 9)), 1},     // He, by outputs
		{"mobilenet_v2", "classifier.1.weight", 0, 0.01, 0.1},                // normal(0, 0.01)
		{"vgg11", "features.3.bias", 0, 0, 0},                                // zeros
		{"resnet18", "layer1.0.bn1.weight", 1, 0, 1},                         // ones
		{"resnet18", "layer1.0.bn1.running_var", 1, 0, 1},                    //
		{"resnet18", "fc.weight", 0, uniform(1 / math.Sqrt(512)), 0.0442},    // torch.nn.Linear's own
		{"alexnet", "features.3.weight", 0, uniform(1.0 / 40), 0.0251},       // torch.nn.Conv2d's own: 1/sqrt(64*25)
		{"inception_v3", "Mixed_5b.branch5x5_2.conv.weight", 0, 0.1, 1},      //
		{"densenet121", "features.conv0.weight", 0, math.Sqrt(2.0 / 147), 1}, // He, by inputs
		{"squeezenet1_1", "features.12.expand3x3.weight", 0, uniform(math.Sqrt(6.0 / 576)), 0.1021},
		{"squeezenet1_1", "classifier.1.weight", 0, 0.01, 0.1},
		{"convnext_tiny", "features.7.0.layer_scale", 1e-6, 0, 1e-6},
		{"convnext_tiny", "features.5.0.block.3.weight", 0, 0.02, 0.2},
		{"efficientnet_b0", "classifier.1.weight", 0, uniform(1 / math.Sqrt(1000)), 0.0317},
		{"efficientnet_lite0", "blocks.6.0.conv_dw.weight", 0, math.Sqrt(2.0 / 9), 3}, // a group has one output
		{"mobilenet_v2", "features.17.conv.1.0.weight", 0, math.Sqrt(2.0 / (960 * 9)), 0.2},
		{"keras_resnet50", "conv5_block3_2_conv/kernel", 0, uniform(math.Sqrt(6.0 / (2 * 512 * 9))), 0.0256},
		{"keras_resnet50", "predictions/kernel", 0, uniform(math.Sqrt(6.0 / 3048)), 0.0444},
	} {
		if c.arch != built {
			a, _ := Lookup(c.arch)
			var err error
			if m, err = a.Build(BuildOptions{Seed: 1, NoTop: a.Params > 60e6}); err != nil {
				t.Fatal(err)
			}
			built = c.arch
		}
		p := m.Graph.Initializer(c.param)
		if p == nil {
			t.Errorf("%s has no %s", c.arch, c.param)
			continue
		}
		sum, squares, largest := 0.0, 0.0, 0.0
		for _, v := range p.Float32s() {
			sum += float64(v)
			largest = max(largest, math.Abs(float64(v)))
		}
		mean := sum / float64(p.Len())
		for _, v := range p.Float32s() {
			squares += (float64(v) - mean) * (float64(v) - mean)
		}
		std := math.Sqrt(squares / float64(p.Len()))
		if math.Abs(mean-c.mean) > 4*c.std/math.Sqrt(float64(p.Len()))+1e-9 || math.Abs(std-c.std) > 0.05*c.std+1e-9 || largest > c.max*1.000001 {
			t.Errorf("%s %s: mean %g, deviation %g, at most %g; want %g, %g, %g", c.arch, c.param, mean, std, largest, c.mean, c.std, c.max)
		}
	}
}

func TestSeeds(t *testing.T) {
	a, _ := Lookup("resnet18")
	weights := func(o BuildOptions) []byte {
		m, err := a.Build(o)
		if err != nil {
			t.Fatal(err)
		}
		return m.Graph.Initializer("layer4.0.conv2.weight").Raw
	}
	one := weights(BuildOptions{Seed: 1})
	if !bytes.Equal(one, weights(BuildOptions{Seed: 1, Classes: 2, NoTop: true})) {
		t.Error("a weight depends on the rest of the network")
	}
	if bytes.Equal(one, weights(BuildOptions{Seed: 2})) {
		t.Error("another seed gives the same weights")
	}
}
