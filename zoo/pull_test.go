package zoo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// weightsFile returns random weights of a small network as a safetensors file.
func weightsFile(t *testing.T, arch string, classes int, rename func(string) string) []byte {
	t.Helper()
	a, _ := Lookup(arch)
	m, err := a.Build(BuildOptions{Seed: 3, Classes: classes})
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		Type    string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	header := map[string]entry{}
	var data []byte
	for _, p := range m.Graph.Initializers {
		header[rename(p.Name)] = entry{"F32", p.Shape, [2]int{len(data), len(data) + len(p.Raw)}}
		data = append(data, p.Raw...)
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return append(append(out, text...), data...)
}

func same(s string) string { return s }

// network is what a test pulls: the weights of mnist_cnn from a server.
func network(url string, data []byte) Pretrained {
	sum := sha256.Sum256(data)
	return Pretrained{Name: "test_net", Arch: "mnist_cnn", URL: url + "/test_net.safetensors", Bytes: int64(len(data)),
		SHA256: hex.EncodeToString(sum[:]), Licence: "none", Recipe: "unit-gray", Source: "test", Classes: 10}
}

// server answers requests by turns: the first by the first function, and so on; the last one repeats.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	seen  []*http.Request
	turns []http.HandlerFunc
}

func newServer(t *testing.T, turns ...http.HandlerFunc) *server {
	s := &server{turns: turns}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		turn := s.turns[min(len(s.seen), len(s.turns)-1)]
		s.seen = append(s.seen, r)
		s.mu.Unlock()
		turn(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// ranges returns the Range headers of the requests so far.
func (s *server) ranges() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var r []string
	for _, q := range s.seen {
		r = append(r, q.Header.Get("Range"))
	}
	return r
}

const etag = `"one"`

// whole serves the file, ranges included.
func whole(data []byte, tag string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if tag != "" {
			w.Header().Set("ETag", tag)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
}

// cutAfter begins to send the file and closes the connection after n bytes.
func cutAfter(data []byte, tag string, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data[:n])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// hangAfter sends n bytes and then nothing, until the client has gone.
func hangAfter(data []byte, n int, sent chan<- bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data[:n])
		w.(http.Flusher).Flush()
		if sent != nil {
			sent <- true
		}
		<-r.Context().Done()
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// noPause notes how long it was to wait.
func noPause(waits *[]time.Duration) func(context.Context, time.Duration) error {
	return func(ctx context.Context, d time.Duration) error {
		*waits = append(*waits, d)
		return ctx.Err()
	}
}

// opened checks a network in the cache.
func opened(t *testing.T, p Pretrained) {
	t.Helper()
	path, err := p.CachedPath()
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if r, ok, err := RecipeOf(m); err != nil || !ok || r.Name != p.Recipe {
		t.Errorf("recipe %q, %v", r.Name, err)
	}
	if s, _ := m.Meta(SourceKey); !strings.Contains(s, p.URL) {
		t.Errorf("source %q", s)
	}
	a, _ := Lookup(p.Arch)
	want, err := a.Build(BuildOptions{Seed: 3, Classes: p.Classes})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range want.Graph.Initializers {
		if got := m.Graph.Initializer(w.Name); got == nil || !bytes.Equal(got.Raw, w.Raw) {
			t.Errorf("%s is not what the file has", w.Name)
		}
	}
}

// inCache returns the names of the files in the cache.
func inCache(t *testing.T) []string {
	t.Helper()
	dir, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestDownloads(t *testing.T) {
	data := weightsFile(t, "mnist_cnn", 10, same)
	n := len(data)
	half := n / 2
	rest := fmt.Sprintf("bytes=%d-", half)
	for _, c := range []struct {
		name   string
		turns  []http.HandlerFunc
		ranges []string // of the requests
		waits  []time.Duration
		fault  string
		left   bool // what has arrived stays
	}{
		{name: "at once", turns: []http.HandlerFunc{whole(data, etag)}, ranges: []string{""}},
		{name: "cut and resumed", turns: []http.HandlerFunc{cutAfter(data, etag, half), whole(data, etag)},
			ranges: []string{"", rest}, waits: []time.Duration{time.Second}},
		{name: "cut twice", turns: []http.HandlerFunc{cutAfter(data, etag, half), status(502), whole(data, etag)},
			ranges: []string{"", rest, rest}, waits: []time.Duration{time.Second, 2 * time.Second}},
		{name: "another version meanwhile", turns: []http.HandlerFunc{cutAfter(bytes.Repeat([]byte("x"), n), `"old"`, half), whole(data, etag)},
			ranges: []string{"", rest}, waits: []time.Duration{time.Second}},
		{name: "no ranges", turns: []http.HandlerFunc{cutAfter(data, etag, half), func(w http.ResponseWriter, r *http.Request) { w.Write(data) }},
			ranges: []string{"", rest}, waits: []time.Duration{time.Second}},
		{name: "nothing to hold on to", turns: []http.HandlerFunc{cutAfter(data, `W/"weak"`, half), whole(data, "")},
			ranges: []string{"", ""}, waits: []time.Duration{time.Second}},
		{name: "range refused", turns: []http.HandlerFunc{cutAfter(data, etag, half), status(416), whole(data, etag)},
			ranges: []string{"", rest, ""}, waits: []time.Duration{time.Second, 2 * time.Second}},
		{name: "another range", turns: []http.HandlerFunc{cutAfter(data, etag, half), status(206, "Content-Range", fmt.Sprintf("bytes 7-%d/%d", n-1, n)), whole(data, etag)},
			ranges: []string{"", rest, ""}, waits: []time.Duration{time.Second, 2 * time.Second}},
		{name: "busy", turns: []http.HandlerFunc{status(503, "Retry-After", "7"), status(429), whole(data, etag)},
			ranges: []string{"", "", ""}, waits: []time.Duration{7 * time.Second, 2 * time.Second}},
		{name: "silence", turns: []http.HandlerFunc{hangAfter(data, half, nil), whole(data, etag)},
			ranges: []string{"", rest}, waits: []time.Duration{time.Second}},
		{name: "cut for ever", turns: []http.HandlerFunc{cutAfter(data, etag, 0)}, ranges: []string{"", "", "", "", ""},
			waits: []time.Duration{1e9, 2e9, 4e9, 8e9}, fault: "unexpected EOF"},
		{name: "cut, and nothing more", turns: []http.HandlerFunc{cutAfter(data, etag, half), status(502)}, ranges: []string{"", rest, rest, rest, rest},
			waits: []time.Duration{1e9, 2e9, 4e9, 8e9}, fault: "502 Bad Gateway", left: true},
		{name: "not there", turns: []http.HandlerFunc{status(404)}, ranges: []string{""}, fault: "the server answers 404 Not Found"},
		{name: "too large", turns: []http.HandlerFunc{whole(append(slices.Clone(data), 0), etag)}, ranges: []string{""},
			fault: fmt.Sprintf("the server offers %d bytes, and the file has at most %d", n+1, n)},
		{name: "endless", turns: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush() // no length
			for range 3 {
				w.Write(data)
			}
		}}, ranges: []string{""}, fault: fmt.Sprintf("more arrives than the %d bytes", n)},
		{name: "another file", turns: []http.HandlerFunc{whole(bytes.Repeat([]byte("y"), n), etag)}, ranges: []string{""}, fault: "the SHA-256 is "},
		{name: "too short", turns: []http.HandlerFunc{whole(data[:n-1], etag)}, ranges: []string{""}, fault: fmt.Sprintf("it has %d bytes, want %d", n-1, n)},
		{name: "a login page", turns: []http.HandlerFunc{whole([]byte("<!DOCTYPE html><html>Please log in</html>"), "")}, ranges: []string{""}, fault: "it is a web page"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(HomeVariable, t.TempDir())
			s := newServer(t, c.turns...)
			p := network(s.URL, data)
			var waits []time.Duration
			stall := time.Minute
			if c.name == "silence" {
				stall = 100 * time.Millisecond
			}
			pulled, err := pull(t.Context(), p, PullOptions{pause: noPause(&waits), stall: stall})
			if got := s.ranges(); !slices.Equal(got, c.ranges) {
				t.Errorf("requests for %q, want %q", got, c.ranges)
			}
			if !slices.Equal(waits, c.waits) {
				t.Errorf("waited %v, want %v", waits, c.waits)
			}
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("%v, want %q", err, c.fault)
				}
				if p.Cached() {
					t.Error("the network is in the cache all the same")
				}
				var want []string
				if c.left {
					want = []string{p.File() + ".part", p.File() + ".part.json"}
				}
				if got := inCache(t); !slices.Equal(got, want) {
					t.Errorf("it leaves %q, want %q", got, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if pulled.Checked != "sha256" || pulled.SHA256 != p.SHA256 || pulled.Report.Matched != 8 {
				t.Errorf("%+v", pulled)
			}
			opened(t, p)
			if got, want := inCache(t), []string{filepath.Base(pulled.Path)}; !slices.Equal(got, want) {
				t.Errorf("in the cache are %q, want %q", got, want)
			}
		})
	}
}

// A download that is stopped leaves what has arrived, and the next one goes on from there.
func TestStopped(t *testing.T) {
	data := weightsFile(t, "mnist_cnn", 10, same)
	t.Setenv(HomeVariable, t.TempDir())
	sent := make(chan bool, 1)
	s := newServer(t, hangAfter(data, 1000, sent), whole(data, etag))
	p := network(s.URL, data)
	ctx, cancel := context.WithCancel(t.Context())
	arrived := func(done, _ int64) {
		if done == 1000 {
			cancel()
		}
	}
	if _, err := pull(ctx, p, PullOptions{Progress: arrived}); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want that it was stopped", err)
	}
	if _, err := pull(t.Context(), p, PullOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, want := s.ranges(), []string{"", "bytes=1000-"}; !slices.Equal(got, want) {
		t.Errorf("requests for %q, want %q", got, want)
	}
	opened(t, p)
}

// TestMain pulls, in a process of its own, what the variable describes that helper sets; else it runs the tests.
func TestMain(m *testing.M) {
	text := os.Getenv("ONNXCNN_TEST_PULL")
	if text == "" {
		os.Exit(m.Run())
	}
	var p Pretrained
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		_, err = pull(context.Background(), p, PullOptions{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// helper returns a process that pulls.
func helper(t *testing.T, p Pretrained, env ...string) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "ONNXCNN_TEST_PULL="+string(text)), env...)
	return cmd
}

// awaitSize returns when the file has that many bytes.
func awaitSize(t *testing.T, file string, size int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if info, err := os.Stat(file); err == nil && info.Size() == size {
			return
		}
		if time.Now().After(deadline) {
			t.Error("the process writes nothing")
			return
		}
	}
}

