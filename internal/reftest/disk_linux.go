package reftest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Disk is a small file system in memory, which a test can fill.
type Disk struct {
	Dir string
	t   testing.TB
}

// NewDisk makes a folder with a file system of so many KiB, 4 or more, for the time of the test. It needs the rights of
// root: without, the test is one that lacks a reference.
func NewDisk(t testing.TB, dir string, kib int) *Disk {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", kib)); err != nil {
		Missing(t, "permission to mount a tmpfs: "+err.Error())
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	return &Disk{dir, t}
}

// Resize makes the file system larger or smaller.
func (d *Disk) Resize(kib int) {
	d.t.Helper()
	if err := syscall.Mount("tmpfs", d.Dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dk", kib)); err != nil {
		d.t.Fatal(err)
	}
}

// Files returns the files below the folder with their sizes.
func (d *Disk) Files() map[string]int64 {
	d.t.Helper()
	files := map[string]int64{}
	err := filepath.WalkDir(d.Dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			rel, _ := filepath.Rel(d.Dir, p)
			files[filepath.ToSlash(rel)] = info.Size()
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return files
}

// Clear removes everything below the folder.
func (d *Disk) Clear() {
	d.t.Helper()
	entries, err := os.ReadDir(d.Dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(d.Dir, e.Name())))
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// Temporary returns the names of temporary files below the folder.
func (d *Disk) Temporary() []string {
	d.t.Helper()
	var found []string
	for name := range d.Files() {
		if strings.Contains(name, ".tmp") {
			found = append(found, name)
		}
	}
	return found
}
