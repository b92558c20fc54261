package graph

import (
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// halfOp lets an operator that computes in float32 take and give half-precision tensors: inputs are widened, float32
// outputs are rounded to the type of the first half-precision input. Without such inputs it is the operator itself.
type halfOp struct {
	op.Op
	wide map[*onnx.Tensor]*onnx.Tensor // constant inputs, widened once
}

// withHalf wraps an operator that does not take half precision itself. consts are its inputs, nil where not constant.
func withHalf(o op.Op, d *op.Def, consts []*onnx.Tensor) op.Op {
	if d.Half {
		return o
	}
	h := halfOp{Op: o}
	for _, t := range consts {
		if t != nil && isHalf(t.Type) {
			if h.wide == nil {
				h.wide = map[*onnx.Tensor]*onnx.Tensor{}
			}
			h.wide[t] = widen(t)
		}
	}
	return h
}

// widened returns t in float32 where it is of half precision, else t itself.
func (h halfOp) widened(t *onnx.Tensor) *onnx.Tensor {
	if t == nil || !isHalf(t.Type) {
		return t
	}
	if w := h.wide[t]; w != nil {
		return w
	}
	return widen(t)
}

func isHalf(t onnx.DataType) bool { return t == onnx.Float16 || t == onnx.BFloat16 }

func (h halfOp) Infer(in []op.Info) ([]op.Info, error) {
	half := onnx.Undefined
	wide := make([]op.Info, len(in))
	for i, x := range in {
		wide[i] = x
		if !isHalf(x.Type) {
			continue
		}
		if half == onnx.Undefined {
			half = x.Type
		}
		wide[i].Type = onnx.Float
		if x.Value != nil {
			wide[i].Value = h.widened(x.Value)
		}
	}
	if half == onnx.Undefined {
		return h.Op.Infer(in)
	}
	out, err := h.Op.Infer(wide)
	for i := range out {
		if out[i].Type == onnx.Float {
			out[i].Type = half
			if out[i].Value != nil {
				out[i].Value = narrow(out[i].Value, half)
			}
		}
	}
	return out, err
}

func (h halfOp) Run(rt *op.Runtime, in, out []*onnx.Tensor) error {
	half := onnx.Undefined
	for _, t := range in {
		if t != nil && isHalf(t.Type) {
			half = t.Type
			break
		}
	}
	if half == onnx.Undefined {
		return h.Op.Run(rt, in, out)
	}
	wideIn := make([]*onnx.Tensor, len(in))
	for i, t := range in {
		wideIn[i] = h.widened(t)
	}
	wideOut := make([]*onnx.Tensor, len(out))
	for i, t := range out {
		wideOut[i] = t
		if t != nil && isHalf(t.Type) {
			wideOut[i] = onnx.New(onnx.Float, t.Shape...)
		}
	}
	if err := h.Op.Run(rt, wideIn, wideOut); err != nil {
		return err
	}
	for i, t := range out {
		switch {
		case t == nil:
		case wideOut[i] != t: // preallocated half
			copy(t.Raw, narrow(wideOut[i], t.Type).Raw)
		case t.Type == onnx.Float: // the operator made the tensor itself
			*t = *narrow(t, half)
		}
	}
	return nil
}

func widen(t *onnx.Tensor) *onnx.Tensor {
	w := onnx.New(onnx.Float, t.Shape...)
	dst := w.Float32s()
	if t.Type == onnx.Float16 {
		for i, h := range onnx.Data[onnx.Float16Bits](t) {
			dst[i] = h.Float32()
		}
		return w
	}
	for i, h := range onnx.Data[onnx.BFloat16Bits](t) {
		dst[i] = h.Float32()
	}
	return w
}

func narrow(t *onnx.Tensor, to onnx.DataType) *onnx.Tensor {
	n := onnx.New(to, t.Shape...)
	src := t.Float32s()
	if to == onnx.Float16 {
		dst := onnx.Data[onnx.Float16Bits](n)
		for i, f := range src {
			dst[i] = onnx.Float16FromFloat32(f)
		}
		return n
	}
	dst := onnx.Data[onnx.BFloat16Bits](n)
	for i, f := range src {
		dst[i] = onnx.BFloat16FromFloat32(f)
	}
	return n
}
