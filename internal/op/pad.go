package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Pad", Since: 1, MinIn: 1, MaxIn: 4, MaxOut: 1, Half: true, New: newPad})
}

// pad adds elements before and after its input along each dimension: a constant, the mirrored input without its border
// (reflect), its border (edge) or its other end (wrap). Negative pads cut off instead, which happens before anything is
// added. Up to opset 10 pads and the constant are attributes, later inputs; opset 18 lets pads name some axes only.
type pad struct {
	mode  string
	attrs bool
	pads  []int
	value float32
}

func newPad(s *Spec) (Op, error) {
	p := pad{mode: s.String("mode", "constant")}
	switch p.mode {
	case "constant", "reflect", "edge", "wrap":
	default:
		return nil, fmt.Errorf("mode %q is not known", p.mode)
	}
	name := "pads"
	if s.Opset < 2 {
		name = "paddings"
	}
	p.pads, p.value = s.Ints(name), s.Float("value", 0)
	if len(s.Node.Inputs) > 1 {
		return p, nil
	}
	if p.pads == nil {
		return nil, fmt.Errorf("%s are missing", name)
	}
	if s.Opset >= 11 {
		s.Warn("pads are an attribute, which opset %d does not have", s.Opset)
	}
	p.attrs = true
	return p, nil
}

// padAxis is what happens along one dimension: cut elements are dropped at both ends, then add ones are added.
type padAxis struct{ size, cut0, cut1, add0, add1 int }

func (a padAxis) out() int { return a.add0 + a.size - a.cut0 - a.cut1 + a.add1 }

// outOf returns the shape that a plan gives, and an error if it is not possible.
func outOf(plan []padAxis) ([]int, error) {
	out := make([]int, len(plan))
	for i, a := range plan {
		out[i] = a.out()
	}
	return out, checkSize(out)
}

// plan returns what happens along each dimension; known is false where it depends on values that are not known.
func (p pad) plan(in []Info) (plan []padAxis, known bool, err error) {
	shape := in[0].Shape
	pads, axes := p.pads, []int(nil)
	if !p.attrs {
		if pads, known, err = intsInfo("pads", in[1]); err != nil || !known {
			return nil, false, err
		}
		if !in[3].Absent() {
			if axes, known, err = intsInfo("axes", in[3]); err != nil || !known {
				return nil, false, err
			}
			if axes, err = normAxes(axes, len(shape)); err != nil {
				return nil, false, err
			}
		}
	}
	if axes == nil {
		axes = make([]int, len(shape))
		for i := range axes {
			axes[i] = i
		}
	}
	if len(pads) != 2*len(axes) {
		return nil, false, fmt.Errorf("%d pads for %d axes: want twice as many", len(pads), len(axes))
	}
	plan = make([]padAxis, len(shape))
	for i, d := range shape {
		plan[i].size = d
	}
	for i, axis := range axes {
		before, after := pads[i], pads[len(axes)+i]
		a := &plan[axis]
		if min(before, after) < -maxElements || max(before, after) > maxElements {
			return nil, false, fmt.Errorf("pads %d and %d along dimension %d are too large", before, after, axis)
		}
		a.cut0, a.add0 = max(-before, 0), max(before, 0)
		a.cut1, a.add1 = max(-after, 0), max(after, 0)
		left := a.size - a.cut0 - a.cut1
		if total := a.size + before + after; p.mode == "constant" && left < 0 && total >= 0 {
			// What is cut off on one side reaches into what is added on the other: only that remains.
			*a = padAxis{size: a.size, cut0: a.size, add0: total}
			continue
		}
		if left < 0 {
			return nil, false, fmt.Errorf("pads %d and %d cut off more than the %d elements of dimension %d", before, after, a.size, axis)
		}
		add := max(a.add0, a.add1)
		if p.mode == "reflect" && add > 0 && add >= left {
			return nil, false, fmt.Errorf("cannot reflect %d elements of dimension %d, which has %d", add, axis, left)
		}
		if p.mode != "constant" && add > 0 && left == 0 {
			return nil, false, fmt.Errorf("mode %s needs elements along dimension %d, which has none", p.mode, axis)
		}
	}
	return plan, true, nil
}

func (p pad) Infer(in []Info) ([]Info, error) {
	if err := movable(in[0].Type); err != nil {
		return nil, err
	}
	if !p.attrs {
		if in[1].Absent() {
			return nil, errors.New("pads are missing")
		}
		if c := in[2]; !c.Absent() && (c.Type != in[0].Type || prod(c.Shape) != 1) {
			return nil, fmt.Errorf("constant value: want one %v, got %v%v", in[0].Type, c.Type, c.Shape)
		}
	}
	plan, known, err := p.plan(in)
	if err != nil {
		return nil, err
	}
	if !known {
		return []Info{{Type: in[0].Type, Dynamic: true}}, nil
	}
	out, err := outOf(plan)
	if err != nil {
		return nil, err
	}
	return []Info{{Type: in[0].Type, Shape: out}}, nil
}

