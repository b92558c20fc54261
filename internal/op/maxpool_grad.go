package op

import (
	"fmt"
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Domain: Internal, Type: "MaxPoolGrad", Since: 1, MinIn: 3, MaxIn: 3, MaxOut: 1, New: func(s *Spec) (Op, error) {
		return maxPoolGrad{window: s.window()}, nil
	}})
	registerGrad("", "MaxPool", func(g *Grad) error {
		if g.Wanted(0) && g.Up[0] != "" {
			g.Set(0, g.AddInternal("MaxPoolGrad", 1, []string{g.Up[0], g.Input(0), g.Output(0)}, g.windowAttrs()...)[0])
		}
		return nil
	})
	registerGrad("", "GlobalMaxPool", func(g *Grad) error {
		g.setIfWanted(0, func() string { return g.globalPoolGrad("MaxPoolGrad") })
		return nil
	})
}

// windowAttrs returns the node's attributes that say where the windows of a pool lie.
func (g *Grad) windowAttrs() []*onnx.Attribute {
	var attrs []*onnx.Attribute
	for _, a := range g.Node.Attrs {
		switch a.Name {
		case "kernel_shape", "strides", "dilations", "pads", "auto_pad", "ceil_mode":
			attrs = append(attrs, a)
		}
	}
	return attrs
}

// globalPoolGrad adds the gradient of a pool with a window over everything: it takes the spatial dimensions as one.
func (g *Grad) globalPoolGrad(opType string, attrs ...*onnx.Attribute) string {
	s := g.In[0].Shape
	n, c, size := s[0], s[1], prod(s[2:])
	in := []string{g.Reshape(g.Up[0], []int{n, c, 1}), g.Reshape(g.Input(0), []int{n, c, size}), g.Reshape(g.Output(0), []int{n, c, 1})}
	d := g.AddInternal(opType, 1, in, append(attrs, Attr("kernel_shape", []int{max(size, 1)}))...)[0]
	return g.Reshape(d, s)
}

// maxPoolGrad is the gradient of MaxPool: that of each window goes to its largest element, of equal ones to the first
// in row-major order. Inputs are the gradient of the output, the input and the output of the pool.
type maxPoolGrad struct{ window window }

func (m maxPoolGrad) Infer(in []Info) ([]Info, error) { return inferPoolGrad(m.window, in) }

// inferPoolGrad checks the inputs of a pool's gradient: the gradient of the output, the input, the output.
func inferPoolGrad(w window, in []Info) ([]Info, error) {
	if err := wantFloats(in, 0, 1, 2); err != nil {
		return nil, err
	}
	_, shape, err := w.poolShape(in[1].Shape)
	if err != nil {
		return nil, err
	}
	for _, i := range []int{0, 2} {
		if in[i].Type != in[1].Type || !sameShape(in[i].Shape, shape) {
			return nil, fmt.Errorf("input %d: want %v%v, got %v%v", i, in[1].Type, shape, in[i].Type, in[i].Shape)
		}
	}
	return []Info{{Type: in[1].Type, Shape: in[1].Shape}}, nil
}

func (m maxPoolGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	p, _, err := m.window.poolShape(in[1].Shape)
	if err != nil {
		return err
	}
	if in[1].Type == onnx.Double {
		maxPoolBackward(rt, &p, onnx.Data[float64](in[0]), onnx.Data[float64](in[1]), onnx.Data[float64](in[2]), onnx.Data[float64](out[0]))
		return nil
	}
	dy, x, y, dx := in[0].Float32s(), in[1].Float32s(), in[2].Float32s(), out[0].Float32s()
	if p.quarters() {
		maxQuartersBackward(rt, &p, dy, x, y, dx)
	} else {
		maxPoolBackward(rt, &p, dy, x, y, dx)
	}
	return nil
}

