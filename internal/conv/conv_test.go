package conv

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/cpu"
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/internal/kernel/ref"
	"github.com/onnxcnn/onnxcnn/internal/par"
)

func ints(v ...int) []int { return v }

// shapeOf builds a shape with the same padding before and after each axis.
func shapeOf(n, c, m, groups int, in, ker, stride, dilation, pad []int) *Shape {
	s := &Shape{N: n, C: c, M: m, Groups: groups, In: in, Kernel: ker, Stride: stride, Dilation: dilation, Pad: pad}
	for i := range in {
		s.Out = append(s.Out, (in[i]+2*pad[i]-(ker[i]-1)*dilation[i]-1)/stride[i]+1)
	}
	return s
}

// The shapes of the tables below: name, shape and the algorithm that the cost model has for it.
var shapes = []struct {
	name  string
	shape *Shape
	want  Algorithm
}{
	{"pointwise", shapeOf(2, 37, 29, 1, ints(9, 7), ints(1, 1), ints(1, 1), ints(1, 1), ints(0, 0)), Pointwise},
	{"pointwise, few columns", shapeOf(3, 340, 70, 1, ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1), ints(0, 0)), Pointwise},
	{"pointwise, one column an image", shapeOf(37, 20, 30, 1, ints(1, 1), ints(1, 1), ints(1, 1), ints(1, 1), ints(0, 0)), Pointwise},
	{"pointwise, one column of few images", shapeOf(3, 20, 30, 1, ints(1, 1), ints(1, 1), ints(1, 1), ints(1, 1), ints(0, 0)), Pointwise},
	{"pointwise, groups", shapeOf(2, 20, 30, 2, ints(5, 6), ints(1, 1), ints(1, 1), ints(1, 1), ints(0, 0)), Pointwise},
	{"pointwise, strided", shapeOf(2, 20, 30, 1, ints(15, 14), ints(1, 1), ints(2, 2), ints(1, 1), ints(0, 0)), GEMM},
	{"pointwise, padded", shapeOf(1, 20, 30, 1, ints(5, 6), ints(1, 1), ints(1, 1), ints(1, 1), ints(1, 2)), GEMM},
	{"3x3", shapeOf(2, 40, 50, 1, ints(14, 14), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1)), Winograd},
	{"3x3, two parts of the sums", shapeOf(1, 330, 40, 1, ints(13, 15), ints(3, 3), ints(1, 1), ints(1, 1), ints(0, 0)), Winograd},
	{"3x3, 7x7", shapeOf(9, 64, 70, 1, ints(7, 7), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1)), Winograd},
	{"3x3, many tiles, wide pads", shapeOf(1, 17, 19, 1, ints(70, 66), ints(3, 3), ints(1, 1), ints(1, 1), ints(2, 3)), Winograd},
	{"3x3, two columns of tiles", shapeOf(2, 32, 96, 1, ints(40, 6), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1)), Winograd},
	{"3x3, one image of 7x7", shapeOf(1, 64, 64, 1, ints(7, 7), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1)), GEMM},
	{"3x3, large", shapeOf(1, 5, 9, 1, ints(60, 70), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1)), GEMM},
	{"3x3, narrow rows", shapeOf(2, 20, 13, 1, ints(9, 2), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1)), GEMM},
	{"3x3, stride 2", shapeOf(2, 33, 21, 1, ints(15, 17), ints(3, 3), ints(2, 2), ints(1, 1), ints(1, 1)), GEMM},
	{"3x3, stride 3, dilation 2", shapeOf(1, 33, 21, 1, ints(25, 17), ints(3, 3), ints(3, 3), ints(2, 2), ints(2, 2)), GEMM},
	{"7x7, stride 2, three channels", shapeOf(2, 3, 16, 1, ints(40, 37), ints(7, 7), ints(2, 2), ints(1, 1), ints(3, 3)), GEMM},
	{"3x3, stride 2, three channels", shapeOf(1, 3, 16, 1, ints(40, 33), ints(3, 3), ints(2, 2), ints(1, 1), ints(0, 0)), GEMM},
	{"1x7", shapeOf(1, 20, 24, 1, ints(17, 17), ints(1, 7), ints(1, 1), ints(1, 1), ints(0, 3)), GEMM},
	{"7x1", shapeOf(2, 20, 24, 1, ints(17, 17), ints(7, 1), ints(1, 1), ints(1, 1), ints(3, 0)), GEMM},
	{"groups", shapeOf(2, 24, 36, 4, ints(8, 9), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1)), GEMM},
	{"many outputs of one channel", shapeOf(1, 1, 20, 1, ints(28, 28), ints(5, 5), ints(1, 1), ints(1, 1), ints(2, 2)), GEMM},
	{"padding only", shapeOf(1, 4, 4, 1, ints(1, 1), ints(1, 1), ints(4, 4), ints(1, 1), ints(4, 4)), GEMM},
	{"1-D", shapeOf(2, 12, 10, 1, ints(50), ints(5), ints(1), ints(2), ints(4)), GEMM},
	{"3-D", shapeOf(2, 6, 10, 1, ints(5, 6, 7), ints(3, 2, 3), ints(1, 2, 1), ints(1, 1, 2), ints(1, 1, 2)), GEMM},
	{"3-D, a slice of padding", &Shape{N: 1, C: 4, M: 5, Groups: 1, In: ints(1, 9, 9), Out: ints(2, 4, 4), Kernel: ints(1, 3, 3), Stride: ints(1, 2, 2), Dilation: ints(1, 1, 1), Pad: ints(0, 0, 0)}, GEMM},
	{"3-D depthwise, a slice of padding", &Shape{N: 1, C: 4, M: 4, Groups: 4, In: ints(1, 9, 9), Out: ints(2, 7, 7), Kernel: ints(1, 3, 3), Stride: ints(1, 1, 1), Dilation: ints(1, 1, 1), Pad: ints(0, 0, 0)}, Depthwise},
	{"4-D", shapeOf(1, 2, 3, 1, ints(3, 4, 3, 4), ints(2, 2, 1, 3), ints(1, 1, 1, 2), ints(1, 1, 1, 1), ints(1, 0, 0, 1)), Direct},
	{"depthwise 3x3", shapeOf(2, 11, 11, 11, ints(19, 37), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1)), Depthwise},
	{"depthwise 3x3, stride 2", shapeOf(2, 11, 11, 11, ints(19, 37), ints(3, 3), ints(2, 2), ints(1, 1), ints(1, 1)), Depthwise},
	{"depthwise 3x3, no padding", shapeOf(2, 11, 11, 11, ints(19, 37), ints(3, 3), ints(1, 1), ints(1, 1), ints(0, 0)), Depthwise},
	{"depthwise 3x3, large", shapeOf(1, 2, 4, 2, ints(70, 90), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1)), Depthwise},
	{"depthwise 3x3, narrow", shapeOf(1, 3, 3, 3, ints(9, 2), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1)), Depthwise},
	{"depthwise 3x3, stride 2, large", shapeOf(1, 2, 2, 2, ints(131, 90), ints(3, 3), ints(2, 2), ints(1, 1), ints(1, 1)), Depthwise},
	{"depthwise 3x3, stride 3", shapeOf(1, 3, 3, 3, ints(20, 21), ints(3, 3), ints(3, 3), ints(1, 1), ints(1, 1)), Depthwise},
	{"depthwise 3x5", shapeOf(1, 3, 3, 3, ints(20, 21), ints(3, 5), ints(1, 1), ints(1, 1), ints(1, 2)), Depthwise},
	{"depthwise 5x5", shapeOf(1, 5, 5, 5, ints(14, 14), ints(5, 5), ints(1, 1), ints(1, 1), ints(2, 2)), Depthwise},
	{"depthwise 5x5, stride 2", shapeOf(1, 5, 5, 5, ints(15, 18), ints(5, 5), ints(2, 2), ints(1, 1), ints(2, 2)), Depthwise},
	{"depthwise 7x7 on 7x7", shapeOf(1, 5, 5, 5, ints(7, 7), ints(7, 7), ints(1, 1), ints(1, 1), ints(3, 3)), Depthwise},
	{"depthwise, dilated", shapeOf(1, 5, 5, 5, ints(15, 18), ints(3, 3), ints(1, 1), ints(3, 2), ints(3, 2)), Depthwise},
	{"depthwise, multiplier", shapeOf(1, 3, 6, 3, ints(9, 8), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1)), Depthwise},
	{"depthwise, wide pads", shapeOf(1, 3, 3, 3, ints(2, 3), ints(3, 3), ints(1, 1), ints(1, 1), ints(5, 5)), Depthwise},
	{"depthwise 1-D", shapeOf(1, 3, 3, 3, ints(40), ints(9), ints(1), ints(1), ints(4)), Depthwise},
	{"depthwise 3-D", shapeOf(1, 3, 3, 3, ints(5, 6, 7), ints(3, 3, 3), ints(2, 1, 1), ints(1, 1, 1), ints(1, 1, 1)), Depthwise},
}

