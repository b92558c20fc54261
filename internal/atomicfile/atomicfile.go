// Package atomicfile writes files whole or not at all: into a temporary file beside the target, which is flushed to the
// disk and then renamed. A reader sees the old content or the new one, whenever the writer is stopped.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// File is a file that is being written. It does not exist under its name before Commit. Errors are those of that name: the
// temporary one means nothing to the user.
type File struct {
	f      *os.File
	path   string
	direct bool // a device or a pipe, which is written to as it is
	done   bool
}

// Create starts a file. A link of that name is replaced, not followed. Devices and pipes, which cannot be replaced, are
// written to directly. Call Close in any case: it discards what was not committed.
func Create(path string) (*File, error) {
	if info, err := os.Lstat(path); err == nil {
		switch {
		case info.IsDir():
			return nil, &os.PathError{Op: "create", Path: path, Err: errors.New("is a directory")}
		case info.Mode()&(os.ModeDevice|os.ModeNamedPipe|os.ModeCharDevice) != 0:
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return nil, err
			}
			return &File{f: f, path: path, direct: true}, nil
		}
	}
	dir, base := filepath.Split(path)
	for try := 0; ; try++ {
		// Unlike those of os.CreateTemp, the permissions are those that the user's umask asks for.
		name := filepath.Join(dir, fmt.Sprintf(".%s.%08x.tmp", base, rand.Uint32()))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, os.ErrExist) && try < 100 {
			continue
		}
		if err != nil {
			return nil, named(err, path)
		}
		return &File{f: f, path: path}, nil
	}
}

// named returns what went wrong with a temporary file as an error of the path that it stands for.
func named(err error, path string) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return &os.PathError{Op: p.Op, Path: path, Err: p.Err}
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return &os.PathError{Op: l.Op, Path: path, Err: l.Err}
	}
	return err
}

// Write appends to the file.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.f.Write(p)
	return n, named(err, f.path)
}

// IsTemporary reports whether a file of that name is what a killed writer of base, in the same folder, leaves behind.
func IsTemporary(name, base string) bool {
	number, before := strings.CutPrefix(name, "."+base+".")
	number, behind := strings.CutSuffix(number, ".tmp")
	return before && behind && len(number) == 8
}

// Clean removes temporary files that writers of path left behind which were killed. Nobody may be writing it now.
func Clean(path string) error {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if IsTemporary(e.Name(), base) && e.Type().IsRegular() {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Commit flushes the file to the disk and gives it its name.
func (f *File) Commit() error {
	if f.done {
		return errors.New("atomicfile: committed or closed before")
	}
	f.done = true
	if f.direct {
		return f.f.Close()
	}
	err := f.f.Sync()
	if e := f.f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.f.Name())
		return named(err, f.path)
	}
	syncDir(filepath.Dir(f.path))
	return nil
}

// syncDir flushes the names in a folder to the disk, so that renames are there in order after a crash. Systems where a
// folder cannot be flushed keep that order themselves.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

// Close discards the file unless it was committed.
func (f *File) Close() error {
	if f.done {
		return nil
	}
	f.done = true
	err := f.f.Close()
	if !f.direct {
		os.Remove(f.f.Name())
	}
	return named(err, f.path)
}

// Write creates a file with what write writes (buffered). If it returns an error, there is no new file; one of writing is
// an [os.PathError] of path.
func Write(path string, write func(w io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b := bufio.NewWriterSize(f, 1<<20)
	if err := write(b); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return f.Commit()
}
