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
	case strings.HasSuffix(t.Name, "running_var"), strings.HasSuffix(t.Name, "moving_variance"):
		scale, shift = 0.5, 1
	case strings.HasSuffix(t.Name, "running_mean"), strings.HasSuffix(t.Name, "moving_mean"), strings.HasSuffix(t.Name, "bias"), strings.HasSuffix(t.Name, "beta"):
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

// reference is what testdata/networks.py tells of a network.
type reference struct {
	Params map[string][]int
	Output []float32
}

// With the same weights the networks compute what torchvision's do, and all have the same parameters. Of VGG the
// convolutional part is compared, and of networks with more than 30 million parameters only the names, unless
// ONNXCNN_TORCH_RUNS=all.
func TestEqualsTorchvision(t *testing.T) {
	python := reftest.Python(t, "torch", "torchvision", "numpy")
	args := []string{"testdata/networks.py"}
	all := os.Getenv("ONNXCNN_TORCH_RUNS") == "all"
	size := func(a Arch) [2]int {
		s := 48
		if n := smallSizes[a.Name]; n > 0 {
			s = n
		}
		return [2]int{s, s + 19}
	}
	for _, a := range inTorchvision() {
		arg := fmt.Sprintf("%s:%dx%d", a.Name, size(a)[0], size(a)[1])
		switch {
		case all:
		case a.Name == "vgg11", a.Name == "vgg16_bn":
			arg += ":features"
		case a.Params > 30e6, a.Name == "resnet34":
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
	var results map[string]reference
	if err := json.Unmarshal(data, &results); err != nil {
		t.Fatal(err)
	}
	for _, a := range inTorchvision() {
		t.Run(a.Name, func(t *testing.T) { equals(t, a, size(a), results[a.Name]) })
	}
}

// The networks of other sources than torchvision are held against values that were computed once, by
//
//	python3 testdata/networks.py timm/efficientnet_lite0:48x67 ... keras/InceptionV3:80x99 > testdata/networks.json
//
// with timm 0.6.13 and Keras 3.6.
func TestEqualsOthers(t *testing.T) {
	data, err := os.ReadFile("testdata/networks.json")
	if err != nil {
		t.Fatal(err)
	}
	var results map[string]reference
	if err := json.Unmarshal(data, &results); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"keras/ResNet50": "keras_resnet50", "keras/InceptionV3": "keras_inception_v3"}
	for theirs, want := range results {
		name, size := strings.TrimPrefix(theirs, "timm/"), [2]int{48, 67}
		if ours := names[theirs]; ours != "" {
			name = ours
		}
		if n := smallSizes[name]; n > 0 {
			size = [2]int{n, n + 19}
		}
		a, ok := Lookup(name)
		if !ok {
			t.Fatalf("no architecture %q", name)
		}
		t.Run(name, func(t *testing.T) { equals(t, a, size, want) })
	}
}

// equals compares a network's parameters and what it computes with a reference.
func equals(t *testing.T, a Arch, size [2]int, want reference) {
	t.Helper()
	o := BuildOptions{Classes: 7, Size: size, Blank: true}
	m, err := a.Build(o)
	if err != nil {
		t.Fatal(err)
	}
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
	within(t, output(t, m, in), want.Output)
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

// within holds values against a reference, within 1e-4 of its largest.
func within(t *testing.T, got, want []float32) {
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
