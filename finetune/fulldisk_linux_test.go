package finetune_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// Activations that go to a file for which there is no room are an error that says so, and with room the run is that of
// activations in memory. The file is never seen.
func TestCacheOnFullDisk(t *testing.T) {
	d := dataOf(t, pictures(40, "blue", "red"))
	disk := reftest.NewDisk(t, filepath.Join(t.TempDir(), "disk"), 8)
	dir := filepath.Join(disk.Dir, "run")
	o := small()
	o.CacheDir = t.TempDir()
	want := train(t, d, t.TempDir(), o)
	o.CacheMemory = 1
	_, err := finetune.Run(context.Background(), backbone(t), d, dir, o)
	var full *finetune.CacheError
	if !errors.As(err, &full) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "keeping 1 MB of activations: write "+filepath.Join(dir, "activations")+": no space left on device") {
		t.Fatalf("without room: %v", err)
	}
	if left := disk.Files(); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	disk.Resize(1 << 14)
	got := train(t, d, dir, o)
	sameWeights(t, got.Model, want.Model)
	if left := disk.Temporary(); len(left) > 0 {
		t.Errorf("it left %q", left)
	}
}

// What is interrupted while the checkpoint of an epoch is not written yet counts the epochs before.
func TestInterruptedBeforeCheckpoint(t *testing.T) {
	d := dataOf(t, pictures(6, "blue", "red"))
	disk := reftest.NewDisk(t, filepath.Join(t.TempDir(), "disk"), 1<<14)
	dir := filepath.Join(disk.Dir, "run")
	o := withEpochs(small(), 4)
	want := train(t, d, t.TempDir(), o)
	full := o
	full.Epoch = func(e finetune.Epoch) {
		if e.Epoch == 2 { // what is there fills the disk
			size := 0
			for _, n := range disk.Files() {
				size += int(n+4095) / 4096 * 4
			}
			disk.Resize(size + 4)
		}
	}
	_, err := finetune.Run(context.Background(), backbone(t), d, dir, full)
	var stop *finetune.InterruptedError
	if !errors.As(err, &stop) || stop.Saved != 2 || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), filepath.Join(dir, "checkpoint.safetensors")) {
		t.Fatalf("%v, want epoch 2 to be the last one that is whole", err)
	}
	disk.Resize(1 << 14)
	o.Resume = true
	got := train(t, d, dir, o)
	if len(got.History) != 4 {
		t.Errorf("%d epochs", len(got.History))
	}
	sameWeights(t, got.Model, want.Model)
}
