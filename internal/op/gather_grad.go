package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	gathers := map[string]func(s *Spec) places{
		"Gather":         func(s *Spec) places { return gather{axis: s.Int("axis", 0)} },
		"GatherElements": func(s *Spec) places { return gatherElements{axis: s.Int("axis", 0)} },
		"GatherND":       func(s *Spec) places { return gatherND{batch: s.Int("batch_dims", 0)} },
	}
	for name, forward := range gathers {
		register(Def{Domain: Internal, Type: name + "Grad", Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
			g := gatherGrad{forward: forward(s), shape: s.Ints("shape")}
			return g, checkSize(g.shape)
		}})
		registerGrad("", name, func(g *Grad) error {
			attrs := append([]*onnx.Attribute{Attr("shape", g.In[0].Shape)}, g.Node.Attrs...)
			g.setIfWanted(0, func() string {
				return g.AddInternal(name+"Grad", 1, []string{g.Up[0], g.Input(1)}, attrs...)[0]
			})
			return nil
		})
	}
}

// places is an operator that copies blocks of its first input to its output, one after the other.
type places interface {
	Op
	// blocks returns where in data of that shape the blocks are that the indices name: outer rows of row elements
	// each have the same starts, the first elements of blocks of n.
	blocks(shape []int, indices *onnx.Tensor) (outer, row, n int, starts []int, err error)
}

// gatherGrad is the gradient of Gather, GatherElements and GatherND: what was taken from a place of the data is added up
// there, in the order of the indices. Inputs are the gradient of the output and the indices; shape is the data's.
type gatherGrad struct {
	forward places
	shape   []int
}

func (g gatherGrad) Infer(in []Info) ([]Info, error) {
	if err := wantFloats(in, 0); err != nil {
		return nil, err
	}
	data := Info{Type: in[0].Type, Shape: g.shape}
	out, err := g.forward.Infer([]Info{data, in[1]})
	if err != nil {
		return nil, err
	}
	if !sameShape(out[0].Shape, in[0].Shape) {
		return nil, fmt.Errorf("the gradient has shape %v, want %v", in[0].Shape, out[0].Shape)
	}
	return []Info{data}, nil
}

func (g gatherGrad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	outer, row, n, starts, err := g.forward.blocks(g.shape, in[1])
	if err != nil {
		return err
	}
	if in[0].Type == onnx.Double {
		addBlocks(rt, onnx.Data[float64](out[0]), onnx.Data[float64](in[0]), outer, row, n, starts)
	} else {
		addBlocks(rt, out[0].Float32s(), in[0].Float32s(), outer, row, n, starts)
	}
	return nil
}

// addBlocks is the opposite of gatherBlocks. Rows are independent, and inside one so are the elements of a block; the
// blocks of a row are added in their order.
func addBlocks[T float](rt *Runtime, dst, src []T, outer, row, n int, starts []int) {
	clear(dst)
	if len(starts) == 0 || n == 0 {
		return
	}
	const width = 1 << 10
	cuts := (n + width - 1) / width
	work := len(starts) * min(n, width)
	rt.Pool.For(outer*cuts, max(1, 1<<14/work), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			from := i % cuts * width
			to := min(from+width, n)
			base, block := dst[i/cuts*row:][:row], src[i/cuts*len(starts)*n:]
			for k, s := range starts {
				part := block[k*n+from : k*n+to]
				sum := base[s+from:][:len(part)]
				for j, v := range part {
					sum[j] += v
				}
			}
		}
	})
}
