// Package native is the engine in pure Go that is always there.
package native

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/onnxcnn/onnxcnn/internal/cpu"
	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Options say how a session is opened. The zero value runs the graph's outputs on all processors.
type Options struct {
	Threads int              // 0: one a processor
	Outputs []string         // values to compute instead of the graph's outputs
	Shapes  map[string][]int // declares inputs anew; -1 is a free dimension
	Warn    func(string)     // told of what is accepted although the specification does not have it; may be nil
	NoFuse  bool             // run every node as it is in the file
}

// Session is an opened model. It is safe for concurrent use.
type Session struct {
	file string
	prog *graph.Program
}

// Open compiles a model. The model must stay open while the session is used: weights are read where they lie, in the
// mapped file. The error lists all problems at once.
func Open(m *onnx.Model, o Options) (*Session, error) {
	s := &Session{file: filepath.Base(m.Path())}
	if m.Path() == "" {
		s.file = ""
	}
	if _, err := cpu.Selected(); err != nil {
		return nil, err
	}
	prog, err := graph.Compile(m, graph.Options{Outputs: o.Outputs, Shapes: o.Shapes, Pool: par.Shared(o.Threads), Warn: o.Warn, NoFuse: o.NoFuse})
	if err != nil {
		return nil, s.wrap(err)
	}
	s.prog = prog
	return s, nil
}

func (s *Session) wrap(err error) error {
	if err == nil || s.file == "" {
		return err
	}
	return fmt.Errorf("%s: %w", s.file, err)
}

// Inputs returns the declarations of the inputs that Run wants.
func (s *Session) Inputs() []*onnx.Value { return s.prog.Inputs() }

// Outputs returns the declarations of the values that Run gives, as far as the model has them.
func (s *Session) Outputs() []*onnx.Value { return s.prog.Outputs() }

// Run computes the outputs by name. Inputs are only read, and what it returns belongs to the caller.
func (s *Session) Run(ctx context.Context, inputs map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	out, err := s.prog.Run(ctx, inputs)
	return out, s.wrap(err)
}

// Close lets go of the session.
func (s *Session) Close() error { return nil }
