package convert

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// argTensor is an argument of a call that is a tensor: its place among those of the call.
type argTensor int

// kargs are the arguments of a call of an operation ([kop]), in which tensors are of type kvalue.
type kargs struct {
	pos []any
	kw  map[string]any
}

// keras3Args reads the arguments as Keras 3 describes them.
func (c *kcall) keras3Args(args, kwargs any) {
	if l, ok := args.([]any); ok {
		for _, v := range l {
			c.args = append(c.args, c.keras3Arg(v, 0))
		}
	}
	if m, ok := kwargs.(map[string]any); ok {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			c.keyword(k, c.keras3Arg(m[k], 0))
		}
	}
}

// keras3Arg finds the tensors in an argument.
func (c *kcall) keras3Arg(v any, depth int) any {
	switch x := v.(type) {
	case []any:
		if depth == 4 {
			return v
		}
		out := make([]any, len(x))
		for i := range x {
			out[i] = c.keras3Arg(x[i], depth+1)
		}
		return out
	case map[string]any:
		conf, _ := x["config"].(map[string]any)
		switch x["class_name"] {
		case "__keras_tensor__":
			if r, ok := parseRef(conf["keras_history"]); ok {
				return c.tensor(r)
			}
		case "__numpy__", "__tensor__":
			return conf["value"]
		}
	}
	return v
}

// tensor notes an argument that is a tensor.
func (c *kcall) tensor(r kref) argTensor {
	c.in = append(c.in, r)
	return argTensor(len(c.in) - 1)
}

// keyword notes an argument that has a name, but for those that mean nothing to a model that only computes.
func (c *kcall) keyword(name string, v any) {
	if v == nil || name == "training" || name == "mask" || name == "name" {
		return
	}
	if c.kw == nil {
		c.kw = map[string]any{}
	}
	c.kw[name] = v
}

// keras2Args reads one tensor of a call as Keras 1 and 2 have it: [layer, node, tensor, arguments]. A number stands where the
// tensor would for _CONSTANT_VALUE, and a tensor among the arguments is [layer, node, tensor].
func (c *kcall) keras2Args(v any) error {
	l, _ := v.([]any)
	r, ok := parseRef(v)
	switch {
	case isConstant(v):
		c.args = append(c.args, l[2])
	case ok:
		c.args = append(c.args, c.tensor(r))
	default:
		return fmt.Errorf("%s names no output of a layer", short(v))
	}
	if len(l) < 4 {
		return nil
	}
	kw, _ := l[3].(map[string]any)
	for _, k := range slices.Sorted(maps.Keys(kw)) {
		x := kw[k]
		if r, ok := parseRef(x); ok {
			x = c.tensor(r)
		} else if l, ok := x.([]any); ok && len(l) > 0 {
			// A list of tensors.
			refs := make([]any, len(l))
			for i := range l {
				if r, ok := parseRef(l[i]); ok {
					refs[i] = c.tensor(r)
				} else {
					refs = nil
					break
				}
			}
			if refs != nil {
				x = refs
			}
		}
		c.keyword(k, x)
	}
	return nil
}

// others lists the arguments that are no tensors, for the message of a layer that takes none.
func (c *kcall) others() []string {
	var out []string
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case nil, argTensor:
		case []any:
			for _, in := range x {
				walk(in)
			}
		default:
			out = append(out, short(v))
		}
	}
	walk(c.args)
	for _, k := range slices.Sorted(maps.Keys(c.kw)) {
		if n := len(out); true {
			if walk(c.kw[k]); len(out) > n {
				out = append(out[:n], k)
			}
		}
	}
	return out
}

