package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// kvalue is a value while a Keras model is built as an ONNX graph. In Keras maps are [N,H,W,C] (unless the model is
// channels_first), in the graph they are [N,C,H,W]: shape tells Keras' order, and what has three dimensions besides the
// batch lies in the graph in ONNX' order. All else lies as Keras has it, with one exception: flat.
type kvalue struct {
	name  string
	shape []int // without the batch; -1 where it is not known
	// flat marks rows that Flatten made of a map of c x h x w: they lie in the order (c,h,w), where Keras has (h,w,c).
	// What reads them puts its weights into that order, or asks for Keras' order with kbuilder.rows.
	flat *[3]int
}

// kbuilder builds the graph.
type kbuilder struct {
	g      *onnx.Graph
	first  bool // the model is channels_first
	keras3 bool // of Keras 3, whose hard sigmoid is another
	flip   bool // the file is Theano's, whose convolutions turn their kernels
	store  *kstore
	allow  bool  // missing arrays are allowed
	made   int64 // bytes of the weights that are made here
	report *Report
	errs   []error

	taken   map[string]bool
	counted map[string]bool   // arrays that were asked for
	done    map[string]string // weights of layers that are used again: the tensor's name, by the layer's path and the role

	// Of the layer that is being built:
	layer *klayer
	scope string // the name of its nodes
	begin int    // its first node
	err   error
}

// fail notes what is wrong with the layer that is being built, once.
func (b *kbuilder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
}

// unique returns name, or name_1 and so on where it is taken.
func (b *kbuilder) unique(name string) string {
	base := name
	for i := 1; b.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	b.taken[name] = true
	return name
}

// node adds a node to the layer; its name and its output's are the layer's with the operator behind.
func (b *kbuilder) node(typ string, in []string, attrs ...*onnx.Attribute) string {
	name := b.unique(b.scope + "/" + typ)
	b.g.Nodes = append(b.g.Nodes, &onnx.Node{Name: name, OpType: typ, Inputs: in, Outputs: []string{name}, Attrs: attrs})
	return name
}

// constant adds a constant that is no parameter: a node, so that weights are not looked for in it.
func (b *kbuilder) constant(what string, t *onnx.Tensor) string {
	name := b.unique(b.scope + "/" + what)
	b.g.Nodes = append(b.g.Nodes, &onnx.Node{Name: name, OpType: "Constant", Outputs: []string{name},
		Attrs: []*onnx.Attribute{{Name: "value", Type: onnx.AttrTensor, Tensor: t}}})
	return name
}

func (b *kbuilder) ints(what string, v ...int) string {
	l := make([]int64, len(v))
	for i, x := range v {
		l[i] = int64(x)
	}
	return b.constant(what, onnx.Of([]int{len(l)}, l))
}

func (b *kbuilder) scalar(what string, v float64) string {
	return b.constant(what, onnx.Of([]int{}, []float32{float32(v)}))
}

func kints(name string, v ...int) *onnx.Attribute {
	a := &onnx.Attribute{Name: name, Type: onnx.AttrInts}
	for _, x := range v {
		a.Ints = append(a.Ints, int64(x))
	}
	return a
}

func kint(name string, v int) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInt, I: int64(v)}
}

func kfloat(name string, v float64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrFloat, F: float32(v)}
}

func ktext(name, v string) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrString, S: []byte(v)}
}

// finish gives the layer's only node the layer's name, and the value v with it.
func (b *kbuilder) finish(v kvalue) kvalue {
	var only *onnx.Node
	for _, n := range b.g.Nodes[b.begin:] {
		if n.OpType == "Constant" {
			continue
		}
		if only != nil {
			return v
		}
		only = n
	}
	if only == nil || only.Name != v.name || b.taken[b.scope] {
		return v
	}
	b.taken[b.scope] = true
	only.Name, only.Outputs[0], v.name = b.scope, b.scope, b.scope
	return v
}

// moved reports whether a value is a map that lies in another order than in Keras.
func (b *kbuilder) moved(v kvalue) bool { return !b.first && len(v.shape) == 3 }

