package zoo

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// value is a value of the graph that is built: a map [N,c,h,w], or a row [N,c] where h is 0.
type value struct {
	name    string
	c, h, w int
}

// builder builds a graph from the input on. The first fault is kept in err, and what follows it means nothing.
type builder struct {
	BuildOptions
	g      *onnx.Graph
	layout layout
	inits  inits
	params []param
	count  int // their elements
	taken  map[string]bool

	groupFan bool // a convolution's fan out is that of one of its groups (timm)
	err      error
}

// layout is how a framework names the parameters of a layer, and whether it keeps the weight of a dense layer as
// [in,out].
type layout struct {
	weight, depthwise, bias      string
	scale, shift, mean, variance string
	denseIn                      bool
}

var layouts = map[string]layout{
	"torchvision": torchLayout, "timm": torchLayout, "course": torchLayout,
	"keras": {weight: "/kernel", depthwise: "/depthwise_kernel", bias: "/bias",
		scale: "/gamma", shift: "/beta", mean: "/moving_mean", variance: "/moving_variance", denseIn: true},
}

var torchLayout = layout{weight: ".weight", depthwise: ".weight", bias: ".bias",
	scale: ".weight", shift: ".bias", mean: ".running_mean", variance: ".running_var"}

func newBuilder(a Arch, o BuildOptions) *builder {
	return &builder{BuildOptions: o, g: &onnx.Graph{Name: a.Name}, layout: layouts[a.Source], inits: torchInits, taken: map[string]bool{}}
}

// fail keeps the first fault.
func (b *builder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
}

func (b *builder) input() value {
	v := value{"input", b.Channels, b.Size[0], b.Size[1]}
	b.g.Inputs = []*onnx.Value{declaration(v)}
	b.taken[v.name] = true
	return v
}

func declaration(v value) *onnx.Value {
	shape := []onnx.Dim{{Size: -1, Param: "batch"}, {Size: v.c}}
	if v.h > 0 {
		shape = append(shape, onnx.Dim{Size: v.h}, onnx.Dim{Size: v.w})
	}
	return &onnx.Value{Name: v.name, Type: &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: shape}}
}

// model ends the graph with out as its output, and fills in the weights.
func (b *builder) model(out value) (*onnx.Model, error) {
	if b.err != nil {
		return nil, b.err
	}
	last := b.g.Nodes[len(b.g.Nodes)-1]
	last.Outputs[0], out.name = "output", "output"
	b.g.Outputs = []*onnx.Value{declaration(out)}
	b.initialise()
	ir := int64(8)
	if b.Opset > 18 {
		ir = 10
	}
	return &onnx.Model{IRVersion: ir, Opsets: []onnx.Opset{{Version: int64(b.Opset)}}, ProducerName: "onnxcnn", Graph: b.g}, nil
}

// node adds a node whose name, and whose output's, is name, or name_1 and so on where that is taken: a layer that is used
// several times.
func (b *builder) node(op, name string, in []string, attrs ...*onnx.Attribute) string {
	base := name
	for i := 1; b.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	b.taken[name] = true
	b.g.Nodes = append(b.g.Nodes, &onnx.Node{Name: name, OpType: op, Inputs: in, Outputs: []string{name}, Attrs: attrs})
	return name
}

// constant adds a constant that is no parameter.
func (b *builder) constant(name string, t *onnx.Tensor) string {
	return b.node("Constant", name, nil, &onnx.Attribute{Name: "value", Type: onnx.AttrTensor, Tensor: t})
}

func (b *builder) scalar(name string, v float32) string {
	return b.constant(name, onnx.Of([]int{}, []float32{v}))
}

func (b *builder) ints(name string, v ...int64) string {
	return b.constant(name, onnx.Of([]int{len(v)}, v))
}

func attrInts(name string, v ...int) *onnx.Attribute {
	a := &onnx.Attribute{Name: name, Type: onnx.AttrInts}
	for _, x := range v {
		a.Ints = append(a.Ints, int64(x))
	}
	return a
}

func attrInt(name string, v int) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInt, I: int64(v)}
}

func attrFloat(name string, v float32) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrFloat, F: v}
}

// window is the kernel of a convolution or a pool, with what surrounds it.
type window struct {
	h, w   int
	stride int    // 0 for 1
	pads   [4]int // top, left, bottom, right
	ceil   bool   // outputs are rounded up (pools)
}

// square is a window of k x k with the same padding on all sides.
func square(k, stride, pad int) window {
	return window{h: k, w: k, stride: stride, pads: [4]int{pad, pad, pad, pad}}
}

