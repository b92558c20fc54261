package op

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/bigmem"
	"github.com/onnxcnn/onnxcnn/internal/conv"
	"github.com/onnxcnn/onnxcnn/internal/kernel"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	register(Def{Type: "ConvInteger", Since: 10, MinIn: 2, MaxIn: 4, MaxOut: 1, New: func(s *Spec) (Op, error) {
		c, err := newConvolution(s)
		return convInteger{conv: c}, err
	}})
	register(Def{Type: "QLinearConv", Since: 10, MinIn: 8, MaxIn: 9, MaxOut: 1, New: func(s *Spec) (Op, error) {
		c, err := newConvolution(s)
		return qlinearConv{conv: c}, err
	}})
}

// convInteger is the int32 convolution of 8-bit numbers, each less its zero point: one for all of the input, and one
// for all of the weight or for each output channel. The border that padding adds is the zero point. Shapes follow Conv.
type convInteger struct {
	conv   *convolution
	weight *integerWeight // nil: not constant
}

func (o convInteger) Infer(in []Info) ([]Info, error) {
	shape, err := o.conv.integerShape(in[0], in[1], in[2], in[3])
	return []Info{{Type: onnx.Int32, Shape: shape}}, err
}

// integerShape checks operands and their zero points, which may be absent, and returns the output's shape.
func (c *convolution) integerShape(x, w, zeroX, zeroW Info) ([]int, error) {
	if !is8Bit(x.Type) {
		return nil, fmt.Errorf("input is of type %v, want int8 or uint8", x.Type)
	}
	if !is8Bit(w.Type) {
		return nil, fmt.Errorf("weight is of type %v, want int8 or uint8", w.Type)
	}
	if err := wantZero("zero point of the input", zeroX, x.Type); err != nil {
		return nil, err
	}
	if err := wantZero("zero point of the weight", zeroW, w.Type); err != nil {
		return nil, err
	}
	s, err := c.shape(x.Shape, w.Shape)
	if err != nil {
		return nil, err
	}
	if err := wantScalar("zero point of the input", zeroX); err != nil {
		return nil, err
	}
	if err := scalarOrChannels("zero point of the weight", zeroW.Shape, s.M); err != nil {
		return nil, err
	}
	shape := append([]int{s.N, s.M}, s.Out...)
	return shape, checkSize(shape)
}

// scalarOrChannels returns an error unless a shape is that of one value or of one for each output channel.
func scalarOrChannels(name string, shape []int, channels int) error {
	if prod(shape) != 1 && !sameShape(shape, []int{channels}) {
		return fmt.Errorf("%s has shape %v, want a scalar or [%d], one value an output channel", name, shape, channels)
	}
	return nil
}

func (o convInteger) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	return o.conv.integer(rt, in[0], in[1], in[2], in[3], o.weight, onnx.Data[int32](out[0]))
}

// Prepare implements [Preparer].
func (o convInteger) Prepare(consts []*onnx.Tensor) (Op, error) {
	var zero *onnx.Tensor
	if len(consts) > 3 {
		zero = consts[3]
	}
	o.weight = o.conv.integerWeight(consts[1], zero)
	return o, nil
}

// integerWeight is a constant weight less its zero points, packed for products: of each group, each stretch of its sums.
type integerWeight struct {
	of, zero *onnx.Tensor
	packed   [][]kernel.PackedA
}

// integerWeight packs a weight; nil where it is not constant, or the operator would refuse it.
func (c *convolution) integerWeight(w, zero *onnx.Tensor) *integerWeight {
	if w == nil || !is8Bit(w.Type) || len(w.Shape) < 3 || w.Len() == 0 || w.Shape[0]%c.group != 0 ||
		zero != nil && (zero.Type != w.Type || zero.Len() != 1 && !sameShape(zero.Shape, w.Shape[:1])) {
		return nil
	}
	k, rows := prod(w.Shape[1:]), w.Shape[0]/c.group
	ws := c.centredWeight(&Runtime{}, w, zero)
	t := kernel.Default()
	p := &integerWeight{of: w, zero: zero}
	for g := range c.group {
		var group []kernel.PackedA
		for from := 0; from < k; from += exactStretch {
			size := min(exactStretch, k-from)
			group = append(group, t.PackA(nil, bigmem.Make[float32](t.PackedSize(rows, size)), ws[g*rows*k+from:], rows, size, k, 1, 1, 1))
		}
		p.packed = append(p.packed, group)
	}
	return p
}

