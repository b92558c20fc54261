package convert

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// kop builds an operation: what Keras makes of code that computes with tensors, in place of a layer.
type kop struct {
	known []string // names of arguments, besides tensors, that build understands
	build func(b *kbuilder, c kconf, a *kargs) []kvalue
}

// kerasOps are the operations of Keras 3, by their classes.
var kerasOps map[string]kop

// function is an operation as Keras 2 calls it, in a layer TFOpLambda or SlicingOpLambda.
type function struct {
	op    string
	names map[string]string // of arguments, where Keras 3 has others
}

var functions = map[string]function{
	"__operators__.add": {op: "Add"}, "math.add": {op: "Add"}, "nn.bias_add": {op: "Add"},
	"math.subtract": {op: "Subtract"}, "__operators__.sub": {op: "Subtract"}, "math.multiply": {op: "Multiply"}, "__operators__.mul": {op: "Multiply"},
	"math.truediv": {op: "TrueDivide"}, "math.divide": {op: "TrueDivide"}, "realdiv": {op: "TrueDivide"}, "math.maximum": {op: "Maximum"}, "math.minimum": {op: "Minimum"},
	"math.pow": {op: "Power"}, "math.negative": {op: "Negative"}, "math.abs": {op: "Absolute"}, "math.sqrt": {op: "Sqrt"}, "math.square": {op: "Square"},
	"math.rsqrt": {op: "Rsqrt"}, "math.exp": {op: "Exp"}, "math.log": {op: "Log"}, "identity": {op: "Identity"},
	"nn.relu": {op: "Relu"}, "nn.relu6": {op: "Relu6"}, "math.sigmoid": {op: "Sigmoid"}, "nn.sigmoid": {op: "Sigmoid"}, "math.tanh": {op: "Tanh"},
	"nn.silu": {op: "Silu"}, "nn.elu": {op: "Elu"}, "nn.selu": {op: "Selu"}, "nn.gelu": {op: "Gelu"}, "nn.softplus": {op: "Softplus"}, "math.softplus": {op: "Softplus"},
	"nn.softmax": {op: "Softmax"}, "nn.leaky_relu": {op: "LeakyRelu", names: map[string]string{"alpha": "negative_slope"}},
	"math.reduce_mean": {op: "Mean"}, "math.reduce_max": {op: "Max"}, "math.reduce_min": {op: "Min"}, "math.reduce_sum": {op: "Sum"},
	"concat": {op: "Concatenate"}, "stack": {op: "Stack"}, "split": {op: "Split", names: map[string]string{"num_or_size_splits": "indices_or_sections"}},
	"reshape": {op: "Reshape", names: map[string]string{"shape": "newshape"}}, "transpose": {op: "Transpose", names: map[string]string{"perm": "axes"}},
	"compat.v1.transpose": {op: "Transpose", names: map[string]string{"perm": "axes"}}, "expand_dims": {op: "ExpandDims"}, "squeeze": {op: "Squeeze"},
	"cast": {op: "Cast"}, "__operators__.getitem": {op: "GetItem"}, "image.resize": {op: "Resize", names: map[string]string{"method": "interpolation"}},
	"pad": {op: "Pad", names: map[string]string{"paddings": "pad_width"}}, "reverse": {op: "Flip"},
	"clip_by_value":     {op: "Clip", names: map[string]string{"clip_value_min": "x_min", "clip_value_max": "x_max"}},
	"math.l2_normalize": {op: "Normalize"},
}

