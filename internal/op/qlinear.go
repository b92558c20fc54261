package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// The operators of com.microsoft that ONNX Runtime's quantisation to operators (QuantFormat.QOperator) writes, and QGemm,
// compute as the operator they are named after does of the real numbers that their inputs stand for, and quantise what
// comes out.

// quantInput says where a node has an input of the real operator.
type quantInput struct {
	value       int
	scale, zero int  // 0: the input is not quantised
	channels    bool // scales may be one for each index along axis
	axis        int
}

// quantLayout says where a node of n inputs has what.
type quantLayout func(n int) (in []quantInput, scale, zero int)

// quantOnes is the layout of operators with k quantised inputs one behind the other, and the output's scale and zero point.
func quantOnes(k int) quantLayout {
	return func(int) (in []quantInput, scale, zero int) {
		for i := range k {
			in = append(in, quantInput{value: 3 * i, scale: 3*i + 1, zero: 3*i + 2})
		}
		return in, 3 * k, 3*k + 1
	}
}

// quantConcat has the output's scale and zero point first.
func quantConcat(n int) (in []quantInput, scale, zero int) {
	for i := 2; i+2 < n; i += 3 {
		in = append(in, quantInput{value: i, scale: i + 1, zero: i + 2})
	}
	return in, 0, 1
}

// quantWhere has the condition first.
func quantWhere(int) (in []quantInput, scale, zero int) {
	return []quantInput{{value: 0}, {value: 1, scale: 2, zero: 3}, {value: 4, scale: 5, zero: 6}}, 7, 8
}

func init() {
	for name, q := range map[string]struct {
		inner  string
		minIn  int
		maxIn  int
		layout quantLayout
	}{
		"QLinearAdd":               {"Add", 7, 8, quantOnes(2)},
		"QLinearMul":               {"Mul", 7, 8, quantOnes(2)},
		"QLinearSigmoid":           {"Sigmoid", 4, 5, quantOnes(1)},
		"QLinearLeakyRelu":         {"LeakyRelu", 4, 5, quantOnes(1)},
		"QLinearSoftmax":           {"Softmax", 5, 5, quantOnes(1)},
		"QLinearAveragePool":       {"AveragePool", 4, 5, quantOnes(1)},
		"QLinearGlobalAveragePool": {"GlobalAveragePool", 5, 5, quantOnes(1)},
		"QLinearConcat":            {"Concat", 5, Variadic, quantConcat},
		"QLinearWhere":             {"Where", 9, 9, quantWhere},
	} {
		register(Def{Domain: "com.microsoft", Type: name, Since: 1, MinIn: q.minIn, MaxIn: q.maxIn, MaxOut: 1, New: func(s *Spec) (Op, error) {
			if s.Has("channels_last") && s.Int("channels_last", 0) != 0 {
				return nil, fmt.Errorf(`attribute "channels_last" is supported with 0 only`)
			}
			opset := MaxOpset
			if name == "QLinearSoftmax" {
				opset = s.Int("opset", opset)
			}
			return newQLinear(s, q.inner, opset, q.layout)
		}})
	}
	register(Def{Domain: "com.microsoft", Type: "QGemm", Since: 1, MinIn: 6, MaxIn: 9, MaxOut: 1, New: func(s *Spec) (Op, error) {
		axis := 1
		if s.Bool("transB", false) {
			axis = 0
		}
		return newQLinear(s, "Gemm", MaxOpset, func(int) (in []quantInput, scale, zero int) {
			return []quantInput{{value: 0, scale: 1, zero: 2}, {value: 3, scale: 4, zero: 5, channels: true, axis: axis}, {value: 6}}, 7, 8
		})
	}})
	register(Def{Domain: "com.microsoft", Type: "QuantizeLinear", Since: 1, MinIn: 2, MaxIn: 3, MaxOut: 1, Half: true, New: newQuantizeLinear})
	register(Def{Domain: "com.microsoft", Type: "DequantizeLinear", Since: 1, MinIn: 2, MaxIn: 3, MaxOut: 1, Half: true, New: newDequantizeLinear})
}