// centredWeight returns a weight less its zero points, in scratch memory.
func (c *convolution) centredWeight(rt *Runtime, w, zero *onnx.Tensor) []float32 {
	var perChannel []int
	if zero != nil && zero.Len() > 1 {
		perChannel = make([]int, len(w.Shape))
		for i := range perChannel {
			perChannel[i] = 1
		}
		perChannel[0] = w.Shape[0]
	}
	ws := rt.Scratch(w.Len())
	centred(rt, ws, w, zero, perChannel)
	return ws
}

// integer computes the convolution's sums; packed is the weight, where it was prepared.
func (c *convolution) integer(rt *Runtime, x, w, zeroX, zeroW *onnx.Tensor, packed *integerWeight, y []int32) error {
	s, err := c.shape(x.Shape, w.Shape)
	if err != nil {
		return err
	}
	xs := rt.Scratch(x.Len())
	centred(rt, xs, x, zeroX, nil)
	if packed != nil && (packed.of != w || packed.zero != zeroW) {
		packed = nil
	}
	var ws []float32
	if packed == nil {
		ws = c.centredWeight(rt, w, zeroW)
	}
	t := kernel.Default()
	positions, inSize := prod(s.Out), prod(s.In)
	channels, rows := s.C/s.Groups, s.M/s.Groups
	k := channels * prod(s.Kernel)
	// Columns of so many positions at a time stay within a few megabytes.
	block := min(positions, max(64, (1<<19)/max(k, 1)))
	cols := rt.Scratch(k * block)
	for n := range s.N {
		for g := range s.Groups {
			image := xs[(n*s.C+g*channels)*inSize:][:channels*inSize]
			for p := 0; p < positions; p += block {
				count := min(block, positions-p)
				imageColumns(rt, s, image, cols, p, count)
				if packed != nil {
					sumStretches(rt, rows, count, k, y[(n*s.M+g*rows)*positions+p:], positions, func(from, _ int, out *kernel.Output) {
						t.GemmPacked(rt.Pool, rt.Scratch, count, &packed.packed[g][from/exactStretch],
							kernel.Matrix{Data: cols[from*count:], Row: count, Col: 1}, out, &kernel.Epilogue{})
					})
					continue
				}
				integerProduct(rt, rows, count, k, kernel.Matrix{Data: ws[g*rows*k:], Row: k, Col: 1},
					kernel.Matrix{Data: cols, Row: count, Col: 1}, y[(n*s.M+g*rows)*positions+p:], positions)
			}
		}
	}
	return nil
}

// imageColumns writes what each weight of one output channel meets at count positions of the output from the given one
// on: a row for each weight.
func imageColumns(rt *Runtime, s *conv.Shape, image, cols []float32, from, count int) {
	taps, inSize, last := prod(s.Kernel), prod(s.In), len(s.Out)-1
	width := s.Out[last]
	inStep := rowMajor(s.In)
	rt.Pool.For(len(image)/max(inSize, 1)*taps, max(1, cheapGrain/count), func(lo, hi int) {
		tap := make([]int, last+1)
		for row := lo; row < hi; row++ {
			for d, r := last, row%taps; d >= 0; d-- {
				tap[d] = r%s.Kernel[d]*s.Dilation[d] - s.Pad[d]
				r /= s.Kernel[d]
			}
			src := image[row/taps*inSize:][:inSize]
			dst := cols[row*count:][:count]
			for p := from; p < from+count; {
				w := p % width
				n := min(width-w, from+count-p)
				line := dst[p-from:][:n]
				p += n
				base, inside := 0, true
				for d, r := last-1, (p-1)/width; d >= 0; d-- {
					at := r%s.Out[d]*s.Stride[d] + tap[d]
					r /= s.Out[d]
					inside = inside && at >= 0 && at < s.In[d]
					base += at * inStep[d]
				}
				if !inside {
					clear(line)
					continue
				}
				at, step := w*s.Stride[last]+tap[last], s.Stride[last]
				lead := 0 // outputs before the input's first column, and then those inside of it
				if at < 0 {
					lead = min(n, (-at+step-1)/step)
				}
				in := 0
				if at += lead * step; at < s.In[last] {
					in = min(n-lead, (s.In[last]-1-at)/step+1)
				}
				clear(line[:lead])
				clear(line[lead+in:])
				if in == 0 {
					continue
				}
				from := src[base+at:]
				if line = line[lead : lead+in]; step == 1 {
					copy(line, from)
					continue
				}
				for i := range line {
					line[i] = from[i*step]
				}
			}
		}
	})
}