// same pads a window as TensorFlow does: the output has the input's size divided by the stride, rounded up, and what is
// odd goes to the bottom and the right.
func (k window) same(x value) window {
	pad := func(in, kernel int) (before, after int) {
		s := max(k.stride, 1)
		p := max(((in+s-1)/s-1)*s+kernel-in, 0)
		return p / 2, p - p/2
	}
	k.pads[0], k.pads[2] = pad(x.h, k.h)
	k.pads[1], k.pads[3] = pad(x.w, k.w)
	return k
}

// out returns the size of the output for an input's.
func (b *builder) out(name string, x value, k window) (h, w int) {
	s := max(k.stride, 1)
	size := func(in, kernel, pads int) int {
		n := in + pads - kernel
		if n < 0 {
			return 0
		}
		if k.ceil {
			n += s - 1
		}
		return n/s + 1
	}
	h, w = size(x.h, k.h, k.pads[0]+k.pads[2]), size(x.w, k.w, k.pads[1]+k.pads[3])
	if h < 1 || w < 1 {
		b.fail("pictures of %dx%d are too small: a map of %dx%d remains before %s, which wants %dx%d",
			b.Size[0], b.Size[1], x.h, x.w, name, k.h, k.w)
		return 1, 1
	}
	return h, w
}

// attrs returns the window as attributes.
func (k window) attrs() []*onnx.Attribute {
	s := max(k.stride, 1)
	a := []*onnx.Attribute{attrInts("kernel_shape", k.h, k.w), attrInts("strides", s, s), attrInts("pads", k.pads[:]...)}
	if k.ceil {
		a = append(a, attrInt("ceil_mode", 1))
	}
	return a
}

// conv adds a convolution with so many output channels.
func (b *builder) conv(name string, x value, out int, k window, bias bool) value {
	return b.groupConv(name, x, out, 1, k, bias)
}

// groupConv is conv in groups.
func (b *builder) groupConv(name string, x value, out, groups int, k window, bias bool) value {
	if x.c%groups != 0 || out%groups != 0 {
		b.fail("%s: %d channels to %d do not fit %d groups", name, x.c, out, groups)
		return x
	}
	weight := b.layout.weight
	if groups == x.c && groups > 1 {
		weight = b.layout.depthwise
	}
	fanIn, fanOut := x.c/groups*k.h*k.w, out*k.h*k.w
	if b.groupFan {
		fanOut /= groups
	}
	in := []string{x.name, b.param(name+weight, b.inits.conv, []int{out, x.c / groups, k.h, k.w}, fanIn, fanOut)}
	if bias {
		in = append(in, b.param(name+b.layout.bias, b.inits.bias, []int{out}, fanIn, fanOut))
	}
	attrs := k.attrs()
	if groups > 1 {
		attrs = append(attrs, attrInt("group", groups))
	}
	h, w := b.out(name, x, k)
	return value{b.node("Conv", name, in, attrs...), out, h, w}
}

// norm adds a batch normalisation.
func (b *builder) norm(name string, x value, epsilon float32) value {
	return b.normScaled(name, x, epsilon, true)
}

// normScaled is norm, without a parameter for the scale where there is none.
func (b *builder) normScaled(name string, x value, epsilon float32, scale bool) value {
	s := []int{x.c}
	gamma := ""
	if scale {
		gamma = b.param(name+b.layout.scale, allOne, s, 0, 0)
	} else {
		gamma = b.constant(name+".scale", filled(s, 1))
	}
	in := []string{x.name, gamma, b.param(name+b.layout.shift, allZero, s, 0, 0),
		b.param(name+b.layout.mean, allZero, s, 0, 0), b.param(name+b.layout.variance, allOne, s, 0, 0)}
	x.name = b.node("BatchNormalization", name, in, attrFloat("epsilon", epsilon))
	return x
}

// unary adds a node that computes each element from the same element of x.
func (b *builder) unary(op, name string, x value, attrs ...*onnx.Attribute) value {
	x.name = b.node(op, name, []string{x.name}, attrs...)
	return x
}

func (b *builder) relu(name string, x value) value { return b.unary("Relu", name, x) }

// add and mul combine two maps of one size (for mul, y may be of one position).
func (b *builder) add(name string, x, y value) value {
	if x.c != y.c || x.h != y.h || x.w != y.w {
		b.fail("%s: %v and %v differ", name, x, y)
	}
	x.name = b.node("Add", name, []string{x.name, y.name})
	return x
}