// channels returns the number of channels of a map, or the length of rows.
func (b *kbuilder) channels(v kvalue) int {
	if len(v.shape) == 0 {
		return -1
	}
	if b.first && len(v.shape) == 3 {
		return v.shape[0]
	}
	return v.shape[len(v.shape)-1]
}

// sides returns height and width of a map.
func (b *kbuilder) sides(v kvalue) (h, w int) {
	if b.first {
		return v.shape[1], v.shape[2]
	}
	return v.shape[0], v.shape[1]
}

// mapOf is a map of that size in the model's order.
func (b *kbuilder) mapOf(name string, c, h, w int) kvalue {
	if b.first {
		return kvalue{name: name, shape: []int{c, h, w}}
	}
	return kvalue{name: name, shape: []int{h, w, c}}
}

// axis returns where an axis of Keras (the batch is 0, negative ones count from the end) lies in the graph.
func (b *kbuilder) axis(v kvalue, a int) int {
	rank := len(v.shape) + 1
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= rank {
		b.fail("there is no axis %d in %d dimensions", a, rank)
		return 0
	}
	if b.moved(v) {
		return [4]int{0, 2, 3, 1}[a]
	}
	return a
}

// rows returns a value whose flat rows lie in Keras' order.
func (b *kbuilder) rows(v kvalue) kvalue {
	if v.flat == nil {
		return v
	}
	c, h, w := v.flat[0], v.flat[1], v.flat[2]
	x := b.node("Reshape", []string{v.name, b.ints("map_shape", 0, c, h, w)})
	x = b.node("Transpose", []string{x}, kints("perm", 0, 2, 3, 1))
	return kvalue{name: b.node("Flatten", []string{x}), shape: v.shape}
}

// plain returns a value in Keras' own order: maps become [N,H,W,C].
func (b *kbuilder) plain(v kvalue) string {
	if b.moved(v) {
		return b.node("Transpose", []string{v.name}, kints("perm", 0, 2, 3, 1))
	}
	return b.rows(v).name
}

// fromPlain makes a value of one that lies in Keras' order.
func (b *kbuilder) fromPlain(name string, shape []int) kvalue {
	v := kvalue{name: name, shape: shape}
	if b.moved(v) {
		v.name = b.node("Transpose", []string{name}, kints("perm", 0, 3, 1, 2))
	}
	return v
}

// build builds all layers of a model; in are its inputs, prefix stands before the names of its nodes.
func (b *kbuilder) build(m *kmodel, prefix string, in []kvalue) []kvalue {
	if len(in) != len(m.inputs) {
		b.fail("a model of %d inputs is given %d", len(m.inputs), len(in))
		return nil
	}
	r := &kbuild{b: b, m: m, prefix: prefix, values: map[kref]kvalue{}, state: map[kref]byte{}}
	for i, ref := range m.inputs {
		r.values[ref] = in[i]
		r.state[kref{ref.layer, ref.node, 0}] = 2
	}
	for _, l := range m.layers {
		for node := range l.calls {
			r.call(l, node)
		}
	}
	var out []kvalue
	for _, ref := range m.outputs {
		v, ok := r.values[ref]
		if !ok && len(b.errs) == 0 && b.err == nil {
			b.errs = append(b.errs, fmt.Errorf("output %q: there is no such layer, or no such call of it", ref.layer))
		}
		out = append(out, v)
	}
	return out
}

// kbuild is one use of a model while it is built.
type kbuild struct {
	b      *kbuilder
	m      *kmodel
	prefix string
	values map[kref]kvalue
	state  map[kref]byte // of calls: 1 being built, 2 built
}

