// Package op holds the operators: for each one a pair of files (conv.go and conv_test.go for Conv) with its attributes
// by opset version, its type and shape inference, and its computation.
//
// An operator registers itself with a [Def]. The graph compiler looks it up, makes an [Op] for each node, asks it for
// the types and shapes of its outputs, and runs it.
package op

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"

	"github.com/onnxcnn/onnxcnn/internal/bigmem"
	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// MaxOpset is the newest version of the ai.onnx operator set that this package implements.
const MaxOpset = 28

// Def describes an operator.
type Def struct {
	Domain string // "" for ai.onnx
	Type   string
	Since  int // first opset version that has it
	Until  int // last opset version that has it; 0 where it is still there

	// MinIn and MaxIn bound the number of inputs; MaxIn is Variadic where there is no limit.
	// MaxOut is the number of outputs, Variadic where the node decides.
	MinIn, MaxIn, MaxOut int

	// Half says that Run takes Float16 and BFloat16 tensors itself. For other operators the graph converts such
	// inputs to Float before, and Float outputs back after.
	Half bool

	// New makes the operator for a node. It reads all attributes through s; it may return errors for several at once.
	New func(s *Spec) (Op, error)
}

// Variadic means any number of inputs or outputs.
const Variadic = 1 << 30

// Op is an operator with its attributes, ready to run. It is immutable: one Op serves any number of goroutines.
type Op interface {
	// Infer returns types and shapes of the outputs, one Info for each output the operator has. in has MaxIn entries
	// (as many as the node has where the number is variadic), absent ones are the zero Info; none is Dynamic.
	// An output whose shape depends on values that are not known (Info.Value is nil) is returned as Dynamic: the graph
	// asks again, with all values, when the node is about to run. It checks what it is given: types, ranks and sizes
	// that do not fit are an error, never a panic.
	Infer(in []Info) ([]Info, error)

	// Run computes the outputs. in and out have the same layout as in Infer; absent inputs and outputs that nobody
	// wants are nil. Outputs have the type, shape and memory that Infer asked for (the memory is not cleared), except
	// those that are still Dynamic although all values are known: for these the operator fills in a whole new tensor.
	// Inputs are never written to, unless the operator is an [InPlacer] and the memory of out[0] is that of the input.
	Run(rt *Runtime, in, out []*onnx.Tensor) error
}

// Info is what is known of a value before it is computed.
type Info struct {
	Type    onnx.DataType // Undefined where an optional input or output is absent
	Shape   []int         // every dimension known; empty for a scalar
	Value   *onnx.Tensor  // the value itself, where it is constant
	Dynamic bool          // only in results: shape (and maybe type) depend on values
}

// Absent reports whether an optional input was left out.
func (i Info) Absent() bool { return i.Type == onnx.Undefined && !i.Dynamic }

// An InPlacer can write its first output over one of its inputs: those with the listed indices, where the graph finds
// that nobody else needs it and that its size in bytes is the same.
type InPlacer interface{ InPlace() []int }

// A ShapedInPlacer is an [InPlacer] for inputs of some shapes only; all of them are known.
type ShapedInPlacer interface{ InPlaceFor(in []Info) []int }

// A PerImager says whether element i along the first axis of its output depends, of inputs that are not constant, only
// on element i along the first axis of each: then a batch of images may be run through it in parts.
type PerImager interface{ PerImage() bool }

// A Describer has several algorithms, and says which one it takes for these inputs.
type Describer interface {
	Algorithm(in []*onnx.Tensor) string
}

// An Aliaser's first output holds the same bytes as its first input, in another shape: the graph shares the memory and
// Run is called with out[0].Raw being in[0].Raw, or not at all.
type Aliaser interface{ Aliases() bool }

// A Joiner's output holds its inputs one behind the other along an axis: where the axes before it have one element
// together, the graph may let an input lie in the output already when it is made.
type Joiner interface{ Joins(rank int) (axis int) }

// A Cutter's outputs hold the first input cut along an axis, as the reverse of a [Joiner].
type Cutter interface{ Cuts(rank int) (axis int) }

// A Preparer can do work once when a session is opened, knowing the constant inputs (nil entries are not constant):
// it returns an operator that takes the same inputs but has, say, its weights packed. It returns nil for no change.
type Preparer interface {
	Prepare(consts []*onnx.Tensor) (Op, error)
}

