package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onnxcnn/onnxcnn/internal/demodata"
)

// workshop is a folder with the program, a network and pictures, that every user may read.
type workshop struct{ dir string }

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	// Not t.TempDir: other users have to get in.
	dir, err := os.MkdirTemp("", "onnxcnn-faults")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &workshop{dir}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	program, err := os.OpenFile(w.path("onnxcnn"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(program, self); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(program.Close(), os.Chmod(dir, 0o755), os.WriteFile(w.path("net.onnx"), demodata.Backbone(), 0o644)); err != nil {
		t.Fatal(err)
	}
	pictures, err := demodata.Images()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(w.path("pictures"), pictures); err != nil {
		t.Fatal(err)
	}
	for i, name := range slices.Sorted(maps.Keys(below(t, w.path("pictures")))) {
		if i%3 > 0 { // a third of them will do
			if err := os.Remove(w.path("pictures", name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w
}

func (w *workshop) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

// command is a call of the program in the workshop.
func (w *workshop) command(args ...string) *exec.Cmd {
	cmd := exec.Command(w.path("onnxcnn"), args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "HOME="+w.dir, "XDG_CACHE_HOME="+w.path("cache"), "ONNXCNN_HOME="+w.path("home"))
	return cmd
}

// nobody is a call by a user who is bound by permissions.
func (w *workshop) nobody(args ...string) *exec.Cmd {
	cmd := w.command(args...)
	if os.Geteuid() == 0 { // root may do everything: be somebody else
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return cmd
}

// run calls the program, which must end with that status, and returns what it said on the standard error.
func (w *workshop) run(t *testing.T, status int, args ...string) string {
	t.Helper()
	return finish(t, w.command(args...), status)
}

// finish runs a call, which must end with that status, and returns what it said on the standard error.
func finish(t *testing.T, cmd *exec.Cmd, status int) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Fatalf("%s: exit status %d, want %d: %s", strings.Join(cmd.Args[1:], " "), got, status, stderr.String())
	}
	return stderr.String()
}

// timings are the lines of a report.json that are others each time, and in each folder.
var timings = regexp.MustCompile(`"(seconds|images_per_s|model)": [^\n]*`)

// below returns the content of every file in a folder, or of a file, without the temporary ones and without what
// timings finds; nil if there is none.
func below(t *testing.T, p string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(p, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == p {
			return fs.SkipAll
		}
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".tmp") {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(p, name)
		out[rel] = timings.ReplaceAllString(string(data), "$1")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// writers are the commands that write files, with what they write: OUT is its name.
var writers = []struct {
	name string
	args []string
	out  string
}{
	{"extract-features npz", []string{"extract-features", "net.onnx", "pictures", "-o", "OUT"}, "features.npz"},
	{"extract-features csv", []string{"extract-features", "net.onnx", "pictures", "-o", "OUT"}, "features.csv"},
	{"extract-features parquet", []string{"extract-features", "net.onnx", "pictures", "-o", "OUT"}, "features.parquet"},
	{"extract-features safetensors", []string{"extract-features", "net.onnx", "pictures", "--pool", "none", "-o", "OUT"}, "features.safetensors"},
	{"augment", []string{"augment", "pictures", "--images", "2", "-o", "OUT"}, "grid.png"},
	{"convert", []string{"convert", "net.onnx", "OUT", "--opset", "13"}, "converted.onnx"},
	{"gradcam", []string{"gradcam", "net.onnx", "pictures/val", "-o", "OUT"}, "map.png"},
}

// pages are more of them, which take longer. They need a run in "trained", and features in "rows.npz".
var pages = []struct {
	name string
	args []string
	out  string
}{
	{"filters", []string{"filters", "net.onnx", "--layer", "3", "--filters", "0-1", "--steps", "1", "-o", "OUT"}, "filters.png"},
	{"activations", []string{"activations", "net.onnx", "pictures/val/bag/0051.png", "--layer", "3", "-o", "OUT"}, "maps.png"},
	{"plot-features", []string{"plot-features", "rows.npz", "-o", "OUT"}, "plot.png"},
	{"export", []string{"export", "trained", "-o", "OUT"}, "exported.onnx"},
	{"evaluate", []string{"evaluate", "trained/model.onnx", "pictures", "--report", "OUT"}, "measures"},
	{"report", []string{"report", "trained", "pictures", "--mistakes", "2", "--nearest", "1", "-o", "OUT"}, "page.html"},
}

// A program that is killed at any moment leaves what was there before, or what it would have written: never a part of
// it under its name. Called again, it writes what it would have written at once.
func TestKilledWhileWriting(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts the program many times")
	}
	w := newWorkshop(t)
	r := rand.New(rand.NewPCG(1, 2))
	kills, survived := 0, 0
	for _, c := range writers {
		t.Run(c.name, func(t *testing.T) {
			call := func(out string) []string {
				args := slices.Clone(c.args)
				args[slices.Index(args, "OUT")] = out
				return args
			}
			start := time.Now()
			w.run(t, 0, call("whole-"+c.out)...)
			took := time.Since(start)
			whole := below(t, w.path("whole-"+c.out))
			if whole == nil {
				t.Fatal("it wrote nothing")
			}
			for i := range 6 {
				out := w.path(c.out)
				var before map[string]string
				if i%2 == 1 { // over an older file
					if err := os.WriteFile(out, []byte("older"), 0o666); err != nil {
						t.Fatal(err)
					}
					before = map[string]string{".": "older"}
				}
				cmd := w.command(call(c.out)...)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				timer := time.AfterFunc(time.Duration(r.Float64()*1.1*float64(took)), func() { _ = cmd.Process.Kill() })
				err := cmd.Wait()
				timer.Stop()
				kills++
				got := below(t, out)
				switch {
				case err == nil || maps.Equal(got, whole):
					if !maps.Equal(got, whole) {
						t.Error("it ended well with another result")
					}
				case !maps.Equal(got, before):
					t.Errorf("kill %d left %d files where there were %d", i, len(got), len(before))
				default:
					survived++
				}
				if err := os.RemoveAll(out); err != nil {
					t.Fatal(err)
				}
			}
			w.run(t, 0, call(c.out)...)
			if !maps.Equal(below(t, w.path(c.out)), whole) {
				t.Error("after the kills it writes something else")
			}
		})
	}
	t.Logf("figure: writing commands: %d runs killed, %d of them before their file was there; no partial file", kills, survived)
}

// Without permission to write or to read, a command says so and changes nothing.
func TestPermissions(t *testing.T) {
	w := newWorkshop(t)
	locked := w.path("locked")
	if err := os.Mkdir(locked, 0o555); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, c := range writers {
		t.Run(c.name, func(t *testing.T) {
			args := slices.Clone(c.args)
			args[slices.Index(args, "OUT")] = filepath.Join("locked", c.out)
			said := finish(t, w.nobody(args...), 1)
			if !strings.Contains(said, "permission denied") || !strings.Contains(said, c.out) || strings.Contains(said, ".tmp") {
				t.Errorf("it said %q", said)
			}
			if got := below(t, locked); got != nil {
				t.Errorf("it left %d files", len(got))
			}
			tried++
		})
	}
	t.Run("unreadable image", func(t *testing.T) {
		if err := os.Chmod(w.path("pictures"), 0o755); err != nil {
			t.Fatal(err)
		}
		open := w.path("open")
		if err := errors.Join(os.Mkdir(open, 0o755), os.Chmod(open, 0o777)); err != nil {
			t.Fatal(err)
		}
		var first string
		err := filepath.WalkDir(w.path("pictures"), func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && first == "" {
				first = p
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(first, 0); err != nil {
			t.Fatal(err)
		}
		said := finish(t, w.nobody("extract-features", "net.onnx", "pictures", "-o", "open/features.npz"), 3)
		if !strings.Contains(said, filepath.Base(first)) || !strings.Contains(said, "permission denied") {
			t.Errorf("it said %q", said)
		}
		tried++
	})
	t.Run("unreadable folder", func(t *testing.T) {
		folders, err := filepath.Glob(w.path("pictures", "val", "*"))
		if err != nil || len(folders) == 0 {
			t.Fatal(folders, err)
		}
		name := filepath.Base(folders[0])
		if err := os.Chmod(folders[0], 0); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			status       int
			stdout, says string
			args         []string
		}{
			{3, "", "skipped pictures/val/" + name + ": the folder cannot be read: permission denied\n", []string{"extract-features", "net.onnx", "pictures", "-o", "open/some.npz"}},
			{3, "", "skipped pictures/val/" + name + ": the folder cannot be read: permission denied\n", []string{"finetune", "net.onnx", "pictures", "--epochs", "1", "-o", "open/run"}},
			{3, "\naccuracy ", "skipped pictures/val/" + name + ": the folder cannot be read: permission denied\n", []string{"evaluate", "open/run/model.onnx", "pictures"}},
			{1, "\nerror: closed-folder (1): ", "onnxcnn: pictures: ", []string{"doctor", "pictures"}},
			{1, "  val/" + name + ": the folder cannot be read: permission denied\n", "onnxcnn: pictures: ", []string{"doctor", "pictures"}},
			{1, `"kind": "closed-folder"`, "onnxcnn: pictures: ", []string{"doctor", "pictures", "--json"}},
		} {
			cmd := w.nobody(c.args...)
			var stdout bytes.Buffer
			cmd.Stdout = &stdout
			said := finish(t, cmd, c.status)
			if !strings.Contains("\n"+stdout.String(), c.stdout) || !strings.Contains(said, c.says) {
				t.Errorf("%s printed %q and said %q", c.args[0], stdout.String(), said)
			}
			tried++
		}
	})
	t.Run("unreadable model", func(t *testing.T) {
		if err := os.Chmod(w.path("net.onnx"), 0); err != nil {
			t.Fatal(err)
		}
		if said := finish(t, w.nobody("summary", "net.onnx"), 1); !strings.Contains(said, "net.onnx: permission denied") {
			t.Errorf("it said %q", said)
		}
		tried++
	})
	t.Logf("figure: revoked permissions: %d commands failed cleanly", tried)
}

// A folder that is closed while a command works: it fails with the file and the reason, and there is no file under the
// name that was asked for. A pipe among the inputs says when the command works.
func TestRevokedPermissions(t *testing.T) {
	w := newWorkshop(t)
	picture, err := fs.Glob(os.DirFS(w.dir), "pictures/*/*/*.png")
	if err != nil || len(picture) == 0 {
		t.Fatal(picture, err)
	}
	var labels strings.Builder
	for i := range 7 {
		fmt.Fprintln(&labels, "class", i)
	}
	if err := errors.Join(os.Chmod(w.path("pictures"), 0o755), os.WriteFile(w.path("labels.txt"), []byte(labels.String()), 0o644)); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, c := range []struct {
		name, content, pipe string
		args                []string
		out                 string
	}{
		{"extract-features npz", picture[0], "pipe.png", []string{"extract-features", "net.onnx", "pictures", "pipe.png", "-o", "out/features.npz"}, "features.npz"},
		{"extract-features csv", picture[0], "pipe.png", []string{"extract-features", "net.onnx", "pictures", "pipe.png", "-o", "out/features.csv"}, "features.csv"},
		{"extract-features parquet", picture[0], "pipe.png", []string{"extract-features", "net.onnx", "pictures", "pipe.png", "-o", "out/features.parquet"}, "features.parquet"},
		{"convert", "labels.txt", "pipe.txt", []string{"convert", "net.onnx", "out/converted.onnx", "--labels", "pipe.txt"}, "converted.onnx"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, pipe := w.path("out"), w.path(c.pipe)
			content, err := os.ReadFile(w.path(c.content))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Mkdir(out, 0o777), os.Chmod(out, 0o777), syscall.Mkfifo(pipe, 0o666), os.Chmod(pipe, 0o666)); err != nil {
				t.Fatal(err)
			}
			closed := make(chan error, 1)
			go func() {
				f, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits for the command to read
				if err == nil {
					err = os.Chmod(out, 0o555)
					_, e := f.Write(content)
					err = errors.Join(err, e, f.Close())
				}
				closed <- err
			}()
			said := finish(t, w.nobody(c.args...), statusFailed)
			if err := <-closed; err != nil {
				t.Error(err)
			}
			if !strings.Contains(said, "out/"+c.out+": permission denied\n") || strings.Contains(said, ".tmp") {
				t.Errorf("it said %q", said)
			}
			if left := below(t, out); left != nil {
				t.Errorf("it left %d files", len(left))
			}
			if err := errors.Join(os.RemoveAll(out), os.Remove(pipe)); err != nil {
				t.Fatal(err)
			}
			tried++
		})
	}
	t.Logf("figure: permissions revoked in the midst: %d commands failed cleanly", tried)
}
