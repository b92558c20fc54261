package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "AffineGrid", Since: 20, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
		return affineGrid{align: s.Bool("align_corners", false)}, nil
	}})
	registerGrad("", "AffineGrid", func(g *Grad) error {
		g.setIfWanted(0, func() string {
			a := affineGrid{align: g.Bool("align_corners", false)}
			shape := g.Out[0].Shape
			rank := len(shape) - 2
			places := prod(shape[1 : rank+1])
			base := onnx.New(g.In[0].Type, places, rank+1)
			if base.Type == onnx.Double {
				affinePlaces(a, shape[1:rank+1], onnx.Data[float64](base))
			} else {
				affinePlaces(a, shape[1:rank+1], base.Float32s())
			}
			up := g.Add("Transpose", []string{g.Reshape(g.Up[0], []int{shape[0], places, rank})}, Attr("perm", []int{0, 2, 1}))
			return g.Add("MatMul", []string{up, g.Builder.Const(base)})
		})
		return nil
	})
}

// affineGrid makes a grid for GridSample of an affine map: theta is [N, r, r+1] for r of 2 or 3 spatial axes, size the
// output's shape [N, C, spatial], the result [N, spatial, r]. The coordinates of an element, from the last axis to the
// first and a one behind them, are multiplied with theta: from -1 to 1 they go as GridSample has them.
type affineGrid struct{ align bool }

func (a affineGrid) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	theta := in[0].Shape
	if len(theta) != 3 || theta[1] != 2 && theta[1] != 3 || theta[2] != theta[1]+1 {
		return nil, fmt.Errorf("theta of shape %v: want [N, 2, 3] or [N, 3, 4]", theta)
	}
	size, known, err := intsInfo("size", in[1])
	if err != nil {
		return nil, err
	}
	if !known {
		return []Info{{Type: in[0].Type, Dynamic: true}}, nil
	}
	rank := theta[1]
	if len(size) != rank+2 {
		return nil, fmt.Errorf("size %v: want [N, C] and %d spatial dimensions for theta of shape %v", size, rank, theta)
	}
	if size[0] != theta[0] {
		return nil, fmt.Errorf("size %v has %d images, theta of shape %v has %d", size, size[0], theta, theta[0])
	}
	shape := append(append([]int{size[0]}, size[2:]...), rank)
	return []Info{{Type: in[0].Type, Shape: shape}}, errors.Join(checkSize(size), checkSize(shape))
}

func (a affineGrid) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Double {
		affineGridOf[float64](rt, a, in[0], out[0])
	} else {
		affineGridOf[float32](rt, a, in[0], out[0])
	}
	return nil
}

func affineGridOf[T float](rt *Runtime, a affineGrid, theta, out *onnx.Tensor) {
	rank := theta.Shape[1]
	spatial := out.Shape[1 : rank+1]
	y, m := onnx.Data[T](out), onnx.Data[T](theta)
	width, lines := spatial[rank-1], prod(spatial[:rank-1])
	if len(y) == 0 {
		return
	}
	rt.Pool.For(theta.Shape[0]*lines, max(1, moveGrain/4/width), func(lo, hi int) {
		at := make([]T, rank)
		for i := lo; i < hi; i++ {
			image, line := i/lines, i%lines
			for k := rank - 2; k >= 0; k-- {
				at[rank-1-k] = affinePlace[T](a, line%spatial[k], spatial[k])
				line /= spatial[k]
			}
			to := y[i*width*rank:][:width*rank]
			for x := range width {
				at[0] = affinePlace[T](a, x, width)
				for j := range rank {
					row := m[(image*rank+j)*(rank+1):][:rank+1]
					var sum T
					for k, v := range at {
						sum += T(row[k] * v)
					}
					to[x*rank+j] = sum + row[rank]
				}
			}
		}
	})
}

// affinePlace is the coordinate of element i of n. Of a single element with align the specification has none: as in
// PyTorch it is 0.
func affinePlace[T float](a affineGrid, i, n int) T {
	if !a.align {
		return T((2*float64(i)+1)/float64(n) - 1)
	}
	if n == 1 {
		return 0
	}
	return T(2*float64(i)/float64(n-1) - 1)
}

// affinePlaces writes the coordinates of all elements, from the last axis to the first, each with a one behind them.
func affinePlaces[T float](a affineGrid, spatial []int, y []T) {
	rank := len(spatial)
	for i := range prod(spatial) {
		rest := i
		for k := rank - 1; k >= 0; k-- {
			y[i*(rank+1)+rank-1-k] = affinePlace[T](a, rest%spatial[k], spatial[k])
			rest /= spatial[k]
		}
		y[i*(rank+1)+rank] = 1
	}
}
