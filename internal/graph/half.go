package graph

import (
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// halfOp lets an operator that computes in float32 take and give half-precision tensors: inputs are widened, float32
// outputs are rounded to the type of the first half-precision input. Without such inputs it is the operator itself.
type halfOp struct {
	op.Op
	wide map[*onnx.Tensor]*onnx.Tensor // constant inputs, widened once
}

// withHalf wraps an operator that does not take half precision itself. wide has its constant inputs in float32.
func withHalf(o op.Op, d *op.Def, wide map[*onnx.Tensor]*onnx.Tensor) op.Op {
	if d.Half {
		return o
	}
	return halfOp{Op: o, wide: wide}
}

// widened returns t in float32 where it is of half precision, else t itself.
func (h halfOp) widened(t *onnx.Tensor) *onnx.Tensor {
	if t == nil || !t.Type.IsHalf() {
		return t
	}
	if w := h.wide[t]; w != nil {
		return w
	}
	return widen(t)
}

func (h halfOp) Infer(in []op.Info) ([]op.Info, error) {
	half := onnx.Undefined
	wide := make([]op.Info, len(in))
	for i, x := range in {
		wide[i] = x
		if !x.Type.IsHalf() {
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
		if t != nil && t.Type.IsHalf() {
			half = t.Type
			break
		}
	}
	if half == onnx.Undefined {
		return h.Op.Run(rt, in, out)
	}
	wideIn := make([]*onnx.Tensor, len(in))
	for i, t := range in {
		wideIn[i] = t
		if t == nil || !t.Type.IsHalf() {
			continue
		}
		if wideIn[i] = h.wide[t]; wideIn[i] == nil {
			wideIn[i] = onnx.Of(t.Shape, rt.Scratch(t.Len()))
			widenInto(rt.Pool, wideIn[i].Float32s(), t)
		}
	}
	wideOut := make([]*onnx.Tensor, len(out))
	for i, t := range out {
		wideOut[i] = t
		if t != nil && t.Type.IsHalf() {
			wideOut[i] = onnx.Of(t.Shape, rt.Scratch(t.Len()))
		}
	}
	if err := h.Op.Run(rt, wideIn, wideOut); err != nil {
		return err
	}
	for i, t := range out {
		switch {
		case t == nil:
		case wideOut[i] != t: // preallocated half
			narrowInto(rt.Pool, t, wideOut[i].Float32s())
		case t.Type == onnx.Float: // the operator made the tensor itself
			*t = *narrow(t, half)
		}
	}
	return nil
}

// halfGrain is how many elements are converted at a time.
const halfGrain = 1 << 15

// widen returns a half-precision tensor in float32.
func widen(t *onnx.Tensor) *onnx.Tensor {
	w := onnx.New(onnx.Float, t.Shape...)
	widenInto(nil, w.Float32s(), t)
	return w
}

func widenInto(pool *par.Pool, dst []float32, t *onnx.Tensor) {
	if t.Type == onnx.Float16 {
		src := onnx.Data[onnx.Float16Bits](t)
		pool.For(len(dst), halfGrain, func(lo, hi int) {
			for i, h := range src[lo:hi] {
				dst[lo+i] = h.Float32()
			}
		})
		return
	}
	src := onnx.Data[onnx.BFloat16Bits](t)
	pool.For(len(dst), halfGrain, func(lo, hi int) {
		for i, h := range src[lo:hi] {
			dst[lo+i] = h.Float32()
		}
	})
}

// narrow returns a float32 tensor rounded to a half-precision type.
func narrow(t *onnx.Tensor, to onnx.DataType) *onnx.Tensor {
	n := onnx.New(to, t.Shape...)
	narrowInto(nil, n, t.Float32s())
	return n
}

func narrowInto(pool *par.Pool, t *onnx.Tensor, src []float32) {
	if t.Type == onnx.Float16 {
		dst := onnx.Data[onnx.Float16Bits](t)
		pool.For(len(src), halfGrain, func(lo, hi int) {
			for i, f := range src[lo:hi] {
				dst[lo+i] = onnx.Float16FromFloat32(f)
			}
		})
		return
	}
	dst := onnx.Data[onnx.BFloat16Bits](t)
	pool.For(len(src), halfGrain, func(lo, hi int) {
		for i, f := range src[lo:hi] {
			dst[lo+i] = onnx.BFloat16FromFloat32(f)
		}
	})
}
