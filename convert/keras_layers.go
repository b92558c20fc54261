package convert

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// kspec is how a class of layers is built.
type kspec struct {
	many  bool // it takes several inputs
	build func(b *kbuilder, c kconf, in []kvalue) kvalue
}

// kerasLayers are the classes that are supported, by the names of all versions. (Set in init, because building a layer
// looks at it again.)
var kerasLayers map[string]kspec

func init() {
	one := func(f func(b *kbuilder, c kconf, x kvalue) kvalue) kspec {
		return kspec{build: func(b *kbuilder, c kconf, in []kvalue) kvalue { return f(b, c, in[0]) }}
	}
	merge := func(op string) kspec {
		return kspec{many: true, build: func(b *kbuilder, _ kconf, in []kvalue) kvalue { return b.elementwise(op, in) }}
	}
	kerasLayers = map[string]kspec{
		"Conv2D": one((*kbuilder).conv), "Convolution2D": one((*kbuilder).conv), "AtrousConvolution2D": one((*kbuilder).conv),
		"DepthwiseConv2D": one((*kbuilder).depthwise),
		"SeparableConv2D": one((*kbuilder).separable), "SeparableConvolution2D": one((*kbuilder).separable),
		"Conv2DTranspose": one((*kbuilder).convTranspose), "Deconvolution2D": one((*kbuilder).convTranspose),
		"Dense":              one((*kbuilder).dense),
		"BatchNormalization": one((*kbuilder).batchNorm), "LayerNormalization": one((*kbuilder).layerNorm),
		"Normalization": one((*kbuilder).normalization), "Rescaling": one((*kbuilder).rescaling),
		"Activation": one(func(b *kbuilder, c kconf, x kvalue) kvalue { return b.activation(c, x, "linear") }),
		"ReLU":       one((*kbuilder).reluLayer), "LeakyReLU": one((*kbuilder).leakyLayer), "ThresholdedReLU": one((*kbuilder).thresholdedLayer),
		"ELU": one((*kbuilder).eluLayer), "PReLU": one((*kbuilder).preluLayer), "Softmax": one((*kbuilder).softmaxLayer),
		"MaxPooling2D":           one(func(b *kbuilder, c kconf, x kvalue) kvalue { return b.pool("MaxPool", c, x) }),
		"AveragePooling2D":       one(func(b *kbuilder, c kconf, x kvalue) kvalue { return b.pool("AveragePool", c, x) }),
		"GlobalAveragePooling2D": one(func(b *kbuilder, c kconf, x kvalue) kvalue { return b.globalPool("GlobalAveragePool", c, x) }),
		"GlobalMaxPooling2D":     one(func(b *kbuilder, c kconf, x kvalue) kvalue { return b.globalPool("GlobalMaxPool", c, x) }),
		"ZeroPadding2D":          one((*kbuilder).zeroPadding), "Cropping2D": one((*kbuilder).cropping), "UpSampling2D": one((*kbuilder).upSampling),
		"Add": merge("Add"), "Multiply": merge("Mul"), "Average": merge("Mean"), "Maximum": merge("Max"), "Minimum": merge("Min"),
		"Subtract":           merge("Sub"),
		"Concatenate":        {many: true, build: (*kbuilder).concatenate},
		"Merge":              {many: true, build: (*kbuilder).merge},
		"GroupNormalization": one((*kbuilder).groupNorm), "RMSNormalization": one((*kbuilder).rmsNorm),
		"UnitNormalization":        one(func(b *kbuilder, c kconf, x kvalue) kvalue { return b.unitNorm(c, x, 1e-12) }),
		"AdaptiveAveragePooling2D": one(func(b *kbuilder, c kconf, x kvalue) kvalue { return b.adaptivePool("AveragePool", c, x) }),
		"AdaptiveMaxPooling2D":     one(func(b *kbuilder, c kconf, x kvalue) kvalue { return b.adaptivePool("MaxPool", c, x) }),
		"Resizing":                 one((*kbuilder).resizing), "CenterCrop": one((*kbuilder).centerCrop),
		"RandomCrop": one((*kbuilder).randomCrop),
		// Of Keras' own ConvNeXt and InceptionResNetV2.
		"LayerScale":       one((*kbuilder).layerScale),
		"CustomScaleLayer": {many: true, build: (*kbuilder).customScale},
		"Flatten":          one((*kbuilder).flatten), "Reshape": one((*kbuilder).reshape), "Permute": one((*kbuilder).permute),
	}
	// What does nothing outside of training.
	for _, class := range []string{"Identity", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization",
		"RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness", "RandomShear", "RandomPerspective",
		"RandomElasticTransform", "RandomErasing", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomSaturation", "RandomColorJitter", "RandomColorDegeneration",
		"RandomPosterization", "RandomInvert", "RandomSharpness", "RandAugment", "AugMix", "MixUp", "CutMix", "RandomHeight", "RandomWidth"} {
		kerasLayers[class] = one(func(_ *kbuilder, _ kconf, x kvalue) kvalue { return x })
	}
}

