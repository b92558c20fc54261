package graph

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/par"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// chainModel is n small nodes one after the other, so that a run is all overhead.
func chainModel(n int) *onnx.Model {
	b := build(17).in("x", onnx.Float, -1, 4).weight("w", random(rand.New(rand.NewPCG(1, 1)), 4))
	last := "x"
	for i := range n {
		next := fmt.Sprint("v", i)
		b.node(next + " = " + []string{"Neg(" + last + ")", "Add(" + last + ", w)", "Tanh(" + last + ")"}[i%3])
		last = next
	}
	return b.out(last)
}

// What the executor itself costs: 50 nodes on four numbers.
func BenchmarkRunOverhead(b *testing.B) {
	p, err := Compile(chainModel(50), Options{})
	if err != nil {
		b.Fatal(err)
	}
	in := map[string]*onnx.Tensor{"x": onnx.New(onnx.Float, 1, 4)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Run(context.Background(), in); err != nil {
			b.Fatal(err)
		}
	}
}

// Opening the reference networks, weights packed.
func BenchmarkOpen(b *testing.B) {
	for _, name := range []string{"vgg16", "resnet50", "inception_v3"} {
		b.Run(name, func(b *testing.B) {
			path := reftest.Model(b, name) + ".bn.onnx"
			for b.Loop() {
				m, err := onnx.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := Compile(m, Options{Pool: par.Shared(0)}); err != nil {
					b.Fatal(err)
				}
				if err := m.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
