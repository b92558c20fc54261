package onnx

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/onnxcnn/onnxcnn/internal/filemap"
)

// ReadOptions says how models are read. The zero value is what [Open], [Read] and [Parse] use.
type ReadOptions struct {
	// Dir is the folder in which external data lies. Open takes the model's own folder where Dir is empty; Read and
	// Parse refuse external data then. Only regular files in it and below are read: no path with "..", no link that
	// leads outside, and no file that has another name (hard link) besides.
	Dir string
	// MaxExpanded is the size in bytes up to which compressed files, and the sparse tensors of a model together, may
	// expand; 0 stands for 16 GiB. Whatever it is, more than 64 MiB is refused if it is over 1000 times the stored size.
	MaxExpanded int64
}

// limit returns how many bytes something of a stored size may expand to.
func (o ReadOptions) limit(stored int) int64 {
	limit := o.MaxExpanded
	if limit <= 0 {
		limit = 16 << 30
	}
	return min(limit, max(64<<20, 1000*int64(stored)))
}

// source is what a model was read from.
type source struct {
	stored   []byte   // the file as it is on disk
	external [][]byte // further files, in the order of their first use

	mu      sync.Mutex // of what is below
	closers []func() error
	closed  bool
	sum     string // SHA-256, once it is known
}

func (s *source) onClose(f func() error) { s.closers = append(s.closers, f) }

func (s *source) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, f := range s.closers {
		errs = append(errs, f())
	}
	s.closers, s.closed = nil, true
	return errors.Join(errs...)
}

func (s *source) digest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sum == "" && !s.closed {
		h := sha256.New()
		h.Write(s.stored)
		for _, b := range s.external {
			h.Write(b)
		}
		s.sum = hex.EncodeToString(h.Sum(nil))
	}
	return s.sum
}

// Open reads a model from a file: .onnx, or that compressed with gzip or Zstandard, which is told by the content. A file
// that is not compressed is memory-mapped: opening it costs little, weights are loaded when they are used, and
// tensors die with [Model.Close]. Nobody may shorten the file while it is open; replacing it by renaming is fine.
//
// A [*FormatError] says what is wrong with the content, an [*ExternalDataError] which weights in other files are refused.
func Open(path string) (*Model, error) { return ReadOptions{}.Open(path) }

// Read reads a model from r, as [Open] does, into memory.
func Read(r io.Reader) (*Model, error) { return ReadOptions{}.Read(r) }

// Parse reads a model from data, as [Open] does. Tensors point into data where it is not compressed: it must not change.
func Parse(data []byte) (*Model, error) { return ReadOptions{}.Parse(data) }

// Open is [Open] with options.
func (o ReadOptions) Open(path string) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &FormatError{File: path, Offset: -1, What: "a folder, not an ONNX file"}
	}
	if o.Dir == "" {
		o.Dir = filepath.Dir(path)
	}
	if !info.Mode().IsRegular() { // a pipe
		data, err := io.ReadAll(f)
		if err != nil {
			return nil, err
		}
		return o.load(&source{stored: data}, path)
	}
	data, unmap, err := filemap.Map(f, info.Size())
	if err != nil {
		return nil, err
	}
	src := &source{stored: data}
	src.onClose(unmap)
	return o.load(src, path)
}

// Read is [Read] with options.
func (o ReadOptions) Read(r io.Reader) (*Model, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return o.Parse(data)
}

// Parse is [Parse] with options.
func (o ReadOptions) Parse(data []byte) (*Model, error) { return o.load(&source{stored: data}, "") }

// load reads the model that src holds; src is closed where that fails.
func (o ReadOptions) load(src *source, path string) (*Model, error) {
	m, err := o.parse(src, path)
	if err != nil {
		_ = src.close() // the file was only read
		var f *FormatError
		if errors.As(err, &f) {
			f.File = path
		}
		return nil, err
	}
	return m, nil
}

func (o ReadOptions) parse(src *source, path string) (*Model, error) {
	data, packing, err := o.expand(src.stored)
	if err != nil {
		return nil, &FormatError{Offset: -1, What: err.Error()}
	}
	d := &decoder{
		data:   data,
		dir:    &folder{path: o.Dir, model: path, files: map[string][]byte{}, src: src},
		budget: o.limit(len(data)),
	}
	defer d.dir.close()
	m := &Model{path: path, src: src}
	err = d.decode(m)
	if m.Graph != nil && err == nil {
		return m, nil
	}
	if what := looksLike(data); what != "" {
		return nil, &FormatError{Offset: -1, What: "not an ONNX model: " + packing + what}
	}
	if err == nil {
		err = &FormatError{Offset: -1, What: "not an ONNX model: there is no graph in it"}
	}
	return nil, err
}

// expand returns the content of a compressed file, and what it was compressed with. Other data is returned as it is.
func (o ReadOptions) expand(data []byte) (content []byte, packing string, err error) {
	var r io.Reader
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		packing = "gzip"
		r, err = gzip.NewReader(bytes.NewReader(data))
	case bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		packing = "zstd"
		var z *zstd.Decoder
		if z, err = zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20)); err == nil {
			defer z.Close()
			r = z
		}
	default:
		return data, "", nil
	}
	limit := o.limit(len(data))
	if err == nil {
		content, err = io.ReadAll(io.LimitReader(r, limit+1))
	}
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("%s data is damaged or cut: %w", packing, err)
	case int64(len(content)) > limit:
		return nil, "", fmt.Errorf("%d bytes of %s data expand to more than %d bytes: refused (ReadOptions.MaxExpanded)", len(data), packing, limit)
	}
	return content, packing + " of ", nil
}

// Close gives the file back that the model was read from. The tensors of a model that was opened as a file must not
// be used after it. Closing twice, or a model that was not read, does nothing.
func (m *Model) Close() error {
	if m.src == nil {
		return nil
	}
	return m.src.close()
}

// Digest returns the SHA-256 of the file that the model was read from as it was then, in hexadecimal; where weights lie in other
// files, the SHA-256 of the file with those behind it. It is computed at the first call, and "" for a model that was not
// read, or that is closed before the first call.
func (m *Model) Digest() string {
	if m.src == nil {
		return ""
	}
	return m.src.digest()
}

// ParseTensor reads a tensor from the bytes of a TensorProto, as the files input_0.pb of the ONNX test data hold it. The
// tensor points into data. External data is refused.
func ParseTensor(data []byte) (*Tensor, error) {
	d := &decoder{data: data, f: field{end: len(data)}, dir: new(folder)}
	t := decodeTensor(d)
	if d.err != nil {
		if f := (*FormatError)(nil); errors.As(d.err, &f) && f.Field == "" && t.Name != "" {
			f.Field = fmt.Sprintf("tensor %q", t.Name)
		}
		return nil, d.err
	}
	return t, nil
}

// errClosed says that weights are gone.
var errClosed = errors.New("the model is closed, and its weights with it")

// alive reports a model whose weights are gone.
func (m *Model) alive() error {
	if m.src == nil {
		return nil
	}
	m.src.mu.Lock()
	defer m.src.mu.Unlock()
	if m.src.closed {
		return errClosed
	}
	return nil
}
