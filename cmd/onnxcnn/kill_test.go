//go:build unix

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
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
	demo := filepath.Join(dir, "demo")
	succeed(t, "demo", "-o", demo, "--quiet")
	train := func(run string, more ...string) []string {
		return append([]string{"finetune", filepath.Join(demo, "backbone.onnx"), filepath.Join(demo, "images"), "-o", filepath.Join(dir, run), "--quiet",
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

// TestInterruptedTraining presses Ctrl+C: the process ends with the status of an interruption, and says how to go on.
func TestInterruptedTraining(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	demo := filepath.Join(dir, "demo")
	succeed(t, "demo", "-o", demo, "--quiet")
	c := process(t, "finetune", filepath.Join(demo, "backbone.onnx"), filepath.Join(demo, "images"), "-o", filepath.Join(dir, "run"), "--epochs", "1000000")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	sent := false
	for s := bufio.NewScanner(stdout); s.Scan(); {
		if !sent && strings.HasPrefix(s.Text(), "epoch 2:") {
			sent = true
			if err := c.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = c.Wait()
	if c.ProcessState.ExitCode() != statusInterrupted {
		t.Errorf("exit status %d, %v", c.ProcessState.ExitCode(), err)
	}
	for _, want := range []string{"onnxcnn: interrupted\n", "onnxcnn: hint: the same command with --resume goes on behind epoch "} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("it says\n%s\nwant %q", stderr.String(), want)
		}
	}
	out, err := process(t, "export", filepath.Join(dir, "run"), "-o", filepath.Join(dir, "best.onnx")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "the run was interrupted behind epoch ") || !strings.Contains(string(out), "verified: ") {
		t.Errorf("export: %v\n%s", err, out)
	}
	if strings.Contains(stderr.String(), "\r") || strings.Contains(stderr.String(), "images/s") {
		t.Errorf("there is a progress bar, and no terminal:\n%q", stderr.String())
	}
}