// with returns the arguments with the values of the tensors in them.
func (c *kcall) with(in []kvalue) *kargs {
	var put func(v any) any
	put = func(v any) any {
		switch x := v.(type) {
		case argTensor:
			return in[x]
		case []any:
			out := make([]any, len(x))
			for i := range x {
				out[i] = put(x[i])
			}
			return out
		}
		return v
	}
	a := &kargs{kw: map[string]any{}}
	for _, v := range c.args {
		a.pos = append(a.pos, put(v))
	}
	for k, v := range c.kw {
		a.kw[k] = put(v)
	}
	return a
}

// take removes the next positional argument, or one of those names.
func (a *kargs) take(names ...string) any {
	if len(a.pos) > 0 {
		v := a.pos[0]
		a.pos = a.pos[1:]
		return v
	}
	for _, k := range names {
		if v, ok := a.kw[k]; ok {
			delete(a.kw, k)
			return v
		}
	}
	return nil
}

// rest returns the configuration of an operation with the arguments that are left in it: Keras 3 has in the one what Keras 2
// has in the other.
func (a *kargs) rest(c kconf) kconf {
	m := maps.Clone(c.m)
	if m == nil {
		m = map[string]any{}
	}
	maps.Copy(m, a.kw)
	return kconf{m: m, err: c.err}
}

// operand takes an argument that has to be a tensor.
func (b *kbuilder) operand(a *kargs, names ...string) kvalue {
	v := a.take(names...)
	x, ok := v.(kvalue)
	if !ok {
		b.fail("its argument %s is no tensor", short(v))
	}
	return x
}

// literal makes a tensor of a number or of lists of numbers.
func literal(v any) (*onnx.Tensor, bool) {
	var shape []int
	for l := v; ; {
		list, ok := l.([]any)
		if !ok {
			break
		}
		if len(list) == 0 || len(shape) == 8 {
			return nil, false
		}
		shape = append(shape, len(list))
		l = list[0]
	}
	var values []float32
	var walk func(v any, depth int) bool
	walk = func(v any, depth int) bool {
		if depth == len(shape) {
			f, ok := number(v)
			values = append(values, float32(f))
			return ok
		}
		list, ok := v.([]any)
		if !ok || len(list) != shape[depth] {
			return false
		}
		return !slices.ContainsFunc(list, func(x any) bool { return !walk(x, depth+1) })
	}
	if !walk(v, 0) {
		return nil, false
	}
	if shape == nil {
		shape = []int{}
	}
	return onnx.Of(shape, values), true
}

// spread makes a constant of numbers that NumPy's rules spread over x; rows lie in Keras' order where there are several numbers.
func (b *kbuilder) spread(what string, x kvalue, v any) (name string, over kvalue) {
	t, ok := literal(v)
	if !ok {
		b.fail("its argument %s is no number", short(v))
		return "", x
	}
	if len(t.Shape) == 0 {
		return b.constant(what, t), x
	}
	x = b.rows(x)
	shape := t.Shape
	if len(shape) == len(x.shape)+1 && shape[0] == 1 {
		shape = shape[1:]
	}
	if len(shape) > len(x.shape) {
		b.fail("numbers of %d dimensions and an input of %d besides the batch", len(shape), len(x.shape))
		return "", x
	}
	for i, d := range shape {
		if have := x.shape[len(x.shape)-len(shape)+i]; d != 1 && d != have {
			b.fail("numbers of shape %v and an input of shape %v besides the batch", t.Shape, x.shape)
			return "", x
		}
	}
	t.Shape = shape
	if b.moved(x) {
		for len(t.Shape) < 3 {
			t.Shape = append([]int{1}, t.Shape...)
		}
		t = transpose(t, 2, 0, 1)
	}
	return b.constant(what, t), x
}

// unknown fails where arguments are left that the operation has no use for.
func (b *kbuilder) unknown(a *kargs, known ...string) {
	var names []string
	for k := range a.kw {
		if !slices.Contains(known, k) {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	for _, v := range a.pos {
		names = append(names, short(v))
	}
	if len(names) > 0 {
		b.fail("arguments that are not supported: %s", strings.Join(names, ", "))
	}
}
