package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// On a full disk a command fails with the file and the reason, whether it has begun to write or is nearly done, and leaves
// no file behind but those of a folder that are whole. When there is room, the same command writes what it should.
func TestFullDisk(t *testing.T) {
	w := newWorkshop(t)
	w.run(t, 0, "finetune", "net.onnx", "pictures", "--epochs", "1", "-o", "trained")
	w.run(t, 0, "extract-features", "net.onnx", "pictures", "-o", "rows.npz")
	disk := reftest.NewDisk(t, w.path("small"), 4)
	tried := 0
	for _, c := range slices.Concat(writers, pages) {
		t.Run(c.name, func(t *testing.T) {
			call := func(out string) []string {
				args := slices.Clone(c.args)
				args[slices.Index(args, "OUT")] = out
				return args
			}
			plain := "plain-" + c.out
			w.run(t, 0, call(plain)...)
			whole := below(t, w.path(plain))
			size := 0
			for _, data := range whole {
				size += (len(data) + 4095) / 4096 * 4
			}
			sizes := slices.Compact([]int{4, max(4, size/8*4), size - 4})
			if slow(c.name) {
				sizes = sizes[len(sizes)-1:]
			}
			for _, kib := range sizes {
				disk.Resize(kib)
				out := filepath.Join("small", c.out)
				said := w.run(t, 1, call(out)...)
				if !strings.Contains(said, out) || !strings.Contains(said, ": no space left on device") || strings.Contains(said, ".tmp") {
					t.Errorf("with %d KiB for %d it said %q", kib, size, said)
				}
				for name, data := range below(t, w.path(out)) {
					if data != whole[name] || len(whole) == 1 {
						t.Errorf("with %d KiB it left %d bytes of %s, which has %d", kib, len(data), name, len(whole[name]))
					}
				}
				if left := disk.Temporary(); len(left) > 0 {
					t.Errorf("with %d KiB it left %q", kib, left)
				}
				tried++
			}
			disk.Resize(3 * size)
			w.run(t, 0, call(filepath.Join("small", c.out))...)
			if !maps.Equal(below(t, w.path("small", c.out)), whole) {
				t.Error("with room it writes something else")
			}
			disk.Clear()
		})
	}
	t.Logf("figure: full disk: %d commands failed cleanly, at their first bytes, midway or at their last ones", tried)
}

// slow reports whether a command takes a second, so that it is tried once.
func slow(name string) bool { return slices.Contains([]string{"gradcam", "evaluate", "report"}, name) }

// unwritten finds the file of a run that could not be written.
var unwritten = regexp.MustCompile(`(?:write|create|open|mkdir) small/run(?:/(\S+))?: no space left on device`)

// Training on a disk that is full after some epochs: the checkpoint before stays whole, and when there is room the run goes
// on to the bytes of one that always had it. The disk grows by a little until that has happened.
func TestFullDiskTraining(t *testing.T) {
	w := newWorkshop(t)
	disk := reftest.NewDisk(t, w.path("small"), 4)
	for _, c := range []struct {
		name string
		step int // KiB
		args []string
	}{
		{"finetune", 430, []string{"finetune", "net.onnx", "pictures", "--epochs", "3", "--unfreeze-from", "10", "--ema", "0.9", "--cache", "off"}},
		{"train", 4100, []string{"train", "mnist_cnn", "pictures", "--epochs", "2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			call := func(run string) []string {
				return append(slices.Clone(c.args), "-o", run, "--resume")
			}
			w.run(t, 0, call(c.name)...)
			want := below(t, w.path(c.name))
			failed := map[string]bool{}
			later, attempts := 0, 0
			for size := 4; ; size += c.step {
				disk.Resize(size)
				file, said, full := w.unwritten(t, call("small/run")...)
				if !full {
					break
				}
				if attempts++; attempts > 40 {
					t.Fatalf("attempt %d, %d KiB: %s", attempts, size, said)
				}
				failed[file] = true
				if left := disk.Temporary(); len(left) > 0 {
					t.Errorf("%d KiB: it left %q", size, left)
				}
				if disk.Files()["run/checkpoint.safetensors"] > 0 {
					later++
					if !strings.Contains(said, "small/run has everything up to epoch ") || !strings.Contains(said, "the same command with --resume goes on behind epoch ") {
						t.Errorf("with a checkpoint it said %s", said)
					}
					if said := w.run(t, 0, "export", "small/run", "-o", "sofar.onnx"); !strings.Contains(said, "interrupted behind epoch ") {
						t.Errorf("export said %s", said)
					}
				}
			}
			if later == 0 || !failed["start.onnx"] || !failed["checkpoint.safetensors"] {
				t.Errorf("it failed at %v, %d times after a checkpoint", slices.Sorted(maps.Keys(failed)), later)
			}
			for _, name := range []string{"model.onnx", "head.onnx"} {
				if got, err := os.ReadFile(w.path("small", "run", name)); err != nil || string(got) != want[name] {
					t.Errorf("after %d full disks %s has other bytes (%v)", attempts, name, err)
				}
			}
			disk.Clear()
			t.Logf("figure: %s on a full disk: %d attempts failed cleanly, %d of them after a checkpoint; the last went on to the same bytes", c.name, attempts, later)
		})
	}
}

