package op

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Einsum", Since: 12, MinIn: 1, MaxIn: Variadic, MaxOut: 1, New: newEinsum})
}

// einsum is Einstein's summation: a term for each input names its dimensions by letters, and the output's term those
// that remain; products are summed over all others. A letter that a term has twice takes the diagonal, "..." stands for
// dimensions that are broadcast, and without an output term the letters that come once remain in alphabetical order.
//
// Inputs are contracted in pairs, the pair with the smallest result first, each as a batch of matrix products.
type einsum struct {
	terms [][]int // labels of each input's dimensions
	out   []int   // nil where the equation gives none
}

// dots is the label of an ellipsis in a term. The dimensions that it stands for get the labels dots-1, dots-2, ... from
// the last one on, so that they are aligned at the right.
const dots = -1

func newEinsum(s *Spec) (Op, error) {
	equation := strings.ReplaceAll(s.String("equation", ""), " ", "")
	left, right, explicit := strings.Cut(equation, "->")
	var e einsum
	for _, term := range strings.Split(left, ",") {
		labels, err := einsumTerm(term)
		if err != nil {
			return nil, fmt.Errorf("equation %q: %w", equation, err)
		}
		e.terms = append(e.terms, labels)
	}
	if len(e.terms) != len(s.Node.Inputs) {
		return nil, fmt.Errorf("equation %q has %d terms for %d inputs", equation, len(e.terms), len(s.Node.Inputs))
	}
	if !explicit {
		return e, nil
	}
	out, err := einsumTerm(right)
	if err != nil {
		return nil, fmt.Errorf("equation %q: %w", equation, err)
	}
	for i, l := range out {
		if l != dots && !slices.ContainsFunc(e.terms, func(t []int) bool { return slices.Contains(t, l) }) {
			return nil, fmt.Errorf("equation %q: no input has %q", equation, rune(l))
		}
		if slices.Contains(out[:i], l) {
			return nil, fmt.Errorf("equation %q: the output has %q twice", equation, rune(l))
		}
	}
	e.out = out
	if out == nil {
		e.out = []int{}
	}
	return e, nil
}

func einsumTerm(term string) ([]int, error) {
	var labels []int
	for i := 0; i < len(term); i++ {
		c := term[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			labels = append(labels, int(c))
		case strings.HasPrefix(term[i:], "...") && !slices.Contains(labels, dots):
			labels = append(labels, dots)
			i += 2
		default:
			return nil, fmt.Errorf("cannot read term %q at %q", term, term[i:])
		}
	}
	return labels, nil
}

// einsumValue is an input or an intermediate result, walked by a label a dimension. A stride of 0 repeats.
type einsumValue struct {
	t       *onnx.Tensor
	labels  []int
	strides []int
}

// resolve returns the labels and strides of every input, the output's labels, and the size of each label.
func (e einsum) resolve(shapes [][]int) (values []einsumValue, out []int, size map[int]int, err error) {
	size = map[int]int{}
	times := map[int]int{}
	most := 0
	expanded := make([][]int, len(shapes))
	for i, shape := range shapes {
		labels := e.terms[i]
		if d := slices.Index(labels, dots); d >= 0 {
			n := len(shape) - (len(labels) - 1)
			if n < 0 {
				return nil, nil, nil, fmt.Errorf("input %d has shape %v, its term names %d dimensions", i, shape, len(labels)-1)
			}
			most = max(most, n)
			labels = slices.Concat(labels[:d], ellipsis(n), labels[d+1:])
		}
		if len(labels) != len(shape) {
			return nil, nil, nil, fmt.Errorf("input %d has shape %v, its term names %d dimensions", i, shape, len(labels))
		}
		expanded[i] = labels
		for j, l := range labels {
			times[l]++
			switch old, ok := size[l]; {
			case !ok || old == 1:
				size[l] = shape[j]
			case shape[j] != 1 && shape[j] != old:
				return nil, nil, nil, fmt.Errorf("dimension %d of input %d is %d, another of that name is %d", j, i, shape[j], old)
			}
		}
	}
	for i, shape := range shapes {
		v := einsumValue{}
		strides := rowMajor(shape)
		for j, l := range expanded[i] {
			s := strides[j]
			if shape[j] == 1 {
				s = 0
			}
			if k := slices.Index(v.labels, l); k >= 0 {
				v.strides[k] += s
				continue
			}
			v.labels = append(v.labels, l)
			v.strides = append(v.strides, s)
		}
		values = append(values, v)
	}
	if e.out != nil {
		for _, l := range e.out {
			if l == dots {
				out = append(out, ellipsis(most)...)
			} else {
				out = append(out, l)
			}
		}
		return values, out, size, nil
	}
	out = ellipsis(most)
	for l := int('A'); l <= 'z'; l++ {
		if times[l] == 1 {
			out = append(out, l)
		}
	}
	return values, out, size, nil
}

