package finetune

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// The scale of cosines is where the softmax is right as often as it says: nine of ten give ln(9).
func TestBestScale(t *testing.T) {
	many := func(right, wrong int) (rows [][]float64, labels []int) {
		for range right {
			rows, labels = append(rows, []float64{1, 0}), append(labels, 0)
		}
		for range wrong {
			rows, labels = append(rows, []float64{1, 0}), append(labels, 1)
		}
		return rows, labels
	}
	for _, c := range []struct {
		right, wrong int
		want         float64
	}{{9, 1, math.Log(9)}, {99, 1, math.Log(99)}, {1, 0, maxScale}, {2, 1, 1}, {0, 1, 1}} {
		if got := bestScale(many(c.right, c.wrong)); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%d right, %d wrong: scale %v, want %v", c.right, c.wrong, got, c.want)
		}
	}
}

// Two classes whose logits are closer than rounding lets them be may change places; others may not.
func TestUndecided(t *testing.T) {
	for _, c := range []struct {
		kind      string
		got, want []float32
		agree     int
	}{
		{"ce", []float32{1.0001, 1}, []float32{1, 1.0001}, 1},
		{"ce", []float32{2, 1, 0}, []float32{2.5, 1, 0}, 1},
		{"ce", []float32{2, 1, 0}, []float32{1.4, 1.5, 0}, 0},
		{"ce", []float32{2, 1, 0}, []float32{0, 9, 0}, 0},
		{"bce", []float32{0.001, 5}, []float32{-0.001, 5}, 1},
		{"bce", []float32{0.1, 5}, []float32{-0.1, 5}, 0},
		{"ce", []float32{0, 1e-7}, []float32{1e-7, 0}, 1},
		{"bce", []float32{1, -5}, []float32{2, -1}, 1},
	} {
		check := Check{}
		check.compare(c.got, c.want, target{kind: c.kind, outputs: len(c.want)}, 1e-3*max(largest(c.want), 1e-3))
		if check.Images != 1 || check.Agree != c.agree {
			t.Errorf("%v for %v: %+v", c.got, c.want, check)
		}
	}
}

// Logits that are small beside what they are the sum of may differ by a share of that.
func TestVerifyCancelledLogits(t *testing.T) {
	w := onnx.Of([]int{64, 1}, slices.Repeat([]float32{1, -1}, 32))
	w.Name = "w"
	g := &onnx.Graph{Name: "head", Initializers: []*onnx.Tensor{w}, Nodes: []*onnx.Node{{OpType: "MatMul", Inputs: []string{"x", "w"}, Outputs: []string{"y"}}}}
	for name, columns := range map[string]int{"x": 64, "y": 1} {
		v := &onnx.Value{Name: name, Type: &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Size: -1, Param: "n"}, {Size: columns}}}}
		if name == "x" {
			g.Inputs = []*onnx.Value{v}
		} else {
			g.Outputs = []*onnx.Value{v}
		}
	}
	file := filepath.Join(t.TempDir(), "head.onnx")
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
	if err := m.Save(file, onnx.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	// 64 products of 2 and 1 or -1 are 0, and the root of the sum of their squares is 16.
	images := onnx.Of([]int{3, 64}, slices.Repeat([]float32{2}, 3*64))
	for _, c := range []struct {
		said float32
		ok   bool
	}{{0, true}, {1e-7, true}, {0.015, true}, {0.017, false}} {
		want := &samples{images: images, single: onnx.Of([]int{1, 1}, []float32{c.said}), batch: onnx.Of([]int{3, 1}, []float32{c.said, c.said, c.said})}
		check, err := verify(t.Context(), file, want, verifyOptions{target: target{kind: "bce", outputs: 1}, tolerance: 1e-3})
		if (err == nil) != c.ok || err != nil && !errors.As(err, new(*MismatchError)) || check.Images != 4 || check.Difference != float64(c.said) {
			t.Errorf("%v for 0: %+v, %v", c.said, check, err)
		}
	}
}
