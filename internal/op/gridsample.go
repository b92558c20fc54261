package op

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "GridSample", Since: 16, MinIn: 2, MaxIn: 2, MaxOut: 1, New: newGridSampleOp})
}

func newGridSampleOp(s *Spec) (Op, error) { return newGridSample(s) }

// newGridSample reads the attributes. Opset 20 calls bilinear linear and bicubic cubic; the names of both are taken.
func newGridSample(s *Spec) (gridSample, error) {
	normal := "linear"
	if s.Opset < 20 {
		normal = "bilinear"
	}
	g := gridSample{mode: s.String("mode", normal), padding: s.String("padding_mode", "zeros"), align: s.Bool("align_corners", false)}
	switch g.mode {
	case "bilinear":
		g.mode = "linear"
	case "bicubic":
		g.mode = "cubic"
	}
	return g, errors.Join(oneOfNames("mode", g.mode, "linear", "nearest", "cubic"), oneOfNames("padding_mode", g.padding, "zeros", "border", "reflection"))
}

// gridSample reads an image at the places that a grid names (Jaderberg et al., Spatial Transformer Networks, 2015):
// x is [N, C, spatial], grid [N, places, r] for r of 1 to 3 spatial axes, the result [N, C, places]. A place is given
// from the last axis to the first, from -1 to 1: the centres of the border elements with align, else their outer edges.
//
// What lies outside is zero, the border, or reflected. A place that is not a number is outside of zeros, and the first
// element otherwise.
type gridSample struct {
	mode    string // linear, nearest or cubic
	padding string
	align   bool
}

func (g gridSample) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0, 1); err != nil {
		return nil, err
	}
	x, grid := in[0].Shape, in[1].Shape
	rank := len(x) - 2
	if rank < 1 || rank > 3 {
		return nil, fmt.Errorf("input of shape %v: want [N, C] and one to three spatial dimensions", x)
	}
	if len(grid) != len(x) || grid[0] != x[0] || grid[rank+1] != rank {
		return nil, fmt.Errorf("grid of shape %v: want the %d images, %d dimensions of places, and %d coordinates of each", grid, x[0], rank, rank)
	}
	shape := append([]int{x[0], x[1]}, grid[1:rank+1]...)
	if err := checkSize(shape); err != nil {
		return nil, err
	}
	if prod(x) == 0 && prod(shape) > 0 {
		return nil, fmt.Errorf("input of shape %v is empty", x)
	}
	return []Info{{Type: in[0].Type, Shape: shape}}, nil
}

func (g gridSample) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Double {
		gridSampleOf[float64](rt, g, in, out[0])
	} else {
		gridSampleOf[float32](rt, g, in, out[0])
	}
	return nil
}

func gridSampleOf[T float](rt *Runtime, g gridSample, in []*onnx.Tensor, out *onnx.Tensor) {
	x, y := onnx.Data[T](in[0]), onnx.Data[T](out)
	l := g.layout(in[0].Shape, in[1].Shape)
	if len(y) == 0 {
		return
	}
	blocks := (l.places + gridBlock - 1) / gridBlock
	rt.Pool.For(l.images*blocks, max(1, moveGrain/4/(gridBlock*l.channels)), func(lo, hi int) {
		taps := newGridTaps[T](l, false)
		for i := lo; i < hi; i++ {
			image, first := i/blocks, i%blocks*gridBlock
			n := min(gridBlock, l.places-first)
			taps.read(l, in[1], image*l.places+first, n)
			for c := range l.channels {
				plane := x[(image*l.channels+c)*l.size:][:l.size]
				taps.gather(y[(image*l.channels+c)*l.places+first:][:n], plane)
			}
		}
	})
}

// gridBlock is how many places are worked out at a time, to be used for all channels.
const gridBlock = 128