// window is the kernel of a convolution or a pool.
type window struct {
	size, stride, dilation [2]int
	same                   bool
}

// window reads what is common to convolutions and pools, and checks that the input is a map.
func (b *kbuilder) window(c kconf, x kvalue, size [2]int) window {
	w := window{size: size, dilation: c.pair([2]int{1, 1}, "dilation_rate", "atrous_rate")}
	w.stride = c.pair([2]int{1, 1}, "strides", "subsample")
	switch p := c.string("valid", "padding", "border_mode"); p {
	case "same":
		w.same = true
	case "valid":
	default:
		b.fail("padding %q is not supported", p)
	}
	for _, p := range [][2]int{w.size, w.stride, w.dilation} {
		if p[0] < 1 || p[1] < 1 || p[0] > 1<<15 || p[1] > 1<<15 {
			b.fail("kernel %v, strides %v, dilation %v", w.size, w.stride, w.dilation)
		}
	}
	b.wantMap(x)
	return w
}

func (b *kbuilder) wantMap(x kvalue) {
	if len(x.shape) != 3 {
		b.fail("its input has %d dimensions besides the batch, want 3", len(x.shape))
	}
}

// wantChannels checks that the number of channels is known.
func (b *kbuilder) wantChannels(x kvalue) int {
	n := b.channels(x)
	if n < 1 || n > 1<<24 {
		b.fail("the number of its input's channels is %s", size(n))
		return 1
	}
	return n
}

func size(n int) string {
	if n < 0 {
		return "not known"
	}
	return fmt.Sprint(n)
}

// attrs are the attributes of the window. The padding of "same" is written out where it does not depend on the input's
// size: with stride 1. (Where it is odd the further element stands at the end, as in TensorFlow.)
func (w window) attrs() []*onnx.Attribute {
	a := []*onnx.Attribute{kints("kernel_shape", w.size[0], w.size[1])}
	if w.stride != [2]int{1, 1} {
		a = append(a, kints("strides", w.stride[0], w.stride[1]))
	}
	if w.dilation != [2]int{1, 1} {
		a = append(a, kints("dilations", w.dilation[0], w.dilation[1]))
	}
	switch {
	case !w.same:
	case w.stride == [2]int{1, 1}:
		h, v := (w.size[0]-1)*w.dilation[0], (w.size[1]-1)*w.dilation[1]
		if h+v > 0 {
			a = append(a, kints("pads", h/2, v/2, h-h/2, v-v/2))
		}
	default:
		a = append(a, ktext("auto_pad", "SAME_UPPER"))
	}
	return a
}

// output returns the size of the output for an input of n in direction i.
func (b *kbuilder) output(w window, n, i int) int {
	if n < 0 {
		return -1
	}
	s := w.stride[i]
	out := (n + s - 1) / s
	if !w.same {
		out = (n-(w.size[i]-1)*w.dilation[i]-1)/s + 1
		if n < (w.size[i]-1)*w.dilation[i]+1 {
			out = 0
		}
	}
	if out < 1 {
		b.fail("the kernel %v is larger than its input %d", w.size, n)
	}
	return out
}

// windowed returns the map that a window makes of x.
func (b *kbuilder) windowed(w window, name string, channels int, x kvalue) kvalue {
	if b.err != nil {
		return kvalue{}
	}
	h, v := b.sides(x)
	return b.mapOf(name, channels, b.output(w, h, 0), b.output(w, v, 1))
}

// filters reads the number of outputs of a layer.
func (b *kbuilder) filters(c kconf, keys ...string) int {
	n := c.int(0, keys...)
	if n < 1 || n > 1<<24 {
		b.fail("%s: %d", keys[0], n)
		return 1
	}
	return n
}