// qlinear is an operator of ai.onnx between dequantising and quantising. QGemm's bias has the product of the scales of its
// matrices and alpha; without a scale for y, y is not quantised.
type qlinear struct {
	inner  Op
	inputs int // of inner, 0 for as many as there are
	layout quantLayout
	gemm   bool
	alpha  float32
}

func newQLinear(s *Spec, inner string, opset int, layout quantLayout) (Op, error) {
	def := Lookup("", inner)
	t := *s
	t.Opset = opset
	o, err := def.New(&t)
	s.errs = t.errs
	if err != nil {
		return nil, err
	}
	q := qlinear{inner: o, layout: layout, gemm: inner == "Gemm"}
	if def.MaxIn < Variadic {
		q.inputs = def.MaxIn
	}
	if q.gemm {
		q.alpha = s.Float("alpha", 1)
	}
	return q, nil
}

// Inputs of QGemm.
const (
	qgScaleA = 1
	qgScaleB = 4
)

func (q qlinear) Infer(in []Info) ([]Info, error) {
	parts, scale, zero := q.layout(len(in))
	floats := make([]Info, max(len(parts), q.inputs))
	typ := onnx.Undefined
	for i, p := range parts {
		x := in[p.value]
		switch {
		case p.scale > 0:
			if !is8Bit(x.Type) {
				return nil, typeError(p.value, x.Type)
			}
			if !p.channels {
				if err := wantScalar(fmt.Sprintf("scale, input %d,", p.scale), in[p.scale]); err != nil {
					return nil, err
				}
			}
			if err := wantFloat32(in, p.scale); err != nil {
				return nil, err
			}
			d, err := dequantizeLinear{granularity: granularity{axis: p.axis}}.Infer([]Info{x, in[p.scale], in[p.zero]})
			if err != nil {
				return nil, fmt.Errorf("input %d: %w", p.value, err)
			}
			floats[i] = d[0]
			if typ == onnx.Undefined {
				typ = x.Type // y has the type of the first
			}
		case q.gemm && x.Type == onnx.Int32:
			if b := in[qgScaleB].Shape; prod(b) != 1 && !sameShape(x.Shape, b) {
				return nil, fmt.Errorf("the bias has shape %v, the scales of the second matrix %v", x.Shape, b)
			}
			floats[i] = Info{Type: onnx.Float, Shape: x.Shape}
		case q.gemm && !x.Absent():
			return nil, typeError(p.value, x.Type)
		default:
			floats[i] = x
		}
	}
	out, err := q.inner.Infer(floats)
	if err != nil || q.gemm && in[scale].Absent() {
		return out, err
	}
	if err := wantFloat32(in, scale); err != nil {
		return nil, err
	}
	if err := wantScalar("scale of y", in[scale]); err != nil {
		return nil, err
	}
	return quantizeLinear{to: typ}.Infer([]Info{out[0], in[scale], in[zero]})
}

func (q qlinear) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	parts, scale, zero := q.layout(len(in))
	floats := make([]*onnx.Tensor, max(len(parts), q.inputs))
	for i, p := range parts {
		x := in[p.value]
		if x == nil || p.scale == 0 && !q.gemm {
			floats[i] = x
			continue
		}
		f := onnx.Of(x.Shape, rt.Scratch(x.Len()))
		floats[i] = f
		if p.scale == 0 {
			scales := in[qgScaleB].Float32s()
			for j, v := range onnx.Data[int32](x) {
				f.Float32s()[j] = float32(v) * q.alpha * in[qgScaleA].Float32s()[0] * scales[j%len(scales)]
			}
			continue
		}
		d := dequantizeLinear{granularity: granularity{axis: p.axis}}
		if err := d.Run(rt, []*onnx.Tensor{x, in[p.scale], in[p.zero]}, []*onnx.Tensor{f}); err != nil {
			return err
		}
	}
	if in[scale] == nil {
		return q.inner.Run(rt, floats, out)
	}
	y := onnx.Of(out[0].Shape, rt.Scratch(out[0].Len()))
	if err := q.inner.Run(rt, floats, []*onnx.Tensor{y}); err != nil {
		return err
	}
	return quantizeLinear{to: out[0].Type}.Run(rt, []*onnx.Tensor{y, in[scale], in[zero]}, out)
}