// A process that is killed in the middle leaves what has arrived, and no lock.
func TestKilled(t *testing.T) {
	data := weightsFile(t, "mnist_cnn", 10, same)
	t.Setenv(HomeVariable, t.TempDir())
	sent := make(chan bool, 1)
	s := newServer(t, hangAfter(data, 500_000, sent), whole(data, etag))
	p := network(s.URL, data)
	cmd := helper(t, p)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-sent
	dir, _ := CacheDir()
	part := filepath.Join(dir, p.File()+".part")
	awaitSize(t, part, 500_000)
	cmd.Process.Kill()
	cmd.Wait()
	if _, err := pull(t.Context(), p, PullOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, want := s.ranges(), []string{"", "bytes=500000-"}; !slices.Equal(got, want) {
		t.Errorf("requests for %q, want %q", got, want)
	}
	opened(t, p)
	t.Log("figure: zoo pull: killed after 500,000 bytes; the next one asked for the rest and the checksum held")
}

// The proxy variables are heeded. (Go reads them once a process, and never uses a proxy for this machine itself.)
func TestProxy(t *testing.T) {
	data := weightsFile(t, "mnist_cnn", 10, same)
	t.Setenv(HomeVariable, t.TempDir())
	s := newServer(t, whole(data, etag))
	p := network("http://weights.example", data)
	if out, err := helper(t, p, "HTTP_PROXY="+s.URL, "NO_PROXY=", "REQUEST_METHOD=").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(s.seen) != 1 || s.seen[0].Host != "weights.example" {
		t.Errorf("%d requests came to the proxy", len(s.seen))
	}
	opened(t, p)
}

// Several pulls at once fetch the file once.
func TestAtOnce(t *testing.T) {
	data := weightsFile(t, "mnist_cnn", 10, same)
	t.Setenv(HomeVariable, t.TempDir())
	s := newServer(t, whole(data, etag))
	p := network(s.URL, data)
	var wg sync.WaitGroup
	var cached sync.Map
	for i := range 4 {
		wg.Go(func() {
			got, err := pull(t.Context(), p, PullOptions{})
			if err != nil {
				t.Error(err)
			}
			cached.Store(i, got.Cached)
		})
	}
	wg.Wait()
	fetched := 0
	cached.Range(func(_, was any) bool {
		if !was.(bool) {
			fetched++
		}
		return true
	})
	if len(s.seen) != 1 || fetched != 1 {
		t.Errorf("%d requests, %d fetched it", len(s.seen), fetched)
	}
	// Whoever waits can be stopped.
	path, _ := p.CachedPath()
	if got, want := inCache(t), []string{filepath.Base(path)}; !slices.Equal(got, want) {
		t.Errorf("in the cache are %q, want %q", got, want)
	}
	unlock, err := lock(t.Context(), path+".lock", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := pull(ctx, p, PullOptions{Notify: func(string) { cancel() }}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was stopped", err)
	}
}

// The file of a lock goes with the lock, and one that waits for it then has a lock that keeps others away.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l")
	first, err := lock(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := lock(t.Context(), path, first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := lock(ctx, path, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("a third has the lock as well: %v", err)
	}
	second()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file stays: %v", err)
	}
	// A file that was removed while it waited for the lock is no lock.
	gone, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer gone.Close()
	if !named(gone) {
		t.Error("a file has not its name")
	}
	if err := os.Remove(path); err == nil && named(gone) { // not every system removes open files
		t.Error("a removed file has its name")
	}
	if _, err := lock(t.Context(), filepath.Join(path, "below"), nil); err == nil {
		t.Error("a lock without a folder")
	}
}

func TestFromFile(t *testing.T) {
	data := weightsFile(t, "mnist_cnn", 10, same)
	s := newServer(t, status(500))
	write := func(name string, data []byte) string {
		t.Helper()
		f := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(f, data, 0o666); err != nil {
			t.Fatal(err)
		}
		return f
	}
	good := network(s.URL, data)
	prefix := good
	prefix.SHA256 = good.SHA256[:8]
	rounded := prefix
	rounded.Bytes, rounded.MiB = 0, 1.421
	other := func(data []byte, change func(p *Pretrained)) Pretrained {
		p := network(s.URL, data)
		change(&p)
		return p
	}
	fewer := weightsFile(t, "mnist_cnn", 9, same)
	misnamed := weightsFile(t, "mnist_cnn", 10, func(n string) string { return strings.Replace(n, "conv2", "konv2", 1) })
	more := weightsFile(t, "cats_dogs", 1, same)
	for _, c := range []struct {
		name    string
		p       Pretrained
		file    string
		checked string
		fault   string
	}{
		{"right", good, write("a.pth", data), "sha256", ""},
		{"by prefix", prefix, write("a.pth", data), "sha256 prefix", ""},
		{"by rounded size", rounded, write("a.pth", data), "sha256 prefix", ""},
		{"rounded size does not fit", func() Pretrained { p := rounded; p.MiB = 1.43; return p }(), write("a.pth", data), "", "want 1.430 MiB"},
		{"another file", good, write("b.pth", data[:100]), "", "b.pth: the SHA-256 is "},
		{"empty", good, write("c.pth", nil), "", "it has 0 bytes"},
		{"missing", good, filepath.Join(t.TempDir(), "d.pth"), "", "d.pth"},
		{"folder", good, t.TempDir(), "", "is no regular file"},
		{"no weights at all", other([]byte("nonsense"), func(*Pretrained) {}), write("e.pth", []byte("nonsense")), "", "e.pth: not a file of weights"},
		{"other classes", other(fewer, func(*Pretrained) {}), write("f.pth", fewer), "", "another shape: fc.weight"},
		{"misnamed", other(misnamed, func(*Pretrained) {}), write("g.pth", misnamed), "", "missing: conv2.weight [128 64 3 3] (the file has konv2.weight)"},
		{"another network", other(more, func(*Pretrained) {}), write("h.pth", more), "", "none of the model's 8 parameters is in the file"},
		{"unknown architecture", other(data, func(p *Pretrained) { p.Arch = "nothing" }), write("i.pth", data), "", `architecture "nothing" is not known`},
		{"unknown recipe", other(data, func(p *Pretrained) { p.Recipe = "nothing" }), write("j.pth", data), "", `no recipe "nothing"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(HomeVariable, t.TempDir())
			got, err := pull(t.Context(), c.p, PullOptions{From: c.file})
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("%v, want %q", err, c.fault)
				}
				if c.p.Cached() {
					t.Error("the network is in the cache all the same")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Checked != c.checked {
				t.Errorf("checked %q, want %q", got.Checked, c.checked)
			}
			opened(t, c.p)
			if _, err := os.Stat(c.file); err != nil {
				t.Error("the user's file is gone")
			}
			if again, err := pull(t.Context(), c.p, PullOptions{}); err != nil || !again.Cached {
				t.Errorf("again: %+v, %v", again, err)
			}
		})
	}
	if len(s.seen) > 0 {
		t.Errorf("%d requests", len(s.seen))
	}
}

// Without a way to the server the error says where to get the file and where to put it, and a file that is put there is used.
func TestOffline(t *testing.T) {
	data := weightsFile(t, "mnist_cnn", 10, same)
	t.Setenv(HomeVariable, t.TempDir())
	s := httptest.NewServer(nil)
	p := network(s.URL, data)
	s.Close()
	var waits []time.Duration
	_, err := pull(t.Context(), p, PullOptions{pause: noPause(&waits), stall: time.Minute})
	var off *OfflineError
	if !errors.As(err, &off) {
		t.Fatalf("%v is no OfflineError", err)
	}
	dir, _ := CacheDir()
	if parts, err := filepath.Glob(filepath.Join(dir, "*.part*")); err != nil || len(parts) > 0 {
		t.Errorf("nothing arrived, and left: %q, %v", parts, err)
	}
	if h := off.Hint(); !strings.Contains(h, p.URL) || !strings.Contains(h, dir) || !strings.Contains(off.Error(), "test_net cannot be fetched") {
		t.Errorf("%s; %s", off, h)
	}
	if err := os.WriteFile(off.Place, data, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := pull(t.Context(), p, PullOptions{}); err != nil {
		t.Fatal(err)
	}
	opened(t, p)
}

// Parts of other addresses, without a note, or longer than the file are not gone on with.
func TestStaleParts(t *testing.T) {
	data := weightsFile(t, "mnist_cnn", 10, same)
	for _, c := range []struct{ name, note string }{
		{"no note", ""},
		{"broken note", "{"},
		{"another address", `{"url":"http://other/x","validator":"\"one\"","total":-1}`},
		{"longer than the file", `{"url":"URL","validator":"\"one\"","total":10}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(HomeVariable, t.TempDir())
			s := newServer(t, whole(data, etag))
			p := network(s.URL, data)
			dir, _ := CacheDir()
			if err := os.MkdirAll(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			part := filepath.Join(dir, p.File()+".part")
			if err := os.WriteFile(part, bytes.Repeat([]byte("z"), 100), 0o666); err != nil {
				t.Fatal(err)
			}
			if c.note != "" {
				if err := os.WriteFile(part+".json", []byte(strings.Replace(c.note, "URL", p.URL, 1)), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := pull(t.Context(), p, PullOptions{}); err != nil {
				t.Fatal(err)
			}
			if got := s.ranges(); !slices.Equal(got, []string{""}) {
				t.Errorf("requests for %q", got)
			}
		})
	}
}

func TestContentRange(t *testing.T) {
	for s, want := range map[string]string{
		"bytes 5-9/10": "5 10 true", "bytes 5-9/*": "5 -1 true", "bytes */10": "0 0 false", "bytes 5-9": "0 0 false", "items 5-9/10": "0 0 false",
		"bytes -5-9/10": "0 0 false", "bytes 5-9/3": "5 3 false", "bytes 5-9/x": "5 0 false", "": "0 0 false",
	} {
		from, total, ok := contentRange(s)
		if got := fmt.Sprint(from, total, ok); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}
