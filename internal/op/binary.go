package op

import (
	"fmt"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// loop2 computes a run of an operator of two inputs: a and b have as many elements as y, or one. y may be the memory
// of either of them.
type loop2[T, R any] func(y []R, a, b []T)

// kernel2 computes a whole tensor from two that are walked by a plan.
type kernel2 func(rt *Runtime, plan *broadcast, y, a, b *onnx.Tensor)

// runs makes a kernel of a loop over runs.
func runs[T, R onnx.Element](grain int, f loop2[T, R]) kernel2 {
	return func(rt *Runtime, plan *broadcast, y, a, b *onnx.Tensor) {
		ys, as, bs := onnx.Data[R](y), onnx.Data[T](a), onnx.Data[T](b)
		plan.run(rt.Pool, grain, func(o, n int, at *[maxOperands]int) {
			f(ys[o:o+n], operand(as, plan.vary[0], at[0], n), operand(bs, plan.vary[1], at[1], n))
		})
	}
}

// each2 makes a loop of a function of single elements, for operators where a call each does not matter.
func each2[T, R any](f func(a, b T) R) loop2[T, R] {
	return func(y []R, a, b []T) {
		switch {
		case len(a) < len(y) && len(b) < len(y):
			for i := range y {
				y[i] = f(a[0], b[0])
			}
		case len(a) < len(y):
			s := a[0]
			for i, v := range b {
				y[i] = f(s, v)
			}
		case len(b) < len(y):
			s := b[0]
			for i, v := range a {
				y[i] = f(v, s)
			}
		default:
			for i, v := range a {
				y[i] = f(v, b[i])
			}
		}
	}
}

// kernels2 are the kernels of an operator by the type of its inputs.
type kernels2 map[onnx.DataType]kernel2

// binary is an operator of two inputs of one type that are broadcast against each other. It accepts the types of its
// newest version in every version.
type binary struct {
	kernels kernels2
	out     onnx.DataType // type of the output; Undefined: that of the inputs
	check   func(b *onnx.Tensor) error
	rule    broadcastRule
}

// registerBinary registers an operator of ai.onnx of two inputs.
func registerBinary(name string, since int, make func(s *Spec) (binary, error)) {
	register(Def{Type: name, Since: since, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
		if s.Opset < 6 {
			s.Ignore("consumed_inputs")
		}
		o, err := make(s)
		o.rule = s.broadcastRule()
		return o, err
	}})
}

func (o binary) InPlace() []int { return []int{0, 1} }

func (o binary) Infer(in []Info) ([]Info, error) {
	if in[0].Type != in[1].Type {
		return nil, fmt.Errorf("inputs are of types %v and %v, want one type", in[0].Type, in[1].Type)
	}
	if o.kernels[in[0].Type] == nil {
		return nil, fmt.Errorf("inputs of type %v are not supported", in[0].Type)
	}
	_, shape, err := o.rule.shapes(in[0].Shape, in[1].Shape)
	if err != nil {
		return nil, err
	}
	out := in[0].Type
	if o.out != onnx.Undefined {
		out = o.out
	}
	return []Info{{Type: out, Shape: shape}}, nil
}

func (o binary) Run(rt *Runtime, in, out []*onnx.Tensor) error {
	if o.check != nil {
		if err := o.check(in[1]); err != nil {
			return err
		}
	}
	second, shape, err := o.rule.shapes(in[0].Shape, in[1].Shape)
	if err != nil {
		return err
	}
	plan := newBroadcast(shape, in[0].Shape, second)
	o.kernels[in[0].Type](rt, &plan, out[0], in[0], in[1])
	return nil
}

// broadcastRule says how the shapes of two operands meet. From opset 7 on it is numpy's rule. Before, shapes must be
// equal unless attribute broadcast is 1: then the second is a single element, or its shape is a contiguous part of the
// first one's, at its end or from dimension axis on.
type broadcastRule struct {
	legacy, stretch, hasAxis bool
	axis                     int
}

func (s *Spec) broadcastRule() broadcastRule {
	if s.Opset >= 7 {
		return broadcastRule{}
	}
	return broadcastRule{legacy: true, stretch: s.Bool("broadcast", false), hasAxis: s.Has("axis"), axis: s.Int("axis", 0)}
}

// shapes returns the second operand's shape as numpy's rule wants it, and the output's shape.
func (r broadcastRule) shapes(a, b []int) (second, out []int, err error) {
	if !r.legacy {
		out, err = broadcastShape(a, b)
		return b, out, err
	}
	if sameShape(a, b) {
		return b, a, nil
	}
	if !r.stretch {
		return nil, nil, fmt.Errorf("shapes %v and %v differ, which needs attribute broadcast=1 before opset 7", a, b)
	}
	if len(b) <= len(a) && prod(b) == 1 {
		return nil, a, nil
	}
	axis := len(a) - len(b)
	if r.hasAxis {
		if axis, err = normAxis(r.axis, len(a)); err != nil {
			return nil, nil, err
		}
	}
	if axis < 0 || axis+len(b) > len(a) {
		return nil, nil, fmt.Errorf("shape %v does not fit into %v from dimension %d on", b, a, axis)
	}
	second = make([]int, len(a)-axis)
	for i := range second {
		second[i] = 1
		if i < len(b) {
			if second[i] = b[i]; b[i] != a[axis+i] && b[i] != 1 {
				return nil, nil, fmt.Errorf("shape %v does not fit into %v from dimension %d on", b, a, axis)
			}
		}
	}
	return second, a, nil
}
