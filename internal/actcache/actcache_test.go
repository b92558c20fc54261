package actcache

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func key(s string) Key { return sha256.Sum256([]byte(s)) }

func store(t testing.TB, dir string, limit int64) *Store {
	t.Helper()
	s, err := Open(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func entryOf(size int, fill byte) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = fill ^ byte(i*i/7)
	}
	return b
}

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := store(t, dir, 1<<20)
	want := entryOf(5000, 1)
	got := make([]byte, len(want))
	if s.Has(key("a")) || s.Get(key("a"), got) {
		t.Error("an entry that was never stored is found")
	}
	if err := s.Put(key("a"), want); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if !s.Has(key("a")) || !s.Get(key("a"), got) || !bytes.Equal(got, want) {
			t.Error("an entry is not what was stored")
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = store(t, dir, 1<<20)
	defer s.Close()
	clear(got)
	if !s.Get(key("a"), got) || !bytes.Equal(got, want) {
		t.Error("the entry is gone with the process")
	}
	if s.Get(key("a"), make([]byte, 10)) || s.Has(key("a")) {
		t.Error("an entry of another length is taken, or kept")
	}
}

// A damaged entry is as good as none.
func TestDamaged(t *testing.T) {
	s := store(t, t.TempDir(), 1<<20)
	defer s.Close()
	want := entryOf(3000, 2)
	for name, damage := range map[string]func([]byte) []byte{
		"half":       func(b []byte) []byte { return b[:len(b)/2] },
		"empty":      func(b []byte) []byte { return nil },
		"one bit":    func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"no archive": func(b []byte) []byte { return []byte("no archive at all") },
		"zeros":      func(b []byte) []byte { clear(b); return b },
	} {
		k := key(name)
		if err := s.Put(k, want); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(s.path(k))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.path(k), damage(data), 0o666); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if s.Get(k, got) && !bytes.Equal(got, want) || s.Has(k) {
			t.Errorf("%s: found", name)
		}
		if err := s.Put(k, want); err != nil || !s.Get(k, got) || !bytes.Equal(got, want) {
			t.Errorf("%s: cannot be stored again: %v", name, err)
		}
	}
}

// The entries that were used longest ago go first, and files that nobody writes any more.
func TestTrim(t *testing.T) {
	dir := t.TempDir()
	s := store(t, dir, 1<<20)
	old := time.Now().Add(-2 * time.Hour)
	var size int64
	for i, name := range []string{"a", "b", "c", "d"} {
		if err := s.Put(key(name), entryOf(4000, byte(i))); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(s.path(key(name)))
		if err != nil {
			t.Fatal(err)
		}
		size = max(size, info.Size())
		used := old.Add(time.Duration(i) * time.Minute)
		if err := os.Chtimes(s.path(key(name)), used, used); err != nil {
			t.Fatal(err)
		}
	}
	if !s.Get(key("a"), make([]byte, 4000)) { // used just now
		t.Fatal("not found")
	}
	left, fresh := filepath.Join(dir, "left.tmp"), filepath.Join(dir, "fresh.tmp")
	for _, f := range []string{left, fresh} {
		if err := os.WriteFile(f, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(left, old, old); err != nil {
		t.Fatal(err)
	}
	s.limit = 2*size + size/2
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"a": true, "b": false, "c": false, "d": true} {
		if s.Has(key(name)) != want {
			t.Errorf("%s: there is %v", name, !want)
		}
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("a file that was left behind is still there")
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Error("a file that is being written is gone")
	}
}

// One process stores no more than the limit.
func TestLimit(t *testing.T) {
	s := store(t, t.TempDir(), 10)
	if err := s.Put(key("a"), entryOf(4000, 1)); err != nil || s.Has(key("a")) {
		t.Errorf("stored beyond the limit, %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Several stores in one folder, as several processes have them.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s := store(t, dir, 1<<20)
			got := make([]byte, 2000)
			for i := range 40 {
				want := entryOf(2000, byte(i))
				if s.Get(Key{byte(i)}, got) && !bytes.Equal(got, want) {
					t.Error("another entry")
				}
				if err := s.Put(Key{byte(i)}, want); err != nil {
					t.Error(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestDir(t *testing.T) {
	t.Setenv("ONNXCNN_HOME", "home")
	if dir, err := Dir(); err != nil || dir != filepath.Join("home", "activations") {
		t.Errorf("%s, %v", dir, err)
	}
	t.Setenv("ONNXCNN_HOME", "")
	if dir, err := Dir(); err == nil && filepath.Base(filepath.Dir(dir)) != "onnxcnn" {
		t.Error(dir)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(file, "below"), 1); err == nil {
		t.Error("a folder in a file is opened")
	}
}

// FuzzDecode unpacks anything without a panic, and never into more than the place that there is.
func FuzzDecode(f *testing.F) {
	s := store(f, f.TempDir(), 1<<20)
	f.Add(s.encoder.EncodeAll(entryOf(100, 3), nil))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Fuzz(func(t *testing.T, data []byte) {
		dst := make([]byte, 100, 200)
		s.decode(data, dst)
		for _, b := range dst[100:200] {
			if b != 0 {
				t.Fatal("written beyond the entry")
			}
		}
	})
}
