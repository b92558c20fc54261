package convert

import (
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// interpolation reads how a map is resized: as TensorFlow 2 does it, with the centres of pixels at one half.
func (b *kbuilder) interpolation(c kconf, def string) []*onnx.Attribute {
	half := ktext("coordinate_transformation_mode", "half_pixel")
	switch mode := c.string(def, "interpolation"); mode {
	case "nearest":
		return []*onnx.Attribute{ktext("mode", "nearest"), half, ktext("nearest_mode", "round_prefer_ceil")}
	case "bilinear":
		return []*onnx.Attribute{ktext("mode", "linear"), half}
	case "bicubic":
		return []*onnx.Attribute{ktext("mode", "cubic"), half, kfloat("cubic_coeff_a", -0.5), kint("exclude_outside", 1)}
	default:
		b.fail("interpolation %q is not supported", mode)
		return nil
	}
}

// resizeTo resizes a map.
func (b *kbuilder) resizeTo(c kconf, x kvalue, height, width int) kvalue {
	attrs := b.interpolation(c, "bilinear")
	if height < 1 || width < 1 || height > maxSide || width > maxSide {
		b.fail("a size of %dx%d", height, width)
	}
	if c.bool(false, "antialias") {
		b.fail("antialias is not supported")
	}
	if b.err != nil {
		return kvalue{}
	}
	if h, w := b.sides(x); h == height && w == width {
		return x
	}
	// The batch and the channels stay as they are.
	kept := b.node("Slice", []string{b.node("Shape", []string{x.name}), b.ints("starts", 0), b.ints("ends", 2)})
	sizes := b.node("Concat", []string{kept, b.ints("size", height, width)}, kint("axis", 0))
	return b.mapOf(b.node("Resize", []string{x.name, "", "", sizes}, attrs...), b.channels(x), height, width)
}

// resizeOp is the operation of Keras 3 and TensorFlow's image.resize.
func (b *kbuilder) resizeOp(c kconf, x kvalue) kvalue {
	b.wantMap(x)
	s := c.pair([2]int{}, "size")
	if b.err != nil {
		return kvalue{}
	}
	return b.fitted(c, x, s[0], s[1])
}

func (b *kbuilder) resizing(c kconf, x kvalue) kvalue {
	b.wantMap(x)
	if b.err != nil {
		return kvalue{}
	}
	return b.fitted(c, x, c.int(0, "height"), c.int(0, "width"))
}

// fitted resizes a map, after it was cropped or padded to the new proportions where that is asked for.
func (b *kbuilder) fitted(c kconf, x kvalue, height, width int) kvalue {
	crop, pad := c.bool(false, "crop_to_aspect_ratio"), c.bool(false, "pad_to_aspect_ratio")
	if crop || pad {
		h, w := b.sides(x)
		if h < 1 || w < 1 || height < 1 || width < 1 {
			b.fail("the proportions of its input, %v, have to be known", x.shape)
			return kvalue{}
		}
		// Of this size, in the new proportions, is what the one or the other side leaves.
		fitH, fitW := int(float32(w*height)/float32(width)), int(float32(h*width)/float32(height))
		if crop {
			x = b.cropped(x, max(min(h, fitH), 1), max(min(w, fitW), 1))
		} else {
			x = b.padded(c, x, max(h, fitH), max(w, fitW))
		}
	}
	return b.resizeTo(c, x, height, width)
}

// mapAxes are the axes of height and width in the graph.
var mapAxes = []int{2, 3}

// cropped cuts the middle out of a map.
func (b *kbuilder) cropped(x kvalue, height, width int) kvalue {
	h, w := b.sides(x)
	if h == height && w == width {
		return x
	}
	top, left := (h-height)/2, (w-width)/2
	y := b.node("Slice", []string{x.name, b.ints("starts", top, left), b.ints("ends", top+height, left+width), b.ints("axes", mapAxes...)})
	return b.mapOf(y, b.channels(x), height, width)
}

// padded puts a map into the middle of a larger one.
func (b *kbuilder) padded(c kconf, x kvalue, height, width int) kvalue {
	h, w := b.sides(x)
	if h == height && w == width {
		return x
	}
	if m := c.string("constant", "fill_mode"); m != "constant" {
		b.fail("fill_mode %q is not supported", m)
	}
	top, left := (height-h)/2, (width-w)/2
	y := b.node("Pad", []string{x.name, b.ints("pads", 0, 0, top, left, 0, 0, height-h-top, width-w-left), b.scalar("fill", c.float(0, "fill_value"))})
	return b.mapOf(y, b.channels(x), height, width)
}

// centerCrop cuts the middle out of a map; a smaller one is cropped to the proportions and enlarged.
func (b *kbuilder) centerCrop(c kconf, x kvalue) kvalue {
	b.wantMap(x)
	if b.err != nil {
		return kvalue{}
	}
	h, w := b.sides(x)
	height, width := c.int(0, "height"), c.int(0, "width")
	if h < 1 || w < 1 || height < 1 || width < 1 {
		b.fail("the size of its input, %v, has to be known", x.shape)
		return kvalue{}
	}
	if h >= height && w >= width {
		return b.cropped(x, height, width)
	}
	return b.fitted(kconf{m: map[string]any{"crop_to_aspect_ratio": true}, err: c.err}, x, height, width)
}

// randomCrop does nothing outside of training in Keras 3; Keras 2 has the middle of the new proportions in its place.
func (b *kbuilder) randomCrop(c kconf, x kvalue) kvalue {
	if b.keras3 {
		return x
	}
	b.wantMap(x)
	if b.err != nil {
		return kvalue{}
	}
	return b.fitted(kconf{m: map[string]any{"crop_to_aspect_ratio": true}, err: c.err}, x, c.int(0, "height"), c.int(0, "width"))
}

// adaptivePool divides a map into equal fields, as many as it is to have.
func (b *kbuilder) adaptivePool(op string, c kconf, x kvalue) kvalue {
	b.wantMap(x)
	to := c.pair([2]int{}, "output_size")
	if b.err != nil {
		return kvalue{}
	}
	h, w := b.sides(x)
	if to[0] < 1 || to[1] < 1 || h < 1 || w < 1 || h%to[0] != 0 || w%to[1] != 0 {
		b.fail("%sx%s do not divide into %dx%d equal fields", size(h), size(w), to[0], to[1])
		return kvalue{}
	}
	k := [2]int{h / to[0], w / to[1]}
	y := b.node(op, []string{x.name}, kints("kernel_shape", k[:]...), kints("strides", k[:]...))
	return b.mapOf(y, b.channels(x), to[0], to[1])
}

// layerScale multiplies each channel by a weight.
func (b *kbuilder) layerScale(_ kconf, x kvalue) kvalue {
	n := b.wantChannels(x)
	if b.err != nil {
		return kvalue{}
	}
	return b.perChannel("Mul", x, role{name: "gamma", shape: []int{n}, value: 1})
}

// perChannel adds or multiplies by a weight for each channel, unless it is missing.
func (b *kbuilder) perChannel(op string, x kvalue, r role) kvalue {
	t := b.weights(r)
	if len(t) != 1 {
		return x
	}
	return b.scaled(op, x, r.name, t[0])
}

// scaled adds or multiplies by t for each channel.
func (b *kbuilder) scaled(op string, x kvalue, name string, t *onnx.Tensor) kvalue {
	x = b.rows(x)
	if len(x.shape) == 3 {
		t = &onnx.Tensor{Type: t.Type, Shape: []int{t.Shape[0], 1, 1}, Raw: t.Raw}
	}
	x.name = b.node(op, []string{x.name, b.param(name, t, "")})
	return x
}

// customScale is a + scale*b.
func (b *kbuilder) customScale(c kconf, in []kvalue) kvalue {
	if len(in) != 2 || !c.has("scale") {
		b.fail("it is given %d inputs, or has no scale", len(in))
		return kvalue{}
	}
	v := in[1]
	v.name = b.node("Mul", []string{v.name, b.scalar("scale", c.float(1, "scale"))})
	return b.elementwise("Add", []kvalue{in[0], v})
}

// groupNorm normalises the channels of a group together, over the whole map: an InstanceNormalization of the groups.
func (b *kbuilder) groupNorm(c kconf, x kvalue) kvalue {
	n := b.wantChannels(x)
	groups := c.int(32, "groups")
	if groups == -1 {
		groups = n
	}
	if rank := len(x.shape); rank != 1 && rank != 3 {
		b.fail("its input has %d dimensions besides the batch, want 1 or 3", rank)
	} else if b.axis(x, c.int(-1, "axis")) != 1 {
		b.fail("axis %d is not the channels", c.int(-1, "axis"))
	}
	if groups < 1 || n%groups != 0 {
		b.fail("%d groups do not divide %d channels", groups, n)
	}
	if b.err != nil {
		return kvalue{}
	}
	var roles []role
	if c.bool(true, "scale") {
		roles = append(roles, role{"gamma", []int{n}, 1})
	}
	if c.bool(true, "center") {
		roles = append(roles, role{"beta", []int{n}, 0})
	}
	t := b.weights(roles...)
	if len(t) != len(roles) {
		return kvalue{}
	}
	x = b.rows(x)
	shape := b.node("Shape", []string{x.name})
	y := b.node("Reshape", []string{x.name, b.ints("groups", 0, groups, -1)})
	one, zero := make([]float32, groups), make([]float32, groups)
	for i := range one {
		one[i] = 1
	}
	y = b.node("InstanceNormalization", []string{y, b.constant("ones", onnx.Of([]int{groups}, one)), b.constant("zeros", onnx.Of([]int{groups}, zero))},
		kfloat("epsilon", c.float(1e-3, "epsilon")))
	x.name = b.node("Reshape", []string{y, shape})
	for i, r := range roles {
		x = b.scaled(map[string]string{"gamma": "Mul", "beta": "Add"}[r.name], x, r.name, t[i])
	}
	return x
}

// rmsNorm divides by the root of the mean square over the last axis.
func (b *kbuilder) rmsNorm(c kconf, x kvalue) kvalue {
	n := b.channels(x)
	axes := c.ints("axis")
	if b.first || n < 1 || c.has("axis") && !slices.Equal(axes, []int{-1}) && !slices.Equal(axes, []int{len(x.shape)}) {
		b.fail("axis %v of %v: only normalisation over the last axis is supported, in models with channels last", axes, x.shape)
		return kvalue{}
	}
	x = b.rows(x)
	square := b.node("Mul", []string{x.name, x.name})
	mean := b.node("ReduceMean", []string{square}, kints("axes", b.axis(x, -1)))
	root := b.node("Sqrt", []string{b.node("Add", []string{mean, b.scalar("epsilon", c.float(1e-6, "epsilon"))})})
	x.name = b.node("Div", []string{x.name, root})
	return b.perChannel("Mul", x, role{name: "scale", shape: []int{n}, value: 1})
}

// unitNorm divides by the Euclidean norm over axes; its square is at least least.
func (b *kbuilder) unitNorm(c kconf, x kvalue, least float64) kvalue {
	if c.int(2, "order") != 2 {
		b.fail("order: only 2 is supported")
	}
	x = b.rows(x)
	axes := []int{len(x.shape)}
	if c.has("axis") {
		axes = b.axes(c, "axis", len(x.shape)+1)
	}
	places := make([]int, len(axes))
	for i, a := range axes {
		places[i] = b.axis(x, a)
	}
	if b.err != nil {
		return kvalue{}
	}
	slices.Sort(places)
	sum := b.node("ReduceSum", []string{b.node("Mul", []string{x.name, x.name}), b.ints("axes", places...)})
	root := b.node("Sqrt", []string{b.node("Max", []string{sum, b.scalar("least", least)})})
	x.name = b.node("Div", []string{x.name, root})
	return x
}
