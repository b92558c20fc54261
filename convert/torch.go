package convert

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/pickle"
	"github.com/onnxcnn/onnxcnn/internal/ziparchive"
)

// maxPickle bounds the pickle that describes the tensors; their data is not in it.
const maxPickle = 64 << 20

// What the older format begins with, and its version.
const (
	legacyMagic    = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" // the number 0x1950a86a20f9469cfc6c
	legacyProtocol = 1001
)

var legacyStart = []byte("\x80\x02\x8a\x0a" + legacyMagic)

func isTorch(data []byte) bool {
	return ziparchive.Is(data) || bytes.HasPrefix(data, []byte("\x80\x02")) || isTar(data)
}

func isTar(data []byte) bool { return len(data) > 262 && string(data[257:262]) == "ustar" }

// ReadTorch reads a file that torch.save wrote: a state dict, or a checkpoint with dictionaries in each other of which some
// hold tensors. Both the zip format (PyTorch 1.6 and newer) and the older one of stacked pickles are read; the tar format
// of before 2017 is refused.
//
// The pickle is read as data: it may name ordered dictionaries, tensors, parameters, storages and types, and anything
// else is refused by name. Nothing is executed. Sizes are compared with the bytes that are there before memory is taken.
// Storages that tensors share stay shared, those that are not contiguous are brought into row-major order.
func ReadTorch(path string) (*Weights, error) {
	return readMapped(path, parseTorch)
}

func parseTorch(path string, data []byte) (*Weights, error) {
	var root any
	var err error
	switch {
	case ziparchive.Is(data):
		root, err = torchZip(data)
	case bytes.HasPrefix(data, legacyStart):
		root, err = torchLegacy(data)
	case isTar(data):
		return nil, errors.New("a tar archive, as PyTorch before 0.1.10 wrote: load it with an old PyTorch and save it again")
	default:
		return nil, errors.New("a pickle, but not one that torch.save wrote: save the model's state_dict with torch.save")
	}
	if err != nil {
		return nil, err
	}
	w := NewWeights("PyTorch", path, int64(len(data)))
	c := collector{w: w, seen: map[any]bool{}}
	if err := c.collect("", root, 0); err != nil {
		return nil, err
	}
	if len(w.list) == 0 {
		return nil, errors.New("there are no tensors in it")
	}
	return w, nil
}

// torchZip reads the zip format: archive/data.pkl, and a member archive/data/KEY for each storage.
func torchZip(data []byte) (any, error) {
	z, err := ziparchive.Open(data)
	if err != nil {
		return nil, err
	}
	var main *ziparchive.File
	for _, f := range z.Files {
		dir, base, ok := strings.Cut(f.Name, "/")
		if !ok || strings.Contains(base, "/") {
			continue
		}
		switch {
		case base == "constants.pkl":
			return nil, errors.New("a TorchScript archive, which holds a program: save the model's state_dict with torch.save")
		case base == "data.pkl" && main != nil:
			return nil, fmt.Errorf("two pickles, %q and %q: which one counts is not clear", main.Name, f.Name)
		case base == "data.pkl" && dir != "":
			main = f
		}
	}
	if main == nil {
		return nil, errors.New("a zip archive without data.pkl: torch.save did not write it")
	}
	root := strings.TrimSuffix(main.Name, "data.pkl")
	if f := z.Find(root + "byteorder"); f != nil {
		if b, err := f.Bytes(); err != nil || string(b) != "little" {
			return nil, fmt.Errorf("byte order %.20q: only little-endian files are read", b)
		}
	}
	if main.Size > maxPickle {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", main.Name, main.Size, maxPickle)
	}
	text, err := main.Bytes()
	if err != nil {
		return nil, err
	}
	v, rest, err := pickle.Decode(text, &torchHandler{storage: func(key string, elem torchType, count int64, _ any) (*storage, error) {
		f := z.Find(root + "data/" + key)
		if f == nil {
			return nil, fmt.Errorf("the storage %q is not in the archive", key)
		}
		size, ok := elem.bytes(count)
		if !ok || size != f.Size {
			return nil, fmt.Errorf("storage %q: %d elements of %s are declared, the archive has %d bytes", key, count, elem.name, f.Size)
		}
		return &storage{elem: elem, count: count, bytes: f.Bytes}, nil
	}})
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes follow the pickle in %s", len(rest), main.Name)
	}
	return v, nil
}

// legacyStorage is a storage whose place in the file is known only when the pickle has been read.
type legacyStorage struct {
	elem  torchType
	count int64
	data  []byte
}

