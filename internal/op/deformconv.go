package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/bigmem"
	"github.com/onnxcnn/onnxcnn/internal/conv"
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "DeformConv", Since: 19, MinIn: 3, MaxIn: 5, MaxOut: 1, New: func(s *Spec) (Op, error) {
		c, err := newConvolution(s)
		if err != nil {
			return nil, err
		}
		d := &deformConv{convolution: c, offsets: s.Int("offset_group", 1)}
		if d.offsets < 1 {
			return nil, fmt.Errorf("offset_group %d: want at least 1", d.offsets)
		}
		return d, nil
	}})
}

// deformConv is a convolution whose taps are moved by an offset each (Dai et al., Deformable Convolutional Networks,
// 2017) and weighed by a mask (Zhu et al., 2019). Inputs are x [N, C, spatial], weight [M, C/group, kernel], offset
// [N, offset groups*taps*r, out] for r of 1 to 3 spatial axes, the bias [M] and the mask [N, offset groups*taps, out];
// a tap's offset is r coordinates, from the first axis to the last, in elements. Between elements the input is
// interpolated, outside it is zero, also where an offset is not a number.
type deformConv struct {
	convolution *convolution
	offsets     int
	packed      []kernel.PackedA // weights, one a group, where they are constant
}

// deform is the geometry of a deformable convolution.
type deform struct {
	*conv.Shape
	grid          *gridLayout
	offsets       int
	taps, places  int
	rows, columns int // of a group's weight: output channels, and input channels times taps
	out, kernel   [3]int
}

func (d *deformConv) shape(x, w []int) (*deform, error) {
	if len(x) > 5 {
		return nil, fmt.Errorf("input of shape %v: want [N, C] and one to three spatial dimensions", x)
	}
	s, err := d.convolution.shape(x, w)
	if err != nil {
		return nil, err
	}
	if s.C%d.offsets != 0 {
		return nil, fmt.Errorf("input of shape %v: %d channels are not divisible by offset_group %d", x, s.C, d.offsets)
	}
	g := &deform{Shape: s, offsets: d.offsets, taps: prod(s.Kernel), places: prod(s.Out), out: [3]int{1, 1, 1}, kernel: [3]int{1, 1, 1}}
	g.grid = gridSample{mode: "linear", padding: "zeros", align: true}.layout(x, append([]int{s.N}, append(append([]int{}, s.Out...), len(s.Out))...))
	g.rows, g.columns = s.M/s.Groups, w[1]*g.taps
	copy(g.out[3-len(s.Out):], s.Out)
	copy(g.kernel[3-len(s.Out):], s.Kernel)
	return g, nil
}

func (d *deformConv) Infer(in []Info) ([]Info, error) {
	out, err := d.convolution.Infer([]Info{in[0], in[1], in[3]})
	if err != nil {
		return nil, err
	}
	g, err := d.shape(in[0].Shape, in[1].Shape)
	if err != nil {
		return nil, err
	}
	taps := mulSat(g.offsets, g.taps)
	want := append([]int{g.N, mulSat(taps, len(g.Out))}, g.Out...)
	if in[2].Type != in[0].Type || !sameShape(in[2].Shape, want) {
		return nil, fmt.Errorf("offset: want %v%v, got %v%v", in[0].Type, want, in[2].Type, in[2].Shape)
	}
	want[1] = taps
	if !in[4].Absent() && (in[4].Type != in[0].Type || !sameShape(in[4].Shape, want)) {
		return nil, fmt.Errorf("mask: want %v%v, got %v%v", in[0].Type, want, in[4].Type, in[4].Shape)
	}
	return out, nil
}

// Prepare packs a constant weight.
func (d *deformConv) Prepare(consts []*onnx.Tensor) (Op, error) {
	w := consts[1]
	if w == nil || w.Type != onnx.Float || len(w.Shape) < 3 || w.Shape[0]%d.convolution.group != 0 || d.packed != nil {
		return nil, nil
	}
	p := *d
	p.packed = d.pack(&Runtime{}, bigmem.Make[float32], w)
	return &p, nil
}

// pack packs the weight of each group.
func (d *deformConv) pack(rt *Runtime, alloc func(int) []float32, w *onnx.Tensor) []kernel.PackedA {
	t := kernel.Default()
	groups := d.convolution.group
	m, k, taps := w.Shape[0]/groups, prod(w.Shape[1:]), prod(w.Shape[2:])
	packed := make([]kernel.PackedA, groups)
	for g := range packed {
		packed[g] = t.PackA(rt.Pool, alloc(t.PackedSize(m, k)), w.Float32s()[g*m*k:], m, k, k, 1, taps, 1)
	}
	return packed
}

