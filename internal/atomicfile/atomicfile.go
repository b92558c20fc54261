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

// File is a file that is being written. It does not exist under its name before Commit.
type File struct {
	*os.File
	path string // "" for devices and pipes, which are written to as they are
	done bool
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
			return &File{File: f}, nil
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
			var p *os.PathError
			if errors.As(err, &p) {
				p.Path = path // the temporary name means nothing to the user
			}
			return nil, err
		}
		return &File{File: f, path: path}, nil
	}
}

// Clean removes temporary files that writers of path left behind which were killed. Nobody may be writing it now.
func Clean(path string) error {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		middle, ok := strings.CutPrefix(e.Name(), "."+base+".")
		if !ok {
			continue
		}
		if number, ok := strings.CutSuffix(middle, ".tmp"); ok && len(number) == 8 && e.Type().IsRegular() {
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
	if f.path == "" {
		return f.File.Close()
	}
	err := f.Sync()
	if e := f.File.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
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
	err := f.File.Close()
	if f.path != "" {
		os.Remove(f.Name())
	}
	return err
}

// Write creates a file with what write writes (buffered). If it returns an error, there is no new file.
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
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
