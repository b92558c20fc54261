package zoo

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// formulaValues are the numbers of testdata/networks.py.
func formulaValues(name string, dst []float32) {
	seed := crc32.ChecksumIEEE([]byte(name))
	for i := range dst {
		x := uint32(i)*2654435761 + seed
		x ^= x >> 15
		x *= 2246822519
		x ^= x >> 13
		dst[i] = float32(x>>8)*float32(math.Pow(2, -23)) - 1
	}
}

func formulaWeights(t *onnx.Tensor) {
	v := t.Float32s()
	formulaValues(t.Name, v)
	scale, shift := float32(math.Sqrt(6/float64(max(onnx.NumElements(t.Shape[1:]), 1)))), float32(0)
	switch {
	case strings.HasSuffix(t.Name, "running_var"):
		scale, shift = 0.5, 1
	case strings.HasSuffix(t.Name, "running_mean"), strings.HasSuffix(t.Name, "bias"):
		scale = 0.1
	case len(t.Shape) == 1, strings.HasSuffix(t.Name, "layer_scale"):
		scale, shift = 0.3, 0.8
	}
	for i := range v {
		v[i] = shift + scale*v[i]
	}
}

// inTorchvision are the architectures that Debian's torchvision has.
func inTorchvision() []Arch {
	return slices.DeleteFunc(Archs(), func(a Arch) bool { return a.Source != "torchvision" || a.Name == "resnext101_64x4d" })
}

// With the same weights the networks compute what torchvision's do, and all have the same parameters. Of VGG the
// convolutional part is compared, and of networks with more than 30 million parameters only the names, unless
// ONNXCNN_TORCH_RUNS=all.
func TestEqualsTorchvision(t *testing.T) {
	python := reftest.Python(t, "torch", "torchvision", "numpy")
	args := []string{"testdata/networks.py"}
	all := os.Getenv("ONNXCNN_TORCH_RUNS") == "all"
	size := func(a Arch) [2]int {
		s := 64
		if n := smallSizes[a.Name]; n > 0 {
			s = n
		}
		return [2]int{s, s + 16}
	}
	for _, a := range inTorchvision() {
		arg := fmt.Sprintf("%s:%dx%d", a.Name, size(a)[0], size(a)[1])
		switch {
		case all:
		case strings.HasPrefix(a.Name, "vgg"):
			arg += ":features"
		case a.Params > 30e6:
			arg = a.Name
		}
		args = append(args, arg)
	}
	cmd := exec.Command(python, args...)
	cmd.Stderr = os.Stderr
	data, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var results map[string]struct {
		Params map[string][]int
		Output []float32
	}
	if err := json.Unmarshal(data, &results); err != nil {
		t.Fatal(err)
	}
	for _, a := range inTorchvision() {
		t.Run(a.Name, func(t *testing.T) {
			o := BuildOptions{Classes: 7, Size: size(a), Blank: true}
			m, err := a.Build(o)
			if err != nil {
				t.Fatal(err)
			}
			want := results[a.Name]
			sameParams(t, a, m, want.Params)
			if want.Output == nil {
				return
			}
			if len(want.Output) != 2*7 {
				o.NoTop = true
				if m, err = a.Build(o); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range m.Graph.Initializers {
				formulaWeights(p)
			}
			in := onnx.New(onnx.Float, 2, 3, o.Size[0], o.Size[1])
			formulaValues("input", in.Float32s())
			near(t, output(t, m, in), want.Output)
		})
	}
}

// sameParams compares a network's parameters with the framework's.
func sameParams(t *testing.T, a Arch, m *onnx.Model, want map[string][]int) {
	t.Helper()
	for _, p := range m.Graph.Initializers {
		if shape, ok := want[p.Name]; !ok || !slices.Equal(shape, p.Shape) {
			t.Errorf("parameter %s %v: the framework has %v", p.Name, p.Shape, shape)
		}
		delete(want, p.Name)
	}
	for p := range want {
		if !slices.ContainsFunc(a.Unused, func(u string) bool { return strings.HasPrefix(p, u) }) {
			t.Errorf("parameter %s is missing", p)
		}
	}
}

// output runs a network.
func output(t *testing.T, m *onnx.Model, in *onnx.Tensor) []float32 {
	t.Helper()
	s, err := backend.Open(m, backend.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(context.Background(), map[string]*onnx.Tensor{"input": in})
	if err != nil {
		t.Fatal(err)
	}
	return out["output"].Float32s()
}

// near holds values against a reference, within 1e-4 of its largest.
func near(t *testing.T, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	largest, off := 0.0, 0.0
	for i, w := range want {
		largest = max(largest, math.Abs(float64(w)))
		off = max(off, math.Abs(float64(w-got[i])))
	}
	if !(off <= 1e-4*largest) || largest == 0 {
		t.Errorf("off by %g, the largest value is %g", off, largest)
	}
}
