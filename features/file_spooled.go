package features

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// spooled is the encoder of the formats that begin with the number of rows, which is known only at the end because
// images may be skipped. The features wait in a temporary file.
type spooled struct {
	out     io.Writer
	ext     string
	classes []string

	spool *atomicfile.Scratch
	buf   *bufio.Writer
	bytes int64

	shape  []int
	paths  []string
	labels []int64
	views  []int64
	many   bool // some image has more than one view
}

func newSpooled(path string, out io.Writer, ext string, classes []string) (*spooled, error) {
	spool, err := atomicfile.NewScratch(path)
	if err != nil {
		return nil, err
	}
	return &spooled{out: out, ext: ext, classes: classes, spool: spool, buf: bufio.NewWriterSize(spool, 1<<18)}, nil
}

func (s *spooled) begin(shape []int) error {
	s.shape = shape
	return nil
}

func (s *spooled) write(b *Batch) error {
	var word [4]byte
	for _, v := range b.Features[:len(b.Items)*onnx.NumElements(b.Shape)] {
		binary.LittleEndian.PutUint32(word[:], math.Float32bits(v))
		if _, err := s.buf.Write(word[:]); err != nil {
			return err
		}
		s.bytes += 4
	}
	for i, it := range b.Items {
		s.paths = append(s.paths, it.Path)
		s.labels = append(s.labels, int64(it.Label))
		s.views = append(s.views, int64(b.Views[i]))
		s.many = s.many || b.Views[i] > 0
	}
	return nil
}

func (s *spooled) end() error {
	if err := s.buf.Flush(); err != nil {
		return err
	}
	w := bufio.NewWriterSize(s.out, 1<<18)
	var err error
	switch s.ext {
	case ".npz":
		err = s.npz(w)
	case ".npy":
		err = s.npy(w)
	default:
		err = s.safetensors(w)
	}
	if err != nil {
		return err
	}
	return w.Flush()
}

func (s *spooled) release() { s.spool.Close() }

// npy writes the features as one array.
func (s *spooled) npy(w io.Writer) error {
	if err := npz.WriteHeader(w, "<f4", append([]int{len(s.paths)}, s.shape...)); err != nil {
		return err
	}
	_, err := io.Copy(w, s.spool.Reader(s.bytes))
	return err
}

func (s *spooled) npz(w io.Writer) error {
	z := npz.NewWriter(w)
	m, err := z.Create("features", false)
	if err != nil {
		return err
	}
	if err := s.npy(m); err != nil {
		return err
	}
	n := len(s.paths)
	arrays := []*onnx.Tensor{
		{Name: "paths", Type: onnx.String, Shape: []int{n}, Strings: s.paths},
		onnx.Of([]int{n}, s.labels),
		{Name: "classes", Type: onnx.String, Shape: []int{len(s.classes)}, Strings: s.classes},
	}
	arrays[1].Name = "labels"
	if s.many {
		views := onnx.Of([]int{n}, s.views)
		views.Name = "views"
		arrays = append(arrays, views)
	}
	for _, a := range arrays {
		if err := z.Add(a); err != nil {
			return err
		}
	}
	return z.Close()
}

// maxSafetensorsHeader is the largest header that readers of the format accept.
const maxSafetensorsHeader = 100_000_000

// safetensors writes the format by hand: the library wants every tensor in memory. Its layout is 8 bytes of the
// header's length, a JSON header, and the data; readers want the tensors in order of their alignment and without gaps.
func (s *spooled) safetensors(w io.Writer) error {
	type tensor struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	n := len(s.paths)
	at := int64(0)
	header := map[string]any{}
	add := func(name, dtype string, size int64, shape ...int) {
		header[name] = tensor{dtype, shape, [2]int64{at, at + size}}
		at += size
	}
	add("labels", "I64", 8*int64(n), n)
	if s.many {
		add("views", "I64", 8*int64(n), n)
	}
	add("features", "F32", s.bytes, append([]int{n}, s.shape...)...)
	meta := map[string]string{"format": "np"}
	for name, list := range map[string][]string{"paths": s.paths, "classes": s.classes} {
		if list == nil {
			list = []string{}
		}
		text, err := json.Marshal(list)
		if err != nil {
			return err
		}
		meta[name] = string(text)
	}
	header["__metadata__"] = meta
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	if len(text) > maxSafetensorsHeader {
		return fmt.Errorf("the paths make a safetensors header of %d bytes, readers take %d: write npz or parquet", len(text), maxSafetensorsHeader)
	}
	for _, part := range []any{uint64(len(text)), text, s.labels} {
		if err := binary.Write(w, binary.LittleEndian, part); err != nil {
			return err
		}
	}
	if s.many {
		if err := binary.Write(w, binary.LittleEndian, s.views); err != nil {
			return err
		}
	}
	_, err = io.Copy(w, s.spool.Reader(s.bytes))
	return err
}
