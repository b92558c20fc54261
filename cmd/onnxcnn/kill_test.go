//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onnxcnn/onnxcnn/internal/demodata"
)

// process is the program itself, as a process of its own (see TestMain).
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Args = append([]string{"onnxcnn"}, args...)
	return c
}

// succeed runs a command and returns how long that took.
func succeed(t *testing.T, args ...string) time.Duration {
	t.Helper()
	start := time.Now()
	if out, err := process(t, args...).CombinedOutput(); err != nil {
		t.Fatalf("onnxcnn %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return time.Since(start)
}

// TestKilledTraining kills a training process at random moments and lets it go on: the result has the same bytes as that of a
// process that was left alone, and so has that of a single thread.
func TestKilledTraining(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	net, pictures := filepath.Join(dir, "net.onnx"), filepath.Join(dir, "pictures")
	images, err := demodata.Images()
	if err := errors.Join(err, os.WriteFile(net, demodata.Backbone(), 0o666), os.CopyFS(pictures, images)); err != nil {
		t.Fatal(err)
	}
	train := func(run string, more ...string) []string {
		return append([]string{"finetune", net, pictures, "-o", filepath.Join(dir, run), "--quiet",
			"--phases", "head:2,10:3@3e-3", "--head", "16,batchnorm,relu,dropout=0.3", "--augment", "hflip=0.5", "--mixup", "0.2",
			"--schedule", "cosine", "--ema", "0.9", "--bn", "train"}, more...)
	}
	whole := succeed(t, train("whole")...)
	model := func(run string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, run, "model.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	want := model("whole")
	succeed(t, train("single", "--threads", "1")...)
	if !bytes.Equal(model("single"), want) {
		t.Error("a single thread gives other bytes")
	}

	seed := uint64(time.Now().UnixNano())
	t.Logf("moments by seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	killed, finished := 0, 0
	name := func() string { return fmt.Sprintf("killed%d", finished) }
	for range 8 {
		c := process(t, train(name(), "--resume")...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(rng.Int64N(int64(whole))), func() { _ = c.Process.Kill() })
		err := c.Wait()
		timer.Stop()
		if err != nil {
			killed++
			continue
		}
		if !bytes.Equal(model(name()), want) {
			t.Errorf("after %d kills the result has other bytes", killed)
		}
		finished++ // the next one begins anew
	}
	t.Logf("figure: finetune: %d of 8 runs killed, resumed to the same bytes", killed)
	succeed(t, train(name(), "--resume")...)
	if !bytes.Equal(model(name()), want) {
		t.Error("after kills the result has other bytes")
	}
	entries, err := os.ReadDir(filepath.Join(dir, name()))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s is left behind", e.Name())
		}
	}
}
