package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func hello(w io.Writer) error {
	_, err := io.WriteString(w, "hello")
	return err
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	if err := Write(path, hello); err != nil || read(t, path) != "hello" {
		t.Fatalf("%v, %q", err, read(t, path))
	}
	fault := errors.New("no more data")
	err := Write(path, func(w io.Writer) error {
		io.WriteString(w, strings.Repeat("x", 2<<20))
		if got := read(t, path); got != "hello" {
			t.Errorf("while writing, the file holds %d bytes of the new content", len(got))
		}
		return fault
	})
	if !errors.Is(err, fault) || read(t, path) != "hello" {
		t.Errorf("after a failed write: %v, %q", err, read(t, path))
	}
	if got := names(t, dir); got != "a.txt" {
		t.Errorf("the folder holds %s", got)
	}
}

func TestPermissionsAreThoseOfOtherFiles(t *testing.T) {
	dir := t.TempDir()
	plain, atomic := filepath.Join(dir, "plain"), filepath.Join(dir, "atomic")
	if err := os.WriteFile(plain, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Write(atomic, hello); err != nil {
		t.Fatal(err)
	}
	a, _ := os.Stat(plain)
	b, _ := os.Stat(atomic)
	if a.Mode() != b.Mode() {
		t.Errorf("mode %v, other files have %v", b.Mode(), a.Mode())
	}
}

func TestLinksAreReplaced(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("kept"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip("this system has no links: ", err)
	}
	if err := Write(link, hello); err != nil || read(t, link) != "hello" || read(t, target) != "kept" {
		t.Errorf("%v: link holds %q, its old target %q", err, read(t, link), read(t, target))
	}
}

func TestDevicesAreWrittenTo(t *testing.T) {
	if _, err := os.Stat(os.DevNull); err != nil || os.DevNull != "/dev/null" {
		t.Skip("this system has no /dev/null")
	}
	if err := Write(os.DevNull, hello); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("%s is a regular file now", os.DevNull)
	}
	f, err := Create(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, hello); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("over a folder: %v", err)
	}
	missing := filepath.Join(dir, "no", "such", "a.txt")
	if err := Write(missing, hello); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("in a missing folder: %v, want one that names %s", err, missing)
	}
	f, err := Create(filepath.Join(dir, "b"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := f.Commit(); err == nil {
		t.Error("committing a closed file is not an error")
	}
	// The target became a folder meanwhile.
	f, err = Create(filepath.Join(dir, "c"))
	if err != nil {
		t.Fatal(err)
	}
	os.MkdirAll(filepath.Join(dir, "c", "d"), 0o777)
	if err := f.Commit(); err == nil {
		t.Error("committing over a folder is not an error")
	}
	if got := names(t, dir); got != "c" {
		t.Errorf("left behind: %s", got)
	}
}

// Clean takes away what a killed writer leaves, and nothing else.
func TestClean(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "a.bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keep := []string{"a.bin", ".a.bin.tmp", ".b.bin.00000001.tmp", ".a.bin.1.tmp"}
	for _, name := range keep {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := Clean(filepath.Join(dir, "a.bin")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(keep) {
		t.Errorf("left: %v, %v", entries, err)
	}
	if Clean(filepath.Join(dir, "none", "a.bin")) == nil {
		t.Error("a folder that does not exist is cleaned")
	}
}

// What fails is told of the name that the user gave, not of the temporary one, and only once.
func TestErrorsNameTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.f.Close(); err != nil { // from here on everything fails
		t.Fatal(err)
	}
	_, failed := f.Write([]byte("x"))
	for op, err := range map[string]error{"write": failed, "sync": f.Commit()} {
		if want := op + " " + path + ": file already closed"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f, err = Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(f.f.Name()); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err == nil || err.Error() != "rename "+path+": no such file or directory" && os.PathSeparator == '/' {
		t.Error(err)
	}
	other := errors.New("other")
	if got := named(other, path); !errors.Is(got, other) || got.Error() != "other" || named(nil, path) != nil {
		t.Error("an error that is none of a file is changed")
	}
}

func TestScratch(t *testing.T) {
	dir := t.TempDir()
	s, err := NewScratch(filepath.Join(dir, "a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("hello world")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.WriteAt([]byte("there"), 6); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(s.Reader(8))
	if err != nil || string(got) != "hello th" {
		t.Errorf("%q, %v", got, err)
	}
	b := make([]byte, 5)
	if _, err := s.ReadAt(b, 6); err != nil || string(b) != "there" {
		t.Errorf("%q, %v", b, err)
	}
	s.Close()
	if left := names(t, dir); left != "" {
		t.Errorf("left: %s", left)
	}
	for what, err := range map[string]error{"write": second(s.Write(nil)), "writeat": second(s.WriteAt(b, 0)), "read": second(s.ReadAt(b, 0))} {
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "a.txt")) || strings.Contains(err.Error(), ".tmp") {
			t.Errorf("%s after the end: %v", what, err)
		}
	}
	missing := filepath.Join(dir, "none", "a.txt")
	if _, err := NewScratch(missing); err == nil || !strings.Contains(err.Error(), missing) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a missing folder: %v", err)
	}
}

func second(_ int, err error) error { return err }