// torchLegacy reads the older format: pickles of the magic number, the version, facts of the system that wrote it, the
// object and the storages' keys; then the storages, each as its number of elements (8 bytes) and its data.
func torchLegacy(data []byte) (any, error) {
	refuse := &torchHandler{storage: func(string, torchType, int64, any) (*storage, error) {
		return nil, errors.New("a storage where none belongs")
	}}
	next := func(h pickle.Handler) (any, error) {
		v, rest, err := pickle.Decode(data, h)
		data = rest
		return v, err
	}
	if v, err := next(refuse); err != nil || v != pickle.Long(legacyMagic) {
		return nil, errors.Join(errors.New("the magic number is wrong"), err)
	}
	if v, err := next(refuse); err != nil || v != int64(legacyProtocol) {
		return nil, errors.Join(fmt.Errorf("version %v of the format is not known", v), err)
	}
	system, err := next(refuse)
	if err != nil {
		return nil, err
	}
	if d, ok := system.(*pickle.Dict); ok && d.Get("little_endian") == false {
		return nil, errors.New("written on a big-endian machine: only little-endian files are read")
	}
	all := map[string]*legacyStorage{}
	root, err := next(&torchHandler{storage: func(key string, elem torchType, count int64, view any) (*storage, error) {
		s := all[key]
		if s == nil {
			s = &legacyStorage{elem: elem, count: count}
			all[key] = s
		} else if s.elem != elem || s.count != count {
			return nil, fmt.Errorf("storage %q is declared in two ways", key)
		}
		first, n := int64(0), count
		if view != nil { // (key, first element, number of elements) of a part
			t, ok := view.(pickle.Tuple)
			if !ok || len(t) != 3 {
				return nil, fmt.Errorf("storage %q: a view that is not three values", key)
			}
			var ok1, ok2 bool
			first, ok1 = t[1].(int64)
			n, ok2 = t[2].(int64)
			if !ok1 || !ok2 || first < 0 || n < 0 || first > count || n > count-first {
				return nil, fmt.Errorf("storage %q: a view beyond its %d elements", key, count)
			}
		}
		size, ok := elem.bytes(count)
		if !ok || size > int64(len(data)) {
			return nil, fmt.Errorf("storage %q: %d elements of %s are declared, the file has %d bytes left", key, count, elem.name, len(data))
		}
		width := int64(elem.width)
		return &storage{elem: elem, count: n, bytes: func() ([]byte, error) { return s.data[first*width : (first+n)*width], nil }}, nil
	}})
	if err != nil {
		return nil, err
	}
	v, err := next(refuse)
	if err != nil {
		return nil, err
	}
	keys, ok := v.(*pickle.List)
	if !ok {
		return nil, errors.New("the list of storages is missing")
	}
	for _, k := range keys.Items {
		key, _ := k.(string)
		s := all[key]
		if s == nil || s.data != nil {
			return nil, fmt.Errorf("the list of storages has %v, which no tensor uses, or twice", k)
		}
		if len(data) < 8 {
			return nil, fmt.Errorf("the file ends before storage %q", key)
		}
		count := binary.LittleEndian.Uint64(data)
		data = data[8:]
		size, ok := s.elem.bytes(s.count)
		if !ok || count != uint64(s.count) || size > int64(len(data)) {
			return nil, fmt.Errorf("storage %q: %d elements of %s are declared, %d are announced and %d bytes are left", key, s.count, s.elem.name, count, len(data))
		}
		s.data, data = data[:size:size], data[size:]
	}
	for key, s := range all {
		if s.data == nil {
			return nil, fmt.Errorf("storage %q is not in the file", key)
		}
	}
	return root, nil
}

// collector finds the tensors of a checkpoint.
type collector struct {
	w    *Weights
	seen map[any]bool // dictionaries that were visited: they may hold each other
}

// maxNesting bounds the dictionaries in each other that are looked into.
const maxNesting = 8

func (c *collector) collect(group string, v any, depth int) error {
	d, ok := v.(*pickle.Dict)
	if !ok {
		if depth == 0 {
			return fmt.Errorf("the file holds %s, not a dictionary of tensors: save the model's state_dict", describe(v))
		}
		return nil
	}
	if c.seen[d] || depth > maxNesting {
		return nil
	}
	c.seen[d] = true
	for i := range d.Len() {
		k, v := d.At(i)
		key := fmt.Sprint(k)
		if t, ok := v.(*torchTensor); ok {
			if err := c.w.Add(Weight{Name: group + key, Group: group, Type: t.store.elem.typ, Shape: t.shape}, t.bytes); err != nil {
				return err
			}
			continue
		}
		if err := c.collect(group+key+".", v, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// describe names what a file holds instead of a dictionary.
func describe(v any) string {
	switch v.(type) {
	case *torchTensor:
		return "one tensor"
	case *pickle.List, pickle.Tuple:
		return "a list"
	}
	return "something else"
}