func (b *builder) mul(name string, x, y value) value {
	x.name = b.node("Mul", name, []string{x.name, y.name})
	return x
}

// concat joins maps of one size, channel behind channel.
func (b *builder) concat(name string, xs ...value) value {
	out := value{h: xs[0].h, w: xs[0].w}
	var in []string
	for _, x := range xs {
		if x.h != out.h || x.w != out.w {
			b.fail("%s: maps of %dx%d and %dx%d", name, out.h, out.w, x.h, x.w)
		}
		out.c += x.c
		in = append(in, x.name)
	}
	out.name = b.node("Concat", name, in, attrInt("axis", 1))
	return out
}

func (b *builder) maxPool(name string, x value, k window) value {
	return b.pool("MaxPool", name, x, k)
}

// avgPool averages; whether padding counts among the values is countPad.
func (b *builder) avgPool(name string, x value, k window, countPad bool) value {
	if countPad && k.pads != [4]int{} {
		return b.pool("AveragePool", name, x, k, attrInt("count_include_pad", 1))
	}
	return b.pool("AveragePool", name, x, k)
}

func (b *builder) pool(op, name string, x value, k window, more ...*onnx.Attribute) value {
	h, w := b.out(name, x, k)
	return value{b.node(op, name, []string{x.name}, append(k.attrs(), more...)...), x.c, h, w}
}

// globalPool averages whole maps: [N,C,1,1].
func (b *builder) globalPool(name string, x value) value {
	return value{b.node("GlobalAveragePool", name, []string{x.name}), x.c, 1, 1}
}

// adaptivePool averages a map down, or spreads it out, to n x n, as torch.nn.AdaptiveAvgPool2d does: the i-th of n parts of
// a side of length s goes from floor(i*s/n) to ceil((i+1)*s/n).
func (b *builder) adaptivePool(name string, x value, n int) value {
	if x.h == n && x.w == n {
		return x
	}
	if x.h%n == 0 && x.w%n == 0 {
		k := window{h: x.h / n, w: x.w / n, stride: x.h / n}
		if k.h == k.w {
			return b.avgPool(name, x, k, false)
		}
	}
	x = b.adaptSide(name+".rows", x, x.h, n, 2)
	x.h = n
	x = b.adaptSide(name+".columns", x, x.w, n, 3)
	x.w = n
	return x
}

// adaptSide does adaptivePool's work along one axis of length s.
func (b *builder) adaptSide(name string, x value, s, n, axis int) value {
	if s == n {
		return x
	}
	axes := b.ints(name+".axes", int64(axis))
	var parts []string
	for i := range n {
		lo, hi := i*s/n, ((i+1)*s+n-1)/n
		part := b.node("Slice", fmt.Sprintf("%s.%d.part", name, i),
			[]string{x.name, b.ints(fmt.Sprintf("%s.%d.from", name, i), int64(lo)), b.ints(fmt.Sprintf("%s.%d.to", name, i), int64(hi)), axes})
		if hi-lo > 1 {
			part = b.mean(fmt.Sprintf("%s.%d", name, i), part, axes, axis)
		}
		parts = append(parts, part)
	}
	x.name = b.node("Concat", name, parts, attrInt("axis", axis))
	return x
}

// mean averages along an axis, which stays as one of length 1. From opset 18 on the axis is an input.
func (b *builder) mean(name, x, axes string, axis int) string {
	if b.Opset < 18 {
		return b.node("ReduceMean", name, []string{x}, attrInts("axes", axis))
	}
	return b.node("ReduceMean", name, []string{x, axes})
}

func (b *builder) flatten(name string, x value) value {
	return value{name: b.node("Flatten", name, []string{x.name}), c: x.c * x.h * x.w}
}

// linear adds a dense layer with bias.
func (b *builder) linear(name string, x value, out int) value {
	shape, attrs := []int{out, x.c}, []*onnx.Attribute{attrInt("transB", 1)}
	if b.layout.denseIn {
		shape, attrs = []int{x.c, out}, nil
	}
	in := []string{x.name, b.param(name+b.layout.weight, b.inits.linear, shape, x.c, out), b.param(name+b.layout.bias, b.inits.linearBias, []int{out}, x.c, out)}
	return value{name: b.node("Gemm", name, in, attrs...), c: out}
}

// dropout adds a Dropout node, which passes its input on in inference.
func (b *builder) dropout(name string, x value, ratio float32) value {
	x.name = b.node("Dropout", name, []string{x.name, b.scalar(name+".ratio", ratio)})
	return x
}
