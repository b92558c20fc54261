package main

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// many makes a folder with so many names of the pictures for each class that no command is through them soon.
func (w *workshop) many(t *testing.T, name string, n int) {
	t.Helper()
	for _, class := range []string{"bag", "sandal"} {
		dir := w.path(name, class)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(w.path("pictures", "val", class, "*.png"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if err := os.Link(files[i%len(files)], filepath.Join(dir, fmt.Sprintf("%06d.png", i))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A command that is asked to stop, by Ctrl+C or by the system, does so at once: with the status of an interruption, without
// a file under its name, and without temporary ones.
func TestSignals(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts the program many times")
	}
	w := newWorkshop(t)
	w.many(t, "many", 10_000)
	w.run(t, 0, "finetune", "net.onnx", "pictures", "--epochs", "1", "--quiet", "-o", "trained")
	w.run(t, 0, "extract-features", "net.onnx", "pictures", "--quiet", "-o", "rows.npz")
	asked := 0
	var slowest time.Duration
	for i, c := range []struct {
		name string
		args []string
		says string // beside that it was interrupted
	}{
		{"extract-features npz", []string{"extract-features", "net.onnx", "many", "-o", "out/f.npz"}, ""},
		{"extract-features csv", []string{"extract-features", "net.onnx", "many", "-o", "out/f.csv"}, ""},
		{"extract-features parquet", []string{"extract-features", "net.onnx", "many", "-o", "out/f.parquet"}, ""},
		{"predict", []string{"predict", "trained/model.onnx", "many"}, ""},
		{"evaluate", []string{"evaluate", "trained/model.onnx", "many", "--allow-missing", "--report", "out/report"}, ""},
		{"report", []string{"report", "trained/model.onnx", "many", "--allow-missing", "-o", "out/page.html"}, ""},
		{"gradcam", []string{"gradcam", "net.onnx", "many", "--images", "20000", "-o", "out/cam.png"}, ""},
		{"filters", []string{"filters", "net.onnx", "--layer", "3", "--steps", "100000", "-o", "out/filters.png"}, ""},
		{"activations", []string{"activations", "net.onnx", "many", "--stats"}, ""},
		{"augment", []string{"augment", "many", "--images", "10000", "--size", "32", "-o", "out/grid.png"}, ""},
		{"plot-features", []string{"plot-features", "rows.npz", "--method", "tsne", "--iterations", "1000000", "-o", "out/plot.png"}, ""},
		{"doctor", []string{"doctor", "many"}, ""},
		{"bench", []string{"bench", "net.onnx", "--runs", "1000000"}, ""},
		{"bench train", []string{"bench", "net.onnx", "--train", "--runs", "1000000"}, ""},
		{"finetune, before its first epoch", []string{"finetune", "net.onnx", "many", "-o", "out/run"}, "no epoch was whole yet"},
		{"finetune lr-find", []string{"finetune", "net.onnx", "many", "--lr-find", "-o", "out/run"}, ""},
		{"train, before its first epoch", []string{"train", "mnist_cnn", "many", "-o", "out/run"}, "no epoch was whole yet"},
	} {
		for k, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			if k == 1 && i%4 > 0 && i < 14 {
				continue // the program does not tell them apart
			}
			t.Run(fmt.Sprintf("%s, %v", c.name, sig), func(t *testing.T) {
				if err := os.Mkdir(w.path("out"), 0o755); err != nil {
					t.Fatal(err)
				}
				cmd := w.command(c.args...)
				var stdout, stderr bytes.Buffer
				cmd.Stdout, cmd.Stderr = &stdout, &stderr
				// Soon after it has begun, which a signal before that makes it end without a word.
				after := 150 * time.Millisecond
				for {
					if err := cmd.Start(); err != nil {
						t.Fatal(err)
					}
					sent := make(chan time.Time, 1)
					timer := time.AfterFunc(after, func() { sent <- time.Now(); _ = cmd.Process.Signal(sig) })
					_ = cmd.Wait() // its status is looked at below
					if !timer.Stop() {
						slowest = max(slowest, time.Since(<-sent))
					}
					if !cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() || after > time.Second {
						break
					}
					after *= 2
					again := exec.Command(cmd.Path, cmd.Args[1:]...)
					again.Dir, again.Env, again.Stdout, again.Stderr = cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr
					cmd = again
				}
				asked++
				if got := cmd.ProcessState.ExitCode(); got != statusInterrupted {
					t.Errorf("exit status %d: %s", got, stderr.String())
				}
				if said := stderr.String(); !strings.Contains(said, "onnxcnn: interrupted\n") || !strings.Contains(said, c.says) ||
					c.says == "" && strings.Contains(said, "epoch") {
					t.Errorf("it said %q", said)
				}
				left, err := filepath.Glob(w.path("out", "*"))
				if hidden, e := filepath.Glob(w.path("out", ".*")); err != nil || e != nil || len(left)+len(hidden) > 0 && c.says == "" && !strings.HasSuffix(c.name, "lr-find") {
					t.Errorf("it left %q, %q (%v, %v)", left, hidden, err, e)
				}
				for name := range below(t, w.path("out")) {
					if name != "run/run.json" && name != "run/start.onnx" && !strings.HasPrefix(name, "run/events.out.tfevents.") {
						t.Errorf("it left %s", name)
					}
				}
				if hidden, err := filepath.Glob(w.path("out", "run", ".*")); err != nil || len(hidden) > 0 {
					t.Errorf("it left %q (%v)", hidden, err)
				}
				if err := os.RemoveAll(w.path("out")); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
	t.Logf("figure: SIGINT and SIGTERM: %d runs of long commands ended with status 130 and no partial file, the slowest after %d ms", asked, slowest.Milliseconds())
}

// Between epochs, Ctrl+C ends training with a checkpoint and says how to go on; going on ends in the same bytes. Where the
// folder is closed to the user instead, it fails with the file and the reason, and opened again goes on as well.
func TestStoppedTraining(t *testing.T) {
	w := newWorkshop(t)
	args := func(run string, more ...string) []string {
		return append([]string{"finetune", "net.onnx", "pictures", "--epochs", "16", "--unfreeze-from", "5", "--cache", "off", "-o", run}, more...)
	}
	w.run(t, 0, args("plain")...)
	want := below(t, w.path("plain"))["model.onnx"]
	user := &syscall.SysProcAttr{}
	id := os.Geteuid()
	if id == 0 { // root may do everything: be somebody else
		id = 65534
		user.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	for _, c := range []struct {
		name   string
		stop   func(cmd *exec.Cmd, dir string) error
		undo   func(dir string) error
		status int
		says   []string
	}{
		{"SIGINT", func(cmd *exec.Cmd, _ string) error { return cmd.Process.Signal(syscall.SIGINT) }, nil, statusInterrupted,
			[]string{"onnxcnn: interrupted\n", "onnxcnn: hint: the same command with --resume goes on behind epoch "}},
		{"SIGTERM", func(cmd *exec.Cmd, _ string) error { return cmd.Process.Signal(syscall.SIGTERM) }, nil, statusInterrupted,
			[]string{"onnxcnn: interrupted\n", "onnxcnn: hint: the same command with --resume goes on behind epoch "}},
		{"folder made read-only", func(_ *exec.Cmd, dir string) error { return os.Chmod(dir, 0o555) }, func(dir string) error { return os.Chmod(dir, 0o777) }, statusFailed,
			[]string{"/run has everything up to epoch ", ": permission denied\n", "the same command with --resume goes on behind epoch "}},
		{"folder taken away", func(_ *exec.Cmd, dir string) error { return os.Rename(dir, dir+".away") }, func(dir string) error { return os.Rename(dir+".away", dir) }, statusFailed,
			[]string{"/run has everything up to epoch ", ": no such file or directory\n", "the same command with --resume goes on behind epoch "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Two folders deep, for only who may write to a folder may take away what is in it.
			outer, dir := w.path("outer"), w.path("outer", "run")
			for _, d := range []string{outer, dir} {
				if err := os.Mkdir(d, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Chown(d, id, -1); err != nil {
					t.Fatal(err)
				}
			}
			cmd := w.command(args(dir)...)
			cmd.SysProcAttr = user
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			stopped := false
			for s := bufio.NewScanner(stdout); s.Scan(); {
				if !stopped && strings.HasPrefix(s.Text(), "epoch 1:") {
					stopped = true
					if err := c.stop(cmd, dir); err != nil {
						t.Error(err)
					}
				}
			}
			_ = cmd.Wait() // its status is looked at below
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("exit status %d, want %d", got, c.status)
			}
			for _, says := range c.says {
				if !strings.Contains(stderr.String(), says) || strings.Contains(stderr.String(), ".tmp") {
					t.Errorf("it says\n%s\nwant %q", stderr.String(), says)
				}
			}
			if strings.Contains(stderr.String(), "\r") || strings.Contains(stderr.String(), "images/s") {
				t.Errorf("there is a progress bar, and no terminal:\n%q", stderr.String())
			}
			if c.undo != nil {
				if err := c.undo(dir); err != nil {
					t.Fatal(err)
				}
			}
			if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
				t.Errorf("it left %q (%v)", left, err)
			}
			sofar := w.command("export", dir, "-o", "sofar.onnx")
			if said := finish(t, sofar, 0); !strings.Contains(said, "the run was interrupted behind epoch ") {
				t.Errorf("export says %s", said)
			}
			again := w.command(args(dir, "--resume")...)
			again.SysProcAttr = user
			finish(t, again, 0)
			if got := below(t, dir); got["model.onnx"] != want || got["start.onnx"] != "" {
				t.Error("the run that went on has another model")
			}
			if err := os.RemoveAll(outer); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Log("figure: finetune stopped between epochs, by SIGINT, by SIGTERM, by a folder made read-only and by one taken away: resumed to the same bytes")
}

// A command that cannot stop, because it waits for a reader of the pipe that it shall write to, ends at the second Ctrl+C.
func TestSecondInterrupt(t *testing.T) {
	w := newWorkshop(t)
	if err := syscall.Mkfifo(w.path("pipe.onnx"), 0o666); err != nil {
		t.Fatal(err)
	}
	before := below(t, w.path("net.onnx"))
	cmd := w.command("convert", "net.onnx", "pipe.onnx")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	sent := 0
	for {
		select {
		case <-ended:
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if !status.Signaled() || status.Signal() != syscall.SIGINT {
				t.Errorf("it ended with %v", cmd.ProcessState)
			}
			if sent < 2 || !maps.Equal(below(t, w.path("net.onnx")), before) {
				t.Errorf("it ended at signal %d", sent)
			}
			return
		case <-tick.C:
			if sent++; sent > 50 {
				_ = cmd.Process.Kill()
				t.Fatal("it goes on")
			}
			_ = cmd.Process.Signal(syscall.SIGINT)
		}
	}
}