// unwritten runs a command that may find the disk full, and reports whether it did, the file that it then names ("" for
// the run's folder) and what it said.
func (w *workshop) unwritten(t *testing.T, args ...string) (file, said string, full bool) {
	t.Helper()
	cmd := w.command(args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if cmd.Run() == nil {
		return "", "", false
	}
	m := unwritten.FindStringSubmatch(stderr.String())
	if status := cmd.ProcessState.ExitCode(); status != statusFailed || m == nil {
		t.Fatalf("exit status %d: %s", status, stderr.String())
	}
	return m[1], stderr.String(), true
}

// The disk is full when a run has trained, and exports what it has come to: as often as it takes, the same command goes on.
func TestFullDiskExport(t *testing.T) {
	w := newWorkshop(t)
	disk := reftest.NewDisk(t, w.path("small"), 1<<16)
	call := func(run string) []string {
		return []string{"finetune", "net.onnx", "pictures", "--epochs", "2", "-o", run, "--resume"}
	}
	w.run(t, 0, call("plain")...)
	want := below(t, w.path("plain"))
	failed := map[string]bool{}
	attempts := 0
	for size := 4 * ((len(want["checkpoint.safetensors"])+len(want["model.onnx"]))/4096 + 6); ; size += 52 {
		disk.Clear()
		disk.Resize(size)
		if err := os.MkdirAll(w.path("small", "run"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(w.path("small", "run", "checkpoint.safetensors"), []byte(want["checkpoint.safetensors"]), 0o666); err != nil {
			t.Fatal(err)
		}
		file, said, full := w.unwritten(t, call("small/run")...)
		if !full {
			break
		}
		if attempts++; attempts > 60 {
			t.Fatalf("%d KiB: %s", size, said)
		}
		first := !failed[file]
		failed[file] = true
		got := below(t, w.path("small", "run"))
		for _, name := range []string{"checkpoint.safetensors", "model.onnx", "head.onnx", "samples.safetensors", "report.json", "confusion.png"} {
			if data, ok := got[name]; ok && data != want[name] {
				t.Errorf("%d KiB: %s is there, and not what it should be", size, name)
			}
		}
		if left := disk.Temporary(); len(left) > 0 {
			t.Errorf("%d KiB: it left %q", size, left)
		}
		if said := w.run(t, 0, "export", "small/run", "-o", "sofar.onnx"); !strings.Contains(said, "interrupted behind epoch 2") {
			t.Errorf("%d KiB, after %s failed: export said %q", size, file, said)
		}
		if first { // with room, over what this left
			disk.Resize(1 << 16)
			w.run(t, 0, call("small/run")...)
			got := below(t, w.path("small", "run"))
			if got["model.onnx"] != want["model.onnx"] || got["head.onnx"] != want["head.onnx"] || got["start.onnx"] != "" {
				t.Errorf("after %s failed it goes on to something else", file)
			}
		}
	}
	for _, name := range []string{"model.onnx", "confusion.png", "curves.png"} {
		if !failed[name] {
			t.Errorf("it failed at %v, not at %s", slices.Sorted(maps.Keys(failed)), name)
		}
	}
	t.Logf("figure: export of a run on a full disk: failed cleanly at %s; --resume went on to the same bytes", strings.Join(slices.Sorted(maps.Keys(failed)), ", "))
}

// A cache that is full makes a run slower, and says so once: the results are the same, also of the run that finds a part.
func TestFullCache(t *testing.T) {
	w := newWorkshop(t)
	disk := reftest.NewDisk(t, w.path("home"), 64)
	call := func(run string) []string {
		return []string{"finetune", "net.onnx", "pictures", "--epochs", "2", "-o", run}
	}
	w.run(t, 0, append(call("plain"), "--cache", "off")...)
	want := below(t, w.path("plain"))["model.onnx"]
	for i := range 2 {
		run := fmt.Sprintf("run%d", i)
		said := w.run(t, 0, call(run)...)
		if strings.Count(said, "activations are not kept for later runs: ") != 1 || !strings.Contains(said, "no space left on device") {
			t.Errorf("it said %s", said)
		}
		if below(t, w.path(run))["model.onnx"] != want {
			t.Error("a full cache changes the result")
		}
	}
	if len(disk.Files()) == 0 || len(disk.Temporary()) > 0 {
		t.Errorf("the cache holds %d files, %q", len(disk.Files()), disk.Temporary())
	}
}
