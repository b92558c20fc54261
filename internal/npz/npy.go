// Package npz reads and writes NumPy's array files, .npy and .npz, as tensors.
//
// The sizes of a file are checked before memory is allocated and no input makes it panic; the npyio library slices a
// broken header out of range, writes no Unicode strings and needs the whole array as a Go value before it writes the
// header, so the format, which is short, is read and written here. The tests let npyio and NumPy read what is written.
package npz

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/onnxcnn/onnxcnn/internal/sizes"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// maxEmptyStrings bounds arrays of strings of width 0, whose elements take no room in a file.
const maxEmptyStrings = 1 << 20

// ReadNPY reads one array in npy format (version 1, 2 or 3) of any byte order and memory order into a row-major
// tensor. Size is how many bytes r holds; data that would not fit is refused before it is allocated.
//
// Booleans, integers, floats (float16 too) and complex numbers become tensors of that type; strings ("U" and "S")
// become tensors of type String, without the NULs at the end. Records and pickled objects are refused.
func ReadNPY(r io.Reader, size int64) (*onnx.Tensor, error) { return readNPY(r, size, true) }

// readNPY reads an array. Where sure, size is a fact; otherwise it is what the file claims, and memory is taken only
// as data arrives.
func readNPY(r io.Reader, size int64, sure bool) (*onnx.Tensor, error) {
	h, used, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	e, err := parseDescr(h.descr)
	if err != nil {
		return nil, err
	}
	bytes, ok := sizes.Product(append([]int{e.size}, h.shape...)...)
	if !ok {
		return nil, fmt.Errorf("shape %v of %q is not possible", h.shape, h.descr)
	}
	if int64(bytes) > size-used {
		return nil, fmt.Errorf("shape %v of %q needs %d bytes, the file has %d", h.shape, h.descr, bytes, size-used)
	}
	raw, err := readBytes(r, bytes, sure)
	if err != nil {
		return nil, fmt.Errorf("data of shape %v of %q: %w", h.shape, h.descr, unexpected(err))
	}
	if e.big {
		swap(raw, e.word)
	}
	t := &onnx.Tensor{Type: e.typ, Shape: h.shape}
	if e.typ == onnx.String {
		n, ok := sizes.Product(h.shape...)
		if !ok || e.size == 0 && n > maxEmptyStrings {
			return nil, fmt.Errorf("shape %v of %q: too many empty strings", h.shape, h.descr)
		}
		t.Strings = stringsOf(raw, n, e)
		if h.fortran {
			t.Strings = rowMajor(t.Strings, h.shape, 1)
		}
		return t, nil
	}
	if h.fortran {
		raw = rowMajor(raw, h.shape, e.size)
	}
	t.Raw = raw
	return t, nil
}

// readBytes reads n bytes. Where n is not sure to be there, the buffer grows with what arrives.
func readBytes(r io.Reader, n int, sure bool) ([]byte, error) {
	first := n
	if !sure {
		first = min(n, 1<<20)
	}
	b := make([]byte, first)
	at := 0
	for {
		got, err := io.ReadFull(r, b[at:])
		at += got
		if err != nil {
			return nil, err
		}
		if at == n {
			return b, nil
		}
		b = append(b, make([]byte, min(len(b), n-len(b)))...)
	}
}

// swap reverses the bytes of each word.
func swap(raw []byte, word int) {
	switch word {
	case 2:
		for i := 0; i+2 <= len(raw); i += 2 {
			binary.LittleEndian.PutUint16(raw[i:], binary.BigEndian.Uint16(raw[i:]))
		}
	case 4:
		for i := 0; i+4 <= len(raw); i += 4 {
			binary.LittleEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
		}
	case 8:
		for i := 0; i+8 <= len(raw); i += 8 {
			binary.LittleEndian.PutUint64(raw[i:], binary.BigEndian.Uint64(raw[i:]))
		}
	}
}

// rowMajor brings elements of size items each from column-major into row-major order.
func rowMajor[T any](src []T, shape []int, size int) []T {
	if len(shape) < 2 || len(src) == 0 {
		return src
	}
	dst := make([]T, len(src))
	index := make([]int, len(shape))
	stride := make([]int, len(shape)) // in the source
	s := 1
	for i, d := range shape {
		stride[i] = s
		s *= d
	}
	from := 0
	for to := 0; to < len(dst); to += size {
		copy(dst[to:to+size], src[from*size:])
		for axis := len(shape) - 1; axis >= 0; axis-- {
			index[axis]++
			from += stride[axis]
			if index[axis] < shape[axis] {
				break
			}
			from -= stride[axis] * shape[axis]
			index[axis] = 0
		}
	}
	return dst
}

