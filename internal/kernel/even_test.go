package kernel

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/cpu"
)

func TestEven(t *testing.T) {
	x := make([]float32, 140)
	for i := range x {
		x[i] = float32(i)
	}
	for _, isa := range cpu.Supported() {
		table, err := For(isa)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 69 {
			dst := make([]float32, n+1)
			dst[n] = -1
			table.Even(dst[:n], x[1:][:2*n])
			for i, v := range dst[:n] {
				if v != float32(2*i+1) {
					t.Fatalf("%v: element %d of %d is %g", isa, i, n, v)
				}
			}
			if dst[n] != -1 {
				t.Fatalf("%v writes beyond %d elements", isa, n)
			}
		}
	}
}