// ellipsis returns the labels of the n dimensions that an ellipsis stands for.
func ellipsis(n int) []int {
	labels := make([]int, n)
	for i := range labels {
		labels[i] = dots - n + i
	}
	return labels
}

func (e einsum) Infer(in []Info) ([]Info, error) {
	shapes := make([][]int, len(in))
	for i, x := range in {
		if !isReal(x.Type) {
			return nil, typeError(i, x.Type)
		}
		if x.Type != in[0].Type {
			return nil, fmt.Errorf("input %d is %v, input 0 is %v", i, x.Type, in[0].Type)
		}
		shapes[i] = x.Shape
	}
	_, out, size, err := e.resolve(shapes)
	if err != nil {
		return nil, err
	}
	shape := sizesOf(out, size)
	if err := checkSize(shape); err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: shape}}, nil
}

func sizesOf(labels []int, size map[int]int) []int {
	shape := make([]int, len(labels))
	for i, l := range labels {
		shape[i] = size[l]
	}
	return shape
}

func (e einsum) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	return einsumKernels[in[0].Type](rt, e, in, out[0])
}

var einsumKernels = map[onnx.DataType]func(rt *Runtime, e einsum, in []*onnx.Tensor, y *onnx.Tensor) error{
	onnx.Float: runEinsum[float32], onnx.Double: runEinsum[float64],
	onnx.Int8: runEinsum[int8], onnx.Int16: runEinsum[int16], onnx.Int32: runEinsum[int32], onnx.Int64: runEinsum[int64],
	onnx.Uint8: runEinsum[uint8], onnx.Uint16: runEinsum[uint16], onnx.Uint32: runEinsum[uint32], onnx.Uint64: runEinsum[uint64],
}

// maxIntermediate bounds the elements of what a contraction of some of the inputs gives.
const maxIntermediate = 1 << 32

func runEinsum[T real](rt *Runtime, e einsum, in []*onnx.Tensor, y *onnx.Tensor) error {
	shapes := make([][]int, len(in))
	for i, x := range in {
		shapes[i] = x.Shape
	}
	values, out, size, err := e.resolve(shapes)
	if err != nil {
		return err
	}
	if y.Len() == 0 {
		return nil
	}
	for i := range values {
		values[i].t = in[i]
	}
	for i := range values {
		// Labels that nothing else has are summed before they make products larger.
		keep := labelsOf(values, out, i, i)
		if values[i], err = sumOut[T](rt, values[i], keep, size); err != nil {
			return err
		}
	}
	for len(values) > 1 {
		a, b := cheapestPair(values, out, size)
		keep := labelsOf(values, out, a, b)
		v, err := contract[T](rt, values[a], values[b], keep, size)
		if err != nil {
			return err
		}
		values[a] = v
		values = slices.Delete(values, b, b+1)
	}
	v := values[0]
	strides := make([]int, len(out))
	for i, l := range out {
		if k := slices.Index(v.labels, l); k >= 0 {
			strides[i] = v.strides[k]
		}
	}
	copyStrided(rt, y.Shape, y, 0, rowMajor(y.Shape), v.t, 0, strides)
	return nil
}