// maxPoolBackward works through a plane at a time, for windows may overlap.
func maxPoolBackward[T float](rt *Runtime, p *poolShape, dy, x, y, dx []T) {
	work := max(1, p.inPlane, p.outPlane*p.kernel[0]*p.kernel[1]*p.kernel[2]/4)
	inner, outer := p.interior()
	rt.Pool.For(p.planes, max(1, 1<<14/work), func(lo, hi int) {
		for plane := lo; plane < hi; plane++ {
			from, to := x[plane*p.inPlane:][:p.inPlane], dx[plane*p.inPlane:][:p.inPlane]
			clear(to)
			at := plane * p.outPlane
			for row := range p.outRows {
				dStart, dLo, dHi := p.taps(0, row/p.out[1])
				hStart, hLo, hHi := p.taps(1, row%p.out[1])
				for o := range p.out[2] {
					wStart, wLo, wHi := o*p.stride[2]-p.padBegin[2], 0, p.kernel[2]
					if o < inner || o >= outer {
						wStart, wLo, wHi = p.taps(2, o)
					}
					most, up := y[at], dy[at]
					at++
				search:
					for i := dLo; i < dHi; i++ {
						for j := hLo; j < hHi; j++ {
							line := ((dStart+i*p.dilation[0])*p.in[1]+hStart+j*p.dilation[1])*p.in[2] + wStart
							for k := wLo; k < wHi; k++ {
								c := line + k*p.dilation[2]
								if v := from[c]; v == most || v != v {
									to[c] += up
									break search
								}
							}
						}
					}
				}
			}
		}
	})
}

// quarters reports whether the windows are 2x2 squares side by side that lie inside the input.
func (p *poolShape) quarters() bool {
	return p.kernel == [3]int{1, 2, 2} && p.stride[1] == 2 && p.stride[2] == 2 && p.dilation == [3]int{1, 1, 1} &&
		p.padBegin == [3]int{} && p.in[0] == 1 && 2*p.out[1] <= p.in[1] && 2*p.out[2] <= p.in[2]
}

// maxQuartersBackward is maxPoolBackward for the windows of most networks. It writes every element once, and without
// branches: which element is the largest is as good as random, and processors guess it wrong.
func maxQuartersBackward(rt *Runtime, p *poolShape, dy, x, y, dx []float32) {
	width := p.in[2]
	rt.Pool.For(p.planes, max(1, 1<<14/max(1, p.inPlane)), func(lo, hi int) {
		for plane := lo; plane < hi; plane++ {
			for h := range p.out[1] {
				at := (plane*p.out[1] + h) * p.out[2]
				up, most := dy[at:][:p.out[2]], y[at:][:p.out[2]]
				in := plane*p.inPlane + 2*h*width
				x0, x1 := x[in:][:width], x[in+width:][:width]
				d0, d1 := dx[in:][:width], dx[in+width:][:width]
				quartersRow(d0, d1, x0, x1, up, most)
				if 2*p.out[2] < width {
					d0[width-1], d1[width-1] = 0, 0
				}
			}
			if 2*p.out[1] < p.in[1] {
				clear(dx[plane*p.inPlane+2*p.out[1]*width:][:width])
			}
		}
	})
}

func quartersRow(d0, d1, x0, x1, up, most []float32) {
	n := 2 * len(up)
	d0, d1, x0, x1, most = d0[:n], d1[:n], x0[:n], x1[:n], most[:len(up)]
	for i, u := range up {
		m, k := most[i], 2*i
		bits := math.Float32bits(u)
		a, b, c, d := isLargest(x0[k], m), isLargest(x0[k+1], m), isLargest(x1[k], m), isLargest(x1[k+1], m)
		b &^= a
		c &^= a | b
		d &^= a | b | c
		d0[k] = math.Float32frombits(bits & -a)
		d0[k+1] = math.Float32frombits(bits & -b)
		d1[k] = math.Float32frombits(bits & -c)
		d1[k+1] = math.Float32frombits(bits & -d)
	}
}

// isLargest returns 1 where v is the largest element m of its window; a NaN is larger than all.
func isLargest(v, m float32) uint32 {
	var equal, nan uint32
	if v == m {
		equal = 1
	}
	if v != v {
		nan = 1
	}
	return equal | nan
}
