//go:build cgo

package ort

import (
	"fmt"
	"strings"
	"sync"

	ortlib "github.com/yalue/onnxruntime_go"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// shapes remembers the types and shapes of a session's outputs for the shapes of its inputs. Outputs whose shapes are
// known lie in memory that ONNX Runtime writes to directly; others it allocates, and the binding copies them, which it
// cannot do for half precision.
type shapes struct {
	mu       sync.Mutex
	seen     map[string][]*onnx.Tensor // without data
	volatile bool                      // the shapes depend on more than the shapes of the inputs
}

// maxSeen bounds how many shapes of inputs are remembered.
const maxSeen = 64

// of returns what is known of the outputs for these inputs: nil entries are not known. The key is for learn.
func (s *shapes) of(declaredIn, declaredOut []*onnx.Value, in map[string]*onnx.Tensor) (string, []*onnx.Tensor) {
	var key strings.Builder
	for _, v := range declaredIn {
		fmt.Fprintln(&key, in[v.Name].Shape)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.volatile {
		return "", make([]*onnx.Tensor, len(declaredOut))
	}
	if known, ok := s.seen[key.String()]; ok {
		return key.String(), known
	}
	return key.String(), declared(declaredIn, declaredOut, in)
}

// declared returns the outputs that the model declares, where their parameters are sizes of inputs.
func declared(declaredIn, declaredOut []*onnx.Value, in map[string]*onnx.Tensor) []*onnx.Tensor {
	params := map[string]int{}
	for _, v := range declaredIn {
		t := in[v.Name]
		if v.Type == nil || len(v.Type.Shape) != len(t.Shape) {
			continue
		}
		for i, d := range v.Type.Shape {
			if d.Param != "" {
				params[d.Param] = t.Shape[i]
			}
		}
	}
	out := make([]*onnx.Tensor, len(declaredOut))
	for i, v := range declaredOut {
		if v.Type == nil || v.Type.Kind != onnx.KindTensor || !v.Type.HasShape {
			continue
		}
		shape := []int{}
		for _, d := range v.Type.Shape {
			if n, ok := params[d.Param]; ok {
				shape = append(shape, n)
			} else if d.Size >= 0 {
				shape = append(shape, d.Size)
			}
		}
		if len(shape) == len(v.Type.Shape) {
			out[i] = &onnx.Tensor{Type: v.Type.Elem, Shape: shape}
		}
	}
	return out
}

// learn remembers the outputs of a run.
func (s *shapes) learn(key string, outputs []*onnx.Tensor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.volatile || s.seen[key] != nil || len(s.seen) >= maxSeen {
		return
	}
	if s.seen == nil {
		s.seen = map[string][]*onnx.Tensor{}
	}
	list := make([]*onnx.Tensor, len(outputs))
	for i, t := range outputs {
		list[i] = &onnx.Tensor{Type: t.Type, Shape: t.Shape}
	}
	s.seen[key] = list
}

// forget stops remembering for good: what was remembered did not hold.
func (s *shapes) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.volatile, s.seen = true, nil
}

// prepare makes the outputs whose shapes are known, and reports whether there are any.
func prepare(known []*onnx.Tensor) ([]ortlib.Value, bool) {
	out := make([]ortlib.Value, len(known))
	own := false
	for i, k := range known {
		if k == nil || k.Type == onnx.String || k.Type.Bits() < 8 || len(k.Shape) == 0 || k.Len() == 0 {
			continue
		}
		t := onnx.New(k.Type, k.Shape...)
		if v, err := toORT(t); err == nil {
			out[i], own = v, true
		}
	}
	return out, own
}