// labelsOf returns the labels that the output or a value other than a and b has.
func labelsOf(values []einsumValue, out []int, a, b int) []int {
	labels := slices.Clone(out)
	for i, v := range values {
		if i != a && i != b {
			labels = append(labels, v.labels...)
		}
	}
	return labels
}

// cheapestPair returns the two values, the first one first, whose contraction has the fewest elements.
func cheapestPair(values []einsumValue, out []int, size map[int]int) (a, b int) {
	a, b = 0, 1
	if len(values) == 2 {
		return a, b
	}
	best := -1
	for i := range values {
		for j := i + 1; j < len(values); j++ {
			keep := labelsOf(values, out, i, j)
			n := 1
			for _, l := range union(values[i].labels, values[j].labels) {
				if slices.Contains(keep, l) {
					n = mulSat(n, size[l])
				}
			}
			if best < 0 || n < best {
				a, b, best = i, j, n
			}
		}
	}
	return a, b
}

func union(a, b []int) []int {
	all := slices.Clone(a)
	for _, l := range b {
		if !slices.Contains(a, l) {
			all = append(all, l)
		}
	}
	return all
}

// arranged returns the elements of v in row-major order of the labels, which are a permutation of v's.
func arranged(rt *Runtime, v einsumValue, labels []int, size map[int]int) (*onnx.Tensor, error) {
	shape := sizesOf(labels, size)
	want := rowMajor(shape)
	strides := make([]int, len(labels))
	in := true
	for i, l := range labels {
		strides[i] = v.strides[slices.Index(v.labels, l)]
		in = in && (strides[i] == want[i] || shape[i] == 1)
	}
	if in && prod(shape) == v.t.Len() {
		return v.t, nil
	}
	if err := checkIntermediate(shape); err != nil {
		return nil, err
	}
	t := onnx.New(v.t.Type, shape...)
	copyStrided(rt, shape, t, 0, want, v.t, 0, strides)
	return t, nil
}

func checkIntermediate(shape []int) error {
	if err := checkSize(shape); err != nil {
		return err
	}
	if prod(shape) > maxIntermediate {
		return errors.New("an intermediate result is too large")
	}
	return nil
}

// sumOut sums over the labels of v that keep does not have.
func sumOut[T real](rt *Runtime, v einsumValue, keep []int, size map[int]int) (einsumValue, error) {
	var stay, gone []int
	for _, l := range v.labels {
		if slices.Contains(keep, l) {
			stay = append(stay, l)
		} else {
			gone = append(gone, l)
		}
	}
	if len(gone) == 0 {
		return v, nil
	}
	t, err := arranged(rt, v, append(slices.Clone(stay), gone...), size)
	if err != nil {
		return v, err
	}
	shape := sizesOf(stay, size)
	y := onnx.New(t.Type, shape...)
	n := prod(sizesOf(gone, size))
	from, to := onnx.Data[T](t), onnx.Data[T](y)
	rt.Pool.For(len(to), max(1, moveGrain/max(n, 1)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			var sum T
			for _, x := range from[i*n : (i+1)*n] {
				sum += x
			}
			to[i] = sum
		}
	})
	return einsumValue{y, stay, rowMajor(shape)}, nil
}

// contract multiplies two values and sums over the labels that both have and keep does not.
func contract[T real](rt *Runtime, a, b einsumValue, keep []int, size map[int]int) (einsumValue, error) {
	var batch, rows, inner, cols []int
	for _, l := range a.labels {
		switch {
		case !slices.Contains(b.labels, l):
			rows = append(rows, l)
		case slices.Contains(keep, l):
			batch = append(batch, l)
		default:
			inner = append(inner, l)
		}
	}
	for _, l := range b.labels {
		if !slices.Contains(a.labels, l) {
			cols = append(cols, l)
		}
	}
	left, err := arranged(rt, a, slices.Concat(batch, rows, inner), size)
	if err != nil {
		return a, err
	}
	right, err := arranged(rt, b, slices.Concat(batch, inner, cols), size)
	if err != nil {
		return a, err
	}
	labels := slices.Concat(batch, rows, cols)
	shape := sizesOf(labels, size)
	if err := checkIntermediate(shape); err != nil {
		return a, err
	}
	y := onnx.New(left.Type, shape...)
	g, m, k, n := prod(sizesOf(batch, size)), prod(sizesOf(rows, size)), prod(sizesOf(inner, size)), prod(sizesOf(cols, size))
	if y.Type == onnx.Float && mulSat(m, mulSat(k, n)) >= kernelProduct {
		if err := kernelProducts(rt, left.Float32s(), right.Float32s(), y.Float32s(), g, m, k, n); err != nil {
			return a, err
		}
	} else {
		batchedProduct(rt, onnx.Data[T](left), onnx.Data[T](right), onnx.Data[T](y), g, m, k, n)
	}
	return einsumValue{y, labels, rowMajor(shape)}, nil
}

