package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
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
		if !strings.Contains(out, "1 value agree with") || !strings.Contains(out, "under state_dict.module.") {
			t.Errorf("%s: %s", name, out)
		}
		for _, opset := range []string{"13", "17", "21"} {
			file := filepath.Join(models, name+"."+opset+".onnx")
			if out := command(t, "convert", base+".onnx", file, "--opset", opset, "--quiet"); opset != "17" && !strings.Contains(out, "verified") {
				t.Errorf("%s: %s", name, out)
			}
			if out := command(t, "verify", file, "--against", base+".npz"); !strings.Contains(out, "1 value agree with") {
				t.Errorf("%s, opset %s: %s", name, opset, out)
			}
			t.Run(name+" "+opset, func(t *testing.T) {
				t.Setenv("ONNXCNN_ORT_LIB", reftest.ORTLibrary(t))
				if out := command(t, "verify", file, "--against", "ort"); !strings.Contains(out, "values agree with ort") {
					t.Error(out)
				}
			})
		}
	}
	if out, err := exec.Command(python, filepath.Join("..", "..", "convert", "testdata", "check.py"), models).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
