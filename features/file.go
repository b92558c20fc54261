package features

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// Formats are the file name extensions that [Create] writes.
var Formats = []string{".npz", ".npy", ".csv", ".parquet", ".safetensors"}

// File writes rows of features to a file, which appears under its name when [File.Close] has succeeded and not before.
//
// The format follows the extension:
//
//   - .npz: features float32 [N,D], or [N,C,H,W] where nothing is pooled; paths [N]; labels int64 [N], -1 for none;
//     classes [K]; with more than one view an image also views int64 [N]. numpy.load reads it.
//   - .npy: the features alone.
//   - .csv: a header line, then path, label, class (empty for none) and the features f0, f1, ..., written so that they
//     read back as the same float32. Quoted as RFC 4180 has it; lines end in LF, so that names with line ends survive.
//   - .parquet: columns path (string), label (int64), class (string, null for none) and features (list of float32), as
//     pandas and pyarrow read them; metadata onnxcnn.classes and onnxcnn.shape (JSON) hold the class names and a
//     row's shape.
//   - .safetensors: tensors features and labels; metadata paths and classes (JSON arrays).
//
// Memory does not grow with the number of rows, but for the paths: formats that start with the number of rows collect
// the features in a temporary file beside the target.
type File struct {
	path   string
	tmp    *atomicfile.File // nil for a pipe of the caller's
	enc    encoder
	shape  []int
	rows   int
	closed bool
}

// encoder writes one format.
type encoder interface {
	// begin is told the shape of a row before the first row.
	begin(shape []int) error
	write(b *Batch) error
	// end finishes the file after the last row.
	end() error
	// release frees what end or giving up leaves.
	release()
}

// Create starts a file of features of a data set with these classes. The extension chooses the format.
func Create(path string, classes []string) (*File, error) {
	ext := strings.ToLower(filepath.Ext(path))
	if !slices.Contains(Formats, ext) {
		return nil, fmt.Errorf("%s: the extension is none of %s", path, strings.Join(Formats, " "))
	}
	tmp, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, tmp: tmp}
	switch ext {
	case ".csv":
		f.enc = newCSV(tmp, classes)
	case ".parquet":
		f.enc = newParquet(tmp, classes)
	default:
		s, err := newSpooled(path, tmp, ext, classes)
		if err != nil {
			tmp.Close()
			return nil, err
		}
		f.enc = s
	}
	return f, nil
}

// WriteCSV returns a File that writes CSV to w as rows come, for pipes. Close does not close w.
func WriteCSV(w io.Writer, classes []string) *File { return &File{enc: newCSV(w, classes)} }

// Rows returns how many rows were written.
func (f *File) Rows() int { return f.rows }

// Shape returns the shape of a row, nil before the first.
func (f *File) Shape() []int { return f.shape }

// Write adds a batch's rows.
func (f *File) Write(b *Batch) error {
	if len(b.Items) == 0 {
		return nil
	}
	if f.shape == nil {
		f.shape = append([]int{}, b.Shape...)
		if err := f.enc.begin(f.shape); err != nil {
			return f.wrap(err)
		}
	}
	if onnx.NumElements(b.Shape) != onnx.NumElements(f.shape) {
		return f.wrap(fmt.Errorf("rows of shape %v after rows of shape %v", b.Shape, f.shape))
	}
	f.rows += len(b.Items)
	return f.wrap(f.enc.write(b))
}

func (f *File) wrap(err error) error {
	if err == nil || f.path == "" {
		return err
	}
	if p := (*fs.PathError)(nil); errors.As(err, &p) && p.Path == f.path {
		return p // it names the file itself
	}
	return fmt.Errorf("%s: %w", f.path, err)
}

// Close finishes the file and puts it in its place. After an error nothing is left. A file without rows has zero
// columns.
func (f *File) Close() error {
	if f.closed {
		return nil
	}
	if err := f.finish(); err != nil {
		f.Discard()
		return f.wrap(err)
	}
	f.closed = true
	f.enc.release()
	return nil
}

func (f *File) finish() error {
	if f.shape == nil {
		f.shape = []int{0}
		if err := f.enc.begin(f.shape); err != nil {
			return err
		}
	}
	if err := f.enc.end(); err != nil || f.tmp == nil {
		return err
	}
	return f.tmp.Commit()
}

// Discard gives the file up; nothing is left of it. After Close it does nothing, so it may be deferred.
func (f *File) Discard() {
	if f.closed {
		return
	}
	f.closed = true
	f.enc.release()
	if f.tmp != nil {
		f.tmp.Close()
	}
}
