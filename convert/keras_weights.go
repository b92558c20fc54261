package convert

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// role is an array that a layer wants.
type role struct {
	name  string // as Keras 2 calls it
	shape []int  // in Keras' order
	value float32
}

// oldRoles are the names of Keras 1 and of its layers before.
var oldRoles = map[string][]string{
	"kernel":           {"W"},
	"bias":             {"b"},
	"moving_mean":      {"running_mean"},
	"moving_variance":  {"running_std"}, // which is the variance all the same
	"alpha":            {"alphas"},
	"depthwise_kernel": {"kernel"},
	"mean":             {"adapt_mean"},
	"variance":         {"adapt_variance"},
}

// weights reads the arrays of the layer that is being built. Where one is missing or has another shape it is noted in the
// report, and a hollow tensor takes its place, or one of what Keras begins with where that is allowed.
func (b *kbuilder) weights(roles ...role) []*onnx.Tensor {
	have := b.store.of(b.layer)
	var out []*onnx.Tensor
	for i, r := range roles {
		full := b.layer.path + "/" + r.name
		again := b.counted[full] // a layer that is used several times
		b.counted[full] = true
		if !again {
			b.report.Parameters++
		}
		a := match(have, r, i, b.layer)
		switch {
		case again && (a == nil || !slices.Equal(a.shape, r.shape)): // reported already
		case a == nil:
			b.report.Missing = append(b.report.Missing, Missing{Name: full, Shape: r.shape, Nearest: b.store.nearest(full)})
		case !slices.Equal(a.shape, r.shape):
			a.used = true
			b.report.Misshapen = append(b.report.Misshapen, Misshapen{Name: full, Want: r.shape, Got: a.shape})
		default:
			a.used = true
			t, err := a.floats()
			if err != nil {
				b.fail("%s: %w", r.name, err)
				break
			}
			if !again {
				b.report.Matched++
			}
			if !again && a.typ != onnx.Float {
				b.report.Converted++
			}
			out = append(out, t)
			continue
		}
		t := hollow(r.shape)
		if b.allow {
			t = b.filled(r.shape, r.value)
		}
		out = append(out, t)
	}
	return out
}

// hollow is a tensor without data: it takes the place of a missing one until all are known that are missing.
func hollow(shape []int) *onnx.Tensor {
	return &onnx.Tensor{Type: onnx.Float, Shape: slices.Clone(shape)}
}

func isHollow(t *onnx.Tensor) bool { return t.Raw == nil }

// maxFilled bounds the weights that are made here: their shapes are the description's, which may ask for more than any file
// holds.
const maxFilled = 1 << 30

// filled makes a tensor whose elements are all the same.
func (b *kbuilder) filled(shape []int, value float32) *onnx.Tensor {
	n, ok := byteSize(onnx.Float, shape)
	if !ok || n > maxFilled-b.made {
		b.fail("weights of shape %v are not in the file, and too large to be made", shape)
		return hollow(shape)
	}
	b.made += n
	t := onnx.New(onnx.Float, slices.Clone(shape)...)
	for i := range t.Float32s() {
		t.Float32s()[i] = value
	}
	return t
}

// match finds the array of a role, which is the i-th of its layer's.
func match(have []*karray, r role, i int, l *klayer) *karray {
	numbered := len(have) > 0
	for _, a := range have {
		if a.last == r.name || a.last == l.name+"_"+r.name {
			return a
		}
		number := strings.TrimPrefix(a.last, "param_")
		_, err := strconv.Atoi(number)
		numbered = numbered && err == nil
		if numbered && number == strconv.Itoa(i) {
			return a
		}
	}
	// Weights that a layer gave no name, as LayerScale does: Keras counts them through the whole model, in the order of the roles.
	if i < len(have) && !slices.ContainsFunc(have, func(a *karray) bool { return !unnamed.MatchString(a.last) }) {
		return have[i]
	}
	for _, old := range oldRoles[r.name] {
		for _, a := range have {
			if a.last == old || a.last == l.name+"_"+old {
				return a
			}
		}
	}
	return nil
}

// unnamed are the names of weights that have none.
var unnamed = regexp.MustCompile(`^[Vv]ariable(_\d+)?$`)

// param adds a weight of the layer as an initializer; a layer that is used again has it already.
func (b *kbuilder) param(role string, t *onnx.Tensor, variant string) string {
	key := b.layer.path + "/" + role + variant
	if name := b.done[key]; name != "" {
		return name
	}
	t.Name = b.unique(b.layer.path + "/" + role)
	b.g.Initializers = append(b.g.Initializers, t)
	b.done[key] = t.Name
	return t.Name
}

// transpose returns t with its axes in another order.
func transpose(t *onnx.Tensor, perm ...int) *onnx.Tensor {
	shape := make([]int, len(perm))
	step := make([]int, len(perm)) // in t, of each axis of the result
	steps := make([]int, len(perm))
	n := 1
	for i := len(perm) - 1; i >= 0; i-- {
		steps[i] = n
		n *= t.Shape[i]
	}
	for i, p := range perm {
		shape[i], step[i] = t.Shape[p], steps[p]
	}
	if isHollow(t) {
		return hollow(shape)
	}
	out := onnx.New(onnx.Float, shape...)
	from, to := t.Float32s(), out.Float32s()
	at := make([]int, len(perm))
	src := 0
	for i := range to {
		to[i] = from[src]
		for k := len(perm) - 1; k >= 0; k-- {
			src += step[k]
			if at[k]++; at[k] < shape[k] {
				break
			}
			src -= step[k] * shape[k]
			at[k] = 0
		}
	}
	return out
}

// flipped turns the first two axes of a kernel around.
func flipped(t *onnx.Tensor) *onnx.Tensor {
	if isHollow(t) {
		return t
	}
	h, w := t.Shape[0], t.Shape[1]
	out := onnx.New(onnx.Float, t.Shape...)
	from, to := t.Float32s(), out.Float32s()
	n := t.Shape[2] * t.Shape[3]
	for i := range h * w {
		copy(to[i*n:(i+1)*n], from[(h*w-1-i)*n:])
	}
	return out
}

// chw puts the rows of t, which stand for the elements of a map, from the order (h,w,c) into (c,h,w).
func chw(t *onnx.Tensor, flat *[3]int) *onnx.Tensor {
	if flat == nil {
		return t
	}
	c, h, w := flat[0], flat[1], flat[2]
	n := 1
	for _, d := range t.Shape[1:] {
		n *= d
	}
	m := transpose(&onnx.Tensor{Type: onnx.Float, Shape: []int{h * w, c, n}, Raw: t.Raw}, 1, 0, 2)
	m.Shape = t.Shape
	return m
}

// unusedArrays names what is in the file and was not asked for.
func (s *kstore) unusedArrays() []string {
	var names []string
	for _, a := range s.arrays {
		if !a.used {
			names = append(names, fmt.Sprintf("%s %v", a.name(), a.shape))
		}
	}
	return names
}
