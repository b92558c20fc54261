package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
)

// demoFolder is where "demo -o" writes. Nil is no folder: its methods do nothing then.
type demoFolder struct {
	dir      string
	replaced []string // files that were there, and different
}

// openDemoFolder looks whether a folder may be written to: one that has files in it may not, unless force. The name ""
// gives nil.
func openDemoFolder(dir string, force bool) (*demoFolder, error) {
	if dir == "" {
		return nil, nil
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &demoFolder{dir: dir}, nil
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s: is a file, not a folder", dir)
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	switch _, err := d.Readdirnames(1); {
	case errors.Is(err, io.EOF) || err == nil && force:
		return &demoFolder{dir: dir}, nil
	case err != nil:
		return nil, err
	}
	return nil, withHint(fmt.Errorf("%s: the folder is not empty", dir), "give another, or --force to write to this one")
}

// writeInputs writes the network and the pictures, and makes the paths of the data set those of the written files.
func (f *demoFolder) writeInputs(ctx context.Context, model []byte, pictures fs.FS, data *features.Dataset) error {
	if f == nil {
		return nil
	}
	if err := f.write("backbone.onnx", model); err != nil {
		return err
	}
	for i := range data.Items {
		if err := ctx.Err(); err != nil {
			return err
		}
		it := &data.Items[i]
		picture, err := fs.ReadFile(pictures, it.Path)
		if err != nil {
			return err
		}
		name := filepath.Join("images", filepath.FromSlash(it.Path))
		if err := f.write(name, picture); err != nil {
			return err
		}
		it.Path = filepath.Join(f.dir, name)
	}
	return nil
}

// write writes a file below the folder unless it is there already.
func (f *demoFolder) write(name string, content []byte) error {
	path := filepath.Join(f.dir, name)
	old, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(old, content):
		return nil
	case err == nil:
		f.replaced = append(f.replaced, path)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// createFeatures starts the file of features; nil without a folder.
func (f *demoFolder) createFeatures(data *features.Dataset) (*features.File, error) {
	if f == nil {
		return nil, nil
	}
	path := filepath.Join(f.dir, "features.npz")
	if _, err := os.Lstat(path); err == nil {
		f.replaced = append(f.replaced, path)
	}
	return features.Create(path, data.Classes)
}

// notes tells of files that are not what they were.
func (f *demoFolder) notes() []string {
	if f == nil || len(f.replaced) == 0 {
		return nil
	}
	if len(f.replaced) == 1 {
		return []string{"replaced " + f.replaced[0]}
	}
	return []string{fmt.Sprintf("replaced %d files, such as %s", len(f.replaced), f.replaced[0])}
}