// gridLayout is a sampling of images of size elements a plane, laid out along three axes of which the first may be
// missing, at places each.
type gridLayout struct {
	gridSample
	images, channels, size, places int
	rank                           int // coordinates of a place
	axes                           [3]gridAxis
	most                           int // elements that a place is made of, at most
}

// gridAxis is an axis of an image: its length and the distance of neighbours, and the coordinates between which the
// image lies.
type gridAxis struct {
	n, step int
	lo, hi  float64
}

func (g gridSample) layout(x, grid []int) *gridLayout {
	l := &gridLayout{gridSample: g, images: x[0], channels: x[1], size: prod(x[2:]), places: prod(grid[1 : len(grid)-1]), rank: len(x) - 2, most: 1}
	each := map[string]int{"nearest": 1, "linear": 2, "cubic": 4}[g.mode]
	steps := rowMajor(x)
	for i := range l.axes {
		a := gridAxis{n: 1}
		if k := i - 3 + len(x); k >= 2 {
			a = gridAxis{n: x[k], step: steps[k]}
			l.most *= each
		}
		if a.hi = float64(a.n - 1); !g.align {
			a.lo, a.hi = -0.5, float64(a.n)-0.5
		}
		l.axes[i] = a
	}
	return l
}

// gridTaps are the elements that a block of places are made of: count[p] for place p, from p*most on, at offset in the
// plane with weight. slope, where there is one for each coordinate, is the derivative of weight by that coordinate.
type gridTaps[T float] struct {
	most   int
	count  []int
	offset []int
	weight []T
	slope  [3][]float64
}

func newGridTaps[T float](l *gridLayout, slopes bool) *gridTaps[T] {
	n := gridBlock * l.most
	t := &gridTaps[T]{most: l.most, count: make([]int, gridBlock), offset: make([]int, n), weight: make([]T, n)}
	for j := 0; slopes && j < l.rank; j++ {
		t.slope[j] = make([]float64, n)
	}
	return t
}

// read works out n places of the grid.
func (t *gridTaps[T]) read(l *gridLayout, grid *onnx.Tensor, first, n int) {
	if grid.Type == onnx.Double {
		gridPlaces(t, l, onnx.Data[float64](grid)[first*l.rank:], n)
	} else {
		gridPlaces(t, l, grid.Float32s()[first*l.rank:], n)
	}
}

// gridPlaces is read for a grid of either type. Coordinates are turned into places with the type's own arithmetic, as the
// runtimes do that models are made for: where a place falls between two elements, the rounding decides.
func gridPlaces[T, G float](t *gridTaps[T], l *gridLayout, grid []G, n int) {
	var along [3]axisTaps
	for j := l.rank; j < 3; j++ {
		along[2-j] = axisTaps{n: 1, weight: [4]float64{1}}
	}
	for p := range n {
		for j, v := range grid[p*l.rank:][:l.rank] {
			a := &l.axes[2-j]
			scale := G(a.n)
			at := (G((v+1)*scale) - 1) / 2
			if l.align {
				scale = G(a.n - 1)
				at = (v + 1) / 2 * scale
			}
			l.along(&along[2-j], a, float64(at), float64(scale)/2)
		}
		k := p * t.most
		zs, ys, xs := &along[0], &along[1], &along[2]
		for z := range zs.n {
			for y := range ys.n {
				start, weight := zs.offset[z]+ys.offset[y], zs.weight[z]*ys.weight[y]
				for x := range xs.n {
					t.offset[k], t.weight[k] = start+xs.offset[x], T(weight*xs.weight[x])
					if t.slope[0] != nil {
						t.slope[0][k] = weight * xs.slope[x]
						if l.rank > 1 {
							t.slope[1][k] = zs.weight[z] * ys.slope[y] * xs.weight[x]
						}
						if l.rank > 2 {
							t.slope[2][k] = zs.slope[z] * ys.weight[y] * xs.weight[x]
						}
					}
					k++
				}
			}
		}
		t.count[p] = k - p*t.most
	}
}

