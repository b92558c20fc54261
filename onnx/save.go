package onnx

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
)

// maxMessage is the size that a protobuf message must stay under, or other programs do not read it.
const maxMessage = math.MaxInt32

// SaveOptions says how models are saved.
type SaveOptions struct {
	// External puts weights into a second file beside the model, named like it with .data behind.
	External bool
	// ExternalThreshold is the size in bytes of the model's file from which on weights go to a second file in any
	// case; 0 stands for 2^31-1, which is protobuf's limit.
	ExternalThreshold int64
	// ExternalMinBytes is the size from which on a tensor goes to the second file; 0 stands for 1024.
	ExternalMinBytes int
}

// Write writes the model as one protobuf message, with all weights inside, in the same bytes for the same model. Fields
// that this package does not know are written as they were read. A model of 2^31-1 bytes or more is refused: save it
// with external data.
func (m *Model) Write(w io.Writer) error { return m.write(w, nil, maxMessage) }

// write writes a model of less than limit bytes, without the data of tensors that are placed elsewhere.
func (m *Model) write(w io.Writer, external map[*Tensor]placement, limit int64) error {
	if err := m.alive(); err != nil {
		return err
	}
	e := &encoder{external: external}
	if size := e.measure(m); e.err == nil && size >= limit {
		return fmt.Errorf("the model takes %d bytes, and a file must stay under %d: weights have to go to a second file", size, limit)
	}
	return e.encode(bufio.NewWriterSize(w, 1<<16), m)
}

// Save writes the model to a file, compressed where its name ends in .gz or .zst. The file is complete or not there:
// what had the name before stays until the new content is on the disk, and may be the file that the model was opened
// from. A link of that name is replaced, not followed. With external data there is a second file, NAME.onnx.data; at no moment is there a model without its data.
// (Where that name is taken, and the file system knows no hard links, the second file keeps a number behind the name.)
func (m *Model) Save(path string, o SaveOptions) error {
	err := m.save(path, o)
	if errors.As(err, new(*fs.PathError)) {
		return err // it names the file, which may be that of the data
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

func (m *Model) save(path string, o SaveOptions) error {
	if err := m.alive(); err != nil {
		return err
	}
	if o.ExternalThreshold <= 0 || o.ExternalThreshold > maxMessage {
		o.ExternalThreshold = maxMessage
	}
	if o.ExternalMinBytes <= 0 {
		o.ExternalMinBytes = 1024
	}
	var e encoder
	size := e.measure(m)
	if e.err != nil {
		return e.err
	}
	var moved []*Tensor
	if o.External || size >= o.ExternalThreshold {
		moved = m.large(o)
	}
	if len(moved) == 0 {
		return m.saveModel(path, nil)
	}
	plain := strings.TrimSuffix(strings.TrimSuffix(path, ".gz"), ".zst")
	return m.saveExternal(path, plain+".data", moved)
}

// large returns the tensors that go to a second file: initializers, and constants of nodes where the model is too large
// without that.
func (m *Model) large(o SaveOptions) []*Tensor {
	var initializers, constants []*Tensor
	seen := map[*Tensor]bool{}
	add := func(list *[]*Tensor, t *Tensor) {
		if t != nil && len(t.Raw) >= o.ExternalMinBytes && !seen[t] {
			seen[t] = true
			*list = append(*list, t)
		}
	}
	nodes := func(nodes []*Node) {
		for n := range deep(nodes) {
			for g := range n.Subgraphs() {
				for _, t := range g.Initializers {
					add(&initializers, t)
				}
			}
			for _, a := range n.Attrs {
				if a.Type == AttrTensor || a.Type == AttrTensors { // sparse ones are small in a file
					add(&constants, a.Tensor)
					for _, t := range a.Tensors {
						add(&constants, t)
					}
				}
			}
		}
	}
	if m.Graph != nil {
		for _, t := range m.Graph.Initializers {
			add(&initializers, t)
		}
		nodes(m.Graph.Nodes)
	}
	for _, f := range m.Functions {
		nodes(f.Nodes)
	}
	e := encoder{external: place(initializers, "")}
	if e.measure(m) >= o.ExternalThreshold {
		return append(initializers, constants...)
	}
	return initializers
}

// place gives tensors their places in a file of that name. Large ones begin on pages, so that they can be mapped.
func place(tensors []*Tensor, location string) map[*Tensor]placement {
	const page, line = 4096, 64
	places := make(map[*Tensor]placement, len(tensors))
	var at int64
	for _, t := range tensors {
		align := int64(line)
		if len(t.Raw) >= page {
			align = page
		}
		at = (at + align - 1) / align * align
		places[t] = placement{location: location, offset: at, length: int64(len(t.Raw))}
		at += int64(len(t.Raw))
	}
	return places
}

// saveModel writes the model's own file.
func (m *Model) saveModel(path string, external map[*Tensor]placement) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		z, err := compressor(path, w)
		if err != nil {
			return err
		}
		if err := m.write(z, external, maxMessage); err != nil {
			return err
		}
		return z.Close()
	})
}

// compressor compresses to w as the extension of the file asks for.
func compressor(path string, w io.Writer) (io.WriteCloser, error) {
	switch filepath.Ext(path) {
	case ".gz":
		return gzip.NewWriter(w), nil
	case ".zst":
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	}
	return nopCloser{w}, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// saveExternal writes the model with the data of tensors in a second file. Where there is a second file already, the
// model in place may need it until the new one has replaced it. So the data takes a name of its own first, and the one
// that it shall have as a second name, and the model is written once for each.
func (m *Model) saveExternal(path, data string, moved []*Tensor) error {
	first := data
	_, err := os.Lstat(data)
	taken := err == nil
	if taken {
		first = fmt.Sprintf("%s.%08x", data, rand.Uint32())
	}
	if err := saveData(first, place(moved, ""), moved); err != nil {
		return err
	}
	if err := m.saveModel(path, place(moved, filepath.Base(first))); err != nil {
		return errors.Join(err, os.Remove(first))
	}
	if !taken {
		return nil
	}
	link := first + ".tmp"
	if os.Link(first, link) != nil {
		return nil
	}
	if err := os.Rename(link, data); err != nil {
		return errors.Join(err, os.Remove(link))
	}
	if err := m.saveModel(path, place(moved, filepath.Base(data))); err != nil {
		return err
	}
	return os.Remove(first)
}

// saveData writes the data of tensors to their places.
func saveData(path string, places map[*Tensor]placement, tensors []*Tensor) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		var at int64
		var zeros [4096]byte
		for _, t := range tensors {
			p := places[t]
			if _, err := w.Write(zeros[:p.offset-at]); err != nil {
				return err
			}
			if _, err := w.Write(t.Raw); err != nil {
				return err
			}
			at = p.offset + p.length
		}
		return nil
	})
}