func (d *deformConv) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	g, err := d.shape(in[0].Shape, in[1].Shape)
	if err != nil {
		return err
	}
	if out[0].Len() == 0 {
		return nil
	}
	if in[0].Type == onnx.Double {
		deformPlain(rt, g, in, onnx.Data[float64](out[0]))
		return nil
	}
	packed := d.packed
	if packed == nil {
		packed = d.pack(rt, rt.Scratch, in[1])
	}
	t := kernel.Default()
	src := deformSource{table: t, sampler: newDeformSampler[float32](g, in), taps: make([]*gridTaps[float32], rt.Pool.Threads())}
	for i := range src.taps {
		src.taps[i] = newGridTaps[float32](g.grid, false)
	}
	y := out[0].Float32s()
	for i := range g.N * g.Groups {
		src.image, src.group = i/g.Groups, i%g.Groups
		var ep kernel.Epilogue
		if in[3] != nil {
			ep.RowBias = in[3].Float32s()[src.group*g.rows:]
		}
		mark := rt.taken // the next product may use the same scratch memory
		t.Product(rt.Pool, rt.Scratch, &packed[src.group], g.places, &src,
			&kernel.Output{C: y[i*g.rows*g.places:], LD: g.places, Cols: g.places}, &ep)
		rt.taken = mark
	}
	return nil
}

// deformSource is the right operand of a group's product: what the taps read, one row for each channel and tap.
type deformSource struct {
	table        *kernel.Table
	sampler      *deformSampler[float32]
	taps         []*gridTaps[float32] // by worker
	image, group int
}

// Pack implements [kernel.Source].
func (s *deformSource) Pack(worker int, dst []float32, lo, hi, col, cols int) {
	nr := s.table.NR
	for j := 0; j < cols; j += nr {
		n := min(nr, cols-j)
		panel := dst[j*(hi-lo):][:(hi-lo)*nr]
		if n < nr {
			clear(panel)
		}
		s.sampler.read(s.taps[worker], panel, nr, s.image, s.group, lo, hi, col+j, n)
	}
}

// deformSampler reads the input at the taps' places.
type deformSampler[T float] struct {
	*deform
	x, offset, mask []T // mask may be nil
}

func newDeformSampler[T float](g *deform, in []*onnx.Tensor) *deformSampler[T] {
	s := &deformSampler[T]{deform: g, x: onnx.Data[T](in[0]), offset: onnx.Data[T](in[2])}
	if in[4] != nil {
		s.mask = onnx.Data[T](in[4])
	}
	return s
}

// read writes what rows [lo,hi) of a group read at n places, at most gridBlock, from one on: step apart in dst. Row
// c*taps+k is tap k of the group's channel c.
func (s *deformSampler[T]) read(t *gridTaps[T], dst []T, step, image, group, lo, hi, place, n int) {
	channels, share := s.columns/s.taps, s.C/s.offsets
	first := group * channels // of the input
	for k := range s.taps {
		// Channels whose row of this tap is among them.
		c0, c1 := (lo-k+s.taps-1)/s.taps, (hi-k+s.taps-1)/s.taps
		for c := max(c0, 0); c < c1; {
			owner := (first + c) / share
			end := min(c1, (owner+1)*share-first)
			s.place(t, image, owner, k, place, n)
			t.gather(dst[(c*s.taps+k-lo)*step:], s.taps*step, n, s.x[(image*s.C+first+c)*s.grid.size:], s.grid.size, end-c)
			c = end
		}
	}
}

// place works out where tap k of an offset group reads for n places.
func (s *deformSampler[T]) place(t *gridTaps[T], image, owner, k, place, n int) {
	rank := len(s.Out)
	tap := (image*s.offsets+owner)*s.taps + k
	offset := s.offset[tap*rank*s.places:][:rank*s.places]
	along := s.grid.start()
	at := [3]int{k / (s.kernel[1] * s.kernel[2]), k / s.kernel[2] % s.kernel[1], k % s.kernel[2]}
	for p := range n {
		i := place + p
		out := [3]int{i / (s.out[1] * s.out[2]), i / s.out[2] % s.out[1], i % s.out[2]}
		for j := range rank {
			axis := 3 - rank + j
			start := out[axis]*s.Stride[j] - s.Pad[j] + at[axis]*s.Dilation[j]
			s.grid.along(&along[axis], &s.grid.axes[axis], float64(start)+float64(offset[j*s.places+i]), 1)
		}
		t.combine(p, &along, rank)
		if s.mask != nil {
			w := t.weight[p*t.most:][:t.count[p]]
			for j := range w {
				w[j] *= s.mask[tap*s.places+i]
			}
		}
	}
}

// deformPlain is the convolution in double precision, block by block of places.
func deformPlain(rt *Runtime, g *deform, in []*onnx.Tensor, y []float64) {
	s := newDeformSampler[float64](g, in)
	w := onnx.Data[float64](in[1])
	blocks := (g.places + gridBlock - 1) / gridBlock
	rt.Pool.For(g.N*g.Groups*blocks, 1, func(lo, hi int) {
		taps := newGridTaps[float64](g.grid, false)
		read := make([]float64, g.columns*gridBlock)
		for i := lo; i < hi; i++ {
			image, group, first := i/blocks/g.Groups, i/blocks%g.Groups, i%blocks*gridBlock
			n := min(gridBlock, g.places-first)
			s.read(taps, read, gridBlock, image, group, 0, g.columns, first, n)
			for r := range g.rows {
				m := group*g.rows + r
				row := y[(image*g.M+m)*g.places+first:][:n]
				clear(row)
				if in[3] != nil {
					bias := onnx.Data[float64](in[3])[m]
					for j := range row {
						row[j] = bias
					}
				}
				for k, v := range w[m*g.columns:][:g.columns] {
					for j, x := range read[k*gridBlock:][:n] {
						row[j] += v * x
					}
				}
			}
		}
	})
}
