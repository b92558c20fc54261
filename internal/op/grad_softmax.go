package op

import (
	"math"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	for name, kind := range map[string]softmaxKind{"Softmax": softmaxPlain, "LogSoftmax": softmaxLog} {
		register(Def{Domain: Internal, Type: name + "Grad", Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
			return softmaxGrad{softmax{kind: kind, axis: s.Int("axis", -1), flat: s.Bool("flat", false)}}, nil
		}})
		registerGrad("", name, func(g *Grad) error {
			attrs := []*onnx.Attribute{Attr("axis", g.Int("axis", -1))}
			if g.Opset < 13 {
				attrs = []*onnx.Attribute{Attr("axis", g.Int("axis", 1)), Attr("flat", 1)}
			}
			g.Set(0, g.AddInternal(name+"Grad", 1, []string{g.Up[0], g.Output(0)}, attrs...)[0])
			return nil
		})
	}
}

// softmaxGrad is the gradient of Softmax, y*(dy-sum(dy*y)), or of LogSoftmax, dy-e^y*sum(dy), from dy and y. The sums go
// over the elements that are normalised together.
type softmaxGrad struct{ softmax }

func (softmaxGrad) InPlace() []int { return []int{0, 1} }

func (o softmaxGrad) Infer(in []Info) ([]Info, error) {
	out, err := sameFloats(in, 2)
	if err != nil {
		return nil, err
	}
	_, _, _, err = o.cut(in[0].Shape)
	return out, err
}

func (o softmaxGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	outer, n, inner, err := o.cut(in[0].Shape)
	if err != nil || outer*n*inner == 0 {
		return err
	}
	if in[0].Type == onnx.Float {
		softmaxGradOf[float32](rt, o.kind, outer, n, inner, in, out[0])
	} else {
		softmaxGradOf[float64](rt, o.kind, outer, n, inner, in, out[0])
	}
	return nil
}

func softmaxGradOf[T float](rt *Runtime, kind softmaxKind, outer, n, inner int, in []*onnx.Tensor, out *onnx.Tensor) {
	dy, y, dx := onnx.Data[T](in[0]), onnx.Data[T](in[1]), onnx.Data[T](out)
	if inner == 1 {
		rt.Pool.For(outer, max(1, 1<<13/n), func(lo, hi int) {
			for o := lo; o < hi; o++ {
				softmaxGradRow(kind, dx[o*n:(o+1)*n], dy[o*n:(o+1)*n], y[o*n:(o+1)*n])
			}
		})
		return
	}
	blocks := (inner + foldBlock - 1) / foldBlock
	rt.Pool.For(outer*blocks, max(1, 1<<13/(n*min(inner, foldBlock))), func(lo, hi int) {
		var acc [foldBlock]float64
		for i := lo; i < hi; i++ {
			from := i % blocks * foldBlock
			at := i/blocks*n*inner + from
			sum := acc[:min(inner-from, foldBlock)]
			clear(sum)
			for k := range n {
				d, v := dy[at+k*inner:], y[at+k*inner:]
				d, v = d[:len(sum)], v[:len(sum)]
				for j := range sum {
					if kind == softmaxLog {
						sum[j] += float64(d[j])
					} else {
						sum[j] += float64(d[j]) * float64(v[j])
					}
				}
			}
			for k := range n {
				d, v, x := dy[at+k*inner:], y[at+k*inner:], dx[at+k*inner:]
				d, v, x = d[:len(sum)], v[:len(sum)], x[:len(sum)]
				for j, s := range sum {
					if kind == softmaxLog {
						x[j] = T(float64(d[j]) - math.Exp(float64(v[j]))*s)
					} else {
						x[j] = v[j] * T(float64(d[j])-s)
					}
				}
			}
		}
	})
}

// softmaxGradRow does it for neighbours.
func softmaxGradRow[T float](kind softmaxKind, dx, dy, y []T) {
	dx, dy = dx[:len(y)], dy[:len(y)]
	sum := 0.0
	if kind == softmaxLog {
		sum = sumRun(0, dy)
		for i, v := range y {
			dx[i] = T(float64(dy[i]) - math.Exp(float64(v))*sum)
		}
		return
	}
	for i, v := range y {
		sum += float64(dy[i]) * float64(v)
	}
	for i, v := range y {
		dx[i] = v * T(float64(dy[i])-sum)
	}
}
