package zoo

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The cache is closed while a file arrives: the pull fails with the file and the reason and keeps what has arrived; when
// the cache is open again, the next pull asks for nothing more.
func TestRevokedPermissions(t *testing.T) {
	data := weightsFile(t, "mnist_cnn", 10, same)
	// Not t.TempDir: other users have to get in.
	home, err := os.MkdirTemp("", "onnxcnn-zoo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	t.Setenv(HomeVariable, home)
	dir, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(home, "program")
	if err := errors.Join(os.Chmod(home, 0o755), os.Mkdir(dir, 0o777), os.Chmod(dir, 0o777), copyProgram(program)); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data[:len(data)/2])
		_ = http.NewResponseController(w).Flush()
		awaitSize(t, filepath.Join(dir, network("", data).File()+".part"), int64(len(data)/2))
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Error(err)
		}
		_, _ = w.Write(data[len(data)/2:])
	})
	p := network(s.URL, data)
	pullAs := func() (string, error) {
		cmd := helper(t, p)
		cmd.Path = program
		if os.Geteuid() == 0 { // root may do everything: be somebody else
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}

	said, err := pullAs()
	if err == nil || !strings.Contains(said, p.File()) || !strings.Contains(said, ": permission denied") {
		t.Errorf("%v, it said %q", err, said)
	}
	if got, err := os.ReadFile(filepath.Join(dir, p.File()+".part")); err != nil || string(got) != string(data) {
		t.Errorf("%d bytes are kept, %v", len(got), err)
	}
	if _, err := os.Stat(filepath.Join(dir, p.File())); p.Cached() || err == nil {
		t.Error("a file or the network is there all the same")
	}

	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if said, err := pullAs(); err != nil {
		t.Fatalf("%v, it said %q", err, said)
	}
	opened(t, p)
	path, _ := p.CachedPath()
	if got, want := inCache(t), []string{filepath.Base(path)}; !slices.Equal(got, want) {
		t.Errorf("in the cache are %q, want %q", got, want)
	}
	if got := s.ranges(); len(got) != 1 {
		t.Errorf("requests for %q, want one", got)
	}
	t.Log("figure: zoo pull, its cache closed in the midst: kept what had arrived, and converted it when the cache was open again")
}

// copyProgram puts a copy of this program where everybody may call it.
func copyProgram(path string) error {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, self)
	return errors.Join(err, f.Close())
}