// kernelSize reads the size of a convolution's kernel.
func kernelSize(c kconf) [2]int {
	if c.has("nb_row", "nb_col") { // Keras 1
		return [2]int{c.int(0, "nb_row"), c.int(0, "nb_col")}
	}
	return c.pair([2]int{}, "kernel_size")
}

// kernel reads a kernel whose four axes Keras has as (h,w,a,b), and bias, which may be absent. Kernels of Keras 1 with
// channels first lie as in ONNX.
func (b *kbuilder) kernel(c kconf, name string, size [2]int, a, o, bias int) (k, v *onnx.Tensor) {
	shape := []int{size[0], size[1], a, o}
	old := b.first && c.has("dim_ordering")
	if old {
		shape = []int{o, a, size[0], size[1]}
	}
	roles := []role{{name: name, shape: shape}}
	if bias > 0 && c.bool(true, "use_bias", "bias") {
		roles = append(roles, role{name: "bias", shape: []int{bias}})
	}
	w := b.weights(roles...)
	if len(w) != len(roles) {
		return nil, nil
	}
	if k = w[0]; old {
		k = transpose(k, 2, 3, 1, 0)
	}
	if b.flip {
		k = flipped(k)
	}
	if len(w) > 1 {
		v = w[1]
	}
	return k, v
}

func (b *kbuilder) conv(c kconf, x kvalue) kvalue {
	w := b.window(c, x, kernelSize(c))
	in, out, groups := b.wantChannels(x), b.filters(c, "filters", "nb_filter"), c.int(1, "groups")
	if groups < 1 || in%groups != 0 || out%groups != 0 {
		b.fail("%d groups do not divide %d and %d channels", groups, in, out)
	}
	if b.err != nil {
		return kvalue{}
	}
	k, bias := b.kernel(c, "kernel", w.size, in/groups, out, out)
	if k == nil {
		return kvalue{}
	}
	return b.activation(c, b.windowed(w, b.convNode(w, x.name, transpose(k, 3, 2, 0, 1), bias, groups), out, x), "linear")
}

// convNode adds a convolution with a kernel in ONNX' order.
func (b *kbuilder) convNode(w window, x string, k, bias *onnx.Tensor, groups int) string {
	in := []string{x, b.param("kernel", k, "")}
	if bias != nil {
		in = append(in, b.param("bias", bias, ""))
	}
	attrs := w.attrs()
	if groups > 1 {
		attrs = append(attrs, kint("group", groups))
	}
	return b.node("Conv", in, attrs...)
}

// depthwiseKernel puts a kernel (h,w,c,m) into ONNX' order: output channel c*m+j is the j-th of channel c.
func depthwiseKernel(k *onnx.Tensor) *onnx.Tensor {
	h, w, c, m := k.Shape[0], k.Shape[1], k.Shape[2], k.Shape[3]
	t := transpose(k, 2, 3, 0, 1)
	t.Shape = []int{c * m, 1, h, w}
	return t
}

func (b *kbuilder) depthwise(c kconf, x kvalue) kvalue {
	w := b.window(c, x, kernelSize(c))
	in, m := b.wantChannels(x), b.multiplier(c)
	if b.err != nil {
		return kvalue{}
	}
	k, bias := b.kernel(c, "depthwise_kernel", w.size, in, m, in*m)
	if k == nil {
		return kvalue{}
	}
	inputs := []string{x.name, b.param("depthwise_kernel", depthwiseKernel(k), "")}
	if bias != nil {
		inputs = append(inputs, b.param("bias", bias, ""))
	}
	y := b.node("Conv", inputs, append(w.attrs(), kint("group", in))...)
	return b.activation(c, b.windowed(w, y, in*m, x), "linear")
}

func (b *kbuilder) multiplier(c kconf) int {
	m := c.int(1, "depth_multiplier")
	if m < 1 || m > 1<<16 {
		b.fail("depth_multiplier: %d", m)
		return 1
	}
	return m
}

