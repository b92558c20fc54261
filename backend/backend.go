// Package backend is the public way to run a network: open a model, get a session, feed it tensors.
//
// The native engine, in pure Go, is always there. Others register themselves when they are imported, as database
// drivers do: import _ "github.com/onnxcnn/onnxcnn/backend/ort" adds ONNX Runtime under the name "ort".
package backend

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/onnxcnn/onnxcnn/backend/native"
	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Options say how a session is opened. The zero value computes the graph's outputs with the native engine on all
// processors.
type Options struct {
	Provider string           // "" or "native"; others by the name they registered, with options after a colon: "ort:cuda"
	Threads  int              // 0: one a processor
	Outputs  []string         // names of values to compute instead of the graph's outputs; any inner value
	Shapes   map[string][]int // declares inputs anew, say for another image size; -1 is a free dimension
	Profile  func(Timing)     // told of each step that a run computes, as it computes it; may be nil, and only native has it
	Warn     func(string)     // told of what is accepted although the specification does not have it; may be nil
}

// Timing is how long one step of a run took.
type Timing = native.Timing

// Session is an opened model. It is safe for concurrent use.
type Session interface {
	// Inputs returns the declarations of the inputs that Run wants; initializers that are also inputs are left out.
	Inputs() []*onnx.Value
	// Outputs returns the declarations of the values that Run gives. Type may be nil for inner values.
	Outputs() []*onnx.Value
	// Run computes the outputs by name. Inputs are only read, and what it returns belongs to the caller.
	Run(ctx context.Context, inputs map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error)
	// Close lets go of the session, after waiting for runs that are under way. Run then returns [ErrClosed], Inputs and
	// Outputs still answer; to close again does nothing. The model may be closed after its sessions.
	Close() error
}

// ErrClosed is what Run returns once the session is closed.
var ErrClosed = errors.New("the session is closed")

// Opener opens a model with a provider. What follows the colon of [Options.Provider] is left in o.Provider. [Open] sees
// to it that Close is called once, with no Run under way and none after it.
type Opener func(m *onnx.Model, o Options) (Session, error)

var (
	mu      sync.Mutex
	openers = map[string]Opener{"native": openNative}
)

// ProviderError says that Options.Provider names no provider, or has an option that the provider does not know.
type ProviderError struct{ Err error }

func (e *ProviderError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *ProviderError) Unwrap() error { return e.Err }

// UnavailableError says that a provider cannot be had in this program or on this machine: it is not built in, or its library
// is missing.
type UnavailableError struct{ Err error }

func (e *UnavailableError) Error() string { return e.Err.Error() }

// Unwrap returns what is missing.
func (e *UnavailableError) Unwrap() error { return e.Err }

func openNative(m *onnx.Model, o Options) (Session, error) {
	if o.Provider != "" {
		return nil, &ProviderError{fmt.Errorf("provider native has no option %q", o.Provider)}
	}
	return native.Open(m, native.Options{Threads: o.Threads, Outputs: o.Outputs, Shapes: o.Shapes, Profile: o.Profile, Warn: o.Warn})
}

// session keeps Run and Close of a provider's session apart.
type session struct {
	Session
	mu     sync.RWMutex // held for reading while a run is under way
	closed bool
}

func (s *session) Run(ctx context.Context, inputs map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	return s.Session.Run(ctx, inputs)
}

func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.Session.Close()
}

// Register adds a provider. It panics if the name is taken; packages of providers call it when they are imported.
func Register(name string, open Opener) {
	mu.Lock()
	defer mu.Unlock()
	if openers[name] != nil {
		panic("backend: provider " + name + " is registered twice")
	}
	openers[name] = open
}

// Providers returns the names of the providers that this program has, sorted.
func Providers() []string {
	mu.Lock()
	defer mu.Unlock()
	var names []string
	for n := range openers {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Open opens a model. The model must stay open while the session is used: weights are read where they lie, in the
// mapped file. The error names file and node, and lists all problems at once.
//
// A run of the native engine takes at most three quarters of the memory that the machine, its container and GOMEMLIMIT
// leave to this process, and 64 GiB; a model that asks for more gets an error that names the node.
func Open(m *onnx.Model, o Options) (Session, error) {
	name, rest, _ := strings.Cut(o.Provider, ":")
	if name == "" {
		name = "native"
	}
	mu.Lock()
	open, ort := openers[name], openers["ort"]
	mu.Unlock()
	if open == nil {
		err := fmt.Errorf("there is no provider %q in this program (providers: %s)", name, strings.Join(Providers(), ", "))
		if ort != nil {
			err = fmt.Errorf("%w; what ONNX Runtime computes on follows a colon, as in ort:cuda,fallback=cpu", err)
		}
		return nil, &ProviderError{err}
	}
	o.Provider = rest
	s, err := open(m, o)
	if err != nil {
		return nil, err
	}
	return &session{Session: s}, nil
}

// Layer is a compute node of a model, as --unfreeze-from and --at number them.
type Layer = graph.Layer

// Problem is something about a model that keeps it from running, or that its user should know.
type Problem = graph.Problem

// Layers lists the compute nodes of a model in graph order; Constant, Identity, Shape, Cast and what only computes
// shapes are not counted. inputs gives the shapes of inputs by name; those that are not named have the declared shape,
// with a batch of one.
func Layers(m *onnx.Model, inputs map[string][]int) ([]Layer, error) { return graph.Layers(m, inputs) }

// FindLayer selects a layer by number, node name, the name of the value it computes, block ("layer4", "Mixed_7a": the
// block's last node) or prefix. The error lists the nearest names.
func FindLayer(layers []Layer, sel string) (Layer, error) { return graph.FindLayer(layers, sel) }

// FindFirstLayer is [FindLayer], but gives the first node of a block or prefix: the one from which on it is trained.
func FindFirstLayer(layers []Layer, sel string) (Layer, error) {
	return graph.FindFirstLayer(layers, sel)
}

// Check lists all problems of a model at once.
func Check(m *onnx.Model) []Problem { return graph.Check(m) }