// call builds a call of a layer after those that it needs. Layers come in an order in which that is no deep recursion.
func (r *kbuild) call(l *klayer, node int) {
	b := r.b
	key := kref{l.name, node, 0}
	if r.state[key] != 0 {
		return
	}
	r.state[key] = 1
	defer func() { r.state[key] = 2 }()
	problem := func(err error) {
		b.errs = append(b.errs, fmt.Errorf("layer %q (%s): %w", join(r.prefix, l.name), l.class, err))
	}
	var in []kvalue
	for _, ref := range l.calls[node].in {
		from := r.m.byName[ref.layer]
		if from == nil {
			problem(fmt.Errorf("its input %q is no layer", ref.layer))
			return
		}
		needed := kref{ref.layer, ref.node, 0}
		if r.state[needed] == 1 {
			problem(fmt.Errorf("it is part of a circle through %q", ref.layer))
			return
		}
		if r.state[needed] == 0 && ref.node < len(from.calls) {
			r.call(from, ref.node)
		}
		v, ok := r.values[ref]
		if !ok { // already reported, unless the reference itself is wrong
			if ref.node >= len(from.calls) && !slices.Contains(r.m.inputs, ref) || ref.tensor > 0 && len(b.errs) == 0 {
				problem(fmt.Errorf("its input, output %d of call %d of %q, does not exist", ref.tensor, ref.node, ref.layer))
			}
			return
		}
		in = append(in, v)
	}
	if l.class == "InputLayer" {
		problem(errors.New("it is no input of the model"))
		return
	}
	// A layer's nodes have its name; a model's layers are built one by one.
	outer := *b
	b.layer, b.begin, b.err = l, len(b.g.Nodes), nil
	b.scope = join(r.prefix, l.name)
	for i := 1; b.taken[b.scope] || node > 0 && i <= node; i++ {
		b.scope = fmt.Sprintf("%s_%d", join(r.prefix, l.name), i)
	}
	var out []kvalue
	if l.sub != nil {
		out = b.build(l.sub, b.scope, in)
	} else {
		if out = b.one(l, l.calls[node], in); len(out) == 1 {
			out[0] = b.finish(out[0])
		}
	}
	err := *l.conf.err // first: what follows from it says less
	if err == nil {
		err = b.err
	}
	b.layer, b.begin, b.scope, b.err = outer.layer, outer.begin, outer.scope, outer.err
	if err != nil {
		problem(err)
		return
	}
	if l.sub != nil && len(b.errs) > 0 {
		return // what it gives may be missing
	}
	for i, v := range out {
		r.values[kref{l.name, node, i}] = v
	}
}

// one builds a layer that is no model.
func (b *kbuilder) one(l *klayer, call kcall, in []kvalue) []kvalue {
	spec := kerasLayers[l.class]
	others := call.others()
	switch {
	case l.class == "TFOpLambda" || l.class == "SlicingOpLambda":
		return b.function(l.conf, call.with(in))
	case l.op || len(others) > 0 && kerasOps[l.class].build != nil:
		return b.operation(l.class, l.conf, call.with(in))
	case len(others) > 0:
		b.fail("arguments that are no tensors are not supported: %s", strings.Join(others, ", "))
	case len(in) == 0 || !spec.many && len(in) != 1:
		b.fail("it is given %d inputs", len(in))
	default:
		if v := spec.build(b, l.conf, in); b.err == nil {
			return []kvalue{v}
		}
	}
	return nil
}

// unsupported lists the layers that there is no builder for, and other things that are known to be wrong at once.
func (b *kbuilder) unsupported(m *kmodel, prefix string) {
	for _, l := range m.layers {
		switch {
		case l.sub != nil:
			b.unsupported(l.sub, join(prefix, l.name))
		case l.class == "InputLayer":
		case l.class == "TFOpLambda" || l.class == "SlicingOpLambda":
			if name := l.conf.string("", "function"); functions[name].op == "" {
				b.errs = append(b.errs, fmt.Errorf("layer %q: the function %q is not supported", join(prefix, l.name), name))
			}
		case l.class == "Lambda":
			b.errs = append(b.errs, fmt.Errorf("layer %q: Lambda is not supported: the file has Python code in place of what it computes", join(prefix, l.name)))
		case l.op && kerasOps[l.class].build == nil || !l.op && kerasLayers[l.class].build == nil:
			b.errs = append(b.errs, fmt.Errorf("layer %q: %s is not supported", join(prefix, l.name), l.class))
		}
	}
}

// formats counts the layers of each data format.
func (m *kmodel) formats(count map[string]int) {
	for _, l := range m.layers {
		if l.sub != nil {
			l.sub.formats(count)
			continue
		}
		switch f := l.conf.string("", "data_format", "dim_ordering"); f {
		case "channels_first", "th":
			count["channels_first"]++
		case "channels_last", "tf":
			count["channels_last"]++
		}
	}
}
