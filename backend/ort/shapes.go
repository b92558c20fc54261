//go:build cgo

package ort

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	ortlib "github.com/yalue/onnxruntime_go"

	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// shapes remembers the types and shapes of a session's outputs for the shapes of its inputs. Outputs whose shapes are
// known lie in memory that ONNX Runtime writes to directly; others it allocates, and the binding copies them, which it
// cannot do for scalars and for half precision.
type shapes struct {
	mu       sync.Mutex
	seen     map[string][]*onnx.Tensor // without data
	volatile []*onnx.Tensor            // where shapes depend on more than the shapes of the inputs: the scalars, which do not
}

// maxSeen bounds how many shapes of inputs are remembered.
const maxSeen = 64

// maxExpected bounds the bytes of an output whose size nothing but the model says: what a declaration that lies costs.
const maxExpected = 64 << 20

// of returns what is known of the outputs for these inputs: nil entries are not known. The key is for learn.
func (s *shapes) of(m *onnx.Model, declaredIn, declaredOut []*onnx.Value, in map[string]*onnx.Tensor) (string, []*onnx.Tensor) {
	var key strings.Builder
	for _, v := range declaredIn {
		fmt.Fprintln(&key, in[v.Name].Shape)
	}
	s.mu.Lock()
	volatile, known := s.volatile, s.seen[key.String()]
	s.mu.Unlock()
	if volatile != nil {
		return "", volatile
	}
	if known == nil {
		known = expected(m, declaredIn, declaredOut, in)
	}
	return key.String(), known
}

// expected returns the outputs as the model declares them, where their parameters are sizes of inputs, and otherwise as
// they can be inferred.
func expected(m *onnx.Model, declaredIn, declaredOut []*onnx.Value, in map[string]*onnx.Tensor) []*onnx.Tensor {
	out := declared(declaredIn, declaredOut, in)
	if slices.Contains(out, nil) {
		given := map[string][]int{}
		for _, v := range declaredIn {
			given[v.Name] = in[v.Name].Shape
		}
		// Of a model that it does not know, ONNX Runtime says the shapes.
		infos, _ := graph.Infer(m, given)
		for i, v := range declaredOut {
			if info, ok := infos[v.Name]; ok && out[i] == nil && !info.Dynamic {
				out[i] = &onnx.Tensor{Type: info.Type, Shape: info.Shape}
			}
		}
	}
	for i, t := range out {
		if t != nil && !fits(t) {
			out[i] = nil
		}
	}
	return out
}

// fits reports whether a tensor takes no more than maxExpected bytes.
func fits(t *onnx.Tensor) bool {
	n := max(t.Type.Bits(), 1)
	for _, d := range t.Shape {
		if d < 0 || d > 0 && n > maxExpected*8/d {
			return false
		}
		n *= max(d, 1)
	}
	return true
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
	if s.volatile != nil || s.seen[key] != nil || len(s.seen) >= maxSeen {
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

// forget stops remembering for good: what was remembered or expected did not hold. It returns what is known all the same.
func (s *shapes) forget(known []*onnx.Tensor) []*onnx.Tensor {
	scalars := make([]*onnx.Tensor, len(known))
	for i, t := range known {
		if t != nil && len(t.Shape) == 0 {
			scalars[i] = t
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.volatile, s.seen = scalars, nil
	return scalars
}

// prepare makes the outputs whose shapes are known, and reports whether there are any.
func prepare(known []*onnx.Tensor) ([]ortlib.Value, bool) {
	out := make([]ortlib.Value, len(known))
	own := false
	for i, k := range known {
		if k == nil || k.Type == onnx.String || k.Type.Bits() < 8 || k.Len() == 0 {
			continue
		}
		if v, err := toORT(onnx.New(k.Type, k.Shape...)); err == nil {
			out[i], own = v, true
		}
	}
	return out, own
}
