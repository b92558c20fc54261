package convert

import (
	"slices"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func (b *kbuilder) pool(op string, c kconf, x kvalue) kvalue {
	size := c.pair([2]int{2, 2}, "pool_size")
	w := b.window(c, x, size)
	if !c.has("strides") {
		w.stride = size
	}
	if b.err != nil {
		return kvalue{}
	}
	// The average is over what lies inside the input: count_include_pad is 0, which is the default.
	return b.windowed(w, b.node(op, []string{x.name}, w.attrs()...), b.channels(x), x)
}

func (b *kbuilder) globalPool(op string, c kconf, x kvalue) kvalue {
	b.wantMap(x)
	if b.err != nil {
		return kvalue{}
	}
	y := b.node(op, []string{x.name})
	if c.bool(false, "keepdims") {
		return b.mapOf(y, b.channels(x), 1, 1)
	}
	return kvalue{name: b.node("Flatten", []string{y}), shape: []int{b.channels(x)}}
}

// borders reads padding or cropping: a number, [rows, columns], or [[top, bottom], [left, right]]; Keras 1 had
// [top, bottom, left, right], too. The result is top, left, bottom, right.
func (b *kbuilder) borders(c kconf, key string) [4]int {
	var out [4]int
	v, _ := c.get(key)
	l, isList := v.([]any)
	switch {
	case v == nil:
		out = [4]int{1, 1, 1, 1}
		if key == "cropping" {
			out = [4]int{}
		}
	case isList && len(l) == 2 && isPair(l[0]) && isPair(l[1]):
		r, k := kconf{map[string]any{key: l[0]}, c.err}.ints(key), kconf{map[string]any{key: l[1]}, c.err}.ints(key)
		out = [4]int{r[0], k[0], r[1], k[1]}
	case isList && len(l) == 4:
		if n := c.ints(key); len(n) == 4 {
			out = [4]int{n[0], n[2], n[1], n[3]}
		}
	default:
		p := c.pair([2]int{}, key)
		out = [4]int{p[0], p[1], p[0], p[1]}
	}
	for _, n := range out {
		if n < 0 || n > 1<<20 {
			b.fail("%s: %s", key, short(v))
		}
	}
	return out
}

func isPair(v any) bool {
	l, ok := v.([]any)
	if !ok || len(l) != 2 {
		return false
	}
	_, a := wholeNumber(l[0])
	_, b := wholeNumber(l[1])
	return a && b
}

func (b *kbuilder) zeroPadding(c kconf, x kvalue) kvalue {
	b.wantMap(x)
	p := b.borders(c, "padding")
	if b.err != nil {
		return kvalue{}
	}
	y := b.node("Pad", []string{x.name, b.ints("pads", 0, 0, p[0], p[1], 0, 0, p[2], p[3])})
	return b.resized(y, x, p, 1)
}

func (b *kbuilder) cropping(c kconf, x kvalue) kvalue {
	b.wantMap(x)
	p := b.borders(c, "cropping")
	if b.err != nil {
		return kvalue{}
	}
	end := func(n int) int { // a negative end counts from the back; nothing cut off is a long way
		if n == 0 {
			return 1 << 31
		}
		return -n
	}
	y := b.node("Slice", []string{x.name, b.ints("starts", p[0], p[1]), b.ints("ends", end(p[2]), end(p[3])), b.ints("axes", 2, 3)})
	return b.resized(y, x, p, -1)
}

// resized returns a map with so much more (or less) around it.
func (b *kbuilder) resized(name string, x kvalue, p [4]int, sign int) kvalue {
	h, w := b.sides(x)
	for i, side := range []*int{&h, &w} {
		if *side < 0 {
			continue
		}
		if *side += sign * (p[i] + p[i+2]); *side < 1 {
			b.fail("nothing of its input is left")
		}
	}
	return b.mapOf(name, b.channels(x), h, w)
}

func (b *kbuilder) upSampling(c kconf, x kvalue) kvalue {
	b.wantMap(x)
	s := c.pair([2]int{2, 2}, "size")
	if s[0] < 1 || s[1] < 1 || s[0] > 1<<10 || s[1] > 1<<10 {
		b.fail("size: %v", s)
	}
	attrs := b.interpolation(c, "nearest")
	if b.err != nil {
		return kvalue{}
	}
	scales := b.constant("scales", onnx.Of([]int{4}, []float32{1, 1, float32(s[0]), float32(s[1])}))
	h, w := b.sides(x)
	if h > 0 {
		h *= s[0]
	}
	if w > 0 {
		w *= s[1]
	}
	return b.mapOf(b.node("Resize", []string{x.name, "", scales}, attrs...), b.channels(x), h, w)
}

// elementwise joins values of equal rank, with NumPy's rules for sizes of 1.
func (b *kbuilder) elementwise(op string, in []kvalue) kvalue {
	if len(in) < 2 || (op == "Sub" || op == "Div" || op == "Pow") && len(in) != 2 {
		b.fail("it is given %d inputs", len(in))
		return kvalue{}
	}
	same := true // rows in an order of their own may stay so where all are alike
	for _, v := range in[1:] {
		same = same && (v.flat == nil) == (in[0].flat == nil) && (v.flat == nil || *v.flat == *in[0].flat)
	}
	var names []string
	out := kvalue{shape: slices.Clone(in[0].shape), flat: in[0].flat}
	for _, v := range in {
		if !same {
			v, out.flat = b.rows(v), nil
		}
		names = append(names, v.name)
		if len(v.shape) != len(out.shape) {
			b.fail("inputs of %d and %d dimensions", len(out.shape), len(v.shape))
			return kvalue{}
		}
		for i, d := range v.shape {
			switch o := out.shape[i]; {
			case o == d || d == 1:
			case o == 1 || o < 0:
				out.shape[i] = d
			case d >= 0:
				b.fail("inputs of shape %v and %v", out.shape, v.shape)
			}
		}
	}
	if op != "Mean" && op != "Max" && op != "Min" { // of two inputs in ONNX
		out.name = names[0]
		for _, n := range names[1:] {
			out.name = b.node(op, []string{out.name, n})
		}
		return out
	}
	out.name = b.node(op, names)
	return out
}

func (b *kbuilder) concatenate(c kconf, in []kvalue) kvalue {
	return b.concat(in, c.int(-1, "axis", "concat_axis"))
}

func (b *kbuilder) concat(in []kvalue, axis int) kvalue {
	var names []string
	rank := len(in[0].shape)
	at := axis
	if at < 0 {
		at += rank + 1
	}
	if at < 1 || at > rank {
		b.fail("axis %d of %d dimensions", axis, rank+1)
		return kvalue{}
	}
	out := kvalue{shape: slices.Clone(in[0].shape)}
	for i, v := range in {
		v = b.rows(v)
		names = append(names, v.name)
		if len(v.shape) != rank {
			b.fail("inputs of %d and %d dimensions", rank, len(v.shape))
			return kvalue{}
		}
		for k, d := range v.shape {
			o := &out.shape[k]
			switch {
			case i == 0:
			case k == at-1 && (*o < 0 || d < 0):
				*o = -1
			case k == at-1:
				*o += d
			case *o < 0:
				*o = d
			case d >= 0 && d != *o:
				b.fail("inputs of shape %v and %v", in[0].shape, v.shape)
			}
		}
	}
	out.name = b.node("Concat", names, kint("axis", b.axis(out, at)))
	return out
}

// merge is the layer of Keras 1 that did all of it.
func (b *kbuilder) merge(c kconf, in []kvalue) kvalue {
	switch mode := c.string("sum", "mode"); mode {
	case "sum":
		return b.elementwise("Add", in)
	case "mul":
		return b.elementwise("Mul", in)
	case "ave":
		return b.elementwise("Mean", in)
	case "max":
		return b.elementwise("Max", in)
	case "concat":
		return b.concat(in, c.int(-1, "concat_axis"))
	default:
		b.fail("mode %q is not supported", mode)
		return kvalue{}
	}
}

// volume returns the number of elements besides the batch, -1 where it is not known.
func volume(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return -1
		}
		if n *= d; n > 1<<40 {
			return -1
		}
	}
	return n
}

