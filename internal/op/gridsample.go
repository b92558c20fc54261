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
			taps.gather(y[image*l.channels*l.places+first:], l.places, n, x[image*l.channels*l.size:], l.size, l.channels)
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
	each, most                     int // elements that a place is made of, at most: along an axis, and together
}

// gridAxis is an axis of an image: its length and the distance of neighbours, and the coordinates between which the
// image lies.
type gridAxis struct {
	n, step int
	lo, hi  float64
}

// layout is the sampling of images of shape x at a grid of that shape.
func (g gridSample) layout(x, grid []int) *gridLayout {
	l := &gridLayout{gridSample: g, images: x[0], channels: x[1], size: prod(x[2:]), places: prod(grid[1 : len(grid)-1]), rank: len(x) - 2, most: 1}
	l.each = map[string]int{"nearest": 1, "linear": 2, "cubic": 4}[g.mode]
	steps := rowMajor(x)
	for i := range l.axes {
		a := gridAxis{n: 1}
		if k := i - 3 + len(x); k >= 2 {
			a = gridAxis{n: x[k], step: steps[k]}
			l.most *= l.each
		}
		if a.hi = float64(a.n - 1); !g.align {
			a.lo, a.hi = -0.5, float64(a.n)-0.5
		}
		l.axes[i] = a
	}
	return l
}

// start returns the elements along each axis, those of axes that are missing worked out.
func (l *gridLayout) start() [3]axisTaps {
	var along [3]axisTaps
	for j := l.rank; j < 3; j++ {
		along[2-j] = axisTaps{n: 1, weight: [4]float64{1}}
	}
	return along
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
	along := l.start()
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
		t.combine(p, &along, l.rank)
	}
}

// combine makes a place's elements of those along each axis.
func (t *gridTaps[T]) combine(p int, along *[3]axisTaps, rank int) {
	k := p * t.most
	zs, ys, xs := &along[0], &along[1], &along[2]
	if t.most == 4 && rank == 2 && ys.n == 2 && xs.n == 2 && t.slope[0] == nil { // the usual case
		t.count[p] = 4
		o, w := t.offset[k:k+4:k+4], t.weight[k:k+4:k+4]
		o[0], o[1], o[2], o[3] = ys.offset[0]+xs.offset[0], ys.offset[0]+xs.offset[1], ys.offset[1]+xs.offset[0], ys.offset[1]+xs.offset[1]
		w[0], w[1], w[2], w[3] = T(ys.weight[0]*xs.weight[0]), T(ys.weight[0]*xs.weight[1]), T(ys.weight[1]*xs.weight[0]), T(ys.weight[1]*xs.weight[1])
		return
	}
	for z := range zs.n {
		for y := range ys.n {
			start, weight := zs.offset[z]+ys.offset[y], zs.weight[z]*ys.weight[y]
			for x := range xs.n {
				t.offset[k], t.weight[k] = start+xs.offset[x], T(weight*xs.weight[x])
				if t.slope[0] != nil {
					t.slope[0][k] = weight * xs.slope[x]
					if rank > 1 {
						t.slope[1][k] = zs.weight[z] * ys.slope[y] * xs.weight[x]
					}
					if rank > 2 {
						t.slope[2][k] = zs.slope[z] * ys.weight[y] * xs.weight[x]
					}
				}
				k++
			}
		}
	}
	t.count[p] = k - p*t.most
}

// gather sets n places of each of count planes to the sums of their elements. Planes lie size apart, what is written of
// them step apart.
func (t *gridTaps[T]) gather(y []T, step, n int, x []T, size, count int) {
	c := 0
	for ; t.most == 4 && c+4 <= count; c += 4 {
		t.fourPlanes(y[c*step:], step, n, x[c*size:(c+4)*size], size)
	}
	for ; c < count; c++ {
		t.plane(y[c*step:][:n], x[c*size:][:size])
	}
}

// plane is gather for one plane.
func (t *gridTaps[T]) plane(y, x []T) {
	for p := range y {
		k := p * t.most
		n := t.count[p]
		if n == 4 {
			o, w := t.offset[k:k+4:k+4], t.weight[k:k+4:k+4]
			y[p] = T(w[0]*x[o[0]]) + T(w[1]*x[o[1]]) + (T(w[2]*x[o[2]]) + T(w[3]*x[o[3]]))
			continue
		}
		var sum T
		w := t.weight[k : k+n]
		for i, o := range t.offset[k : k+n] {
			sum += T(w[i] * x[o])
		}
		y[p] = sum
	}
}

// fourPlanes is gather for four planes and places of up to four elements: what is known of a place is read once.
func (t *gridTaps[T]) fourPlanes(y []T, step, n int, x []T, size int) {
	x0 := x[:size]
	x1, x2, x3 := x[size:][:len(x0)], x[2*size:][:len(x0)], x[3*size:][:len(x0)]
	y0 := y[:n]
	y1, y2, y3 := y[step:][:len(y0)], y[2*step:][:len(y0)], y[3*step:][:len(y0)]
	counts := t.count[:len(y0)]
	for p := range y0 {
		k := 4 * p
		o, w := t.offset[k:k+4:k+4], t.weight[k:k+4:k+4]
		if counts[p] == 4 {
			oa, ob, oc, od := o[0], o[1], o[2], o[3]
			wa, wb, wc, wd := w[0], w[1], w[2], w[3]
			y0[p] = T(wa*x0[oa]) + T(wb*x0[ob]) + (T(wc*x0[oc]) + T(wd*x0[od]))
			y1[p] = T(wa*x1[oa]) + T(wb*x1[ob]) + (T(wc*x1[oc]) + T(wd*x1[od]))
			y2[p] = T(wa*x2[oa]) + T(wb*x2[ob]) + (T(wc*x2[oc]) + T(wd*x2[od]))
			y3[p] = T(wa*x3[oa]) + T(wb*x3[ob]) + (T(wc*x3[oc]) + T(wd*x3[od]))
			continue
		}
		var s0, s1, s2, s3 T
		for i, o := range o[:counts[p]] {
			s0, s1, s2, s3 = s0+T(w[i]*x0[o]), s1+T(w[i]*x1[o]), s2+T(w[i]*x2[o]), s3+T(w[i]*x3[o])
		}
		y0[p], y1[p], y2[p], y3[p] = s0, s1, s2, s3
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
func (l *gridLayout) along(t *axisTaps, a *gridAxis, v, scale float64) {
	if l.each == 2 && v >= 0 && v < float64(a.n-1) { // the usual case
		i := int(v)
		f := v - float64(i)
		t.n, t.offset[0], t.offset[1] = 2, i*a.step, (i+1)*a.step
		t.weight[0], t.weight[1] = 1-f, f
		t.slope[0], t.slope[1] = -scale, scale
		return
	}
	t.n = 0
	if l.mode == "nearest" {
		v, scale = math.RoundToEven(v), 0
	}
	if !(v >= a.lo && v <= a.hi) {
		switch l.padding {
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
	switch l.mode {
	case "nearest":
		t.add(l, a, i, 1, 0)
	case "linear":
		t.add(l, a, i, 1-f, -scale)
		t.add(l, a, i+1, f, scale)
	default:
		for k := range 4 {
			d := f - float64(k-1)
			t.add(l, a, i-1+k, gridCubic.kernel(d), cubicSlope(d)*scale)
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