func TestChoose(t *testing.T) {
	for _, c := range shapes {
		if got := Choose(c.shape); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	huge := shapeOf(1, 1<<20, 8, 1, ints(1<<10, 1<<10), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1))
	if got := Choose(huge); got != Direct {
		t.Errorf("a channel further than 32-bit indices reach: %v", got)
	}
	for _, none := range []*Shape{{C: 0, M: 4, Groups: 1}, {C: 0, M: 4, Groups: 0}} {
		if got := Choose(none); got != Direct {
			t.Errorf("%+v: %v, want direct", none, got)
		}
	}
}

// problem is a shape with random operands and the reference's answer, which takes long and is kept.
type problem struct{ x, w, bias, res, want []float32 }

var problems = map[*Shape]*problem{}

func problemOf(s *Shape) *problem {
	if p := problems[s]; p != nil {
		return p
	}
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = 2*r.Float32() - 1
		}
		return v
	}
	ws := append(ints(s.M, s.C/s.Groups), s.Kernel...)
	p := &problem{x: random(s.N * s.C * size(s.In)), w: random(size(ws)), bias: random(s.M), res: random(s.N * s.M * size(s.Out))}
	// The padding after each axis is whatever makes the output's size.
	c := ref.Conv{Groups: s.Groups, Stride: s.Stride, Dilation: s.Dilation, PadBegin: s.Pad}
	for i := range s.In {
		c.PadEnd = append(c.PadEnd, (s.Out[i]-1)*s.Stride[i]+(s.Kernel[i]-1)*s.Dilation[i]+1-s.In[i]-s.Pad[i])
	}
	p.want, _ = c.Run(p.x, append(ints(s.N, s.C), s.In...), p.w, ws, p.bias)
	problems[s] = p
	return p
}

