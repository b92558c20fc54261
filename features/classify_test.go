package features

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// classify runs a classifier whose last node is op and gives these outputs, and shows the scores.
func classify(t *testing.T, op string, labels []string, top int, out *onnx.Tensor) ([]string, error) {
	t.Helper()
	m := network("y", []int{-1, 3, 4, 4}, node(op, "a", "x"), node("Identity", "y", "a"))
	r := plain()
	c, err := NewClassifier(m, labels, Options{Recipe: &r, Session: &fake{inputs: m.Graph.Inputs, out: "y", run: func(*onnx.Tensor) (*onnx.Tensor, error) { return out, nil }}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var got []string
	var last error
	for p, err := range c.Predict(context.Background(), shades(t, -1, 5), top) {
		if last = err; err == nil {
			for _, s := range p.Scores {
				got = append(got, fmt.Sprintf("%d %s %.4f", s.Class, s.Label, s.Probability))
			}
		}
	}
	return got, last
}

func TestPredict(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		name   string
		op     string
		labels []string
		top    int
		out    []float32
		want   []string
	}{
		{"case 28: softmax", "Gemm", nil, 0, []float32{1000, 1001, 1002}, []string{"2  0.6652", "1  0.2447", "0  0.0900"}},
		{"top 1, labels", "Gemm", []string{"a", "b"}, 1, []float32{0, float32(math.Log(3))}, []string{"1 b 0.7500"}},
		{"infinite", "Gemm", nil, 1, []float32{0, inf}, []string{"1  1.0000"}},
		{"softmax in the network", "Softmax", nil, 0, []float32{0.25, 0.75}, []string{"1  0.7500", "0  0.2500"}},
		{"sigmoid in the network", "Sigmoid", nil, 0, []float32{0.9, 0.8}, []string{"0  0.9000", "1  0.8000"}},
		{"log-softmax in the network", "LogSoftmax", nil, 0, []float32{float32(math.Log(0.25)), float32(math.Log(0.75))}, []string{"1  0.7500", "0  0.2500"}},
		{"one probability", "Sigmoid", []string{"no", "yes"}, 0, []float32{0.9}, []string{"1 yes 0.9000", "0 no 0.1000"}},
		{"one logit", "Gemm", nil, 0, []float32{0}, []string{"0  0.5000", "1  0.5000"}},
		{"one logit, one label", "Gemm", []string{"yes"}, 0, []float32{0}, []string{"0 yes 0.5000"}},
		{"ties in class order", "Gemm", nil, 2, []float32{1, 1, 1}, []string{"0  0.3333", "1  0.3333"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := classify(t, c.op, c.labels, c.top, onnx.Of([]int{1, len(c.out)}, c.out))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for n, want := range map[int]string{1000: "tench", 1001: "background"} {
		x := make([]float32, n)
		x[0] = 10
		got, err := classify(t, "Gemm", nil, 1, onnx.Of([]int{1, n, 1, 1}, x))
		if err != nil || len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%d classes: %v, %v, want %s", n, got, err, want)
		}
	}
}

func TestPredictRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		labels []string
		out    *onnx.Tensor
		want   string
	}{
		{"labels", []string{"a"}, onnx.Of([]int{1, 3}, []float32{1, 2, 3}), "1 label for 3 classes"},
		{"feature map", nil, onnx.New(onnx.Float, 1, 3, 2, 2), "no list of classes"},
		{"NaN", nil, onnx.Of([]int{1, 2}, []float32{1, float32(math.NaN())}), "b.png: the network's output is not a number"},
		{"nothing", nil, onnx.New(onnx.Float, 1, 0), "no list of classes"},
	} {
		got, err := classify(t, "Gemm", c.labels, 0, c.out)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, error %v, want one with %q", c.name, got, err, c.want)
		}
	}
	for _, m := range []*onnx.Model{{}, network("y", []int{-1, 3, 4, 4})} {
		m.SetMeta(zoo.LabelsKey, "nonsense")
		if _, err := NewClassifier(m, nil, Options{}); err == nil {
			t.Error("no error")
		}
	}
	if _, err := NewClassifier(network("y", []int{-1, 3, 4, 4}), nil, Options{}); err == nil {
		t.Error("no error without a recipe")
	}
	for _, m := range []*onnx.Model{
		network("y", nil), network("y", nil, node("Identity", "y", "y")), network("y", nil, node("Softmax", "y")),
	} {
		if got := finalActivation(m, "y"); got != logits {
			t.Errorf("final activation %v", got)
		}
	}
}

// A model says in its metadata, or by its last node, that each output is on its own.
func TestMultiLabelClassifier(t *testing.T) {
	for _, c := range []struct {
		op, meta string
		want     bool
		scores   []string
	}{
		{"Gemm", "true", true, []string{"1  0.7500", "0  0.5000"}},
		{"Gemm", "false", false, []string{"1  0.7500", "0  0.2500"}},
		{"Softmax", "true", false, []string{"1  1.0986", "0  0.0000"}},
		{"Sigmoid", "", true, []string{"1  1.0986", "0  0.0000"}},
	} {
		m := network("y", []int{-1, 3, 4, 4}, node(c.op, "y", "x"))
		m.SetMeta(zoo.MultiLabelKey, c.meta)
		r := plain()
		out := onnx.Of([]int{1, 2}, []float32{0, float32(math.Log(3))})
		k, err := NewClassifier(m, nil, Options{Recipe: &r, Session: &fake{inputs: m.Graph.Inputs, out: "y", run: func(*onnx.Tensor) (*onnx.Tensor, error) { return out, nil }}})
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		if got := k.MultiLabel(); got != c.want {
			t.Errorf("%s, %q: %v", c.op, c.meta, got)
		}
		var got []string
		for p, err := range k.Predict(context.Background(), shades(t, 5), 0) {
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range p.Scores {
				got = append(got, fmt.Sprintf("%d %s %.4f", s.Class, s.Label, s.Probability))
			}
		}
		if diff := cmp.Diff(c.scores, got); diff != "" {
			t.Errorf("%s, %q (-want +got):\n%s", c.op, c.meta, diff)
		}
	}
}
