package finetune_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// TestClassicalHeads fits heads to features, and goes through the run folder as for any other head. The exported
// operators are held to the rules of package features, whose tests have scikit-learn's numbers.
func TestClassicalHeads(t *testing.T) {
	for _, c := range []struct {
		head  string
		ops   string
		count int
		opset int64 // 0: that of the base
	}{
		{"logreg", "Gemm", 1, 0},
		{"logreg=0.01", "Gemm", 1, 0},
		{"knn", "TopK", 1, 0},
		{"knn=1", "TopK", 1, 18},
		{"centroid", "ReduceL2", 1, 0},
		{"centroid", "ReduceL2", 1, 18},
	} {
		t.Run(c.head, func(t *testing.T) {
			dir := t.TempDir()
			m := backbone(t)
			if c.opset > 0 {
				m.Opsets = []onnx.Opset{{Version: c.opset}}
			}
			o := small()
			o.Head, o.Cache, o.ClassWeights = c.head, "off", "balanced"
			var plan finetune.Plan
			o.Start = func(p finetune.Plan) { plan = p }
			epochs := 0
			o.Epoch = func(finetune.Epoch) { epochs++ }
			res, err := finetune.Run(context.Background(), m, dataOf(t, pictures(8, "blue", "red", "white")), dir, o)
			if err != nil {
				t.Fatal(err)
			}
			if e := res.History[0]; e.ValAcc < 0.8 || res.Report.Accuracy != e.ValAcc || len(res.History) != 1 || epochs != 1 || !plan.Cached {
				t.Errorf("%+v, report %v, plan %+v", e, res.Report.Accuracy, plan)
			}
			if math.Abs(res.Report.LogLoss-res.History[0].ValLoss) > 1e-4 {
				t.Errorf("log loss %v, in the history %v", res.Report.LogLoss, res.History[0].ValLoss)
			}
			exists(t, dir, "model.onnx", "head.onnx", "history.csv", "history.json", "curves.png", "run.json", "report.json", "confusion.png")
			for _, file := range []string{res.Model, res.Head} {
				if n := operators(open(t, file))[c.ops]; n != c.count {
					t.Errorf("%s: %d %s", file, n, c.ops)
				}
				for _, p := range backend.Check(open(t, file)) {
					if file == res.Model {
						t.Errorf("%s: %+v", file, p)
					}
				}
			}
			// The fitted head can be replaced like any other.
			again, err := finetune.Split(open(t, res.Model), 5, finetune.NetOptions{})
			if first, err := finetune.Split(m, 5, finetune.NetOptions{}); err != nil || again == nil || again.Trained != first.Trained || again.Frozen != first.Frozen {
				t.Errorf("with a new head: %+v, want as before %+v, %v", again, first, err)
			}
			if err != nil {
				t.Error(err)
			}
			exported := filepath.Join(dir, "exported.onnx")
			for _, e := range []finetune.ExportOptions{{}, {FoldBN: true}, {HeadOnly: true}} {
				if _, err := finetune.ExportRun(context.Background(), dir, exported, e); err != nil {
					t.Errorf("%+v: %v", e, err)
				}
			}
		})
	}
}

// TestClassicalRefused refuses what such heads have no use for.
func TestClassicalRefused(t *testing.T) {
	for _, c := range []struct {
		change  func(*finetune.Options)
		message string
	}{
		{func(o *finetune.Options) { o.Head = "logreg=0" }, `"logreg=0": C,`},
		{func(o *finetune.Options) { o.Head = "logreg=x" }, `"logreg=x": C,`},
		{func(o *finetune.Options) { o.Head = "knn=0" }, "1 or more"},
		{func(o *finetune.Options) { o.Head = "centroids" }, `"centroids" is neither`},
		{func(o *finetune.Options) { o.Head = "knn=99" }, "99 nearest neighbours of"},
		{func(o *finetune.Options) { o.Head, o.UnfreezeFrom = "knn", "10" }, "cannot be unfrozen (10)"},
		{func(o *finetune.Options) { o.Head, o.Augment = "logreg", augment(t, "hflip=0.5") }, "cannot be augmented"},
		{func(o *finetune.Options) { o.Head, o.Loss = "centroid", "bce" }, "loss bce"},
	} {
		o := small()
		c.change(&o)
		dir := t.TempDir()
		_, err := finetune.Run(context.Background(), backbone(t), dataOf(t, pictures(4, "blue", "red")), dir, o)
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%v, want %q", err, c.message)
		}
		if _, err := os.Stat(filepath.Join(dir, "model.onnx")); err == nil {
			t.Error("there is a model")
		}
	}
}
