package zoo

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// A disk that is full in the midst of a download keeps what has arrived, and the next pull asks for the rest; one that is
// full when the network is written keeps the whole file, and the next pull asks for nothing.
func TestFullDisk(t *testing.T) {
	data := weightsFile(t, "mnist_cnn", 10, same)
	disk := reftest.NewDisk(t, filepath.Join(t.TempDir(), "home"), len(data)/1024/2)
	t.Setenv(HomeVariable, disk.Dir)
	s := newServer(t, whole(data, etag))
	p := network(s.URL, data)
	dir, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	part := filepath.Join(dir, p.File()+".part")

	_, err = pull(t.Context(), p, PullOptions{})
	var partial *PartialError
	if !errors.As(err, &partial) || !errors.Is(err, syscall.ENOSPC) || partial.File != part || !strings.Contains(err.Error(), part+": no space left on device") {
		t.Fatalf("half of the room: %v", err)
	}
	got, err := os.ReadFile(part)
	if err != nil || int64(len(got)) != partial.Bytes || len(got) == 0 || string(got) != string(data[:len(got)]) {
		t.Errorf("%d bytes are kept, %d said, %v", len(got), partial.Bytes, err)
	}
	if p.Cached() || len(disk.Temporary()) > 0 {
		t.Errorf("half of the room: there is a network, or %q", disk.Temporary())
	}

	disk.Resize(len(data)/1024*3/2 + 16) // for the file, and half of the network
	_, err = pull(t.Context(), p, PullOptions{})
	path, _ := p.CachedPath()
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path+": no space left on device") || errors.As(err, &partial) {
		t.Errorf("room for the file: %v", err)
	}
	if p.Cached() || len(disk.Temporary()) > 0 {
		t.Errorf("room for the file: there is a network, or %q", disk.Temporary())
	}
	if info, err := os.Stat(filepath.Join(dir, p.File())); err != nil || info.Size() != int64(len(data)) {
		t.Errorf("the file is gone: %v", err)
	}

	disk.Resize(4 * len(data) / 1024)
	if _, err := pull(t.Context(), p, PullOptions{}); err != nil {
		t.Fatal(err)
	}
	opened(t, p)
	if got := s.ranges(); len(got) != 2 || got[0] != "" || !strings.HasPrefix(got[1], "bytes=") {
		t.Errorf("requests for %q, want one for all and one for the rest", got)
	}
	t.Logf("figure: zoo pull on a full disk: kept the %d bytes that had arrived, asked for the rest, and converted what it had when there was room", len(got))
}

// What is stopped while a file arrives says how much is kept; where the server names no version nothing can be gone on with.
func TestPartial(t *testing.T) {
	data := weightsFile(t, "mnist_cnn", 10, same)
	for tag, kept := range map[string]bool{etag: true, "": false} {
		t.Setenv(HomeVariable, t.TempDir())
		ctx, cancel := context.WithCancel(t.Context())
		s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
			if tag != "" {
				w.Header().Set("ETag", tag)
			}
			_, _ = w.Write(data[:300_000])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		_, err := pull(ctx, network(s.URL, data), PullOptions{Progress: func(done, _ int64) {
			if done == 300_000 {
				cancel()
			}
		}})
		cancel()
		var partial *PartialError
		if !errors.Is(err, context.Canceled) || errors.As(err, &partial) != kept || kept && partial.Bytes != 300_000 {
			t.Errorf("tag %q: %v, %+v", tag, err, partial)
		}
	}
}
