// Package native is the engine in pure Go that is always there.
package native

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"

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
	Profile func(Timing)     // told of each step of a run; may be nil
	NoFuse  bool             // run every node as it is in the file
}

// Timing is how long one step of a run took.
type Timing = graph.Timing

// Session is an opened model. It is safe for concurrent use.
type Session struct {
	file    string
	inputs  []*onnx.Value
	outputs []*onnx.Value
	prog    atomic.Pointer[graph.Program] // nil once it is closed
}

var errClosed = errors.New("the session is closed")

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
	prog, err := graph.Compile(m, graph.Options{Outputs: o.Outputs, Shapes: o.Shapes, Pool: par.Shared(o.Threads), Warn: o.Warn, Profile: o.Profile, NoFuse: o.NoFuse})
	if err != nil {
		return nil, s.wrap(err)
	}
	s.inputs, s.outputs = prog.Inputs(), prog.Outputs()
	s.prog.Store(prog)
	return s, nil
}

func (s *Session) wrap(err error) error {
	if err == nil || s.file == "" {
		return err
	}
	return fmt.Errorf("%s: %w", s.file, err)
}

// Inputs returns the declarations of the inputs that Run wants.
func (s *Session) Inputs() []*onnx.Value { return s.inputs }

// Outputs returns the declarations of the values that Run gives, as far as the model has them.
func (s *Session) Outputs() []*onnx.Value { return s.outputs }

// Run computes the outputs by name. Inputs are only read, and what it returns belongs to the caller.
func (s *Session) Run(ctx context.Context, inputs map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	prog := s.prog.Load()
	if prog == nil {
		return nil, s.wrap(errClosed)
	}
	out, err := prog.Run(ctx, inputs)
	return out, s.wrap(err)
}

// Close lets go of the session's memory: Run then returns an error. Runs that are under way go on; the model must stay
// open until they have ended.
func (s *Session) Close() error {
	s.prog.Store(nil)
	return nil
}