func (b *kbuilder) separable(c kconf, x kvalue) kvalue {
	w := b.window(c, x, kernelSize(c))
	in, m, out := b.wantChannels(x), b.multiplier(c), b.filters(c, "filters", "nb_filter")
	if b.err != nil {
		return kvalue{}
	}
	roles := []role{{name: "depthwise_kernel", shape: []int{w.size[0], w.size[1], in, m}}, {name: "pointwise_kernel", shape: []int{1, 1, in * m, out}}}
	if c.bool(true, "use_bias", "bias") {
		roles = append(roles, role{name: "bias", shape: []int{out}})
	}
	t := b.weights(roles...)
	if len(t) != len(roles) {
		return kvalue{}
	}
	if b.flip {
		t[0] = flipped(t[0])
	}
	y := b.node("Conv", []string{x.name, b.param("depthwise_kernel", depthwiseKernel(t[0]), "")}, append(w.attrs(), kint("group", in))...)
	inputs := []string{y, b.param("pointwise_kernel", transpose(t[1], 3, 2, 0, 1), "")}
	if len(t) > 2 {
		inputs = append(inputs, b.param("bias", t[2], ""))
	}
	y = b.node("Conv", inputs, kints("kernel_shape", 1, 1))
	return b.activation(c, b.windowed(w, y, out, x), "linear")
}

// convTranspose is the gradient of a convolution. What is cut off and added at the ends does not depend on the input's size.
func (b *kbuilder) convTranspose(c kconf, x kvalue) kvalue {
	w := b.window(c, x, kernelSize(c))
	in, out := b.wantChannels(x), b.filters(c, "filters", "nb_filter")
	if g := c.int(1, "groups"); g != 1 {
		b.fail("groups are not supported")
	}
	if b.err != nil {
		return kvalue{}
	}
	k, bias := b.kernel(c, "kernel", w.size, out, in, out)
	if k == nil {
		return kvalue{}
	}
	extra := c.pair([2]int{-1, -1}, "output_padding")
	h, v := b.sides(x)
	sides := [2]int{h, v}
	var pads [4]int
	var more [2]int
	for i := range 2 {
		span := (w.size[i]-1)*w.dilation[i] + 1
		s := w.stride[i]
		// Keras: how much longer than s times the input the output is.
		longer := 0
		switch {
		case extra[i] >= 0 && w.same:
			longer = span - s - 2*(span/2) + extra[i]
		case extra[i] >= 0:
			longer = span - s + extra[i]
		case !w.same:
			longer = max(span-s, 0)
		}
		// The transposed convolution alone gives s*(n-1)+span.
		if cut := span - s - longer; cut >= 0 {
			// "valid" cuts nothing off at the start.
			pads[i], pads[2+i] = cut/2, cut-cut/2
			if !w.same {
				pads[i], pads[2+i] = 0, cut
			}
		} else {
			more[i] = -cut
		}
		if sides[i] >= 0 {
			if sides[i] = s*sides[i] + longer; sides[i] < 1 {
				b.fail("its output is empty")
			}
		}
	}
	attrs := []*onnx.Attribute{kints("kernel_shape", w.size[0], w.size[1]), kints("strides", w.stride[0], w.stride[1])}
	if w.dilation != [2]int{1, 1} {
		attrs = append(attrs, kints("dilations", w.dilation[0], w.dilation[1]))
	}
	if pads != [4]int{} {
		attrs = append(attrs, kints("pads", pads[:]...))
	}
	if more != [2]int{} {
		attrs = append(attrs, kints("output_padding", more[:]...))
	}
	inputs := []string{x.name, b.param("kernel", transpose(k, 3, 2, 0, 1), "")}
	if bias != nil {
		inputs = append(inputs, b.param("bias", bias, ""))
	}
	return b.activation(c, b.mapOf(b.node("ConvTranspose", inputs, attrs...), out, sides[0], sides[1]), "linear")
}

