package convert

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/hdf5"
	"github.com/onnxcnn/onnxcnn/internal/near"
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// karray is an array of a Keras file.
type karray struct {
	group string   // the group of the layer: its name, or the group of Keras 3; "" in files without groups
	label string   // the layer's name, where a file of Keras 3 says it
	scope []string // the names before the last: ["model_1", "conv"]
	last  string   // "kernel", or a number
	typ   onnx.DataType
	shape []int
	load  func() ([]byte, error)
	used  bool
}

// name is how messages call the array.
func (a *karray) name() string {
	parts := append([]string{}, a.scope...)
	if a.group != "" && !slices.Contains(a.scope, a.group) {
		parts = append([]string{a.group}, parts...)
	}
	return strings.Join(append(parts, a.last), "/")
}

// floats reads the array as float32.
func (a *karray) floats() (*onnx.Tensor, error) {
	raw, err := a.load()
	if err != nil {
		return nil, err
	}
	return op.CastTensor(&onnx.Tensor{Type: a.typ, Shape: a.shape, Raw: raw}, onnx.Float)
}

// kstore are the arrays of a file, in its order.
type kstore struct {
	arrays   []*karray
	numbered bool // Keras 3: arrays of a layer have numbers
	byGroup  map[string][]*karray
	byLabel  map[string][]*karray
	byScope  map[string][]*karray // by the last name of the scope
}

func (s *kstore) index() {
	s.byGroup, s.byLabel, s.byScope = map[string][]*karray{}, map[string][]*karray{}, map[string][]*karray{}
	for _, a := range s.arrays {
		s.byGroup[a.group] = append(s.byGroup[a.group], a)
		if a.label != "" {
			s.byLabel[a.label] = append(s.byLabel[a.label], a)
		}
		if n := len(a.scope); n > 0 {
			s.byScope[a.scope[n-1]] = append(s.byScope[a.scope[n-1]], a)
		}
	}
}

// of returns the arrays of a layer.
func (s *kstore) of(l *klayer) []*karray {
	names := strings.Split(l.path, "/")
	nested := l.path != l.name
	if s.numbered {
		// The label is what a user called the layer; groups are named after classes.
		if a := s.byLabel[l.name]; len(a) > 0 && !nested && oneGroup(a) {
			return a
		}
		for _, group := range []string{l.group, strings.ReplaceAll(l.group, "layers/", "_layer_checkpoint_dependencies/")} {
			if a := s.byGroup[group]; len(a) > 0 {
				return a
			}
		}
		return nil
	}
	if a := s.byGroup[l.name]; len(a) > 0 && !nested {
		return a
	}
	// A layer of a model that is a layer: its group is the outermost model's, its scope ends in its name, which may have
	// slashes itself. The best scope is all of the layer's name, with names of models before it or without.
	rank := func(a *karray) int {
		n := common(a.scope, names)
		switch {
		case a.group != "" && a.group != l.name && !strings.HasPrefix(l.path, a.group+"/") || n <= strings.Count(l.name, "/"):
			return 0
		case n == len(a.scope):
			return n + len(names)
		}
		return n
	}
	var best []*karray
	top := 1
	for _, a := range s.byScope[names[len(names)-1]] {
		r := rank(a)
		if r > top {
			best, top = nil, r
		}
		if r == top {
			best = append(best, a)
		}
	}
	return best
}

func oneGroup(a []*karray) bool {
	return !slices.ContainsFunc(a, func(x *karray) bool { return x.group != a[0].group })
}

