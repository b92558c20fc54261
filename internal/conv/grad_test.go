package conv

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/cpu"
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

// gradProblem is a shape with random operands and the gradients in double precision.
type gradProblem struct {
	x, w, dy []float32
	dx, dw   []float64
}

func gradProblemOf(s *Shape) *gradProblem {
	r := rand.New(rand.NewPCG(3, 4))
	random := func(n int) ([]float32, []float64) {
		v, d := make([]float32, n), make([]float64, n)
		for i := range v {
			v[i] = 2*r.Float32() - 1
			d[i] = float64(v[i])
		}
		return v, d
	}
	p := &gradProblem{}
	var x, w, dy []float64
	p.x, x = random(s.N * s.C * size(s.In))
	p.w, w = random(s.M * s.C / s.Groups * size(s.Kernel))
	p.dy, dy = random(s.N * s.M * size(s.Out))
	p.dx, p.dw = make([]float64, len(x)), make([]float64, len(w))
	PlainInputGrad(nil, s, dy, w, p.dx)
	PlainWeightGrad(nil, s, x, dy, p.dw)
	return p
}

// dirty gives memory that is not cleared.
func dirty(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(math.NaN())
	}
	return v
}

func near(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	for i, v := range want {
		if !(math.Abs(float64(got[i])-v) <= tol) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], v)
		}
	}
}

// The input's and the weights' gradients of float32 equal the plain ones in double precision, for every instruction set
// and, bit by bit, for any number of threads.
func TestGradients(t *testing.T) {
	type row struct {
		name  string
		shape *Shape
	}
	var rows []row
	for _, c := range shapes {
		rows = append(rows, row{c.name, c.shape})
	}
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 25 {
		rank := 1 + i%3
		s := &Shape{N: 1 + r.IntN(3), Groups: 1 + r.IntN(3)}
		s.C, s.M = s.Groups*(1+r.IntN(9)), s.Groups*(1+r.IntN(9))
		for range rank {
			k, st, d, before, after := 1+r.IntN(4), 1+r.IntN(3), 1+r.IntN(3), r.IntN(4), r.IntN(4)
			in := max(1, (k-1)*d+1-before-after) + r.IntN(6)
			s.In, s.Kernel, s.Stride, s.Dilation, s.Pad = append(s.In, in), append(s.Kernel, k), append(s.Stride, st), append(s.Dilation, d), append(s.Pad, before)
			s.Out = append(s.Out, (in+before+after-(k-1)*d-1)/st+1)
		}
		rows = append(rows, row{fmt.Sprintf("random %d", i), s})
	}
	// Slices that only padding reaches.
	for _, groups := range []int{1, 2, 4} {
		rows = append(rows, row{fmt.Sprint("one slice, more outputs, groups ", groups), &Shape{N: 2, C: 4, M: 4, Groups: groups, In: ints(3, 7, 6), Out: ints(1, 3, 6),
			Kernel: ints(2, 2, 1), Stride: ints(1, 3, 1), Dilation: ints(2, 1, 1), Pad: ints(0, 0, 0)}})
	}
	rows = append(rows,
		row{"weights over several passes", shapeOf(5, 40, 7, 1, ints(100, 120), ints(1, 2), ints(1, 1), ints(1, 1), ints(0, 1))})
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			s := c.shape
			p := gradProblemOf(s)
			// Sums of n random terms below 1, in float32; Winograd's have larger terms.
			tol := func(n int) float64 { return 1.5e-5 * math.Sqrt(float64(n)+10) }
			for _, isa := range cpu.Supported() {
				table, err := kernel.For(isa)
				if err != nil {
					t.Fatal(err)
				}
				var one, oneW []float32
				for _, threads := range []int{1, 2, 3, 8} {
					pool := par.New(threads)
					dx, dw := dirty(len(p.dx)), dirty(len(p.dw))
					InputGrad(table, pool, dirty, s, p.dy, p.w, dx)
					WeightGrad(table, pool, dirty, s, p.x, p.dy, dw)
					pool.Close()
					if threads == 1 {
						one, oneW = dx, dw
						near(t, fmt.Sprint(isa, " input"), dx, p.dx, tol(s.M/s.Groups*size(s.Kernel)))
						near(t, fmt.Sprint(isa, " weights"), dw, p.dw, tol(s.N*size(s.Out)))
						continue
					}
					if !slices.Equal(dx, one) || !slices.Equal(dw, oneW) {
						t.Errorf("%v: %d threads give other bits than 1", isa, threads)
					}
				}
			}
		})
	}
}

// Gradients of nothing are nothing, and where there is no image the weights' are zero.
func TestEmptyGradients(t *testing.T) {
	s := shapeOf(0, 3, 4, 1, ints(5, 5), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1))
	dw := dirty(4 * 3 * 9)
	InputGrad(kernel.Default(), nil, dirty, s, nil, dirty(len(dw)), nil)
	WeightGrad(kernel.Default(), nil, dirty, s, nil, nil, dw)
	for i, v := range dw {
		if v != 0 {
			t.Fatalf("element %d is %v", i, v)
		}
	}
}