func (b *kbuilder) dense(c kconf, x kvalue) kvalue {
	if len(x.shape) == 0 || b.first && len(x.shape) == 3 {
		b.fail("its input has shape %v besides the batch", x.shape)
		return kvalue{}
	}
	in, out := b.wantChannels(x), b.filters(c, "units", "output_dim")
	roles := []role{{name: "kernel", shape: []int{in, out}}}
	if c.bool(true, "use_bias", "bias") {
		roles = append(roles, role{name: "bias", shape: []int{out}})
	}
	if b.err != nil {
		return kvalue{}
	}
	t := b.weights(roles...)
	if len(t) != len(roles) {
		return kvalue{}
	}
	k, bias := t[0], (*onnx.Tensor)(nil)
	if len(t) > 1 {
		bias = t[1]
	}
	y := kvalue{shape: append(slices.Clone(x.shape[:len(x.shape)-1]), out)}
	switch {
	case len(x.shape) == 3: // over the channels of a map
		y.name = b.convNode(window{size: [2]int{1, 1}, stride: [2]int{1, 1}, dilation: [2]int{1, 1}}, x.name,
			&onnx.Tensor{Type: onnx.Float, Shape: []int{out, in, 1, 1}, Raw: transpose(k, 1, 0).Raw}, bias, 1)
	case len(x.shape) == 1:
		variant := "" // a layer that is used on rows of other orders has a kernel for each
		if x.flat != nil {
			variant = fmt.Sprint(*x.flat)
		}
		inputs := []string{x.name, b.param("kernel", chw(k, x.flat), variant)}
		if bias != nil {
			inputs = append(inputs, b.param("bias", bias, ""))
		}
		y.name = b.node("Gemm", inputs)
	default:
		y.name = b.node("MatMul", []string{x.name, b.param("kernel", k, "")})
		if bias != nil {
			y.name = b.node("Add", []string{y.name, b.param("bias", bias, "")})
		}
	}
	return b.activation(c, y, "linear")
}

func (b *kbuilder) batchNorm(c kconf, x kvalue) kvalue {
	n := b.wantChannels(x)
	axis := -1
	if l := c.ints("axis"); len(l) == 1 {
		axis = l[0]
	} else if len(l) > 1 {
		b.fail("axis %v: several axes are not supported", l)
	}
	if c.int(0, "mode") == 1 || c.bool(false, "renorm") {
		b.fail("this kind of normalisation (mode 1, renorm) is not supported")
	}
	if rank := len(x.shape); rank != 1 && rank != 3 {
		b.fail("its input has %d dimensions besides the batch, want 1 or 3", rank)
	}
	if a := b.axis(x, axis); b.err == nil && a != 1 {
		b.fail("axis %d is not the channels", axis)
	}
	if b.err != nil {
		return kvalue{}
	}
	var roles []role
	scale, center := c.bool(true, "scale"), c.bool(true, "center")
	if scale {
		roles = append(roles, role{"gamma", []int{n}, 1})
	}
	if center {
		roles = append(roles, role{"beta", []int{n}, 0})
	}
	roles = append(roles, role{"moving_mean", []int{n}, 0}, role{"moving_variance", []int{n}, 1})
	t := b.weights(roles...)
	if len(t) != len(roles) {
		return kvalue{}
	}
	full := make([]*onnx.Tensor, 0, 4)
	if scale {
		full, t = append(full, t[0]), t[1:]
	} else {
		full = append(full, b.filled([]int{n}, 1))
	}
	if !center {
		full = append(full, b.filled([]int{n}, 0))
	}
	full = append(full, t...)
	variant := ""
	if x.flat != nil {
		variant = fmt.Sprint(*x.flat)
	}
	inputs := []string{x.name}
	for i, name := range []string{"gamma", "beta", "moving_mean", "moving_variance"} {
		inputs = append(inputs, b.param(name, chw(full[i], x.flat), variant))
	}
	// Keras' own default of the first versions was 1e-6, and is 1e-3 since.
	x.name = b.node("BatchNormalization", inputs, kfloat("epsilon", c.float(1e-3, "epsilon")), kfloat("momentum", c.float(0.99, "momentum")))
	return x
}

func (b *kbuilder) layerNorm(c kconf, x kvalue) kvalue {
	axes := c.ints("axis")
	if !c.has("axis") {
		axes = []int{-1}
	}
	for i := range axes {
		if axes[i] < 0 {
			axes[i] += len(x.shape) + 1
		}
	}
	slices.Sort(axes)
	rank := len(x.shape)
	all := rank == 3 && slices.Equal(axes, []int{1, 2, 3})
	if !all && !slices.Equal(axes, []int{rank}) || c.bool(false, "rms_scaling") || b.first {
		b.fail("axis %v: only normalisation over the last axis or over a whole map is supported, in models with channels last", axes)
	}
	shape := x.shape[max(rank-1, 0):]
	if all {
		shape = x.shape
	}
	if slices.Contains(shape, -1) || len(shape) == 0 {
		b.fail("its input's size %v is not known", x.shape)
	}
	if b.err != nil {
		return kvalue{}
	}
	var roles []role
	scale, center := c.bool(true, "scale"), c.bool(true, "center")
	if scale {
		roles = append(roles, role{"gamma", shape, 1})
	}
	if center {
		roles = append(roles, role{"beta", shape, 0})
	}
	t := b.weights(roles...)
	if len(t) != len(roles) {
		return kvalue{}
	}
	if !scale {
		t = append([]*onnx.Tensor{b.filled(shape, 1)}, t...)
	}
	x = b.rows(x)
	y := x.name
	if all && b.moved(x) {
		for i := range t {
			t[i] = transpose(t[i], 2, 0, 1)
		}
	} else if len(shape) == 1 {
		y = b.plain(x)
	}
	inputs := []string{b.param("gamma", t[0], "")}
	if center {
		inputs = append(inputs, b.param("beta", t[1], ""))
	}
	y = b.node("LayerNormalization", append([]string{y}, inputs...), kint("axis", -len(shape)), kfloat("epsilon", c.float(1e-3, "epsilon")))
	if len(shape) == 1 {
		return b.fromPlain(y, x.shape)
	}
	return kvalue{name: y, shape: x.shape}
}