func init() {
	kerasOps = map[string]kop{}
	for class, op := range map[string]string{"Add": "Add", "Subtract": "Sub", "Multiply": "Mul", "TrueDivide": "Div", "Divide": "Div", "Power": "Pow",
		"Maximum": "Max", "Minimum": "Min"} {
		kerasOps[class] = kop{known: []string{"data_format"}, build: func(b *kbuilder, _ kconf, a *kargs) []kvalue { return b.arithmetic(op, a) }}
	}
	unary := func(f func(b *kbuilder, c kconf, x kvalue) kvalue, known ...string) kop {
		return kop{known: known, build: func(b *kbuilder, c kconf, a *kargs) []kvalue {
			x := b.operand(a, "x", "input", "inputs", "value", "features", "logits", "tensor", "input_tensor", "images")
			if b.err != nil {
				return nil
			}
			return []kvalue{f(b, a.rest(c), x)}
		}}
	}
	for class, op := range map[string]string{"Negative": "Neg", "Absolute": "Abs", "Abs": "Abs", "Sqrt": "Sqrt", "Exp": "Exp", "Log": "Log", "Tanh": "Tanh"} {
		kerasOps[class] = unary(func(b *kbuilder, _ kconf, x kvalue) kvalue { x.name = b.node(op, []string{x.name}); return x })
	}
	for class, name := range map[string]string{"Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Silu": "silu", "Softplus": "softplus", "Softsign": "softsign",
		"Selu": "selu", "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "HardTanh": "hard_tanh", "LogSigmoid": "log_sigmoid"} {
		kerasOps[class] = unary(func(b *kbuilder, _ kconf, x kvalue) kvalue { return b.activate(name, x) })
	}
	for class, op := range map[string]string{"Mean": "ReduceMean", "Max": "ReduceMax", "Min": "ReduceMin", "Sum": "ReduceSum"} {
		kerasOps[class] = unary(func(b *kbuilder, c kconf, x kvalue) kvalue { return b.reduce(op, c, x) }, "axis", "keepdims")
	}
	for class, op := range map[string]kop{
		"Square": unary(func(b *kbuilder, _ kconf, x kvalue) kvalue {
			x.name = b.node("Mul", []string{x.name, x.name})
			return x
		}),
		"Rsqrt": unary(func(b *kbuilder, _ kconf, x kvalue) kvalue {
			x.name = b.node("Reciprocal", []string{b.node("Sqrt", []string{x.name})})
			return x
		}),
		"Identity": unary(func(_ *kbuilder, _ kconf, x kvalue) kvalue { return x }),
		"Cast":     unary((*kbuilder).cast, "dtype"),
		"Elu":      unary((*kbuilder).eluLayer, "alpha"),
		"LeakyRelu": unary(func(b *kbuilder, c kconf, x kvalue) kvalue {
			return b.relu(x, c.float(0.2, "negative_slope"), math.Inf(1), 0)
		}, "negative_slope"),
		"Gelu": unary(func(b *kbuilder, c kconf, x kvalue) kvalue {
			if c.bool(false, "approximate") {
				return b.activate("gelu_tanh", x)
			}
			return b.activate("gelu", x)
		}, "approximate"),
		"Softmax": unary((*kbuilder).softmaxLayer, "axis"),
		"Clip": unary(func(b *kbuilder, c kconf, x kvalue) kvalue {
			x.name = b.clip(x.name, c.float(math.NaN(), "x_min"), c.float(math.NaN(), "x_max"))
			return x
		}, "x_min", "x_max"),
		"Reshape":     unary((*kbuilder).reshapeAll, "newshape"),
		"Transpose":   unary((*kbuilder).transposeAll, "axes", "conjugate"),
		"ExpandDims":  unary((*kbuilder).expandDims, "axis"),
		"Squeeze":     unary((*kbuilder).squeeze, "axis"),
		"Flip":        unary((*kbuilder).reverse, "axis"),
		"Pad":         unary((*kbuilder).pad, "pad_width", "mode", "constant_values"),
		"Normalize":   unary(func(b *kbuilder, c kconf, x kvalue) kvalue { return b.unitNorm(c, x, c.float(1e-12, "epsilon")) }, "axis", "order", "epsilon"),
		"Resize":      unary((*kbuilder).resizeOp, "size", "interpolation", "antialias"),
		"Concatenate": {known: []string{"axis"}, build: (*kbuilder).concatOp},
		"Stack":       {known: []string{"axis"}, build: (*kbuilder).stack},
		"Split":       {known: []string{"axis", "indices_or_sections"}, build: (*kbuilder).split},
		"GetItem":     {build: (*kbuilder).getItem},
	} {
		kerasOps[class] = op
	}
}

// operation builds a call of an operation.
func (b *kbuilder) operation(class string, c kconf, a *kargs) []kvalue {
	o := kerasOps[class]
	out := o.build(b, c, a)
	if b.err == nil {
		b.unknown(a, o.known...)
	}
	if b.err != nil {
		return nil
	}
	return out
}