func stringsOf(raw []byte, n int, e elem) []string {
	out := make([]string, n)
	var b []byte
	for i := range out {
		item := raw[i*e.size : (i+1)*e.size]
		if !e.utf32 {
			out[i] = strings.TrimRight(string(item), "\x00")
			continue
		}
		b = b[:0]
		for j := 0; j < len(item); j += 4 {
			b = utf8.AppendRune(b, rune(binary.LittleEndian.Uint32(item[j:])))
		}
		out[i] = strings.TrimRight(string(b), "\x00")
	}
	return out
}

// descrOf returns how an npy file names the type. NumPy has no bfloat16 and nothing under 8 bits: see storable.
func descrOf(t onnx.DataType) string {
	for kind, typ := range kinds {
		if typ == t {
			if t.Bits() == 8 {
				return "|" + kind
			}
			return "<" + kind
		}
	}
	return ""
}

// storable returns t in a type that NumPy has: bfloat16 as float32, integers under 8 bits as 8-bit ones.
func storable(t *onnx.Tensor) (*onnx.Tensor, error) {
	n := t.Len()
	if want := t.Type.Bytes(n); t.Type != onnx.String && len(t.Raw) != want {
		return nil, fmt.Errorf("tensor %q: shape %v of %v needs %d bytes, there are %d", t.Name, t.Shape, t.Type, want, len(t.Raw))
	}
	switch t.Type {
	case onnx.BFloat16:
		wide := onnx.New(onnx.Float, t.Shape...)
		dst := wide.Float32s()
		for i, v := range onnx.Data[onnx.BFloat16Bits](t) {
			dst[i] = v.Float32()
		}
		return wide, nil
	case onnx.Uint4, onnx.Int4, onnx.Uint2, onnx.Int2:
		typ, width := onnx.Uint8, t.Type.Bits()
		signed := t.Type == onnx.Int4 || t.Type == onnx.Int2
		if signed {
			typ = onnx.Int8
		}
		wide := onnx.New(typ, t.Shape...)
		for i := range wide.Raw {
			v := t.Raw[i*width/8] >> (i * width % 8) << (8 - width)
			if signed {
				wide.Raw[i] = byte(int8(v) >> (8 - width))
			} else {
				wide.Raw[i] = v >> (8 - width)
			}
		}
		return wide, nil
	}
	if descrOf(t.Type) == "" && t.Type != onnx.String {
		return nil, fmt.Errorf("tensor %q: NumPy has no type for %v", t.Name, t.Type)
	}
	return t, nil
}

// WriteNPY writes a tensor in npy format, the bytes that numpy.save writes. BFloat16 is written as float32 and
// integers under 8 bits as 8-bit ones, which loses nothing; types that NumPy has nothing for are refused.
func WriteNPY(w io.Writer, t *onnx.Tensor) error {
	t, err := storable(t)
	if err != nil {
		return err
	}
	if t.Type == onnx.String {
		if len(t.Strings) != t.Len() {
			return fmt.Errorf("tensor %q: shape %v does not hold %d strings", t.Name, t.Shape, len(t.Strings))
		}
		return WriteStrings(w, t.Shape, t.Strings)
	}
	if err := WriteHeader(w, descrOf(t.Type), t.Shape); err != nil {
		return err
	}
	_, err = w.Write(t.Raw)
	return err
}

// WriteStrings writes strings in npy format, as "U" of the longest one's length: NumPy's fixed-width Unicode.
func WriteStrings(w io.Writer, shape []int, s []string) error {
	width := 1
	for _, v := range s {
		width = max(width, utf8.RuneCountInString(v))
	}
	if err := WriteHeader(w, fmt.Sprintf("<U%d", width), shape); err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<16)
	item := make([]byte, 0, 4*width)
	for _, v := range s {
		item = item[:0]
		for _, c := range v {
			item = binary.LittleEndian.AppendUint32(item, uint32(c))
		}
		used := len(item)
		item = item[:4*width]
		clear(item[used:])
		if _, err := b.Write(item); err != nil {
			return err
		}
	}
	return b.Flush()
}

// ReadFile reads the arrays of a .npy or .npz file, told apart by content. The tensors are named as in the archive
// (without ".npy"), in its order; the one tensor of a .npy file has the file's base name without extension.
func ReadFile(path string) ([]*onnx.Tensor, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	var start [4]byte
	n, err := f.ReadAt(start[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if s := string(start[:n]); s == "PK\x03\x04" || s == "PK\x05\x06" {
		all, err := Read(f, info.Size())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return all, nil
	}
	t, err := ReadNPY(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	base := filepath.Base(path)
	t.Name = strings.TrimSuffix(base, filepath.Ext(base))
	return []*onnx.Tensor{t}, nil
}

// Find returns the tensor of that name, nil if there is none.
func Find(all []*onnx.Tensor, name string) *onnx.Tensor {
	i := slices.IndexFunc(all, func(t *onnx.Tensor) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return all[i]
}