// vector makes a constant of a list of numbers that is spread over the last axis.
func (b *kbuilder) vector(what string, x kvalue, v []float64) string {
	f := make([]float32, len(v))
	for i := range v {
		f[i] = float32(v[i])
	}
	if len(f) == 1 {
		return b.constant(what, onnx.Of([]int{}, f))
	}
	if len(f) != b.channels(x) {
		b.fail("%s: %d numbers for %s channels", what, len(f), size(b.channels(x)))
		return ""
	}
	shape := []int{len(f)}
	if len(x.shape) == 3 {
		shape = []int{len(f), 1, 1}
	}
	return b.constant(what, onnx.Of(shape, f))
}

func (b *kbuilder) rescaling(c kconf, x kvalue) kvalue {
	scale, offset := c.floats("scale"), c.floats("offset")
	if len(scale) == 0 {
		b.fail("it has no scale")
		return kvalue{}
	}
	if len(scale) > 1 || len(offset) > 1 {
		x = b.rows(x)
	}
	x.name = b.node("Mul", []string{x.name, b.vector("scale", x, scale)})
	if slices.ContainsFunc(offset, func(f float64) bool { return f != 0 }) {
		x.name = b.node("Add", []string{x.name, b.vector("offset", x, offset)})
	}
	return x
}

// normalization is Keras' preprocessing layer: (x-mean) / max(sqrt(variance), 1e-7), or the inverse of it.
func (b *kbuilder) normalization(c kconf, x kvalue) kvalue {
	mean, variance := c.floats("mean", "input_mean"), c.floats("variance", "input_variance")
	x = b.rows(x)
	if mean == nil || variance == nil {
		n := b.wantChannels(x)
		shape := []int{n}
		switch l := c.ints("axis"); {
		case !c.has("axis"):
			if _, given := c.m["axis"]; given { // null: one number for all
				shape = []int{}
			}
		case len(l) == 0:
			shape = []int{}
		case len(l) != 1 || b.axis(x, l[0]) != b.axis(x, b.channelAxis(x)):
			b.fail("axis %v is not the channels", l)
		}
		if b.err != nil {
			return kvalue{}
		}
		t := b.weights(role{"mean", shape, 0}, role{"variance", shape, 1})
		if len(t) != 2 {
			return kvalue{}
		}
		if isHollow(t[0]) || isHollow(t[1]) {
			return x
		}
		for _, a := range b.store.of(b.layer) { // how many samples it has seen
			a.used = true
		}
		mean, variance = doubles(t[0]), doubles(t[1])
	}
	std := make([]float64, len(variance))
	for i, v := range variance {
		std[i] = max(math.Sqrt(v), 1e-7)
	}
	if c.bool(false, "invert") {
		x.name = b.node("Mul", []string{x.name, b.vector("std", x, std)})
		x.name = b.node("Add", []string{x.name, b.vector("mean", x, mean)})
		return x
	}
	x.name = b.node("Sub", []string{x.name, b.vector("mean", x, mean)})
	x.name = b.node("Div", []string{x.name, b.vector("std", x, std)})
	return x
}

// channelAxis is the axis of channels in Keras' order.
func (b *kbuilder) channelAxis(x kvalue) int {
	if b.first && len(x.shape) == 3 {
		return 1
	}
	return -1
}

func doubles(t *onnx.Tensor) []float64 {
	out := make([]float64, t.Len())
	for i, v := range t.Float32s() {
		out[i] = float64(v)
	}
	return out
}