// function builds a layer TFOpLambda of Keras 2.
func (b *kbuilder) function(c kconf, a *kargs) []kvalue {
	name := c.string("", "function")
	f := functions[name]
	for from, to := range f.names {
		if v, ok := a.kw[from]; ok {
			a.kw[to] = v
			delete(a.kw, from)
		}
	}
	if (name == "concat" || name == "stack") && len(a.pos) > 0 {
		if _, list := a.pos[0].([]any); !list { // each tensor stands for itself
			a.pos = []any{slices.Clone(a.pos)}
		}
	}
	return b.operation(f.op, newConf(nil), a)
}

// operands are the tensors and numbers that arithmetic is about.
func (a *kargs) operands() []any {
	var out []any
	for len(a.pos) > 0 {
		v := a.take()
		if l, ok := v.([]any); ok && slices.ContainsFunc(l, func(x any) bool { _, is := x.(kvalue); return is }) {
			out = append(out, l...) // the layer Add has its inputs in a list
			continue
		}
		out = append(out, v)
	}
	for _, k := range []string{"x", "x1", "value", "y", "x2", "bias"} {
		if v, ok := a.kw[k]; ok {
			out = append(out, v)
			delete(a.kw, k)
		}
	}
	return out
}

func (b *kbuilder) arithmetic(op string, a *kargs) []kvalue {
	in := a.operands()
	var tensors []kvalue
	for _, v := range in {
		if x, ok := v.(kvalue); ok {
			tensors = append(tensors, x)
		}
	}
	switch {
	case len(in) == len(tensors):
		return []kvalue{b.elementwise(op, tensors)}
	case len(in) != 2 || len(tensors) != 1:
		b.fail("%d arguments, %d of them tensors", len(in), len(tensors))
		return nil
	}
	v := in[1]
	_, first := in[0].(kvalue)
	if !first {
		v = in[0]
	}
	name, x := b.spread("number", tensors[0], v)
	if b.err != nil {
		return nil
	}
	names := []string{x.name, name}
	if !first {
		slices.Reverse(names)
	}
	x.name = b.node(op, names)
	return []kvalue{x}
}

// axes reads axes of Keras as places from the end of the batch (0 is the batch), all of them where none is given.
func (b *kbuilder) axes(c kconf, key string, rank int) []int {
	l := c.ints(key)
	if !c.has(key) {
		for i := range rank {
			l = append(l, i)
		}
	}
	out := make([]int, len(l))
	for i, a := range l {
		if a < 0 {
			a += rank
		}
		if a < 0 || a >= rank || slices.Contains(out[:i], a) {
			b.fail("%s: %v of %d dimensions", key, l, rank)
			return nil
		}
		out[i] = a
	}
	slices.Sort(out)
	if slices.Contains(out, 0) {
		b.fail("%s: %v joins the images of a batch", key, l)
	}
	return out
}

func (b *kbuilder) reduce(op string, c kconf, x kvalue) kvalue {
	x = b.rows(x)
	rank := len(x.shape) + 1
	axes := b.axes(c, "axis", rank)
	if c.has("initial") {
		b.fail("initial is not supported")
	}
	if b.err != nil || len(axes) == 0 {
		return x
	}
	keep := c.bool(false, "keepdims")
	// What is left of a map without its channels, or without both its sides, lies in Keras' order.
	if !keep && b.moved(x) && !slices.Contains(axes, 3) && !slices.Equal(axes, []int{1, 2}) {
		x = kvalue{name: b.plain(x), shape: x.shape}
	} else {
		axes = slices.Clone(axes)
		for i := range axes {
			axes[i] = b.axis(x, axes[i])
		}
	}
	return b.reduced(op, x, axes, b.axes(c, "axis", rank), keep)
}

// reduced adds the node; places are those in the graph, axes those of Keras.
func (b *kbuilder) reduced(op string, x kvalue, places, axes []int, keep bool) kvalue {
	y := kvalue{}
	for i, d := range x.shape {
		switch {
		case !slices.Contains(axes, i+1):
			y.shape = append(y.shape, d)
		case keep:
			y.shape = append(y.shape, 1)
		}
	}
	k := 0
	if keep {
		k = 1
	}
	places = slices.Sorted(slices.Values(places))
	if op == "ReduceSum" {
		y.name = b.node(op, []string{x.name, b.ints("axes", places...)}, kint("keepdims", k))
	} else {
		y.name = b.node(op, []string{x.name}, kints("axes", places...), kint("keepdims", k))
	}
	return y
}

