package features

import (
	"io/fs"
	"os"
	"path/filepath"
)

// diskFS is a folder of the disk as a file system. Unlike [os.DirFS] it has the files whose names are not UTF-8: archives
// from elsewhere have left such names in many collections of images.
type diskFS string

// at returns the path of a name. Names come from the file system itself, or from a table that may be hostile.
func (d diskFS) at(op, name string) (string, error) {
	local := filepath.FromSlash(name)
	if !filepath.IsLocal(local) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return filepath.Join(string(d), local), nil
}

func (d diskFS) Open(name string) (fs.File, error) {
	p, err := d.at("open", name)
	if err != nil {
		return nil, err
	}
	return os.Open(p)
}

func (d diskFS) ReadDir(name string) ([]fs.DirEntry, error) {
	p, err := d.at("readdir", name)
	if err != nil {
		return nil, err
	}
	return os.ReadDir(p)
}

func (d diskFS) Stat(name string) (fs.FileInfo, error) {
	p, err := d.at("stat", name)
	if err != nil {
		return nil, err
	}
	return os.Stat(p)
}
