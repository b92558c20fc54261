package npz

import (
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zip"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// A member that claims more than maxExpanded bytes and more than maxRatio times its compressed size is taken for an
// attack: deflate itself reaches 1032.
const (
	maxExpanded = 4 << 30
	maxRatio    = 1000
)

// Read reads every array of an npz archive of the given size, in the archive's order. Members that are not npy files
// are an error, as are two of one name.
func Read(r io.ReaderAt, size int64) ([]*onnx.Tensor, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("npz: %w", err)
	}
	seen := map[string]bool{}
	var all []*onnx.Tensor
	for _, f := range z.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if !ok {
			return nil, fmt.Errorf("npz: %q is not an npy file", f.Name)
		}
		if seen[name] {
			return nil, fmt.Errorf("npz: two arrays are named %q", name)
		}
		seen[name] = true
		t, err := readMember(f, size)
		if err != nil {
			return nil, fmt.Errorf("npz: %q: %w", name, err)
		}
		t.Name = name
		all = append(all, t)
	}
	return all, nil
}

func readMember(f *zip.File, size int64) (*onnx.Tensor, error) {
	packed, full := f.CompressedSize64, f.UncompressedSize64
	if packed > uint64(size) {
		return nil, fmt.Errorf("claims %d bytes of a file of %d", packed, size)
	}
	stored := f.Method == zip.Store
	if stored && full != packed {
		return nil, fmt.Errorf("stored, but its sizes differ: %d and %d", packed, full)
	}
	if full > 1<<62 || full > maxExpanded && full/maxRatio > packed {
		return nil, fmt.Errorf("claims to expand from %d to %d bytes: refused", packed, full)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	t, err := readNPY(r, int64(full), stored)
	if err != nil {
		return nil, err
	}
	// The archive's checksum is compared when the end is reached.
	if n, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	} else if n > 0 {
		return nil, fmt.Errorf("%d bytes follow the array", n)
	}
	return t, nil
}

// Writer writes an npz archive, array after array. Numbers are stored as they are, as numpy.savez does (weights and
// features hardly shrink, and readers can map them); strings, which NumPy keeps at 4 bytes a letter and at equal
// length, are deflated. The bytes depend on the arrays alone: no time is recorded.
type Writer struct{ zip *zip.Writer }

// NewWriter returns a Writer to w. Close ends the archive; it does not close w.
func NewWriter(w io.Writer) *Writer { return &Writer{zip.NewWriter(w)} }

// Add writes a tensor under its name, in the types that [WriteNPY] writes.
func (w *Writer) Add(t *onnx.Tensor) error {
	if t.Name == "" {
		return fmt.Errorf("npz: an array needs a name")
	}
	m, err := w.Create(t.Name, t.Type == onnx.String)
	if err != nil {
		return err
	}
	return WriteNPY(m, t)
}

// Create begins an array of that name; the caller writes an npy file into it (see [WriteHeader]) before the next call.
func (w *Writer) Create(name string, compress bool) (io.Writer, error) {
	h := &zip.FileHeader{Name: name + ".npy", Method: zip.Store}
	if compress {
		h.Method = zip.Deflate
	}
	return w.zip.CreateHeader(h)
}

// Close writes the archive's directory.
func (w *Writer) Close() error { return w.zip.Close() }