// Runtime is what a running operator can use.
type Runtime struct {
	Context context.Context
	Pool    *par.Pool
	// Limit is how many bytes a value may take whose size only the operator knows; 0 for no limit.
	Limit int
	// Sub runs the sub-graph in the node's attribute of that name (If, Loop, Scan) on these inputs.
	Sub func(attr string, inputs []*onnx.Tensor) ([]*onnx.Tensor, error)

	scratch [][]float32
	taken   int
}

// Scratch returns n float32 of unspecified content that are the caller's until Run returns. It may not be called from
// the body of a parallel loop: ask for the memory of all workers before.
func (rt *Runtime) Scratch(n int) []float32 {
	if rt.taken == len(rt.scratch) {
		rt.scratch = append(rt.scratch, nil)
	}
	s := rt.scratch[rt.taken]
	if cap(s) < n {
		s = bigmem.Make[float32](n)
		rt.scratch[rt.taken] = s
	}
	rt.taken++
	return s[:n]
}

// Reset gives all scratch memory back. The graph calls it after each node.
func (rt *Runtime) Reset() { rt.taken = 0 }

// smallPiece is under how many multiply-adds a piece of work gains nothing from several workers.
const smallPiece = 1 << 16

// apart runs f for each of n pieces of work, of about size multiply-adds each, that don't depend on each other: side by
// side, each on a goroutine with a Runtime of its own, where that keeps all workers busy, and else one after the other,
// with all workers for each. Scratch memory is f's until it returns.
func (rt *Runtime) apart(n, size int, f func(rt *Runtime, i int)) error {
	threads := rt.Pool.Threads()
	if threads == 1 || n < threads || size > smallPiece && n%threads != 0 && n < 4*threads {
		for i := 0; i < n && rt.Context.Err() == nil; i++ {
			mark := rt.taken
			f(rt, i)
			rt.taken = mark
		}
		return rt.Context.Err()
	}
	rt.Pool.For(n, max(1, smallPiece/max(size, 1)), func(lo, hi int) {
		local := localRuntimes.Get().(*Runtime)
		local.Context, local.Limit = rt.Context, rt.Limit
		defer func() {
			local.Context = nil // kept alive by nothing here
			localRuntimes.Put(local)
		}()
		for i := lo; i < hi && rt.Context.Err() == nil; i++ {
			f(local, i)
			local.Reset()
		}
	})
	return rt.Context.Err()
}

// localRuntimes are kept for their scratch memory.
var localRuntimes = sync.Pool{New: func() any { return &Runtime{} }}

var defs = map[[2]string]*Def{}

func register(d Def) {
	key := [2]string{d.Domain, d.Type}
	if defs[key] != nil {
		panic("op: " + d.Domain + "." + d.Type + " registered twice")
	}
	defs[key] = &d
}

// Lookup returns the operator of that name, nil if there is none. "ai.onnx" is taken as "".
func Lookup(domain, opType string) *Def {
	if domain == "ai.onnx" {
		domain = ""
	}
	return defs[[2]string{domain, opType}]
}

// All returns every operator, sorted by domain and type.
func All() []*Def {
	all := make([]*Def, 0, len(defs))
	for _, d := range defs {
		all = append(all, d)
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Domain != all[j].Domain {
			return all[i].Domain < all[j].Domain
		}
		return all[i].Type < all[j].Type
	})
	return all
}

// Make builds the operator of a node: it checks version, number of inputs and outputs, and attributes. opset is the
// version of the node's domain that the model imports. warn is told of what is accepted although the specification
// does not have it; it may be nil.
func Make(n *onnx.Node, opset int, warn func(string)) (Op, *Def, error) {
	d := Lookup(n.Domain, n.OpType)
	if d == nil {
		return nil, nil, fmt.Errorf("operator %s is not supported", qualifiedName(n))
	}
	if opset < d.Since {
		return nil, d, fmt.Errorf("opset %d does not have it (it came with opset %d)", opset, d.Since)
	}
	if d.Until > 0 && opset > d.Until {
		return nil, d, fmt.Errorf("opset %d does not have it (its last opset is %d)", opset, d.Until)
	}
	if got := len(n.Inputs); got < d.MinIn || got > d.MaxIn {
		return nil, d, fmt.Errorf("has %d inputs, wants %s", got, span(d.MinIn, d.MaxIn))
	}
	if got := len(n.Outputs); got > d.MaxOut {
		return nil, d, fmt.Errorf("has %d outputs, wants at most %d", got, d.MaxOut)
	}
	s := &Spec{Node: n, Opset: opset, warn: warn, used: map[string]bool{}}
	o, err := d.New(s)
	if err = errors.Join(append(s.errs, err)...); err != nil {
		return nil, d, err
	}
	for _, a := range n.Attrs {
		if !s.used[a.Name] {
			s.Warn("attribute %q is not known and has no effect", a.Name)
		}
	}
	return o, d, nil
}

