package graph

import (
	"errors"
	"fmt"

	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// constants turns Constant nodes into constants.
func (w *work) constants() error {
	var errs []error
	kept := w.nodes[:0]
	for _, n := range w.nodes {
		if n.OpType != "Constant" || !isONNX(n.Domain) || len(n.Outputs) != 1 {
			kept = append(kept, n)
			continue
		}
		t, err := op.ConstantValue(n)
		if err == nil {
			err = checkTensor(t, w.limit)
		}
		if err != nil {
			errs = append(errs, nodeError(n, err))
			continue
		}
		w.consts[n.Outputs[0]] = t
	}
	w.nodes = kept
	return errors.Join(errs...)
}

// foldLimit bounds the size in bytes of a result that is computed when a session is opened, where foldRatio times what
// it is computed from is not more (that much takes a weight of bytes that becomes one of floats). All results together
// may take foldTotal and foldRatio times the model's constants: a small file cannot ask for much memory.
const (
	foldLimit = 1 << 24
	foldTotal = 1 << 28
	foldRatio = 4
)

// fold computes nodes all of whose inputs are constants. In a sub-graph, which may never run, a node that fails stays:
// it is reported if it is reached.
func (w *work) fold(rt *op.Runtime) error {
	var errs []error
	kept := w.nodes[:0]
	for _, n := range w.nodes {
		if hasSubGraphs(n) || !w.allConstant(n) {
			kept = append(kept, n)
			continue
		}
		o, d, err := op.Make(n, w.version(n), nil)
		if err != nil {
			kept = append(kept, n) // reported with all others when the steps are made
			continue
		}
		in := make([]*onnx.Tensor, len(n.Inputs))
		size := 0
		for i, name := range n.Inputs {
			if name != "" {
				in[i] = w.consts[name]
				size += len(in[i].Raw)
			}
		}
		out, err := evaluate(rt, withHalf(o, d, nil), d, n, in, min(max(foldRatio*size, foldLimit), *w.foldLeft))
		switch {
		case err != nil && w.depth == 0:
			errs = append(errs, nodeError(n, err))
			continue
		case err != nil || out == nil:
			kept = append(kept, n)
			continue
		}
		for i, name := range n.Outputs {
			if name != "" {
				w.consts[name] = out[i]
				*w.foldLeft = max(0, *w.foldLeft-heldBy(out[i]))
			}
		}
	}
	w.nodes = kept
	return errors.Join(errs...)
}

func (w *work) allConstant(n *onnx.Node) bool {
	for _, in := range n.Inputs {
		if in != "" && w.consts[in] == nil {
			return false
		}
	}
	return true
}

// evaluate runs one operator on known inputs. It returns nil where the outputs would take more than limit bytes.
func evaluate(rt *op.Runtime, o op.Op, d *op.Def, n *onnx.Node, in []*onnx.Tensor, limit int) ([]*onnx.Tensor, error) {
	in = pad(in, d.MaxIn)
	info := make([]op.Info, len(in))
	for i, t := range in {
		info[i] = infoOf(t)
	}
	outInfo, err := o.Infer(info)
	if err != nil {
		return nil, err
	}
	if err := checkInfos(n, outInfo, defaultLimit); err != nil {
		return nil, err
	}
	left := limit
	for _, oi := range outInfo {
		if oi.Dynamic || oi.Absent() {
			continue
		}
		size, err := sizeOf(oi.Type, oi.Shape, left)
		if err != nil {
			return nil, nil // too large to be computed ahead
		}
		left -= size
	}
	out := make([]*onnx.Tensor, len(n.Outputs))
	for i, name := range n.Outputs {
		switch {
		case name == "":
		case outInfo[i].Value != nil:
			out[i] = outInfo[i].Value
		case outInfo[i].Dynamic:
			out[i] = &onnx.Tensor{}
		case i == 0 && isAlias(o) && in[0].Type != onnx.String:
			out[i] = &onnx.Tensor{Type: in[0].Type, Shape: outInfo[0].Shape, Raw: in[0].Raw}
		default:
			out[i] = onnx.New(outInfo[i].Type, outInfo[i].Shape...)
		}
	}
	err = o.Run(rt, in, pad(out, d.MaxOut))
	rt.Reset()
	if err != nil {
		return nil, err
	}
	return out, checkComputed(n, out, defaultLimit)
}

// isAlias reports whether an operator's first output is its first input in another shape.
func isAlias(o op.Op) bool {
	a, ok := o.(op.Aliaser)
	return ok && a.Aliases()
}

// checkComputed looks at tensors that an operator made itself.
func checkComputed(n *onnx.Node, out []*onnx.Tensor, limit int) error {
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		if err := checkTensor(out[i], limit); err != nil {
			return fmt.Errorf("output %q: internal error of the operator: %w", name, err)
		}
	}
	return nil
}
