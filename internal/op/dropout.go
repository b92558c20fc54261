package op

import (
	"fmt"

	"gonum.org/v1/gonum/mathext/prng"

	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "Dropout", Since: 1, MinIn: 1, MaxIn: 3, MaxOut: 2, Half: true, New: newDropout})
}

// dropout passes its input on and, in training, sets elements to 0 with probability ratio and multiplies the others by
// 1/(1-ratio). The second output is the mask: which elements were passed on; all of them outside of training. It is a
// bool from opset 10 on, before it has the type of the data.
//
// Training is asked for by is_test=0 up to opset 6 and by the input training_mode from opset 12 on; in between there is
// none. The elements to keep are drawn in row-major order by the Mersenne Twister MT19937 that the attribute seed
// starts (0 where the node has none), an element being kept where the 53-bit uniform number is ratio or more: what
// numpy.random.seed and numpy.random.uniform give. The same node so drops the same elements in each run.
type dropout struct {
	ratio     float64 // up to opset 10
	train     bool    // up to opset 6
	inputs    bool    // ratio and training_mode are inputs
	asData    bool    // the mask has the type of the data
	seed      uint32
	wantsMask bool
	still     bool // known not to train
}

func newDropout(s *Spec) (Op, error) {
	d := dropout{asData: s.Opset < 10, inputs: s.Opset >= 12}
	d.wantsMask = len(s.Node.Outputs) > 1 && s.Node.Outputs[1] != ""
	if d.inputs {
		d.seed = uint32(s.Int("seed", 0))
		d.still = len(s.Node.Inputs) < 3 || s.Node.Inputs[2] == ""
		s.Ignore("ratio") // left over in files that were raised from older opsets
		return d, nil
	}
	if len(s.Node.Inputs) > 1 {
		return nil, fmt.Errorf("has %d inputs, wants 1 in this opset", len(s.Node.Inputs))
	}
	d.ratio = float64(s.Float("ratio", 0.5))
	s.Ignore("consumed_inputs", "is_test")
	if s.Opset < 7 {
		d.train = !s.Bool("is_test", false)
		if d.train {
			s.Warn("is_test=0: drops elements at random")
		}
	}
	d.still = !d.train
	return d, checkRatio(d.ratio)
}

func checkRatio(r float64) error {
	if !(r >= 0 && r <= 1) {
		return fmt.Errorf("ratio is %v, want a number from 0 to 1", r)
	}
	return nil
}

func (d dropout) Aliases() bool { return d.still && !d.wantsMask }

// Prepare finds out whether a constant training_mode is off.
func (d dropout) Prepare(consts []*onnx.Tensor) (Op, error) {
	if d.still || !d.inputs || len(consts) < 3 || consts[2] == nil {
		return nil, nil
	}
	on, err := isTrue(consts[2])
	if err != nil || on {
		return nil, err
	}
	d.still = true
	return d, nil
}

// isTrue reads training_mode.
func isTrue(t *onnx.Tensor) (bool, error) {
	if t.Type != onnx.Bool || t.Len() != 1 {
		return false, fmt.Errorf("training_mode: want one bool, got %v%v", t.Type, t.Shape)
	}
	return t.Raw[0] != 0, nil
}

func (d dropout) Infer(in []Info) ([]Info, error) {
	switch in[0].Type {
	case onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16:
	default:
		return nil, typeError(0, in[0].Type)
	}
	if len(in) > 1 && !in[1].Absent() {
		switch in[1].Type {
		case onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16:
		default:
			return nil, typeError(1, in[1].Type)
		}
		if prod(in[1].Shape) != 1 {
			return nil, fmt.Errorf("ratio: want one number, got shape %v", in[1].Shape)
		}
	}
	if len(in) > 2 && !in[2].Absent() && (in[2].Type != onnx.Bool || prod(in[2].Shape) != 1) {
		return nil, fmt.Errorf("training_mode: want one bool, got %v%v", in[2].Type, in[2].Shape)
	}
	mask := Info{Type: onnx.Bool, Shape: in[0].Shape}
	if d.asData {
		mask.Type = in[0].Type
	}
	return []Info{{Type: in[0].Type, Shape: in[0].Shape}, mask}, nil
}

func (d dropout) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	ratio, train := d.ratio, d.train
	if d.inputs && !d.still {
		var err error
		ratio = 0.5
		if train, err = isTrue(in[2]); err != nil {
			return err
		}
		if in[1] != nil {
			ratio = floatsAs[float64](in[1])[0]
		}
		if err := checkRatio(ratio); err != nil {
			return err
		}
	}
	wanted := len(out) > 1 && out[1] != nil
	if (!train || ratio == 0) && !wanted {
		copy(out[0].Raw, in[0].Raw)
		return nil
	}
	keep := make([]bool, in[0].Len())
	if !train || ratio == 0 {
		for i := range keep {
			keep[i] = true
		}
		if out[0] != nil {
			copy(out[0].Raw, in[0].Raw)
		}
	} else {
		drawKept(keep, ratio, d.seed)
		if out[0] != nil {
			dropElements(in[0], out[0], keep, ratio)
		}
	}
	if !wanted {
		return nil
	}
	if out[1].Type == onnx.Bool {
		copy(onnx.Data[bool](out[1]), keep)
		return nil
	}
	ones := make([]float32, len(keep))
	for i, k := range keep {
		if k {
			ones[i] = 1
		}
	}
	storeFloats(out[1], ones)
	return nil
}

// drawKept decides which elements stay.
func drawKept(keep []bool, ratio float64, seed uint32) {
	source := prng.NewMT19937()
	source.Seed(uint64(seed))
	for i := range keep {
		high, low := source.Uint32()>>5, source.Uint32()>>6
		keep[i] = (float64(high)*(1<<26)+float64(low))/(1<<53) >= ratio
	}
}

func dropElements(in, out *onnx.Tensor, keep []bool, ratio float64) {
	scale := 1 / (1 - ratio)
	if in.Type == onnx.Double {
		x, y := onnx.Data[float64](in), onnx.Data[float64](out)
		for i, k := range keep {
			y[i] = 0
			if k {
				y[i] = x[i] * scale
			}
		}
		return
	}
	x := floatsAs[float32](in)
	y := make([]float32, len(x))
	for i, k := range keep {
		if k {
			y[i] = x[i] * float32(scale)
		}
	}
	storeFloats(out, y)
}
