package convert

import (
	"errors"
	"fmt"
	"slices"

	"github.com/onnxcnn/onnxcnn/internal/filemap"
	"github.com/onnxcnn/onnxcnn/internal/sizes"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Weights are the named tensors of a file, in its order. Their data is read when it is asked for: of large files only what is
// used is loaded.
type Weights struct {
	Format string // "PyTorch", "safetensors", "npz", ...
	Path   string // of the file, "" where there is none
	Notes  []string

	list   []*Weight
	byName map[string]*Weight
	close  []func() error
	size   int64 // bytes of the file
	total  int64 // bytes that all tensors take
}

// Weight is one tensor of a file.
type Weight struct {
	// Name is the tensor's name in its file. A PyTorch checkpoint has dictionaries in each other: then the names of the
	// outer ones stand before it, with dots between: state_dict.conv1.weight.
	Name string
	// Group is the part of Name that names the dictionaries, with the dot behind: "state_dict."; "" at the top.
	Group string
	Type  onnx.DataType
	Shape []int

	load func() ([]byte, error)
}

// Size rules for what a file may make: what its tensors take together may exceed the file (they may share data, and
// repeat it), but only so much.
const (
	maxShared = 16       // times the file's size
	minTotal  = 64 << 20 // bytes that are allowed whatever the file's size
	maxRank   = 16
)

// NewWeights returns an empty list, for readers. Size is how many bytes the file has: tensors may not take much more in all.
func NewWeights(format, path string, size int64) *Weights {
	return &Weights{Format: format, Path: path, size: size, byName: map[string]*Weight{}}
}

// readMapped parses a file that is mapped into memory until the weights are closed.
func readMapped(path string, parse func(path string, data []byte) (*Weights, error)) (*Weights, error) {
	data, unmap, err := filemap.Open(path)
	if err != nil {
		return nil, err
	}
	w, err := parse(path, data)
	if err != nil {
		_ = unmap() // the file was only read
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	w.OnClose(unmap)
	return w, nil
}

// Add appends a tensor whose bytes (little-endian, row-major) load returns when they are needed; they need not stay valid
// after [Weights.Close]. A name that is taken and a shape that is not possible are errors.
func (w *Weights) Add(x Weight, load func() ([]byte, error)) error {
	if w.byName[x.Name] != nil {
		return fmt.Errorf("two tensors are named %q", x.Name)
	}
	n, ok := byteSize(x.Type, x.Shape)
	if !ok {
		return fmt.Errorf("tensor %q: shape %v of %v is not possible", x.Name, x.Shape, x.Type)
	}
	if n > max(minTotal, maxShared*w.size)-w.total {
		return fmt.Errorf("tensor %q: the tensors take more than %d times the file's %d bytes: refused", x.Name, maxShared, w.size)
	}
	w.total += n
	x.Shape = slices.Clone(x.Shape)
	x.load = func() ([]byte, error) {
		b, err := load()
		if err == nil && int64(len(b)) != n {
			err = fmt.Errorf("has %d bytes, its shape needs %d", len(b), n)
		}
		return b, err
	}
	w.list = append(w.list, &x)
	w.byName[x.Name] = &x
	return nil
}

// AddTensor appends a tensor that is in memory.
func (w *Weights) AddTensor(t *onnx.Tensor) error {
	return w.Add(Weight{Name: t.Name, Type: t.Type, Shape: t.Shape}, func() ([]byte, error) { return t.Raw, nil })
}

// Renamed returns the same tensors under other names. It stays valid as long as w is open, and needs no closing.
func (w *Weights) Renamed(name func(string) string) (*Weights, error) {
	r := &Weights{Format: w.Format, Path: w.Path, Notes: slices.Clone(w.Notes), byName: map[string]*Weight{}, size: w.size, total: w.total}
	for _, x := range w.list {
		c := *x
		if c.Name = name(x.Name); r.byName[c.Name] != nil {
			return nil, fmt.Errorf("%s: two tensors are named %q", w.Path, c.Name)
		}
		r.list = append(r.list, &c)
		r.byName[c.Name] = &c
	}
	return r, nil
}

// OnClose has f called by [Weights.Close].
func (w *Weights) OnClose(f func() error) { w.close = append(w.close, f) }

// Close gives the file back. Tensors that were loaded may lie in it: they must not be used any more.
func (w *Weights) Close() error {
	var errs []error
	for _, f := range w.close {
		errs = append(errs, f())
	}
	w.close = nil
	return errors.Join(errs...)
}

// List returns the tensors in the order of the file.
func (w *Weights) List() []*Weight { return w.list }

// Find returns the tensor of that name, nil if there is none.
func (w *Weights) Find(name string) *Weight { return w.byName[name] }

// Load reads a tensor. It may lie in the mapped file: it is only to be read, and only until [Weights.Close].
func (x *Weight) Load() (*onnx.Tensor, error) {
	raw, err := x.load()
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", x.Name, err)
	}
	return &onnx.Tensor{Name: x.Name, Type: x.Type, Shape: slices.Clone(x.Shape), Raw: raw}, nil
}

// Elements returns the number of elements.
func (x *Weight) Elements() int { return onnx.NumElements(x.Shape) }

// byteSize returns how many bytes a tensor takes; false where that is not possible.
func byteSize(typ onnx.DataType, shape []int) (int64, bool) {
	width := typ.Bits() / 8
	if width == 0 || len(shape) > maxRank {
		return 0, false
	}
	n, ok := sizes.Product(append([]int{width}, shape...)...)
	return int64(n), ok
}