// qualifiedName returns the operator's name with its domain, where that is not ai.onnx.
func qualifiedName(n *onnx.Node) string {
	if n.Domain == "" || n.Domain == "ai.onnx" {
		return n.OpType
	}
	return n.Domain + "." + n.OpType
}

func span(lo, hi int) string {
	switch {
	case hi == Variadic:
		return fmt.Sprintf("at least %d", lo)
	case lo == hi:
		return fmt.Sprint(lo)
	}
	return fmt.Sprintf("%d to %d", lo, hi)
}

// Spec is a node as its operator's constructor reads it. The getters record attributes of a wrong type as errors, which
// [Make] returns, and give the default value instead.
type Spec struct {
	Node  *onnx.Node
	Opset int

	warn func(string)
	used map[string]bool
	errs []error
}

// Warn tells the user of something that is accepted although the specification does not have it.
func (s *Spec) Warn(format string, args ...any) {
	if s.warn != nil {
		s.warn(fmt.Sprintf(format, args...))
	}
}

// Ignore marks attributes as known that have no effect on the result.
func (s *Spec) Ignore(names ...string) {
	for _, n := range names {
		s.used[n] = true
	}
}

// Has reports whether the node has the attribute.
func (s *Spec) Has(name string) bool { return s.Node.Attr(name) != nil }

func (s *Spec) attr(name string, want onnx.AttrType, kind string) *onnx.Attribute {
	s.used[name] = true
	a := s.Node.Attr(name)
	if a == nil {
		return nil
	}
	if a.Type != want {
		s.errs = append(s.errs, fmt.Errorf("attribute %q: want %s", name, kind))
		return nil
	}
	return a
}

// Int returns an integer attribute.
func (s *Spec) Int(name string, def int) int {
	if a := s.attr(name, onnx.AttrInt, "an integer"); a != nil {
		return int(a.I)
	}
	return def
}

// Bool returns an integer attribute as a flag.
func (s *Spec) Bool(name string, def bool) bool {
	if a := s.attr(name, onnx.AttrInt, "an integer"); a != nil {
		return a.I != 0
	}
	return def
}

// Float returns a float attribute.
func (s *Spec) Float(name string, def float32) float32 {
	if a := s.attr(name, onnx.AttrFloat, "a float"); a != nil {
		return a.F
	}
	return def
}

// String returns a string attribute.
func (s *Spec) String(name, def string) string {
	if a := s.attr(name, onnx.AttrString, "a string"); a != nil {
		return string(a.S)
	}
	return def
}

// Ints returns a list of integers, nil if the attribute is absent (an attribute that is there but empty is not nil).
func (s *Spec) Ints(name string) []int {
	a := s.attr(name, onnx.AttrInts, "a list of integers")
	if a == nil {
		return nil
	}
	v := make([]int, len(a.Ints))
	for i, x := range a.Ints {
		v[i] = int(x)
	}
	return v
}

// Floats returns a list of floats, nil if the attribute is absent.
func (s *Spec) Floats(name string) []float32 {
	a := s.attr(name, onnx.AttrFloats, "a list of floats")
	if a == nil {
		return nil
	}
	return append([]float32{}, a.Floats...)
}

// Strings returns a list of strings, nil if the attribute is absent.
func (s *Spec) Strings(name string) []string {
	a := s.attr(name, onnx.AttrStrings, "a list of strings")
	if a == nil {
		return nil
	}
	v := make([]string, len(a.Strings))
	for i, x := range a.Strings {
		v[i] = string(x)
	}
	return v
}

// Tensor returns a tensor attribute, nil if it is absent.
func (s *Spec) Tensor(name string) *onnx.Tensor {
	if a := s.attr(name, onnx.AttrTensor, "a tensor"); a != nil {
		return a.Tensor
	}
	return nil
}

// Graph returns a graph attribute, nil if it is absent.
func (s *Spec) Graph(name string) *onnx.Graph {
	if a := s.attr(name, onnx.AttrGraph, "a graph"); a != nil {
		return a.Graph
	}
	return nil
}