// kernelProduct is from how many multiplications on a product is worth packing for the kernels.
const kernelProduct = 1 << 13

// kernelProducts is batchedProduct with the float32 kernels.
func kernelProducts(rt *Runtime, a, b, y []float32, batch, m, k, n int) error {
	t := kernel.Default()
	return rt.apart(batch, mulSat(m, mulSat(k, n)), func(rt *Runtime, i int) {
		t.Gemm(rt.Pool, rt.Scratch, m, n, k, 1,
			kernel.Matrix{Data: a[i*m*k:], Row: k, Col: 1}, kernel.Matrix{Data: b[i*k*n:], Row: n, Col: 1},
			&kernel.Output{C: y[i*m*n:], LD: n, Cols: n}, &kernel.Epilogue{})
	})
}

// The rows of a product that are computed together, and how many columns of them at a time.
const (
	productRows = 4
	productCols = 512
)

// batchedProduct sets y [batch,m,n] to the matrix products of a [batch,m,k] and b [batch,k,n].
func batchedProduct[T real](rt *Runtime, a, b, y []T, batch, m, k, n int) {
	if m == 1 && k == 1 && n == 1 {
		rt.Pool.For(batch, moveGrain, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				y[i] = a[i] * b[i]
			}
		})
		return
	}
	blocks := (m + productRows - 1) / productRows
	work := mulSat(mulSat(productRows, max(k, 1)), max(n, 1))
	rt.Pool.For(batch*blocks, max(1, moveGrain/work), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			g, r := i/blocks, i%blocks*productRows
			rows := min(productRows, m-r)
			at := (g*m + r)
			left, right, to := a[at*k:(at+rows)*k], b[g*k*n:(g+1)*k*n], y[at*n:(at+rows)*n]
			switch {
			case n == 1:
				for j := range to {
					to[j] = dot(left[j*k:(j+1)*k], right)
				}
			case rows == productRows:
				fourRows(left, right, to, k, n)
			default:
				for j := range rows {
					oneRow(left[j*k:(j+1)*k], right, to[j*n:(j+1)*n])
				}
			}
		}
	})
}

func dot[T real](a, b []T) T {
	var sum T
	b = b[:len(a)]
	for i, x := range a {
		sum += T(x * b[i])
	}
	return sum
}

func oneRow[T real](a, b, y []T) {
	n := len(y)
	clear(y)
	for i, x := range a {
		for j, v := range b[i*n : (i+1)*n] {
			y[j] += T(x * v)
		}
	}
}

// fourRows multiplies four rows of a with b, so that each number of b that is read is used four times.
func fourRows[T real](a, b, y []T, k, n int) {
	clear(y)
	for c := 0; c < n; c += productCols {
		w := min(productCols, n-c)
		y0, y1, y2, y3 := y[c:][:w], y[n+c:][:w], y[2*n+c:][:w], y[3*n+c:][:w]
		for i := range k {
			x0, x1, x2, x3 := a[i], a[k+i], a[2*k+i], a[3*k+i]
			for j, v := range b[i*n+c:][:w] {
				y0[j] += T(x0 * v)
				y1[j] += T(x1 * v)
				y2[j] += T(x2 * v)
				y3[j] += T(x3 * v)
			}
		}
	}
}
