package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "GridSampleGrad", Since: 1, MinIn: 3, MaxIn: 3, MaxOut: 2, New: func(s *Spec) (Op, error) {
		g, err := newGridSample(s)
		return gridSampleGrad{g}, err
	}})
	registerGrad("", "GridSample", func(g *Grad) error {
		f, err := newGridSample(g.Spec)
		if err != nil {
			return err
		}
		align := 0
		if f.align {
			align = 1
		}
		d := g.AddInternal("GridSampleGrad", 2, []string{g.Up[0], g.Input(0), g.Input(1)},
			Attr("mode", f.mode), Attr("padding_mode", f.padding), Attr("align_corners", align))
		for i, name := range d {
			g.setIfWanted(i, func() string { return name })
		}
		return nil
	})
}

// gridSampleGrad is the gradient of GridSample by the image and by the grid, from that of the output, the image and the
// grid. The nearest element stays the same where the grid changes a little: its gradient by the grid is zero.
type gridSampleGrad struct{ forward gridSample }

func (g gridSampleGrad) Infer(in []Info) ([]Info, error) {
	out, err := g.forward.Infer(in[1:])
	if err != nil {
		return nil, err
	}
	if in[0].Type != out[0].Type || !sameShape(in[0].Shape, out[0].Shape) || in[2].Type != in[1].Type {
		return nil, fmt.Errorf("gradient %v%v, input %v%v and grid %v%v do not fit each other", in[0].Type, in[0].Shape, in[1].Type, in[1].Shape, in[2].Type, in[2].Shape)
	}
	return []Info{{Type: in[1].Type, Shape: in[1].Shape}, {Type: in[2].Type, Shape: in[2].Shape}}, nil
}

func (g gridSampleGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Double {
		gridSampleGradOf[float64](rt, g.forward, in, out)
	} else {
		gridSampleGradOf[float32](rt, g.forward, in, out)
	}
	return nil
}

func gridSampleGradOf[T float](rt *Runtime, g gridSample, in, out []*onnx.Tensor) {
	l := g.layout(in[1].Shape, in[2].Shape)
	dy := onnx.Data[T](in[0])
	if out[0] != nil {
		gridImageGrad(rt, l, dy, in[2], onnx.Data[T](out[0]))
	}
	if len(out) > 1 && out[1] != nil {
		gridGrad(rt, l, dy, onnx.Data[T](in[1]), in[2], onnx.Data[T](out[1]))
	}
}

// gridImageGrad gives each element of the image what the places got of it, in the order of the places. Planes are
// independent; some of one image share the work of reading the grid.
func gridImageGrad[T float](rt *Runtime, l *gridLayout, dy []T, grid *onnx.Tensor, dx []T) {
	const planes = 8
	chunks := (l.channels + planes - 1) / planes
	rt.Pool.For(l.images*chunks, 1, func(lo, hi int) {
		taps := newGridTaps[T](l, false)
		for i := lo; i < hi; i++ {
			image, c0 := i/chunks, i%chunks*planes
			c1 := min(c0+planes, l.channels)
			from, to := (image*l.channels+c0)*l.size, (image*l.channels+c1)*l.size
			clear(dx[from:to])
			for first := 0; first < l.places; first += gridBlock {
				n := min(gridBlock, l.places-first)
				taps.read(l, grid, image*l.places+first, n)
				for c := c0; c < c1; c++ {
					plane := dx[(image*l.channels+c)*l.size:][:l.size]
					for p, d := range dy[(image*l.channels+c)*l.places+first:][:n] {
						k := p * taps.most
						w := taps.weight[k : k+taps.count[p]]
						for i, o := range taps.offset[k : k+len(w)] {
							plane[o] += T(w[i] * d)
						}
					}
				}
			}
		}
	})
}

// gridGrad sums for each place, over the channels, what each of its elements contributes to the loss, and weighs that with
// the derivatives of the weights.
func gridGrad[T float](rt *Runtime, l *gridLayout, dy, x []T, grid *onnx.Tensor, dgrid []T) {
	blocks := (l.places + gridBlock - 1) / gridBlock
	rt.Pool.For(l.images*blocks, 1, func(lo, hi int) {
		taps := newGridTaps[T](l, true)
		sums := make([]float64, len(taps.offset))
		for i := lo; i < hi; i++ {
			image, first := i/blocks, i%blocks*gridBlock
			n := min(gridBlock, l.places-first)
			taps.read(l, grid, image*l.places+first, n)
			clear(sums)
			for c := range l.channels {
				plane := x[(image*l.channels+c)*l.size:][:l.size]
				for p, d := range dy[(image*l.channels+c)*l.places+first:][:n] {
					k := p * taps.most
					sum := sums[k : k+taps.count[p]]
					for i, o := range taps.offset[k : k+len(sum)] {
						sum[i] += float64(d) * float64(plane[o])
					}
				}
			}
			for p := range n {
				k := p * taps.most
				for j := range l.rank {
					total := 0.0
					for i, s := range sums[k : k+taps.count[p]] {
						total += s * taps.slope[j][k+i]
					}
					dgrid[(image*l.places+first+p)*l.rank+j] = T(total)
				}
			}
		}
	})
}
