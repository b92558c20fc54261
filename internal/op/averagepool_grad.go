package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "AveragePoolGrad", Since: 1, MinIn: 1, MaxIn: 1, MaxOut: 1, New: func(s *Spec) (Op, error) {
		g := averagePoolGrad{averagePool: averagePool{window: s.window(), includePad: s.Bool("count_include_pad", false)}, shape: s.Ints("shape")}
		return g, checkSize(g.shape)
	}})
	registerGrad("", "AveragePool", func(g *Grad) error {
		attrs := append(g.windowAttrs(), Attr("count_include_pad", g.Int("count_include_pad", 0)), Attr("shape", g.In[0].Shape))
		g.setIfWanted(0, func() string { return g.AddInternal("AveragePoolGrad", 1, []string{g.Up[0]}, attrs...)[0] })
		return nil
	})
	registerGrad("", "GlobalAveragePool", func(g *Grad) error {
		g.setIfWanted(0, func() string {
			share := g.Add("Mul", []string{g.Up[0], g.Scalar(1 / float64(max(1, prod(g.In[0].Shape[2:]))))})
			return g.Add("Expand", []string{share, g.Ints(g.In[0].Shape)})
		})
		return nil
	})
}

// averagePoolGrad is the gradient of AveragePool: each element of a window gets that of the mean over the number of
// elements that it counts. shape is that of the pool's input.
type averagePoolGrad struct {
	averagePool
	shape []int
}

func (a averagePoolGrad) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	_, shape, err := a.window.poolShape(a.shape)
	if err != nil {
		return nil, err
	}
	if !sameShape(in[0].Shape, shape) {
		return nil, fmt.Errorf("the gradient has shape %v, want %v", in[0].Shape, shape)
	}
	return []Info{{Type: in[0].Type, Shape: a.shape}}, nil
}

func (a averagePoolGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	p, _, err := a.window.poolShape(a.shape)
	if err != nil {
		return err
	}
	if in[0].Type == onnx.Double {
		averagePoolBackward(rt, a.averagePool, &p, onnx.Data[float64](in[0]), onnx.Data[float64](out[0]))
	} else {
		averagePoolBackward(rt, a.averagePool, &p, in[0].Float32s(), out[0].Float32s())
	}
	return nil
}

func averagePoolBackward[T float](rt *Runtime, a averagePool, p *poolShape, dy, dx []T) {
	rowShares := poolShares[T](a, p)
	scale := times[T]()
	spreadWindows(rt, p, dx, func(share []T, at, d, h int) {
		scale(share, dy[at:][:len(share)], rowShares(d, h))
	})
}

// spreadWindows adds, to each element of dx, what the windows that it is in give to all of theirs: row fills in that of
// a row of windows; at is the place of its first one in the output, d and h its place on the first two axes.
func spreadWindows[T float](rt *Runtime, p *poolShape, dx []T, row func(share []T, at, d, h int)) {
	width, windows := p.in[2], p.out[2]
	add := plus[T]()
	scratch := make([]T, rt.Pool.Threads()*(width+windows))
	work := max(1, p.inPlane, p.outPlane*(p.kernel[2]+p.kernel[0]*p.kernel[1]))
	rt.Pool.ForWorker(p.planes, max(1, 1<<15/work), func(worker, lo, hi int) {
		room := scratch[worker*(width+windows):]
		share, line := room[:windows], room[windows:][:width]
		for plane := lo; plane < hi; plane++ {
			to := dx[plane*p.inPlane:][:p.inPlane]
			clear(to)
			for r := range p.outRows {
				d, h := r/p.out[1], r%p.out[1]
				row(share, plane*p.outPlane+r*windows, d, h)
				clear(line)
				for k := range p.kernel[2] {
					spreadTap(p, line, share, k, add)
				}
				dStart, dLo, dHi := p.taps(0, d)
				hStart, hLo, hHi := p.taps(1, h)
				for i := dLo; i < dHi; i++ {
					for j := hLo; j < hHi; j++ {
						at := ((dStart+i*p.dilation[0])*p.in[1] + hStart + j*p.dilation[1]) * width
						add(to[at:at+width], to[at:at+width], line)
					}
				}
			}
		}
	})
}

// spreadTap adds the shares of a row of windows to the k-th element of each window, where that is inside.
func spreadTap[T float](p *poolShape, line, share []T, k int, add func(dst, a, b []T)) {
	s, off := p.stride[2], k*p.dilation[2]-p.padBegin[2] // window o has it at o*s+off
	first := 0
	if off < 0 {
		first = (-off + s - 1) / s
	}
	last := -1
	if room := p.in[2] - 1 - off; room >= 0 {
		last = min(room/s, p.out[2]-1)
	}
	if first > last {
		return
	}
	if s == 1 {
		to := line[first+off : last+off+1]
		add(to, to, share[first:last+1])
		return
	}
	at := first*s + off
	for _, v := range share[first : last+1] {
		line[at] += v
		at += s
	}
}