// gather sets each place to the sum of its elements of a plane.
func (t *gridTaps[T]) gather(y, plane []T) {
	for p := range y {
		k := p * t.most
		n := t.count[p]
		if n == 4 {
			o, w := t.offset[k:k+4:k+4], t.weight[k:k+4:k+4]
			y[p] = T(w[0]*plane[o[0]]) + T(w[1]*plane[o[1]]) + (T(w[2]*plane[o[2]]) + T(w[3]*plane[o[3]]))
			continue
		}
		var sum T
		w := t.weight[k : k+n]
		for i, o := range t.offset[k : k+n] {
			sum += T(w[i] * plane[o])
		}
		y[p] = sum
	}
}

// axisTaps are the elements along one axis that a coordinate is made of: those inside the image, with their weights and
// the derivatives of these by the grid's coordinate.
type axisTaps struct {
	n             int
	offset        [4]int
	weight, slope [4]float64
}

// add takes element i with a weight, if there is one.
func (t *axisTaps) add(g *gridLayout, a *gridAxis, i int, weight, slope float64) {
	if uint(i) >= uint(a.n) {
		switch g.padding {
		case "zeros":
			return
		case "border":
			i = min(max(i, 0), a.n-1)
		default:
			v, _ := a.reflect(float64(i))
			i = int(v)
		}
	}
	t.offset[t.n], t.weight[t.n], t.slope[t.n] = i*a.step, weight, slope
	t.n++
}

// along works out the coordinate v, in elements, which changes by scale with the grid's.
func (g *gridLayout) along(t *axisTaps, a *gridAxis, v, scale float64) {
	t.n = 0
	if g.mode == "nearest" {
		v, scale = math.RoundToEven(v), 0
	}
	if !(v >= a.lo && v <= a.hi) {
		switch g.padding {
		case "zeros":
			if !(v > -3 && v < float64(a.n+2)) { // neither it nor a neighbour is inside
				return
			}
		case "border": // beyond its neighbours' reach all elements are the border's
			v = min(max(v, -3), float64(a.n+2))
			if math.IsNaN(v) {
				v, scale = 0, 0
			}
		default:
			var sign float64
			v, sign = a.reflect(v)
			scale *= sign
		}
	}
	low := math.Floor(v)
	i, f := int(low), v-low
	switch g.mode {
	case "nearest":
		t.add(g, a, i, 1, 0)
	case "linear":
		t.add(g, a, i, 1-f, -scale)
		t.add(g, a, i+1, f, scale)
	default:
		for k := range 4 {
			d := f - float64(k-1)
			t.add(g, a, i-1+k, gridCubic.kernel(d), cubicSlope(d)*scale)
		}
	}
}

// reflect returns the coordinate that v outside the axis is reflected to, and whether that moves with v or against it.
// What is not a finite number goes to the first element.
func (a *gridAxis) reflect(v float64) (at, sign float64) {
	length := a.hi - a.lo
	if length <= 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, 0
	}
	if v < a.lo {
		r := math.Mod(a.lo-v, 2*length)
		if r < length {
			return a.lo + r, -1
		}
		return a.hi - (r - length), 1
	}
	r := math.Mod(v-a.hi, 2*length)
	if r < length {
		return a.hi - r, -1
	}
	return a.lo + (r - length), 1
}

// gridCubic is cubic convolution as GridSample has it.
var gridCubic = sampling{mode: "cubic", cubicA: -0.75}

// cubicSlope is the derivative of gridCubic's weight at distance d, from -2 to 2.
func cubicSlope(d float64) float64 {
	a, x := gridCubic.cubicA, math.Abs(d)
	slope := (3*(a+2)*x - 2*(a+3)) * x
	if x > 1 {
		slope = (3*a*x-10*a)*x + 8*a
	}
	if d < 0 {
		return -slope
	}
	return slope
}