// compute computes a shape and compares it with the reference.
func compute(t *testing.T, table *kernel.Table, threads int, keep bool, s *Shape, act kernel.Activation) []float32 {
	t.Helper()
	p := problemOf(s)
	y := make([]float32, s.N*s.M*size(s.Out))
	for i := range y {
		y[i] = float32(math.NaN())
	}
	a := &Args{X: p.x, Y: y, Bias: p.bias, Act: act}
	if act.Kind != kernel.Identity {
		a.Res = p.res
	}
	pool := par.New(threads)
	defer pool.Close()
	alloc := func(n int) []float32 { // memory is not cleared
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(math.NaN())
		}
		return v
	}
	f := NewFilter(table, alloc, keep, p.w, s.M, s.C/s.Groups, s.Groups, s.Kernel)
	f.Pack(pool)
	f.Run(pool, alloc, s, a)

	want := slices.Clone(p.want)
	for i := range want {
		if a.Res != nil {
			want[i] += a.Res[i]
		}
	}
	table.Apply(act, want)
	k := float64(s.C/s.Groups*size(s.Kernel) + 4)
	if Choose(s) == Winograd {
		k *= 10 // its sums have larger terms
	}
	for i := range want {
		if !(math.Abs(float64(y[i]-want[i])) <= 3e-7*k) {
			t.Fatalf("element %d is %v, want %v", i, y[i], want[i])
		}
	}
	return y
}

