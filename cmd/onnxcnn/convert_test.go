package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/internal/npz"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// State dicts of torchvision's networks, as a training program saves them, become models that compute what PyTorch does,
// in three operator sets, natively and on ONNX Runtime, and without complaint of the ONNX project's checker.
// The script takes the names of all of them, for a longer run by hand.
func TestConvertStateDicts(t *testing.T) {
	python := reftest.Python(t, "torch", "torchvision", "numpy", "onnx")
	names := []string{"resnet18", "mobilenet_v3_large", "squeezenet1_1"}
	dir, models := t.TempDir(), t.TempDir()
	script := filepath.Join("testdata", "state_dicts.py")
	if out, err := exec.Command(python, append([]string{script, dir}, names...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range names {
		base := filepath.Join(dir, name)
		out := command(t, "convert", base+".pth", base+".onnx", "--arch", name, "--reference", base+".npz", "--quiet")
		if !strings.Contains(out, "1 value agrees with") || !strings.Contains(out, "under state_dict.module.") {
			t.Errorf("%s: %s", name, out)
		}
		for _, opset := range []string{"13", "17", "21"} {
			file := filepath.Join(models, name+"."+opset+".onnx")
			if out := command(t, "convert", base+".onnx", file, "--opset", opset, "--quiet"); opset != "17" && !strings.Contains(out, "verified") {
				t.Errorf("%s: %s", name, out)
			}
			if out := command(t, "verify", file, "--against", base+".npz"); !strings.Contains(out, "1 value agrees with") {
				t.Errorf("%s, opset %s: %s", name, opset, out)
			}
			t.Run(name+" "+opset, func(t *testing.T) {
				t.Setenv("ONNXCNN_ORT_LIB", reftest.ORTLibrary(t))
				if out := command(t, "verify", file, "--against", "ort"); !strings.Contains(out, " with ort") {
					t.Error(out)
				}
			})
		}
	}
	if out, err := exec.Command(python, filepath.Join("..", "..", "convert", "testdata", "check.py"), models).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Files in the layouts that Keras 1 to 3 and TensorFlow.js write, every layer among them, become models that compute what the
// layers' formulas say in NHWC (cases 1, 2, 31 and 32): the command compares them with that before it writes. ONNX Runtime
// agrees, and the ONNX project's checker does not complain, in three operator sets.
func TestConvertKeras(t *testing.T) {
	python := reftest.Python(t, "h5py", "numpy", "onnx")
	files, models := t.TempDir(), t.TempDir()
	scripts := filepath.Join("..", "..", "convert", "testdata")
	if out, err := exec.Command(python, filepath.Join(scripts, "keras.py"), files).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var cases []struct {
		Name, File string
		In, Out    []string
	}
	text, err := os.ReadFile(filepath.Join(files, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	arrays, err := npz.ReadFile(filepath.Join(files, "cases.npz"))
	if err != nil {
		t.Fatal(err)
	}
	named := func(values []*onnx.Value, names []string) map[string]*onnx.Tensor {
		all := map[string]*onnx.Tensor{}
		for i, v := range values {
			all[v.Name] = channelsSecond(npz.Find(arrays, names[i]))
		}
		return all
	}
	t.Setenv("ONNXCNN_ORT_LIB", reftest.ORTLibrary(t))
	for i, c := range cases {
		out := filepath.Join(models, fmt.Sprintf("%d.onnx", i))
		command(t, "convert", c.File, out, "--quiet")
		m, err := onnx.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		data, err := convert.WriteTestData(filepath.Join(t.TempDir(), c.Name), m, named(m.Graph.Inputs, c.In), named(m.Graph.Outputs, c.Out))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		opset := []string{"13", "17", "21"}[i%3]
		if got := command(t, "convert", c.File, out, "--quiet", "--opset", opset, "--reference", data); !strings.Contains(got, " with ") || !strings.Contains(got, "opset "+opset) {
			t.Errorf("%s, opset %s: %s", c.Name, opset, got)
		}
		if strings.HasPrefix(c.Name, "open_size") {
			continue // a reference gives the size that is open; ONNX Runtime gets random numbers
		}
		if got := command(t, "verify", out, "--against", "ort"); !strings.Contains(got, " with ort") {
			t.Errorf("%s, opset %s: %s", c.Name, opset, got)
		}
	}
	if out, err := exec.Command(python, filepath.Join(scripts, "check.py"), models).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}

	// Weights alone need the network's description; an architecture with other names gets the hint.
	alone, out := filepath.Join(files, "layers.weights.h5"), filepath.Join(models, "alone.onnx")
	command(t, "convert", alone, out, "--quiet", "--arch", filepath.Join(files, "whole.json"))
	var errs strings.Builder
	if status := run(t.Context(), []string{"onnxcnn", "convert", alone, out, "--arch", "mnist_cnn"}, strings.NewReader(""), io.Discard, &errs); status != 1 ||
		!strings.Contains(errs.String(), "--arch model.json") {
		t.Errorf("exit status %d: %s", status, errs.String())
	}
}

// channelsSecond turns maps from [N,H,W,C] to [N,C,H,W].
func channelsSecond(x *onnx.Tensor) *onnx.Tensor {
	if len(x.Shape) != 4 {
		return x
	}
	n, area, c := x.Shape[0], x.Shape[1]*x.Shape[2], x.Shape[3]
	y := onnx.New(onnx.Float, n, c, x.Shape[1], x.Shape[2])
	for i, v := range x.Float32s() {
		y.Float32s()[(i/(area*c)*c+i%c)*area+i/c%area] = v
	}
	return y
}

// From a TensorFlow.js model to a classifier of photographs: a linear head on the 2048 features of a pretrained InceptionV3
// separates animals from things, and the exported file is as good as the run says.
func TestConvertAndFineTune(t *testing.T) {
	if testing.Short() {
		t.Skip("runs InceptionV3 on 240 pictures")
	}
	model := reftest.Shared(t, "models/tfjs/inception_v3/model.json")
	photos := reftest.Shared(t, "data/photos")
	dir := t.TempDir()
	t.Setenv("ONNXCNN_HOME", filepath.Join(dir, "home"))
	base, run, file := filepath.Join(dir, "base.onnx"), filepath.Join(dir, "run"), filepath.Join(dir, "photos.onnx")
	command(t, "convert", model, base, "--at", "mixed10", "--recipe", "unit", "--quiet")
	command(t, "finetune", base, photos, "-o", run, "--unfreeze-from", "none", "--pool", "avg", "--lr", "1e-2", "--epochs", "30", "--quiet")
	command(t, "export", run, "-o", file, "--quiet")
	type measures struct{ Samples, Correct int }
	var said, got measures
	text, err := os.ReadFile(filepath.Join(run, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &said); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(command(t, "evaluate", file, photos, "--json", "--quiet")), &got); err != nil {
		t.Fatal(err)
	}
	if got != said || got.Samples != 40 || got.Correct < 36 {
		t.Errorf("%d of %d right, %d of %d by the run's report; want 36 of 40 or more", got.Correct, got.Samples, said.Correct, said.Samples)
	}
}