func (b *kbuilder) flatten(c kconf, x kvalue) kvalue {
	if len(x.shape) == 1 {
		return x
	}
	y := kvalue{name: b.node("Flatten", []string{x.name}), shape: []int{volume(x.shape)}}
	// Keras flattens in the order (h,w,c): with channels first, too, since Flatten has a data_format.
	if !b.moved(x) && (len(x.shape) != 3 || !c.has("data_format")) {
		return y
	}
	h, w := b.sides(x)
	n := b.channels(x)
	if h == 1 && w == 1 || n == 1 { // the order of a single pixel or of a single channel is the same
		return y
	}
	if y.shape[0] < 0 {
		b.fail("the size of its input, %v, has to be known to put what follows in order", x.shape)
		return y
	}
	y.flat = &[3]int{n, h, w}
	return y
}

func (b *kbuilder) reshape(c kconf, x kvalue) kvalue {
	to := c.ints("target_shape", "dims")
	n := volume(x.shape)
	open := slices.Index(to, -1)
	if open >= 0 && n >= 0 {
		rest := 1
		for i, d := range to {
			if i != open {
				rest *= max(d, 0)
			}
		}
		if rest < 1 || n%rest != 0 {
			b.fail("%v elements do not have the shape %v", x.shape, to)
			return kvalue{}
		}
		to = slices.Clone(to)
		to[open] = n / rest
	}
	if v := volume(to); len(to) == 0 || v >= 0 && n >= 0 && v != n {
		b.fail("%v does not have the elements of shape %v", x.shape, to)
	}
	for _, d := range to {
		if d == 0 || d < -1 || d > 1<<30 {
			b.fail("target_shape: %v", to)
		}
	}
	if b.err != nil {
		return kvalue{}
	}
	if len(to) == 1 && (len(x.shape) == 3 || x.flat != nil) {
		return b.flatten(c, x)
	}
	// Rows that Flatten made become the map again that they were.
	if f := x.flat; f != nil && !b.first && slices.Equal(to, []int{f[1], f[2], f[0]}) {
		return kvalue{name: b.node("Reshape", []string{x.name, b.ints("shape", 0, f[0], f[1], f[2])}), shape: to}
	}
	from := b.keras(x)
	y := kvalue{shape: to}
	if b.moved(y) && plainMap(to) { // the order of a single pixel or of a single channel is the same in both
		y.name = b.node("Reshape", []string{from, b.ints("shape", 0, to[2], to[0], to[1])})
		return y
	}
	return b.fromPlain(b.node("Reshape", []string{from, b.ints("shape", append([]int{0}, to...)...)}), to)
}