// cast does nothing: all that is computed here is in single precision.
func (b *kbuilder) cast(c kconf, x kvalue) kvalue {
	switch t := c.string("float32", "dtype"); t {
	case "float32", "float16", "bfloat16", "float64":
	default:
		b.fail("a cast to %s is not supported", t)
	}
	return x
}

// reshapeAll is a reshape whose shape has the batch.
func (b *kbuilder) reshapeAll(c kconf, x kvalue) kvalue {
	to := c.ints("newshape")
	if len(to) < 2 || to[0] != -1 || slices.Contains(to[1:], -1) && volume(x.shape) < 0 {
		b.fail("a reshape to %v is not supported: the first dimension has to be the batch (-1)", to)
		return x
	}
	list := make([]any, len(to)-1)
	for i, d := range to[1:] {
		list[i] = float64(d)
	}
	return b.reshape(kconf{m: map[string]any{"target_shape": list}, err: c.err}, x)
}

func (b *kbuilder) transposeAll(c kconf, x kvalue) kvalue {
	axes := c.ints("axes")
	if len(axes) != len(x.shape)+1 || axes[0] != 0 {
		b.fail("axes: %v of %d dimensions: the batch has to stay where it is", axes, len(x.shape)+1)
		return x
	}
	list := make([]any, len(axes)-1)
	for i, a := range axes[1:] {
		if a < 0 {
			a += len(axes)
		}
		list[i] = float64(a)
	}
	if len(list) == 0 {
		return x
	}
	return b.permute(kconf{m: map[string]any{"dims": list}, err: c.err}, x)
}

// natural returns x in Keras' order, with its shape.
func (b *kbuilder) natural(x kvalue) kvalue { return kvalue{name: b.plain(x), shape: x.shape} }

func (b *kbuilder) expandDims(c kconf, x kvalue) kvalue {
	at := c.int(0, "axis")
	if at < 0 {
		at += len(x.shape) + 2
	}
	if at < 1 || at > len(x.shape)+1 {
		b.fail("axis %d of %d dimensions", c.int(0, "axis"), len(x.shape)+2)
		return x
	}
	x = b.natural(x)
	return b.fromPlain(b.node("Unsqueeze", []string{x.name, b.ints("axes", at)}), slices.Insert(slices.Clone(x.shape), at-1, 1))
}

func (b *kbuilder) squeeze(c kconf, x kvalue) kvalue {
	var axes []int
	if c.has("axis") {
		axes = b.axes(c, "axis", len(x.shape)+1)
	} else {
		for i, d := range x.shape {
			if d == 1 {
				axes = append(axes, i+1)
			}
		}
	}
	for _, a := range axes {
		if a > 0 && x.shape[a-1] != 1 {
			b.fail("axis %d has the size %s, not 1", a, size(x.shape[a-1]))
		}
	}
	if b.err != nil || len(axes) == 0 {
		return x
	}
	return b.without(x, axes)
}

// without leaves out axes of size 1.
func (b *kbuilder) without(x kvalue, axes []int) kvalue {
	var shape []int
	for i, d := range x.shape {
		if !slices.Contains(axes, i+1) {
			shape = append(shape, d)
		}
	}
	if b.moved(x) && slices.Equal(axes, []int{3}) {
		return kvalue{name: b.node("Squeeze", []string{x.name, b.ints("axes", 1)}), shape: shape}
	}
	x = b.natural(x)
	return b.fromPlain(b.node("Squeeze", []string{x.name, b.ints("axes", axes...)}), shape)
}

// far is beyond the end of every axis.
const far = 1 << 31

func (b *kbuilder) reverse(c kconf, x kvalue) kvalue {
	if !c.has("axis") {
		b.fail("axis is missing: it turns the batch, too")
		return x
	}
	x = b.rows(x)
	var cuts []axisCut
	for _, a := range b.axes(c, "axis", len(x.shape)+1) {
		cuts = append(cuts, axisCut{axis: a, start: -1, stop: -far, step: -1})
	}
	return b.sliced(x, cuts)
}

// axisCut is a slice of one axis of Keras, in ONNX' terms.
type axisCut struct{ axis, start, stop, step int }