// qlinearConv is the convolution of quantised numbers, quantised: y = saturate(round((sum+bias)*sx*sw/sy) + zero point
// of y), the sum being that of ConvInteger. Scale and zero point of the weight may be one for each output channel.
type qlinearConv struct {
	conv   *convolution
	weight *integerWeight // nil: not constant
}

// Prepare implements [Preparer].
func (o qlinearConv) Prepare(consts []*onnx.Tensor) (Op, error) {
	if consts[qcZeroW] != nil {
		o.weight = o.conv.integerWeight(consts[qcW], consts[qcZeroW])
	}
	return o, nil
}

// Inputs of QLinearConv.
const (
	qcX = iota
	qcScaleX
	qcZeroX
	qcW
	qcScaleW
	qcZeroW
	qcScaleY
	qcZeroY
	qcBias
)

func (o qlinearConv) Infer(in []Info) ([]Info, error) {
	for i, v := range in[:qcBias] {
		if v.Absent() {
			return nil, fmt.Errorf("input %d is left out", i)
		}
	}
	shape, err := o.conv.integerShape(in[qcX], in[qcW], in[qcZeroX], in[qcZeroW])
	if err != nil {
		return nil, err
	}
	if err := wantFloat32(in, qcScaleX, qcScaleW, qcScaleY); err != nil {
		return nil, err
	}
	if !is8Bit(in[qcZeroY].Type) {
		return nil, typeError(qcZeroY, in[qcZeroY].Type)
	}
	if err := errors.Join(wantScalar("scale of x", in[qcScaleX]), wantScalar("scale of y", in[qcScaleY]),
		wantScalar("zero point of y", in[qcZeroY])); err != nil {
		return nil, err
	}
	if err := scalarOrChannels("scale of the weight", in[qcScaleW].Shape, shape[1]); err != nil {
		return nil, err
	}
	if b := in[qcBias]; !b.Absent() && (b.Type != onnx.Int32 || !sameShape(b.Shape, shape[1:2])) {
		return nil, fmt.Errorf("bias is %v%v, want int32[%d]", b.Type, b.Shape, shape[1])
	}
	return []Info{{Type: in[qcZeroY].Type, Shape: shape}}, nil
}

// wantFloat32 returns an error unless the inputs are of type float32.
func wantFloat32(in []Info, indices ...int) error {
	for _, i := range indices {
		if in[i].Type != onnx.Float {
			return typeError(i, in[i].Type)
		}
	}
	return nil
}

func (o qlinearConv) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	y := out[0]
	sums := make([]int32, y.Len())
	if err := o.conv.integer(rt, in[qcX], in[qcW], in[qcZeroX], in[qcZeroW], o.weight, sums); err != nil {
		return err
	}
	scaleX, scaleY := in[qcScaleX].Float32s()[0], in[qcScaleY].Float32s()[0]
	q := requantise{col: []float32{1}, zero: zeroOf(in[qcZeroY])}
	for _, v := range in[qcScaleW].Float32s() {
		q.row = append(q.row, scaleX*v/scaleY)
	}
	if in[qcBias] != nil {
		q.bias = onnx.Data[int32](in[qcBias])
	}
	q.run(rt, sums, prod(y.Shape[2:]), y)
	return nil
}
