package graph

import (
	"context"
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// shapeLimit bounds the size in bytes of values that are computed while shapes are inferred: shapes, axes, indices.
const shapeLimit = 1 << 16

// inference is what is known of all values for given input shapes.
type inference struct {
	info []op.Info // by value id
	errs []error   // by step, nil where it went well
	left int       // bytes that values computed on the way may still take
}

// infer walks through the steps. stop says whether to stop at the first error; otherwise what depends on the failed
// node counts as unknown.
func (p *Program) infer(inputs []op.Info, stop bool) (inference, error) {
	r := inference{info: make([]op.Info, len(p.names)), errs: make([]error, len(p.steps)), left: foldTotal}
	rt := &op.Runtime{Context: context.Background(), Pool: p.pool}
	for i, c := range p.consts {
		if c != nil {
			r.info[i] = infoOf(c)
		}
	}
	for k, i := range p.inIDs {
		r.info[i] = inputs[k]
	}
	for k := range p.steps {
		if err := p.inferStep(&r, rt, &p.steps[k]); err != nil {
			err = nodeError(p.steps[k].node, err)
			if stop {
				return r, err
			}
			r.errs[k] = err
			for _, o := range p.steps[k].out {
				if o >= 0 {
					r.info[o] = op.Info{Dynamic: true}
				}
			}
		}
	}
	return r, nil
}

func (p *Program) inferStep(r *inference, rt *op.Runtime, s *step) error {
	in := make([]op.Info, len(s.in))
	dynamic, known := false, len(s.subs) == 0
	for i, id := range s.in {
		if id < 0 {
			continue
		}
		in[i] = r.info[id]
		dynamic = dynamic || in[i].Dynamic
		known = known && in[i].Value != nil
	}
	if dynamic {
		for _, o := range s.out {
			if o >= 0 {
				r.info[o] = op.Info{Dynamic: true}
			}
		}
		return nil
	}
	out, err := s.op.Infer(in)
	if err != nil {
		return err
	}
	if err := checkInfos(s.node, out, p.limit); err != nil {
		return err
	}
	for i, o := range s.out {
		if o < 0 {
			continue
		}
		r.info[o] = out[i]
		known = known && out[i].Value == nil // nothing to compute where Infer knows it already
	}
	if !known {
		return nil
	}
	vals := make([]*onnx.Tensor, len(in))
	for i := range in {
		vals[i] = in[i].Value
	}
	res, err := evaluate(rt, s.op, s.def, s.node, vals, min(shapeLimit, r.left))
	if err != nil || res == nil {
		return err
	}
	for i, o := range s.out {
		if o >= 0 {
			r.info[o] = infoOf(res[i])
			r.left -= min(r.left, heldBy(res[i]))
		}
	}
	return nil
}

// declaredInfo returns the shapes that the model declares, with free dimensions set: the first to batch, others to free
// (0: there must be none). It returns an error where a shape is unknown.
func (p *Program) declaredInfo(batch, free int) ([]op.Info, error) {
	out := make([]op.Info, len(p.inputs))
	for i, v := range p.inputs {
		if v.Type == nil || !v.Type.HasShape {
			return nil, fmt.Errorf("input %q: the model declares no shape", v.Name)
		}
		shape := make([]int, len(v.Type.Shape))
		for k, d := range v.Type.Shape {
			shape[k] = d.Size
			if d.Size >= 0 && d.Param == "" {
				continue
			}
			shape[k] = free
			if k == 0 {
				shape[k] = batch
			}
			if shape[k] == 0 {
				return nil, fmt.Errorf("input %q: the size of dimension %d (%s) is free, it must be given", v.Name, k, d.Param)
			}
		}
		out[i] = op.Info{Type: v.Type.Elem, Shape: shape}
	}
	return out, nil
}

// hints returns shapes by value name for an example input, as far as they can be inferred. Free dimensions of one name
// have one size, and those of other names or without a name another: what has the same shape then has it always.
func (p *Program) hints() map[string]op.Info {
	sizes := map[string]int{}
	in := make([]op.Info, len(p.inputs))
	for i, v := range p.inputs {
		in[i].Dynamic = true
		if v.Type == nil || !v.Type.HasShape || v.Type.Elem == onnx.Undefined {
			continue
		}
		shape := make([]int, len(v.Type.Shape))
		for k, d := range v.Type.Shape {
			if shape[k] = d.Size; d.Size >= 0 && d.Param == "" {
				continue
			}
			name := d.Param
			if name == "" {
				name = fmt.Sprint(i, " ", k)
			}
			if sizes[name] == 0 {
				sizes[name] = hintSize + hintStep*len(sizes)
				if k == 0 {
					sizes[name] = 2 + len(sizes)
				}
			}
			shape[k] = sizes[name]
		}
		if _, err := sizeOf(v.Type.Elem, shape, p.limit); err == nil {
			in[i] = op.Info{Type: v.Type.Elem, Shape: shape}
		}
	}
	r, _ := p.infer(in, false)
	h := map[string]op.Info{}
	for i, info := range r.info {
		if !info.Dynamic && !info.Absent() {
			h[p.names[i]] = info
		}
	}
	return h
}

// hintSize is the first size that stands for a free dimension, hintStep the distance to the next.
const (
	hintSize = 320
	hintStep = 32
)
