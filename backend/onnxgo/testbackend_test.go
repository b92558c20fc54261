package onnxgo_test

import (
	"fmt"
	"math"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/testbackend"
	_ "github.com/owulveryck/onnx-go/backend/testbackend/onnx"

	"github.com/onnxcnn/onnxcnn/backend/onnxgo"
)

// wrong lists the cases of onnx-go's suite that are not right by the ONNX specification: what is wrong, and a part of
// what is answered.
var wrong = map[string]struct{ why, answer string }{
	"TestModBroadcast":        {"the second input is declared int32, the case feeds float32", "inputs are of types int32 and float32"},
	"TestSize":                {"Size gives a scalar, the case expects a tensor of shape (1)", "shape ()"},
	"TestSizeExample":         {"Size gives a scalar, the case expects a tensor of shape (1)", "shape ()"},
	"TestSliceEndOutOfBounds": {"starts and ends are declared int64, the case feeds float32", "want int64 or int32, got float32"},
	"TestSliceNeg":            {"starts and ends are declared int64, the case feeds float32", "want int64 or int32, got float32"},
}

// missing lists what cannot be run, by how the titles of the cases begin, with a part of what is answered: operators for
// detection and for text that there are no kernels for, which the answer names, and sub-graphs, which onnx-go does not read.
var missing = map[string]string{
	"TestMaxunpool": "MaxUnpool", "TestNonmaxsuppression": "NonMaxSuppression", "TestReversesequence": "ReverseSequence",
	"TestRoialign": "RoiAlign", "TestScan9": "GRAPH not handled", "TestTfidfvectorizer": "TfIdfVectorizer",
}

// refusal returns a part of what is answered to a case that cannot be run, "" for others.
func refusal(title string) string {
	for beginning, answer := range missing {
		if strings.HasPrefix(title, beginning) {
			return answer
		}
	}
	return ""
}

// large lists the cases whose values are so large that the suite's limit, 1e-6 absolute, is finer than float32.
var large = map[string]bool{
	"TestPow": true, "TestReduceL1DefaultAxesKeepdimsRandom": true, "TestReduceProdDefaultAxesKeepdimsRandom": true,
	"TestReduceSumDefaultAxesKeepdimsRandom": true, "TestReduceSumSquareDefaultAxesKeepdimsRandom": true,
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
	seen := map[string]bool{}
	passed, refused := 0, 0
	for _, c := range cases {
		seen[c.Title] = true
		ok := t.Run(c.Title, func(t *testing.T) {
			g := onnxgo.NewGraph()
			defer func() { _ = g.Close() }()
			w, isWrong := wrong[c.Title]
			switch {
			case isWrong:
				if err := run(c, g); err == nil || !strings.Contains(err.Error(), w.answer) {
					t.Errorf("%s: want an answer with %q, got %v", w.why, w.answer, err)
				}
			case refusal(c.Title) != "":
				if err := run(c, g); err == nil || !strings.Contains(err.Error(), refusal(c.Title)) {
					t.Errorf("want an answer with %q, got %v", refusal(c.Title), err)
				}
			case large[c.Title]:
				if err := run(c, g); err != nil {
					t.Error(err)
				}
			default:
				c.RunTest(g, false)(t) // which skips where an operator is missing
			}
		})
		switch _, isWrong := wrong[c.Title]; {
		case c.Skipped:
			t.Errorf("%s was skipped", c.Title)
		case refusal(c.Title) != "":
			refused++
		case ok && !isWrong:
			passed++
		}
	}
	t.Logf("figure: onnx-go's own suite: %d cases pass, %d contradict the ONNX specification, %d need what is missing", passed, len(wrong), refused)
	for title := range wrong {
		if !seen[title] {
			t.Errorf("the suite has no case %s", title)
		}
	}
}

// run is the suite's own test with a relative limit, 1e-6.
func run(c *testbackend.TestCase, g *onnxgo.Graph) error {
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
			if d := math.Abs(float64(g[k]) - float64(w[k])); d > 1e-6*max(1, math.Abs(float64(w[k]))) {
				return fmt.Errorf("output %d: element %d is %v, want %v", i, k, g[k], w[k])
			}
		}
	}
	return nil
}