// common counts the equal names at the end of both lists.
func common(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// nearest returns the array's name that is most like that of a missing one.
func (s *kstore) nearest(name string) string {
	var names []string
	for _, a := range s.arrays {
		if !a.used {
			names = append(names, a.name())
		}
	}
	return near.Name(name, names)
}

// elementTypes are the types of arrays that are read.
func elementType(t hdf5.Type, bfloat bool) (onnx.DataType, bool) {
	switch {
	case t.Kind == hdf5.Float:
		return map[int]onnx.DataType{2: onnx.Float16, 4: onnx.Float, 8: onnx.Double}[t.Size], true
	case t.Kind == hdf5.BFloat, t.Kind == hdf5.Opaque && t.Size == 2 && bfloat:
		return onnx.BFloat16, true
	case t.Kind == hdf5.Int:
		return map[int]onnx.DataType{1: onnx.Int8, 2: onnx.Int16, 4: onnx.Int32, 8: onnx.Int64}[t.Size], true
	case t.Kind == hdf5.Uint:
		return map[int]onnx.DataType{1: onnx.Uint8, 2: onnx.Uint16, 4: onnx.Uint32, 8: onnx.Uint64}[t.Size], true
	}
	return onnx.Undefined, false
}

// array describes a dataset.
func array(o *hdf5.Object) (*karray, error) {
	typ, err := o.Type()
	if err != nil {
		return nil, err
	}
	shape, err := o.Shape()
	if err != nil {
		return nil, err
	}
	// A bfloat16 array is opaque to HDF5; an attribute says what it is.
	dtype, err := text(o, "dtype")
	if err != nil {
		return nil, err
	}
	elem, ok := elementType(typ, dtype == "bfloat16")
	if !ok {
		return nil, fmt.Errorf("%q: %v elements are not supported", o.Path(), typ)
	}
	return &karray{typ: elem, shape: shape, load: func() ([]byte, error) {
		d, err := o.Read()
		return d.Raw, err
	}}, nil
}

// text reads an attribute with a text, "" where it is absent.
func text(o *hdf5.Object, name string) (string, error) {
	d, err := o.Attr(name)
	if errors.Is(err, hdf5.ErrNotFound) {
		return "", nil
	}
	s, _ := d.Text()
	return s, err
}

// texts reads an attribute with a list of texts, which Keras splits into name0, name1, ... where it is long (an attribute
// of the old format takes 64 KiB).
func texts(o *hdf5.Object, name string) ([]string, bool, error) {
	d, err := o.Attr(name)
	if err == nil {
		return d.Strings, true, nil
	}
	if !errors.Is(err, hdf5.ErrNotFound) {
		return nil, false, err
	}
	var all []string
	for i := 0; ; i++ {
		d, err := o.Attr(name + strconv.Itoa(i))
		if errors.Is(err, hdf5.ErrNotFound) {
			return all, i > 0, nil
		}
		if err != nil {
			return nil, false, err
		}
		all = append(all, d.Strings...)
	}
}

// openStore reads the names of the arrays in an HDF5 file of Keras: below "model_weights" where it has a whole model.
func openStore(root *hdf5.Object) (*kstore, error) {
	if names, err := root.Names(); err != nil {
		return nil, err
	} else if slices.Contains(names, "model_weights") {
		if root, err = root.Open("model_weights"); err != nil {
			return nil, err
		}
	}
	layers, listed, err := texts(root, "layer_names")
	if err != nil {
		return nil, err
	}
	s := &kstore{}
	if listed {
		err = s.listed(root, layers)
	} else {
		err = s.walk(root)
	}
	if err != nil {
		return nil, err
	}
	s.index()
	return s, nil
}

// listed reads the form of Keras 1 and 2: attributes name the layers, and the arrays of each.
func (s *kstore) listed(root *hdf5.Object, layers []string) error {
	for _, layer := range layers {
		g, err := root.Open(layer)
		if err != nil {
			return err
		}
		weights, _, err := texts(g, "weight_names")
		if err != nil {
			return err
		}
		for _, name := range weights {
			o, err := g.Open(name)
			if err != nil {
				return err
			}
			a, err := array(o)
			if err != nil {
				return err
			}
			a.group = layer
			a.place(name)
			s.arrays = append(s.arrays, a)
		}
	}
	return nil
}

// place takes the name of an array apart: "model_1/conv/kernel:0".
func (a *karray) place(name string) {
	parts := strings.Split(strings.Trim(name, "/"), "/")
	n := len(parts) - 1
	a.scope, a.last = parts[:n:n], parts[n]
	if at := strings.LastIndexByte(a.last, ':'); at > 0 {
		a.last = a.last[:at]
	}
}

// walk reads the form of Keras 3: groups of groups, with a group "vars" of numbered arrays for each layer. Files that name
// neither layers nor numbers are taken for those of Keras 2, as far as their arrays' names go.
func (s *kstore) walk(root *hdf5.Object) error {
	base := strings.TrimSuffix(root.Path(), "/") + "/"
	return root.Walk(func(o *hdf5.Object) error {
		rel := strings.TrimPrefix(o.Path(), base)
		dir, last := path.Split(rel)
		group, isVars := strings.CutSuffix(strings.TrimSuffix(dir, "/"), "vars")
		if !isVars {
			a, err := array(o)
			if err != nil {
				return err
			}
			a.group, _, _ = strings.Cut(rel, "/")
			a.place(rel)
			s.arrays = append(s.arrays, a)
			return nil
		}
		s.numbered = true
		group = strings.TrimSuffix(group, "/")
		first, _, _ := strings.Cut(group, "/")
		if first == "optimizer" || strings.HasSuffix(group, "seed_generator") {
			return nil
		}
		a, err := array(o)
		if err != nil {
			return err
		}
		vars, err := root.Open(strings.TrimSuffix(dir, "/"))
		if err != nil {
			return err
		}
		if a.label, err = text(vars, "name"); err != nil {
			return err
		}
		// Windows separators stood in the names for a while.
		a.group = strings.ReplaceAll(group, `\`, "/")
		a.scope, a.last = strings.Split(a.group, "/"), last
		s.arrays = append(s.arrays, a)
		return nil
	})
}

// openHDF5 opens a file of Keras that is in memory.
func openHDF5(data []byte) (*hdf5.Object, error) {
	f, err := hdf5.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	return f.Root()
}

// isHDF5 looks at the content.
func isHDF5(data []byte) bool { return hdf5.Is(data) }
