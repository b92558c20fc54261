package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Gather", Since: 1, MinIn: 2, MaxIn: 2, MaxOut: 1, Half: true, New: func(s *Spec) (Op, error) {
		return gather{axis: s.Int("axis", 0)}, nil
	}})
}

// gather picks slices of its first input along axis: out[a, i, b] = data[a, indices[i], b], where i stands for all
// dimensions of indices. Negative indices count from the end.
type gather struct{ axis int }

func (g gather) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	if !isIndex(in[1].Type) {
		return nil, fmt.Errorf("indices: want int64 or int32, got %v", in[1].Type)
	}
	axis, err := normAxis(g.axis, len(in[0].Shape))
	if err != nil {
		return nil, err
	}
	out := append([]int{}, in[0].Shape[:axis]...)
	out = append(out, in[1].Shape...)
	out = append(out, in[0].Shape[axis+1:]...)
	if err := checkSize(out); err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: out}}, nil
}

func (g gather) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	outer, row, n, starts, err := g.blocks(in[0].Shape, in[1])
	if err != nil {
		return err
	}
	gatherBlocks(rt, out[0], in[0], outer, row, starts, n)
	return nil
}

func (g gather) blocks(shape []int, indices *onnx.Tensor) (outer, row, n int, starts []int, err error) {
	axis, err := normAxis(g.axis, len(shape))
	if err != nil {
		return 0, 0, 0, nil, err
	}
	starts, err = indicesOf(indices, shape[axis])
	if err != nil {
		return 0, 0, 0, nil, err
	}
	outer, n = prod(shape[:axis]), prod(shape[axis+1:])
	for i := range starts {
		starts[i] *= n
	}
	return outer, shape[axis] * n, n, starts, nil
}

// gatherBlocks writes, for each of outer rows that lie row elements apart in src, the blocks of n elements that begin
// at starts, one after the other. The starts lie inside a row.
func gatherBlocks(rt *Runtime, dst, src *onnx.Tensor, outer, row int, starts []int, n int) {
	if outer == 0 || n == 0 || len(starts) == 0 {
		return
	}
	switch elemSize(dst.Type) {
	case 1:
		gatherWords(rt, words[uint8](dst), words[uint8](src), outer, row, starts, n)
	case 2:
		gatherWords(rt, words[uint16](dst), words[uint16](src), outer, row, starts, n)
	case 4:
		gatherWords(rt, words[uint32](dst), words[uint32](src), outer, row, starts, n)
	case 8:
		gatherWords(rt, words[uint64](dst), words[uint64](src), outer, row, starts, n)
	case 16:
		gatherWords(rt, words[[2]uint64](dst), words[[2]uint64](src), outer, row, starts, n)
	default:
		gatherWords(rt, dst.Strings, src.Strings, outer, row, starts, n)
	}
}

func gatherWords[T word](rt *Runtime, dst, src []T, outer, row int, starts []int, n int) {
	rt.Pool.For(outer*len(starts), max(1, moveGrain/n), func(lo, hi int) {
		o, k := lo/len(starts), lo%len(starts)
		for lo < hi {
			from := src[o*row : (o+1)*row]
			take := min(len(starts)-k, hi-lo)
			to := dst[lo*n : (lo+take)*n]
			if n == 1 {
				for i, s := range starts[k : k+take] {
					to[i] = from[s]
				}
			} else {
				for i, s := range starts[k : k+take] {
					copy(to[i*n:(i+1)*n], from[s:s+n])
				}
			}
			lo += take
			o, k = o+1, 0
		}
	})
}
