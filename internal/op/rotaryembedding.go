package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "RotaryEmbedding", Since: 23, MinIn: 3, MaxIn: 4, MaxOut: 1, New: func(s *Spec) (Op, error) {
		r := rotaryEmbedding{heads: s.Int("num_heads", 0), turned: s.Int("rotary_embedding_dim", 0), interleaved: s.Bool("interleaved", false)}
		if r.heads < 0 || r.turned < 0 || r.turned%2 != 0 {
			return nil, fmt.Errorf("num_heads %d and rotary_embedding_dim %d: want no negative ones, the second even", r.heads, r.turned)
		}
		return r, nil
	}})
}

// rotaryEmbedding turns pairs of numbers by an angle that depends on the place in a sequence (Su et al., RoFormer, 2021).
// Inputs are x [B, H, S, D], or [B, S, H*D] with the number of heads as an attribute, the cosines and sines of the angles,
// and places [B, S]: rows of the tables [places, R/2]; without places the tables are [B, S, R/2]. The first R numbers of
// a head are turned, those of its first half with those of its second, or each with its neighbour.
type rotaryEmbedding struct {
	heads       int // of inputs of rank 3
	turned      int // 0: all
	interleaved bool
}

func (rotaryEmbedding) InPlace() []int { return []int{0} }

// rotaryShape are the sizes of a rotary embedding.
type rotaryShape struct {
	batch, heads, steps, size int
	flat                      bool
	half                      int // pairs that are turned
	rows                      int // of the tables; 0 where there is one for each step of each element of the batch
}

func (r rotaryEmbedding) shape(in []Info) (rotaryShape, error) {
	var s rotaryShape
	if err := wantFloats(in, 0); err != nil {
		return s, err
	}
	switch x := in[0].Shape; len(x) {
	case 4:
		s = rotaryShape{batch: x[0], heads: x[1], steps: x[2], size: x[3]}
	case 3:
		if r.heads == 0 || x[2]%r.heads != 0 {
			return s, fmt.Errorf("input of shape %v cannot be divided into %d heads", x, r.heads)
		}
		s = rotaryShape{batch: x[0], steps: x[1], heads: r.heads, size: x[2] / r.heads, flat: true}
	default:
		return s, fmt.Errorf("input of shape %v: want rank 4, or 3", x)
	}
	turned := r.turned
	if turned == 0 {
		turned = s.size
	}
	if turned%2 != 0 || turned > s.size {
		return s, fmt.Errorf("%d of %d numbers cannot be turned in pairs", turned, s.size)
	}
	s.half = turned / 2
	want := []int{s.batch, s.steps, s.half}
	if places := in[3]; !places.Absent() {
		if (places.Type != onnx.Int64 && places.Type != onnx.Int32) || !sameShape(places.Shape, []int{s.batch, s.steps}) {
			return s, fmt.Errorf("position_ids: want int64[%d %d], got %v%v", s.batch, s.steps, places.Type, places.Shape)
		}
		if len(in[1].Shape) != 2 {
			return s, fmt.Errorf("cosines of shape %v: want [places, %d]", in[1].Shape, s.half)
		}
		s.rows = in[1].Shape[0]
		want = []int{s.rows, s.half}
		if s.rows == 0 && s.batch*s.steps > 0 {
			return s, errors.New("the cosines are empty")
		}
	}
	for i := 1; i <= 2; i++ {
		if in[i].Type != in[0].Type || !sameShape(in[i].Shape, want) {
			return s, fmt.Errorf("cosines and sines: want %v%v, input %d is %v%v", in[0].Type, want, i, in[i].Type, in[i].Shape)
		}
	}
	return s, nil
}

func (r rotaryEmbedding) Infer(in []Info) ([]Info, error) {
	if _, err := r.shape(in); err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}}, nil
}

func (r rotaryEmbedding) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if in[0].Type == onnx.Double {
		return rotaryOf[float64](rt, r, in, out[0])
	}
	return rotaryOf[float32](rt, r, in, out[0])
}

func rotaryOf[T float](rt *Runtime, r rotaryEmbedding, in []*onnx.Tensor, out *onnx.Tensor) error {
	s, err := r.shape(infoOf(in))
	if err != nil {
		return err
	}
	var places []int
	if in[3] != nil {
		if places, err = intsOf(in[3]); err != nil {
			return err
		}
		for i, p := range places {
			if p < 0 || p >= s.rows {
				return fmt.Errorf("position_ids: element %d is %d, the tables have %d rows", i, p, s.rows)
			}
		}
	}
	cosines, sines, x, y := onnx.Data[T](in[1]), onnx.Data[T](in[2]), onnx.Data[T](in[0]), onnx.Data[T](out)
	rt.Pool.For(s.batch*s.heads*s.steps, max(1, moveGrain/4/max(s.size, 1)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			b, place := i/(s.heads*s.steps), i%s.steps // x is [B, H, S, D]
			if s.flat {                                // [B, S, H, D]
				place = i / s.heads % s.steps
			}
			row := b*s.steps + place
			if places != nil {
				row = places[row]
			}
			from, to := x[i*s.size:][:s.size], y[i*s.size:][:s.size]
			c, n := cosines[row*s.half:][:s.half], sines[row*s.half:][:s.half]
			if r.interleaved {
				turnNeighbours(to, from, c, n)
			} else {
				turnHalves(to[:s.half], to[s.half:], from[:s.half], from[s.half:], c, n)
			}
			copy(to[2*s.half:], from[2*s.half:])
		}
	})
	return nil
}

// turnHalves turns each p with its q, by the angle with cosine c and sine n.
func turnHalves[T float](y, z, p, q, c, n []T) {
	z, p, q, c, n = z[:len(y)], p[:len(y)], q[:len(y)], c[:len(y)], n[:len(y)]
	for k := range y {
		v, w := p[k], q[k]
		y[k], z[k] = T(c[k]*v)-T(n[k]*w), T(n[k]*v)+T(c[k]*w)
	}
}

// turnNeighbours turns each pair of neighbours.
func turnNeighbours[T float](y, x, c, n []T) {
	n = n[:len(c)]
	for k, cosine := range c {
		from, to := x[2*k:][:2], y[2*k:][:2]
		v, w := from[0], from[1]
		to[0], to[1] = T(cosine*v)-T(n[k]*w), T(n[k]*v)+T(cosine*w)
	}
}