// sliced cuts axes.
func (b *kbuilder) sliced(x kvalue, cuts []axisCut) kvalue {
	if len(cuts) == 0 || b.err != nil {
		return x
	}
	shape := slices.Clone(x.shape)
	var starts, stops, axes, steps []int
	for _, k := range cuts {
		starts, stops, axes, steps = append(starts, k.start), append(stops, k.stop), append(axes, b.axis(x, k.axis)), append(steps, k.step)
		if d := &shape[k.axis-1]; *d >= 0 {
			if *d = k.count(*d); *d < 1 {
				b.fail("nothing of axis %d is left", k.axis)
			}
		}
	}
	return kvalue{name: b.node("Slice", []string{x.name, b.ints("starts", starts...), b.ints("ends", stops...), b.ints("axes", axes...), b.ints("steps", steps...)}),
		shape: shape}
}

// count returns how many of n elements are left.
func (k axisCut) count(n int) int {
	lo, hi := 0, n // where start and stop may lie
	if k.step < 0 {
		lo, hi = -1, n-1
	}
	place := func(p int) int {
		if p < 0 {
			p += n
		}
		return min(max(p, lo), hi)
	}
	if k.step > 0 {
		return max(0, (place(k.stop)-place(k.start)+k.step-1)/k.step)
	}
	return max(0, (place(k.start)-place(k.stop)-k.step-1)/-k.step)
}

// getItem is x[...] of Python: slices, an ellipsis, and numbers, which take an axis away.
func (b *kbuilder) getItem(_ kconf, a *kargs) []kvalue {
	x := b.operand(a, "x")
	spec := a.take("key", "slice_spec")
	if b.err != nil {
		return nil
	}
	x = b.rows(x)
	items, ok := spec.([]any)
	if !ok {
		items = []any{spec}
	}
	rank := len(x.shape) + 1
	if at := slices.IndexFunc(items, isEllipsis); at >= 0 && len(items) <= rank+1 {
		all := slices.Repeat([]any{map[string]any{}}, rank+1-len(items))
		items = slices.Concat(items[:at], all, items[at+1:])
	}
	if len(items) > rank || slices.ContainsFunc(items, isEllipsis) {
		b.fail("%d indices of %d dimensions", len(items), rank)
		return nil
	}
	var cuts []axisCut
	var gone []int
	for axis, item := range items {
		if n, ok := wholeNumber(item); ok {
			if k := (axisCut{axis: axis, start: n, stop: n + 1, step: 1}); axis > 0 {
				if n == -1 {
					k.stop = far
				}
				cuts, gone = append(cuts, k), append(gone, axis)
				continue
			}
		}
		k, err := parseSlice(axis, item)
		if err != nil || axis == 0 && k != (axisCut{stop: far, step: 1}) {
			b.fail("the index %s of axis %d is not supported", short(item), axis)
			return nil
		}
		if axis > 0 && k != (axisCut{axis: axis, stop: far, step: 1}) {
			cuts = append(cuts, k)
		}
	}
	x = b.sliced(x, cuts)
	if b.err == nil && len(gone) > 0 {
		x = b.without(x, gone)
	}
	return []kvalue{x}
}

func isEllipsis(v any) bool {
	m, ok := v.(map[string]any)
	return ok && m["class_name"] == "__ellipsis__"
}

// parseSlice reads start:stop:step as Keras 2 and 3 describe it.
func parseSlice(axis int, v any) (axisCut, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return axisCut{}, fmt.Errorf("no slice")
	}
	if conf, ok := m["config"].(map[string]any); ok {
		m = conf
	}
	c := newConf(m)
	k := axisCut{axis: axis, step: c.int(1, "step")}
	k.start, k.stop = c.int(0, "start"), c.int(far, "stop")
	if k.step < 0 {
		k.start, k.stop = c.int(-1, "start"), c.int(-far, "stop")
	}
	if k.step == 0 {
		c.fail("step 0")
	}
	return k, *c.err
}

func (b *kbuilder) concatOp(c kconf, a *kargs) []kvalue {
	c, in := a.rest(c), b.list(a)
	if b.err != nil {
		return nil
	}
	return []kvalue{b.concat(in, c.int(-1, "axis"))}
}

