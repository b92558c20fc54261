package onnxgo_test

import (
	"fmt"
	"math"
	"path"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/testbackend"
	_ "github.com/owulveryck/onnx-go/backend/testbackend/onnx"

	"github.com/onnxcnn/onnxcnn/backend/onnxgo"
)

// exception is why cases, whose titles match a pattern, are refused, and a part of what is answered.
type exception struct{ titles, why, answer string }

// wrong lists the cases of onnx-go's suite that are not right by the ONNX specification.
var wrong = []exception{
	{"TestModBroadcast", "the second input is declared int32, the case feeds float32", "inputs are of types int32 and float32"},
	{"TestNonmaxsuppression*", "the number of boxes is declared int64, the case feeds float32", "want one int64, got float32"},
	{"TestSize", "Size gives a scalar, the case expects a tensor of shape (1)", "shape ()"},
	{"TestSizeExample", "Size gives a scalar, the case expects a tensor of shape (1)", "shape ()"},
	{"TestSliceEndOutOfBounds", "starts and ends are declared int64, the case feeds float32", "want int64 or int32, got float32"},
	{"TestSliceNeg", "starts and ends are declared int64, the case feeds float32", "want int64 or int32, got float32"},
}

// unread lists the cases that onnx-go itself cannot read, before a backend sees them.
var unread = []exception{{"TestScan9Sum", "onnx-go reads no sub-graphs", "GRAPH not handled"}}

// exceptionFor returns the entry whose pattern matches the title, nil if there is none.
func exceptionFor(title string) *exception {
	for _, e := range slices.Concat(wrong, unread) {
		if ok, _ := path.Match(e.titles, title); ok {
			return &e
		}
	}
	return nil
}

// coarse lists the cases for which the suite's limit, 1e-6 absolute, is finer than their numbers: they are so large that
// float32 has no such steps, or written with four digits. The limit here is relative.
var coarse = map[string]float64{
	"TestPow": 1e-6, "TestReduceL1DefaultAxesKeepdimsRandom": 1e-6, "TestReduceProdDefaultAxesKeepdimsRandom": 1e-6,
	"TestReduceSumDefaultAxesKeepdimsRandom": 1e-6, "TestReduceSumSquareDefaultAxesKeepdimsRandom": 1e-6, "TestRoialign": 1e-4,
}

// TestSuite runs onnx-go's own suite for backends.
func TestSuite(t *testing.T) {
	var cases []*testbackend.TestCase
	for _, construct := range testbackend.GetAllRegisteredTests() {
		cases = append(cases, construct())
	}
	if len(cases) < 300 {
		t.Fatalf("the suite has %d cases only", len(cases))
	}
	sort.Slice(cases, func(i, j int) bool { return cases[i].Title < cases[j].Title })
	passed, refused := 0, map[exception]int{}
	for _, c := range cases {
		refusal := exceptionFor(c.Title)
		ok := t.Run(c.Title, func(t *testing.T) {
			g := onnxgo.NewGraph()
			defer func() { _ = g.Close() }()
			limit, isCoarse := coarse[c.Title]
			switch {
			case refusal != nil:
				if err := run(c, g, 1e-6); err == nil || !strings.Contains(err.Error(), refusal.answer) {
					t.Errorf("%s: want an answer with %q, got %v", refusal.why, refusal.answer, err)
				}
			case isCoarse:
				if err := run(c, g, limit); err != nil {
					t.Error(err)
				}
			default:
				c.RunTest(g, false)(t) // which skips where an operator is missing
			}
		})
		switch {
		case c.Skipped:
			t.Errorf("%s was skipped", c.Title)
		case refusal != nil:
			refused[*refusal]++
		case ok:
			passed++
		}
	}
	count := func(list []exception) (n int) {
		for _, e := range list {
			n += refused[e]
			if refused[e] == 0 {
				t.Errorf("the suite has no case %s", e.titles)
			}
		}
		return n
	}
	t.Logf("figure: onnx-go's own suite: %d cases pass, %d contradict the ONNX specification, %d cannot be read by onnx-go", passed, count(wrong), count(unread))
}

// run is the suite's own test with a relative limit.
func run(c *testbackend.TestCase, g *onnxgo.Graph, limit float64) error {
	m := onnx.NewModel(g)
	if err := m.UnmarshalBinary(c.ModelB); err != nil {
		return err
	}
	for i, t := range c.Input {
		if err := m.SetInput(i, t); err != nil {
			return err
		}
	}
	if err := g.Run(); err != nil {
		return err
	}
	got, err := m.GetOutputTensors()
	if err != nil {
		return err
	}
	for i, want := range c.ExpectedOutput {
		if !reflect.DeepEqual([]int(got[i].Shape()), []int(want.Shape())) {
			return fmt.Errorf("output %d: shape %v, want %v", i, got[i].Shape(), want.Shape())
		}
		g, w := got[i].Data().([]float32), want.Data().([]float32)
		for k := range w {
			if d := math.Abs(float64(g[k]) - float64(w[k])); d > limit*max(1, math.Abs(float64(w[k]))) {
				return fmt.Errorf("output %d: element %d is %v, want %v", i, k, g[k], w[k])
			}
		}
	}
	return nil
}
