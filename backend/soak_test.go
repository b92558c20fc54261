package backend_test

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	_ "github.com/onnxcnn/onnxcnn/backend/ort"
	"github.com/onnxcnn/onnxcnn/internal/demodata"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// memory returns the bytes of live Go objects, and the process's resident bytes where the system tells them.
func memory(t *testing.T) (heap, resident int) {
	t.Helper()
	for range 3 { // pools give up what they hold at the second collection, and cleanups run after one
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if data, err := os.ReadFile("/proc/self/statm"); err == nil {
		pages, err := strconv.Atoi(string(bytes.Fields(data)[1]))
		if err != nil {
			t.Fatal(err)
		}
		resident = pages * os.Getpagesize()
	}
	return int(m.HeapAlloc), resident
}

// raceDetector says that the test runs under the race detector, whose own memory grows.
var raceDetector bool

// A session that is used again and again, and sessions opened and closed without end, keep memory flat.
func TestSoak(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("it takes seconds, and measures memory")
	}
	m, err := onnx.Parse(demodata.Backbone())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ONNXCNN_ORT_LIB", reftest.ORTLibrary(t))
	in := m.Graph.RequiredInputs()[0]
	shape := []int{1}
	for _, d := range in.Type.Shape[1:] {
		shape = append(shape, d.Size)
	}
	inputs := map[string]*onnx.Tensor{in.Name: onnx.New(onnx.Float, shape...)}
	open := func(provider string) backend.Session {
		s, err := backend.Open(m, backend.Options{Provider: provider, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	run := func(s backend.Session) {
		if _, err := s.Run(context.Background(), inputs); err != nil {
			t.Fatal(err)
		}
	}
	for _, provider := range []string{"native", "ort"} {
		for _, tt := range []struct {
			what   string
			warmup int
			count  int
			step   func() (func(), func())
		}{
			{"runs of one session", 200, 10_000, func() (func(), func()) {
				s := open(provider)
				return func() { run(s) }, func() { _ = s.Close() }
			}},
			{"sessions opened, run and closed", 50, 1_000, func() (func(), func()) {
				return func() {
					s := open(provider)
					run(s)
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				}, func() {}
			}},
		} {
			t.Run(provider+"/"+tt.what, func(t *testing.T) {
				step, end := tt.step()
				defer end()
				for range tt.warmup {
					step()
				}
				heap0, resident0 := memory(t)
				for range tt.count {
					step()
				}
				heap1, resident1 := memory(t)
				const mib = 1 << 20
				t.Logf("figure: soak, %s, %d %s: live objects %.1f MiB before, %.1f after; resident %.1f MiB before, %.1f after",
					provider, tt.count, tt.what, float64(heap0)/mib, float64(heap1)/mib, float64(resident0)/mib, float64(resident1)/mib)
				if heap1 > heap0+mib/2 {
					t.Errorf("live objects grew from %d to %d bytes", heap0, heap1)
				}
				if resident1 > resident0+16*mib {
					t.Errorf("resident memory grew from %d to %d bytes", resident0, resident1)
				}
			})
		}
	}
}
