package zoo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// Arch is an architecture: a network without weights. Build makes the graph.
type Arch struct {
	Name    string // as "resnet50"
	Source  string // whose names and layout the parameters have: "torchvision", "timm", "keras" or "course"
	Paper   string // where it is described
	Classes int    // outputs, unless BuildOptions say otherwise
	Size    [2]int // height and width of the input
	// Channels of the input; 1 for a network for grey pictures.
	Channels int
	// Params counts the parameters that are trained, for Classes outputs, without those in Unused.
	Params int
	// Recipe names the recipe (see [RecipeByName]) that the network's published weights were trained with.
	Recipe string
	// Unused are the beginnings of names of parameters that files of weights hold and inference does not use, such as
	// "AuxLogits." of an auxiliary classifier.
	Unused []string

	build func(b *builder, x value) value
}

// BuildOptions say which variant of an architecture is built. The zero value is the published one with random weights.
type BuildOptions struct {
	Classes  int    // outputs; 0 for the architecture's own number
	NoTop    bool   // end with the last feature map, [N,C,H,W], instead of a classifier
	Size     [2]int // height and width of the input; zeros for the architecture's own
	Channels int    // of the input; 0 for the architecture's own number
	Opset    int    // 13 to 21; 0 for 17
	// Seed starts the random numbers of the weights. The distributions are those by which the source framework
	// initialises the network; each weight has a stream of its own, so that it does not depend on what else there is.
	Seed uint64
	// Blank leaves weights at zero, and norms' scales and variances at one, for weights that come from a file.
	Blank bool
}

// The bounds of what Build accepts; beyond them a request is a mistake.
const (
	maxClasses  = 1 << 20
	maxChannels = 1 << 10
	minOpset    = 13
	maxOpset    = 21
)

// Build makes the network as an ONNX model. Its input is "input", [batch,C,H,W] with a free batch; its output "output"
// holds one row of logits an image (probabilities for Keras' networks, which end in a softmax), or the last feature map
// without the top. Initializers are exactly the parameters, with the names and shapes that the source framework has;
// convolution weights are [out,in,h,w] in any case. A node is named after the layer it is, "layer4.2.conv1", and what it
// computes has the node's name.
//
// A size that does not fit, such as one that would leave a feature map without pixels, is an error.
func (a Arch) Build(o BuildOptions) (*onnx.Model, error) {
	m, err := a.assemble(&o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.Name, err)
	}
	return m, nil
}

func (a Arch) assemble(o *BuildOptions) (*onnx.Model, error) {
	if a.build == nil {
		return nil, fmt.Errorf("no architecture: Lookup gives one")
	}
	if o.Classes == 0 {
		o.Classes = a.Classes
	}
	if o.Channels == 0 {
		o.Channels = a.Channels
	}
	if o.Size == [2]int{} {
		o.Size = a.Size
	}
	if o.Opset == 0 {
		o.Opset = 17
	}
	for _, c := range []struct {
		what      string
		n, lo, hi int
	}{
		{"classes", o.Classes, 1, maxClasses}, {"channels", o.Channels, 1, maxChannels}, {"opset", o.Opset, minOpset, maxOpset},
		{"height", o.Size[0], 1, maxInput}, {"width", o.Size[1], 1, maxInput},
	} {
		if c.n < c.lo || c.n > c.hi {
			return nil, fmt.Errorf("%s: %d is not between %d and %d", c.what, c.n, c.lo, c.hi)
		}
	}
	b := newBuilder(a, *o)
	return b.model(a.build(b, b.input()))
}

// archs is the list of all architectures, in the order in which it is shown.
var archs = slices.Concat(vggs(), resnets(), inceptions(), mobilenets(), efficientnets(), densenets(), smallNets(), convnexts(), courseNets())

// Archs returns all architectures.
func Archs() []Arch { return slices.Clone(archs) }

// Names returns the names of all architectures.
func Names() []string {
	names := make([]string, len(archs))
	for i, a := range archs {
		names[i] = a.Name
	}
	return names
}

// Lookup returns the architecture of that name. Case, "-", "_" and "." make no difference: "ResNet-50" is "resnet50".
func Lookup(name string) (Arch, bool) {
	key := plainName(name)
	for _, a := range archs {
		if plainName(a.Name) == key {
			return a, true
		}
	}
	return Arch{}, false
}

// plainName leaves of a name what distinguishes it.
func plainName(name string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(name))
}