// keras returns x in Keras' order, without a transposition where the order does not matter.
func (b *kbuilder) keras(x kvalue) string {
	if b.moved(x) && plainMap(x.shape) {
		return x.name
	}
	return b.plain(x)
}

func plainMap(shape []int) bool { return shape[0] == 1 && shape[1] == 1 || shape[2] == 1 }

func (b *kbuilder) permute(c kconf, x kvalue) kvalue {
	dims := c.ints("dims")
	sorted := slices.Clone(dims)
	slices.Sort(sorted)
	for i, d := range sorted {
		if d != i+1 || len(dims) != len(x.shape) {
			b.fail("dims: %v of %d dimensions", dims, len(x.shape))
			return kvalue{}
		}
	}
	if len(dims) == 0 {
		b.fail("it has no dims")
		return kvalue{}
	}
	x = b.rows(x)
	y := kvalue{shape: make([]int, len(dims))}
	perm := []int{0} // in the graph
	place := make([]int, len(dims)+1)
	for i := range place { // where the graph has Keras' axis i of a value like x
		place[i] = b.axis(x, i)
	}
	for i, d := range dims {
		y.shape[i] = x.shape[d-1]
	}
	order := make([]int, len(dims)+1)
	for i, d := range dims { // the axes of y in Keras' order, each with the one of x in the graph
		order[b.axis(y, i+1)] = place[d]
	}
	perm = append(perm, order[1:]...)
	y.name = b.node("Transpose", []string{x.name}, kints("perm", perm...))
	return y
}
