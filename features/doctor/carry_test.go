package doctor

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// What goes to another file system arrives as it was: content, permissions, time, links as links, folders whole.
func TestCarry(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	if err := os.MkdirAll(at("from/sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("from/sub/a.txt"), []byte("text"), 0o640); err != nil {
		t.Fatal(err)
	}
	then := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(at("from/sub/a.txt"), then, then); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", at("from/link")); err != nil {
		reftest.Missing(t, err.Error())
	}
	if err := carry(at("from"), at("to")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(at("from")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the original: %v", err)
	}
	if target, err := os.Readlink(at("to/link")); err != nil || target != "nowhere" {
		t.Error(target, err)
	}
	info, err := os.Stat(at("to/sub/a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(at("to/sub/a.txt")); err != nil || string(data) != "text" || info.Mode().Perm() != 0o640 || !info.ModTime().Equal(then) {
		t.Errorf("%q, %v, %v, %v", data, info.Mode(), info.ModTime(), err)
	}
	if err := carry(at("gone"), at("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	l, err := net.Listen("unix", at("socket"))
	if err != nil {
		reftest.Missing(t, err.Error())
	}
	defer l.Close()
	if err := carry(at("socket"), at("x")); err == nil || !strings.Contains(err.Error(), "neither a file nor a folder") {
		t.Error(err)
	}
}
