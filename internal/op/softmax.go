package op

import (
	"math"

	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// softmaxKind is which member of the Softmax family an operator is.
type softmaxKind int

const (
	softmaxPlain softmaxKind = iota
	softmaxLog
	softmaxHard
)

func init() {
	for name, kind := range map[string]softmaxKind{"Softmax": softmaxPlain, "LogSoftmax": softmaxLog, "Hardmax": softmaxHard} {
		register(Def{Type: name, Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(s *Spec) (Op, error) {
			if s.Opset < 13 {
				return softmax{kind: kind, axis: s.Int("axis", 1), flat: true}, nil
			}
			return softmax{kind: kind, axis: s.Int("axis", -1)}, nil
		}})
	}
}

// softmax is the family Softmax y = exp(x-m)/sum(exp(x-m)), LogSoftmax y = x - m - log(sum(exp(x-m))) and Hardmax (1 at
// the first largest element, 0 elsewhere), where m is the largest x of those that are normalised together: the elements
// along one axis; before opset 13 all elements of the dimensions from the axis on.
type softmax struct {
	kind softmaxKind
	axis int
	flat bool // before opset 13
}

func (softmax) InPlace() []int { return []int{0} }

func (m softmax) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	if _, _, _, err := m.cut(in[0].Shape); err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
}

// cut returns the shape as [outer, n, inner] where the n elements are normalised together.
func (m softmax) cut(shape []int) (outer, n, inner int, err error) {
	rank := len(shape)
	if m.flat && m.axis == rank { // one element by itself
		return prod(shape), 1, 1, nil
	}
	if rank == 0 && (m.axis == 0 || m.axis == -1) {
		return 1, 1, 1, nil
	}
	axis, err := normAxis(m.axis, rank)
	if err != nil {
		return 0, 0, 0, err
	}
	if m.flat {
		return prod(shape[:axis]), prod(shape[axis:]), 1, nil
	}
	outer, n, inner = outerInner(shape, axis)
	return outer, n, inner, nil
}

func (m softmax) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	outer, n, inner, err := m.cut(in[0].Shape)
	if err != nil || outer*n*inner == 0 {
		return err
	}
	if in[0].Type == onnx.Double {
		softmaxOf[float64](rt, m.kind, outer, n, inner, in[0], out[0])
	} else {
		softmaxOf[float32](rt, m.kind, outer, n, inner, in[0], out[0])
	}
	return nil
}

func softmaxOf[T float](rt *Runtime, kind softmaxKind, outer, n, inner int, in, out *onnx.Tensor) {
	x, y := onnx.Data[T](in), onnx.Data[T](out)
	if inner == 1 {
		rt.Pool.For(outer, max(1, 1<<12/n), func(lo, hi int) {
			var tmp []float32
			if kind == softmaxLog {
				tmp = make([]float32, min(n, 1024))
			}
			for o := lo; o < hi; o++ {
				softmaxRun(kind, x[o*n:(o+1)*n], y[o*n:(o+1)*n], tmp)
			}
		})
		return
	}
	blocks := (inner + foldBlock - 1) / foldBlock
	rt.Pool.For(outer*blocks, max(1, 1<<12/(n*min(inner, foldBlock))), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			from := i % blocks * foldBlock
			at := i/blocks*n*inner + from
			softmaxColumns(kind, x[at:], y[at:], n, inner, min(inner-from, foldBlock))
		}
	})
}

// softmaxRun normalises neighbours; LogSoftmax of float32 overwrites tmp.
func softmaxRun[T float](kind softmaxKind, x, y []T, tmp []float32) {
	y = y[:len(x)]
	if kind == softmaxHard {
		m, at := x[0], 0
		for i, v := range x {
			if v > m || v != v {
				m, at = v, i
			}
		}
		clear(y)
		y[at] = 1
		return
	}
	m := largest(x)
	if single, ok := any(y).([]float32); ok && kind == softmaxLog {
		logSoftmax32(single, any(x).([]float32), float32(m), tmp)
		return
	}
	if kind == softmaxLog {
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(float64(v - m))
		}
		log := math.Log(sum)
		for i, v := range x {
			y[i] = T(float64(v-m) - log)
		}
		return
	}
	scaleAll(y, T(1/expShifted(x, y, m)))
}

// logSoftmax32 computes y = x - m - log(sum(exp(x-m))), and overwrites tmp.
func logSoftmax32(y, x []float32, m float32, tmp []float32) {
	t := kernel.Default()
	sum := 0.0
	for at := 0; at < len(x); at += len(tmp) {
		b := tmp[:min(len(tmp), len(x)-at)]
		t.ExpShifted(b, x[at:], m)
		sum += t.Sum(b)
	}
	t.ScaleShift(y, x, 1, -m)
	t.ScaleShift(y, y, 1, -float32(math.Log(sum)))
}

// largest returns the largest of one or more numbers, NaN where one is.
func largest[T float](x []T) T {
	if x, ok := any(x).([]float32); ok {
		return T(kernel.Default().Largest(x))
	}
	m := x[0]
	for _, v := range x {
		if v > m || v != v {
			m = v
		}
	}
	return m
}

// scaleAll multiplies all numbers with one.
func scaleAll[T float](x []T, scale T) {
	if x, ok := any(x).([]float32); ok {
		kernel.Default().ScaleShift(x, x, float32(scale), 0)
		return
	}
	for i := range x {
		x[i] *= scale
	}
}

// expShifted writes exp(x-m), for an m that no x exceeds, and returns the sum.
func expShifted[T float](x, y []T, m T) float64 {
	if x, ok := any(x).([]float32); ok {
		y, t := any(y).([]float32)[:len(x)], kernel.Default()
		t.ExpShifted(y, x, float32(m))
		return t.Sum(y)
	}
	sum := 0.0
	for i, v := range x {
		e := math.Exp(float64(v - m))
		sum += e
		y[i] = T(e)
	}
	return sum
}

// softmaxColumns normalises width columns of n elements that lie stride apart; width is at most foldBlock.
func softmaxColumns[T float](kind softmaxKind, x, y []T, n, stride, width int) {
	var most [foldBlock]T
	var sum [foldBlock]float64
	m, s := most[:width], sum[:width]
	copy(m, x)
	for i := 1; i < n; i++ {
		for j, v := range x[i*stride : i*stride+width] {
			if v > m[j] || v != v {
				m[j] = v
			}
		}
	}
	for i := range n {
		row, to := x[i*stride:i*stride+width], y[i*stride:i*stride+width]
		switch kind {
		case softmaxHard:
			for j, v := range row {
				to[j] = 0
				if (v == m[j] || v != v) && s[j] == 0 {
					to[j], s[j] = 1, 1
				}
			}
		case softmaxLog:
			for j, v := range row {
				s[j] += math.Exp(float64(v - m[j]))
			}
		case softmaxPlain:
			for j, v := range row {
				to[j] = v - m[j]
			}
			expShifted(to, to, 0)
			for j, e := range to {
				s[j] += float64(e)
			}
		}
	}
	switch kind {
	case softmaxPlain:
		for j, v := range s {
			m[j] = T(1 / v)
		}
		for i := range n {
			for j, v := range y[i*stride : i*stride+width] {
				y[i*stride+j] = v * m[j]
			}
		}
	case softmaxLog:
		for j, v := range s {
			s[j] = math.Log(v)
		}
		for i := range n {
			for j, v := range x[i*stride : i*stride+width] {
				y[i*stride+j] = T(float64(v-m[j]) - s[j])
			}
		}
	}
}