// list takes a list of tensors.
func (b *kbuilder) list(a *kargs) []kvalue {
	l, ok := a.take("xs", "values", "arrays", "x").([]any)
	var in []kvalue
	for _, v := range l {
		x, isTensor := v.(kvalue)
		ok = ok && isTensor
		in = append(in, x)
	}
	if !ok || len(in) == 0 {
		b.fail("it wants a list of tensors")
	}
	return in
}

func (b *kbuilder) stack(c kconf, a *kargs) []kvalue {
	c = a.rest(c)
	in := b.list(a)
	if b.err != nil {
		return nil
	}
	rank := len(in[0].shape) + 2
	at := c.int(0, "axis")
	if at < 0 {
		at += rank
	}
	if at < 1 || at >= rank {
		b.fail("axis %d of %d dimensions", c.int(0, "axis"), rank)
		return nil
	}
	y := kvalue{shape: slices.Insert(slices.Clone(in[0].shape), at-1, len(in))}
	place := at
	last := b.moved(y) && at == 3 // planes that become the channels of a map: as they lie in it
	if last {
		place = 1
	}
	axes := b.ints("axes", place)
	var names []string
	for _, v := range in {
		if len(v.shape) != len(in[0].shape) {
			b.fail("inputs of %d and %d dimensions", len(in[0].shape), len(v.shape))
			return nil
		}
		names = append(names, b.node("Unsqueeze", []string{b.plain(v), axes}))
	}
	y.name = b.node("Concat", names, kint("axis", place))
	if !last {
		y = b.fromPlain(y.name, y.shape)
	}
	return []kvalue{y}
}

func (b *kbuilder) split(c kconf, a *kargs) []kvalue {
	x := b.operand(a, "x", "value")
	c = a.rest(c)
	at := c.int(0, "axis")
	if at < 0 {
		at += len(x.shape) + 1
	}
	n, isCount := wholeNumber(c.m["indices_or_sections"])
	if b.err != nil || at < 1 || at > len(x.shape) {
		b.fail("axis %d of %d dimensions", c.int(0, "axis"), len(x.shape)+1)
		return nil
	}
	d := x.shape[at-1]
	if !isCount || n < 1 || d < 1 || d%n != 0 || n > 1<<12 {
		b.fail("%s parts of %s: only equal ones are supported", short(c.m["indices_or_sections"]), size(d))
		return nil
	}
	x = b.rows(x)
	var out []kvalue
	for i := range n {
		out = append(out, b.sliced(x, []axisCut{{axis: at, start: i * (d / n), stop: (i + 1) * (d / n), step: 1}}))
	}
	return out
}

func (b *kbuilder) pad(c kconf, x kvalue) kvalue {
	x = b.rows(x)
	rank := len(x.shape) + 1
	l, _ := c.m["pad_width"].([]any)
	begin, end := make([]int, rank), make([]int, rank)
	shape := slices.Clone(x.shape)
	if len(l) != rank {
		b.fail("pad_width: %s of %d dimensions", short(c.m["pad_width"]), rank)
		return x
	}
	for i, v := range l {
		p := kconf{map[string]any{"pad_width": v}, c.err}.ints("pad_width")
		if len(p) != 2 || p[0] < 0 || p[1] < 0 || p[0] > 1<<20 || p[1] > 1<<20 || i == 0 && p[0]+p[1] > 0 {
			b.fail("pad_width: %s", short(c.m["pad_width"]))
			return x
		}
		begin[b.axis(x, i)], end[b.axis(x, i)] = p[0], p[1]
		if i > 0 && shape[i-1] >= 0 {
			shape[i-1] += p[0] + p[1]
		}
	}
	in := []string{x.name, b.ints("pads", append(begin, end...)...)}
	var attrs []*onnx.Attribute
	switch mode := c.string("constant", "mode"); mode {
	case "constant", "CONSTANT":
		if v := c.float(0, "constant_values"); v != 0 {
			in = append(in, b.scalar("value", v))
		}
	case "reflect", "REFLECT":
		attrs = append(attrs, ktext("mode", "reflect"))
	case "edge":
		attrs = append(attrs, ktext("mode", "edge"))
	default:
		b.fail("mode %q is not supported", mode)
	}
	return kvalue{name: b.node("Pad", in, attrs...), shape: shape}
}
