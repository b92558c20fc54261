package convert

import (
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// activation applies what a layer's "activation" says, which is a name, or a function or layer that Keras 3 describes.
func (b *kbuilder) activation(c kconf, x kvalue, def string) kvalue {
	if b.err != nil {
		return kvalue{}
	}
	v, _ := c.get("activation")
	switch a := v.(type) {
	case nil:
		return b.activate(def, x)
	case string:
		return b.activate(a, x)
	case map[string]any:
		class, _ := a["class_name"].(string)
		if name, ok := a["config"].(string); ok { // a function
			return b.activate(name, x)
		}
		conf, _ := a["config"].(map[string]any)
		switch class {
		case "ReLU", "LeakyReLU", "ThresholdedReLU", "ELU", "Softmax":
			in := kconf{conf, c.err}
			return kerasLayers[class].build(b, in, []kvalue{x})
		}
		b.fail("the activation %s is not supported", short(v))
	default:
		b.fail("the activation %s is not supported", short(v))
	}
	return kvalue{}
}

// activations are those that one node computes.
var activations = map[string]struct {
	op    string
	attrs map[string]float64
}{
	"relu": {op: "Relu"}, "sigmoid": {op: "Sigmoid"}, "tanh": {op: "Tanh"}, "softplus": {op: "Softplus"}, "softsign": {op: "Softsign"},
	"exponential": {op: "Exp"}, "selu": {op: "Selu"}, "elu": {op: "Elu", attrs: map[string]float64{"alpha": 1}},
	"hard_shrink": {op: "Shrink", attrs: map[string]float64{"lambd": 0.5}}, "soft_shrink": {op: "Shrink", attrs: map[string]float64{"lambd": 0.5, "bias": 0.5}},
	"sparse_sigmoid": {op: "HardSigmoid", attrs: map[string]float64{"alpha": 0.5, "beta": 0.5}},
	"celu":           {op: "Celu", attrs: map[string]float64{"alpha": 1}}, "leaky_relu": {op: "LeakyRelu", attrs: map[string]float64{"alpha": 0.2}},
}

func (b *kbuilder) activate(name string, x kvalue) kvalue {
	if a, ok := activations[name]; ok {
		var attrs []*onnx.Attribute
		for k, v := range a.attrs {
			attrs = append(attrs, kfloat(k, v))
		}
		x.name = b.node(a.op, []string{x.name}, attrs...)
		return x
	}
	switch name {
	case "linear":
	case "relu6":
		x.name = b.clip(x.name, 0, 6)
	case "softmax", "log_softmax":
		return b.softmax(map[string]string{"softmax": "Softmax", "log_softmax": "LogSoftmax"}[name], x, []int{-1})
	case "hard_sigmoid":
		x.name = b.hardSigmoid(x.name, b.keras3)
	case "swish", "silu":
		x.name = b.node("Mul", []string{x.name, b.node("Sigmoid", []string{x.name})})
	case "hard_swish", "hard_silu":
		x.name = b.node("Mul", []string{x.name, b.hardSigmoid(x.name, true)})
	case "mish":
		x.name = b.node("Mul", []string{x.name, b.node("Tanh", []string{b.node("Softplus", []string{x.name})})})
	case "hard_tanh":
		x.name = b.clip(x.name, -1, 1)
	case "log_sigmoid":
		x.name = b.node("Neg", []string{b.node("Softplus", []string{b.node("Neg", []string{x.name})})})
	case "tanh_shrink":
		x.name = b.node("Sub", []string{x.name, b.node("Tanh", []string{x.name})})
	case "squareplus":
		root := b.node("Sqrt", []string{b.node("Add", []string{b.node("Mul", []string{x.name, x.name}), b.scalar("four", 4)})})
		x.name = b.node("Mul", []string{b.node("Add", []string{x.name, root}), b.scalar("half", 0.5)})
	case "gelu_tanh":
		cube := b.node("Mul", []string{b.node("Mul", []string{x.name, x.name}), x.name})
		inner := b.node("Add", []string{x.name, b.node("Mul", []string{cube, b.scalar("third", 0.044715)})})
		t := b.node("Tanh", []string{b.node("Mul", []string{inner, b.scalar("root", math.Sqrt(2/math.Pi))})})
		x.name = b.node("Mul", []string{b.node("Mul", []string{x.name, b.scalar("half", 0.5)}), b.node("Add", []string{t, b.scalar("one", 1)})})
	case "gelu":
		e := b.node("Erf", []string{b.node("Mul", []string{x.name, b.scalar("half_root", math.Sqrt(0.5))})})
		half := b.node("Mul", []string{x.name, b.scalar("half", 0.5)})
		x.name = b.node("Mul", []string{half, b.node("Add", []string{e, b.scalar("one", 1)})})
	default:
		b.fail("the activation %q is not supported", name)
	}
	return x
}

// hardSigmoid is the clipped line of Keras 3 (slope 1/6), or of the versions before (0.2).
func (b *kbuilder) hardSigmoid(x string, sixth bool) string {
	slope := 0.2
	if sixth {
		slope = 1.0 / 6
	}
	return b.node("HardSigmoid", []string{x}, kfloat("alpha", slope), kfloat("beta", 0.5))
}

// clip bounds x; NaN stands for no bound.
func (b *kbuilder) clip(x string, lo, hi float64) string {
	in := []string{x, ""}
	if !math.IsNaN(lo) {
		in[1] = b.scalar("min", lo)
	}
	if !math.IsNaN(hi) {
		in = append(in, b.scalar("max", hi))
	}
	return b.node("Clip", in)
}

// softmax normalises over an axis of Keras.
func (b *kbuilder) softmax(op string, x kvalue, axes []int) kvalue {
	if len(axes) != 1 || len(x.shape) == 0 {
		b.fail("softmax over the axes %v is not supported", axes)
		return kvalue{}
	}
	axis := b.axis(x, axes[0])
	if axis == len(x.shape) {
		axis = -1
	}
	x.name = b.node(op, []string{x.name}, kint("axis", axis))
	return x
}

func (b *kbuilder) softmaxLayer(c kconf, x kvalue) kvalue {
	axes := []int{-1}
	if c.has("axis") {
		axes = c.ints("axis")
	}
	return b.softmax("Softmax", x, axes)
}

func (b *kbuilder) reluLayer(c kconf, x kvalue) kvalue {
	most := c.float(math.Inf(1), "max_value")
	return b.relu(x, c.float(0, "negative_slope"), most, c.float(0, "threshold"))
}

func (b *kbuilder) leakyLayer(c kconf, x kvalue) kvalue {
	return b.relu(x, c.float(0.3, "negative_slope", "alpha"), math.Inf(1), 0)
}

func (b *kbuilder) thresholdedLayer(c kconf, x kvalue) kvalue {
	return b.relu(x, 0, math.Inf(1), c.float(1, "theta"))
}

func (b *kbuilder) eluLayer(c kconf, x kvalue) kvalue {
	x.name = b.node("Elu", []string{x.name}, kfloat("alpha", c.float(1, "alpha")))
	return x
}

// relu is Keras': x above the threshold, but at most a largest value; slope*(x-threshold) below it.
func (b *kbuilder) relu(x kvalue, slope, most, threshold float64) kvalue {
	bounded := !math.IsInf(most, 1)
	in := x.name
	switch {
	case threshold != 0:
		x.name = b.node("ThresholdedRelu", []string{in}, kfloat("alpha", threshold))
		if bounded {
			x.name = b.clip(x.name, math.NaN(), most)
		}
		if slope != 0 {
			below := b.node("Relu", []string{b.node("Sub", []string{b.scalar("threshold", threshold), in})})
			x.name = b.node("Sub", []string{x.name, b.node("Mul", []string{below, b.scalar("slope", slope)})})
		}
	case slope != 0:
		x.name = b.node("LeakyRelu", []string{in}, kfloat("alpha", slope))
		if bounded {
			x.name = b.clip(x.name, math.NaN(), most)
		}
	case bounded:
		x.name = b.clip(in, 0, most)
	default:
		x.name = b.node("Relu", []string{in})
	}
	return x
}

func (b *kbuilder) preluLayer(c kconf, x kvalue) kvalue {
	x = b.rows(x)
	shape := slices.Clone(x.shape)
	for _, a := range c.ints("shared_axes") {
		if a < 1 || a > len(shape) {
			b.fail("shared_axes: %d", a)
			return kvalue{}
		}
		shape[a-1] = 1
	}
	if volume(shape) < 1 {
		b.fail("its input's size %v is not known", x.shape)
		return kvalue{}
	}
	t := b.weights(role{name: "alpha", shape: shape})
	if len(t) != 1 {
		return kvalue{}
	}
	if b.moved(x) {
		t[0] = transpose(t[0], 2, 0, 1)
	}
	x.name = b.node("PRelu", []string{x.name, b.param("alpha", t[0], "")})
	return x
}