func (p pad) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	plan, _, err := p.plan(infoOf(in))
	if err != nil {
		return err
	}
	fill := in[2]
	if fill == nil {
		fill = onnx.New(in[0].Type, 1)
		if p.value != 0 {
			if fill, err = constantOf(in[0].Type, p.value); err != nil {
				return err
			}
		}
	}
	padTensor(rt, p.mode, plan, out[0], in[0], fill)
	return nil
}

// padTensor carries a plan out, for any type of elements; fill is the constant.
func padTensor(rt *Runtime, mode string, plan []padAxis, out, in, fill *onnx.Tensor) {
	if out.Len() == 0 {
		return
	}
	switch elemSize(in.Type) {
	case 1:
		padWords(rt, mode, plan, words[uint8](out), words[uint8](in), words[uint8](fill)[0])
	case 2:
		padWords(rt, mode, plan, words[uint16](out), words[uint16](in), words[uint16](fill)[0])
	case 4:
		padWords(rt, mode, plan, words[uint32](out), words[uint32](in), words[uint32](fill)[0])
	case 8:
		padWords(rt, mode, plan, words[uint64](out), words[uint64](in), words[uint64](fill)[0])
	case 16:
		padWords(rt, mode, plan, words[[2]uint64](out), words[[2]uint64](in), words[[2]uint64](fill)[0])
	default:
		padWords(rt, mode, plan, out.Strings, in.Strings, fill.Strings[0])
	}
}

// constantOf returns a tensor of one element of a floating-point type: attributes hold only floats.
func constantOf(typ onnx.DataType, v float32) (*onnx.Tensor, error) {
	switch typ {
	case onnx.Float:
		return onnx.Of([]int{1}, []float32{v}), nil
	case onnx.Double:
		return onnx.Of([]int{1}, []float64{float64(v)}), nil
	case onnx.Float16:
		return onnx.Of([]int{1}, []onnx.Float16Bits{onnx.Float16FromFloat32(v)}), nil
	case onnx.BFloat16:
		return onnx.Of([]int{1}, []onnx.BFloat16Bits{onnx.BFloat16FromFloat32(v)}), nil
	}
	return nil, fmt.Errorf("attribute \"value\" is a float, the input is %v", typ)
}

// sources returns for each place along an axis of the output the place in the input that it takes its element from,
// -1 where it takes the constant.
func (a padAxis) sources(mode string) []int {
	left := a.size - a.cut0 - a.cut1
	src := make([]int, a.out())
	for i := range src {
		k := i - a.add0
		if k < 0 || k >= left {
			switch mode {
			case "constant":
				src[i] = -1
				continue
			case "edge":
				k = min(max(k, 0), left-1)
			case "wrap":
				k = ((k % left) + left) % left
			case "reflect":
				if k < 0 {
					k = -k
				} else {
					k = 2*(left-1) - k
				}
			}
		}
		src[i] = k + a.cut0
	}
	return src
}

// padWords fills the output row by row. A row is the last dimension that is padded together with those behind it.
func padWords[T word](rt *Runtime, mode string, plan []padAxis, dst, src []T, fill T) {
	block := 1 // elements of the dimensions behind the last padded one
	for len(plan) > 1 {
		if a := plan[len(plan)-1]; a != (padAxis{size: a.size}) {
			break
		}
		block *= plan[len(plan)-1].size
		plan = plan[:len(plan)-1]
	}
	if len(plan) == 0 { // a scalar
		dst[0] = src[0]
		return
	}
	last := len(plan) - 1
	row := plan[last]
	inner := row.sources(mode)
	rowIn, rowOut := row.size*block, len(inner)*block
	kept := row.size - row.cut0 - row.cut1

	outer := make([][]int, last)
	strides := make([]int, last)
	rows, n := 1, rowIn
	for i := last - 1; i >= 0; i-- {
		outer[i] = plan[i].sources(mode)
		strides[i] = n
		n *= plan[i].size
		rows *= len(outer[i])
	}
	rt.Pool.For(rows, max(1, moveGrain/rowOut), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			to := dst[r*rowOut : (r+1)*rowOut]
			from, k := 0, r
			for i := last - 1; i >= 0; i-- {
				s := outer[i][k%len(outer[i])]
				k /= len(outer[i])
				if s < 0 {
					from = -1
					break
				}
				from += s * strides[i]
			}
			if from < 0 {
				fillRow(to, fill)
				continue
			}
			padEnd(to[:row.add0*block], inner[:row.add0], src, from, block, fill)
			mid := from + row.cut0*block
			copy(to[row.add0*block:], src[mid:mid+kept*block])
			padEnd(to[(row.add0+kept)*block:], inner[row.add0+kept:], src, from, block, fill)
		}
	})
}

// padEnd fills one end of a row with blocks from the row at from in src, or with the constant.
func padEnd[T word](to []T, inner []int, src []T, from, block int, fill T) {
	for i, s := range inner {
		b := to[i*block : (i+1)*block]
		if s < 0 {
			fillRow(b, fill)
			continue
		}
		copy(b, src[from+s*block:])
	}
}
