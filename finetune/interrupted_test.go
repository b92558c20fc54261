package finetune_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/onnxcnn/onnxcnn/finetune"
)

// stopped runs until an epoch is over, and stops as Ctrl+C does.
func stopped(t *testing.T, d *finetune.Data, o finetune.Options, epoch int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o.Epoch = func(e finetune.Epoch) {
		if e.Epoch == epoch {
			cancel()
		}
	}
	_, err := finetune.Run(ctx, backbone(t), d, dir, o)
	var stop *finetune.InterruptedError
	if !errors.As(err, &stop) || stop.Saved != epoch {
		t.Fatalf("%v, want an interruption behind epoch %d", err, epoch)
	}
	return dir
}

// TestExportInterrupted exports what an interrupted run has come to: the same weights as those of a run that was meant to
// end there.
func TestExportInterrupted(t *testing.T) {
	d := dataOf(t, pictures(6, "blue", "red"))
	o := small()
	o.UnfreezeFrom, o.BN, o.Head, o.EMA = "10", "train", "8,batchnorm,relu,dropout=0.2", 0.9
	phases := phased(t)
	short := phased(t)
	short.Phases = short.Phases[:2]
	worst := small()
	worst.LR, worst.Epochs, worst.Optimizer = 100, 4, "sgd" // the first epoch stays the best
	for _, c := range []struct {
		name       string
		whole, cut finetune.Options // that ends behind epoch stop, and that is stopped there
		stop       int
	}{
		{"plain", withEpochs(o, 2), withEpochs(o, 9), 2},
		{"phases", short, phases, 4},
		{"phases, in the midst of one that trains less", short, phases, 5},
		{"not the last epoch", worst, withEpochs(worst, 9), 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			want := train(t, d, dir, c.whole)
			if _, err := os.Stat(filepath.Join(dir, "start.onnx")); err == nil {
				t.Error("a finished run still has its start.onnx")
			}
			cut := stopped(t, d, c.cut, c.stop)
			out := filepath.Join(t.TempDir(), "out.onnx")
			for _, e := range []finetune.ExportOptions{{HeadOnly: true}, {FoldBN: true}, {Opset: 18}, {}} {
				x, err := finetune.ExportRun(context.Background(), cut, out, e)
				if err != nil {
					t.Fatalf("%+v: %v", e, err)
				}
				if x.LastEpoch != c.stop || x.Epoch != want.Best && c.stop == len(want.History) || x.Check.Images != 4 {
					t.Errorf("%+v: %+v, want epoch %d of %d", e, x, want.Best, c.stop)
				}
			}
			if len(want.History) == c.stop {
				sameWeights(t, out, want.Model)
			}
		})
	}
}

func withEpochs(o finetune.Options, n int) finetune.Options {
	o.Epochs = n
	return o
}

// TestExportInterruptedRefuses has folders that a network cannot be made of.
func TestExportInterruptedRefuses(t *testing.T) {
	d := dataOf(t, pictures(4, "blue", "red"))
	dir := stopped(t, d, withEpochs(small(), 9), 1)
	for _, c := range []struct {
		name, file string
		change     func([]byte) []byte // nil removes the file
		message    string
		norun      bool
	}{
		{"no checkpoint", "checkpoint.safetensors", nil, "before its first epoch was whole", true},
		{"no network", "start.onnx", nil, "there is no start.onnx beside it", true},
		{"half a checkpoint", "checkpoint.safetensors", func(b []byte) []byte { return b[:len(b)/2] }, "not a whole checkpoint", false},
		{"other weights", "checkpoint.safetensors", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"best/head.0.bias"`), []byte(`"best/head.9.bias"`), 1)
		}, `has a "best/head.9.bias" that does not fit`, false},
		{"no samples", "checkpoint.safetensors", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"samples/batch"`), []byte(`"samples/botch"`), 1)
		}, `has no "samples/batch"`, false},
		{"no progress", "checkpoint.safetensors", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"onnxcnn.progress"`), []byte(`"onnxcnn.progreso"`), 1)
		}, "not a checkpoint of a run", false},
		{"half a network", "start.onnx", func(b []byte) []byte { return b[:len(b)/2] }, "start.onnx", false},
	} {
		path := filepath.Join(dir, c.file)
		saved := read(t, path)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if c.change != nil {
			if err := os.WriteFile(path, c.change(bytes.Clone(saved)), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		out := filepath.Join(t.TempDir(), "out.onnx")
		_, err := finetune.ExportRun(context.Background(), dir, out, finetune.ExportOptions{})
		if err == nil || !strings.Contains(err.Error(), c.message) || errors.Is(err, finetune.ErrNoRun) != c.norun {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: there is a file", c.name)
		}
		if err := os.WriteFile(path, saved, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestResumeWithOtherImages goes on where an image cannot be read that could be before, or the other way round: it would
// come to something else, and says so.
func TestResumeWithOtherImages(t *testing.T) {
	good := pictures(6, "blue", "red")
	bad := maps.Clone(good)
	name := slices.Sorted(maps.Keys(good))[0]
	bad[name] = &fstest.MapFile{Data: []byte("no image")}
	o := withEpochs(small(), 4)
	for _, c := range []struct {
		name        string
		before, now fstest.MapFS
		want        string
	}{
		{"the same, all good", good, good, ""},
		{"the same, one is bad", bad, bad, ""},
		{"one has gone bad", good, bad, "cannot be read any more (" + name + ")"},
		{"one is good again", bad, good, "can be read now: " + name},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := stopped(t, dataOf(t, c.before), o, 2)
			before, err := os.ReadFile(filepath.Join(dir, "checkpoint.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			resumed := o
			resumed.Resume = true
			_, err = finetune.Run(context.Background(), backbone(t), dataOf(t, c.now), dir, resumed)
			var check *finetune.CheckpointError
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.As(err, &check) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want that an image %s", err, c.want)
			}
			if after, err := os.ReadFile(filepath.Join(dir, "checkpoint.safetensors")); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the checkpoint has changed: %v", err)
			}
		})
	}
}
