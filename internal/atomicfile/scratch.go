package atomicfile

import (
	"io"
	"os"
	"path/filepath"
)

// Scratch is a temporary file for what does not stay in memory. Nothing is left of it after Close, nor after the process
// has ended in whatever way, where the system lets an open file lose its name.
type Scratch struct {
	f    *os.File
	path string
}

// NewScratch makes a file in the folder of path, because a system's folder for temporary files is often small or in
// memory. Errors are those of path: what the user knows of that needs the file.
func NewScratch(path string) (*Scratch, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".scratch-*.tmp")
	if err != nil {
		return nil, named(err, path)
	}
	os.Remove(f.Name())
	return &Scratch{f, path}, nil
}

// Write appends.
func (s *Scratch) Write(p []byte) (int, error) {
	n, err := s.f.Write(p)
	return n, named(err, s.path)
}

// WriteAt writes at a place.
func (s *Scratch) WriteAt(p []byte, off int64) (int, error) {
	n, err := s.f.WriteAt(p, off)
	return n, named(err, s.path)
}

// ReadAt reads from a place.
func (s *Scratch) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.f.ReadAt(p, off)
	return n, named(err, s.path)
}

// Reader reads the first size bytes.
func (s *Scratch) Reader(size int64) io.Reader { return io.NewSectionReader(s, 0, size) }

// Close takes the file away.
func (s *Scratch) Close() {
	_ = s.f.Close() // what was written is not needed any more
	os.Remove(s.f.Name())
}