func TestConvolutions(t *testing.T) {
	for _, isa := range cpu.Supported() {
		table, err := kernel.For(isa)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range shapes {
			for _, act := range []kernel.Activation{{}, {Kind: kernel.Relu}, {Kind: kernel.LeakyRelu, A: 0.1}} {
				t.Run(fmt.Sprintf("%v/%s/%v", isa, c.name, act), func(t *testing.T) {
					one := compute(t, table, 1, true, c.shape, act)
					if three := compute(t, table, 3, true, c.shape, act); !slices.Equal(one, three) {
						t.Error("3 threads give other bits than 1")
					}
					if c.want == Winograd {
						compute(t, table, 2, false, c.shape, act) // with weights for this run alone
					}
				})
			}
		}
	}
}

// A factor and a term of the input's channels, a factor of each image's, before convolutions of all kinds.
func TestAffine(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	alloc := func(n int) []float32 { return make([]float32, n) }
	for _, isa := range cpu.Supported() {
		table, err := kernel.For(isa)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range shapes {
			s := c.shape
			p := problemOf(s)
			for _, images := range []int{1, s.N} {
				pre := &Affine{Shift: make([]float32, s.C), Lo: 0, Hi: 0.75}
				for i := range images * s.C {
					pre.Scale = append(pre.Scale, 1-float32(i%7)/4)
				}
				x := slices.Clone(p.x)
				for i := range pre.Shift {
					pre.Shift[i] = float32(i%5) / 8
				}
				for i, v := range x {
					channel := i / size(s.In)
					x[i] = min(max(v*pre.Scale[channel%len(pre.Scale)]+pre.Shift[channel%s.C], 0), 0.75)
				}
				f := NewFilter(table, alloc, true, p.w, s.M, s.C/s.Groups, s.Groups, s.Kernel)
				got, want := make([]float32, len(p.want)), make([]float32, len(p.want))
				f.Run(pool, alloc, s, &Args{X: p.x, Y: got, Pre: pre, Bias: p.bias})
				f.Run(pool, alloc, s, &Args{X: x, Y: want, Bias: p.bias})
				for i := range want {
					if math.Abs(float64(got[i]-want[i])) > 1e-5*float64(1+s.C/s.Groups) {
						t.Fatalf("%v, %s, factors of %d images: element %d is %v, want %v", isa, c.name, images, i, got[i], want[i])
					}
				}
			}
		}
	}
}

func TestEmpty(t *testing.T) {
	s := shapeOf(0, 3, 4, 1, ints(5, 5), ints(3, 3), ints(1, 1), ints(1, 1), ints(1, 1))
	if got := compute(t, kernel.Default(), 1, false, s, kernel.Activation{}); len(got) != 0 {
		t.Error(got)
	}
	if n := shapes[0].shape.MultAdds(); n != 2*29*63*37 {
		t.Errorf("%d multiply-adds", n)
	}
	if fmt.Sprint(Direct, GEMM, Pointwise, Depthwise, Winograd) != "direct gemm pointwise depthwise winograd" {
		t.Error("names of algorithms")
	}
}

// A run allocates a fixed, small number of objects, however large the tensors are.
func TestAllocations(t *testing.T) {
	s := shapeOf(1, 32, 32, 1, ints(28, 28), ints(3, 1), ints(1, 1), ints(1, 1), ints(1, 0))
	f := NewFilter(kernel.Default(), func(n int) []float32 { return make([]float32, n) }, true, make([]float32, 32*32*3), 32, 32, 1, s.Kernel)
	a := &Args{X: make([]float32, 32*28*28), Y: make([]float32, 32*28*28)}
	scratch := make([]float32, 1<<22)
	if n := testing.AllocsPerRun(10, func() { f.Run(nil, func(n int) []float32 { return scratch[:n] }, s, a) }); n > 16 { // what pools keep is dropped now and then under the race detector
		t.Errorf("%v allocations a run", n)
	}
}
