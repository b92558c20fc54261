//go:build cgo

package zoo

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	_ "github.com/onnxcnn/onnxcnn/backend/ort"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// ONNX Runtime accepts the graphs in every operator set, and computes the same.
func TestONNXRuntime(t *testing.T) {
	t.Setenv("ONNXCNN_ORT_LIB", reftest.ORTLibrary(t))
	for _, a := range Archs() {
		if a.Params > 9e6 && !byOpset[a.Name] || a.Params > 50e6 || strings.HasSuffix(a.Name, "1") {
			continue // deeper forms of smaller ones
		}
		size := 48
		if n := smallSizes[a.Name]; n > 0 {
			size = n
		}
		for _, opset := range []int{13, 17, 21} {
			if opset != 17 && !byOpset[a.Name] && a.Name != "mobilenet_v2" {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", a.Name, opset), func(t *testing.T) {
				m, err := a.Build(BuildOptions{Classes: 3, Size: [2]int{size, size}, Opset: opset, Blank: true})
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range m.Graph.Initializers {
					formulaWeights(p)
				}
				in := onnx.New(onnx.Float, 1, a.Channels, size, size)
				formulaValues("input", in.Float32s())
				s, err := backend.Open(m, backend.Options{Provider: "ort", Threads: 2})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				want, err := s.Run(context.Background(), map[string]*onnx.Tensor{"input": in})
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range want["output"].Float32s() {
					if math.IsNaN(float64(v)) {
						t.Fatal("not a number")
					}
				}
				within(t, output(t, m, in), want["output"].Float32s())
			})
		}
	}
}
