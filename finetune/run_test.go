package finetune_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// TestRun trains in many ways. Each run learns to tell colours apart, leaves what is frozen as it was (case 26) and
// writes a file that describes itself (case 38).
func TestRun(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*finetune.Options)
		trained []string // weights of the base that change
	}{
		{"head", func(*finetune.Options) {}, nil},
		{"hidden layer, dropout", func(o *finetune.Options) { o.Head = "8,relu,dropout=0.2" }, nil},
		{"from a layer", func(o *finetune.Options) { o.UnfreezeFrom = "10"; o.BaseLRScale = 1 }, []string{"features.4.0.weight"}},
		{"from a pool: the next weights", func(o *finetune.Options) { o.UnfreezeFrom = "8"; o.BaseLRScale = 1 }, []string{"features.4.0.weight"}},
		{"affine", func(o *finetune.Options) { o.UnfreezeFrom = "10"; o.BN = "affine"; o.BaseLRScale = 1 },
			[]string{"features.4.0.weight", "features.4.1.weight", "features.4.1.bias"}},
		{"statistics", func(o *finetune.Options) { o.UnfreezeFrom = "10"; o.BN = "train"; o.BaseLRScale = 1 },
			[]string{"features.4.0.weight", "features.4.1.weight", "features.4.1.bias", "features.4.1.running_mean", "features.4.1.running_var"}},
		{"bce", func(o *finetune.Options) { o.Loss = "bce" }, nil},
		{"augmented, sgd, cosine", func(o *finetune.Options) {
			o.Augment, o.Optimizer, o.Momentum, o.Nesterov, o.Schedule, o.Warmup, o.LR = augment(t, "hflip=0.5,rotate=10"), "sgd", 0.9, true, "cosine", 1, 0.05
		}, nil},
		{"max pool, adamw, onecycle, clipping, smoothing", func(o *finetune.Options) {
			o.Pool, o.Optimizer, o.WeightDecay, o.Schedule, o.GradClip, o.LabelSmoothing, o.NoDecayBias = "max", "adamw", 0.01, "onecycle", 1, 0.1, true
		}, nil},
		{"flattened, rmsprop, plateau, averaged", func(o *finetune.Options) {
			o.Pool, o.Optimizer, o.Schedule, o.EMA, o.LR = "flatten", "rmsprop", "plateau", 0.5, 1e-3
		}, nil},
		{"adagrad, step, balanced, by accuracy", func(o *finetune.Options) {
			o.Optimizer, o.Schedule, o.ClassWeights, o.Monitor, o.LR = "adagrad", "step", "balanced", "val_acc", 0.1
		}, nil},
		{"without cache", func(o *finetune.Options) { o.Cache = "off" }, nil},
		{"cache in a file", func(o *finetune.Options) { o.CacheMemory = 1 }, nil},
		{"another size", func(o *finetune.Options) { o.Size = [2]int{20, 24} }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			o := small()
			o.Epochs = 8
			c.change(&o)
			res := train(t, dataOf(t, pictures(8, "blue", "red")), dir, o)
			if best := res.History[res.Best-1]; best.ValAcc < 0.75 {
				t.Errorf("accuracy %v after %d epochs: %+v", best.ValAcc, len(res.History), res.History)
			}
			exists(t, dir, "model.onnx", "head.onnx", "checkpoint.safetensors", "history.csv", "history.json", "curves.png", "run.json", "report.json", "confusion.png")
			if best := res.History[res.Best-1]; math.Abs(res.Report.Accuracy-best.ValAcc) > 1e-9 {
				t.Errorf("the report says accuracy %v, the history %v", res.Report.Accuracy, best.ValAcc)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			m, base := open(t, res.Model), backbone(t)
			for _, w := range base.Graph.Initializers {
				got := m.Graph.Initializer(w.Name)
				if strings.HasPrefix(w.Name, "classifier.") {
					continue
				}
				if got == nil {
					t.Fatalf("weight %q is gone", w.Name)
				}
				if changed := !bytes.Equal(got.Raw, w.Raw); changed != slices.Contains(c.trained, w.Name) {
					t.Errorf("weight %q: changed is %v", w.Name, changed)
				}
			}
			if labels, err := zoo.LabelsOf(m); err != nil || !slices.Equal(labels, []string{"blue", "red"}) {
				t.Errorf("labels %q, %v", labels, err)
			}
			if r, ok, err := zoo.RecipeOf(m); err != nil || !ok || o.Size != [2]int{} && r.Size != o.Size {
				t.Errorf("recipe %+v, %v, %v", r, ok, err)
			}
			if d := m.Graph.Inputs[0].Type.Shape[0]; d.Size >= 0 || d.Param == "" {
				t.Errorf("the batch dimension is fixed: %+v", d)
			}
			if faults := m.Check(); len(faults) > 0 {
				t.Error(faults)
			}
			for _, p := range backend.Check(open(t, res.Head)) {
				t.Errorf("head.onnx: %+v", p)
			}
		})
	}
}

// TestAgain fine-tunes what was fine-tuned (case 38): with a new head, and going on with the one it has.
func TestAgain(t *testing.T) {
	dir := t.TempDir()
	d := dataOf(t, pictures(4, "blue", "red"))
	o := small()
	o.Head = "8,relu"
	first := train(t, d, dir, o)
	for _, head := range []string{"linear", "keep"} {
		m := open(t, first.Model)
		o := small()
		o.Head, o.UnfreezeFrom = head, "10"
		o.LR = 1e-3
		res, err := finetune.Run(context.Background(), m, d, t.TempDir(), o)
		if err != nil {
			t.Fatalf("%s: %v", head, err)
		}
		if digest, _ := open(t, res.Model).Meta(finetune.BaseKey); digest != m.Digest() {
			t.Errorf("%s: the base's digest is %q", head, digest)
		}
	}
}

// TestResume stops runs after an epoch and goes on: to the same bits as without stopping, with momentum, schedule,
// dropout, shuffling and augmentation (case 27), and for any number of threads.
func TestResume(t *testing.T) {
	d := dataOf(t, pictures(6, "blue", "red"))
	o := small()
	o.Head, o.UnfreezeFrom, o.BN, o.Schedule, o.EMA = "8,relu,dropout=0.5", "10", "train", "plateau", 0.9
	o.Augment = augment(t, "standard")
	whole := train(t, d, t.TempDir(), o)
	o.Threads = 1
	single := train(t, d, t.TempDir(), o)
	sameWeights(t, whole.Model, single.Model)
	o.Threads = 0

	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	part := o
	part.Progress = func(p finetune.Progress) {
		if p.Phase == "train" && p.Epoch == 2 { // in the middle of the second epoch
			cancel()
		}
	}
	if _, err := finetune.Run(ctx, backbone(t), d, dir, part); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted run: %v", err)
	}
	exists(t, dir, "checkpoint.safetensors", "history.csv")
	o.Resume = true
	rest := train(t, d, dir, o)
	sameWeights(t, whole.Model, rest.Model)
	for i, e := range rest.History {
		e.Seconds = whole.History[i].Seconds
		if e != whole.History[i] {
			t.Errorf("epoch %d: %+v, in one go %+v", i+1, e, whole.History[i])
		}
	}

	t.Run("another run", func(t *testing.T) {
		other := o
		other.LR, other.Head = 0.5, "linear"
		_, err := finetune.Run(context.Background(), backbone(t), d, dir, other)
		var bad *finetune.CheckpointError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), `head was "8,relu,dropout=0.5" and is "linear"; lr was 0.01 and is 0.5`) {
			t.Errorf("%v", err)
		}
	})
	t.Run("other classes", func(t *testing.T) {
		_, err := finetune.Run(context.Background(), backbone(t), dataOf(t, pictures(6, "blue", "rot")), dir, o)
		if err == nil || !strings.Contains(err.Error(), `classes was ["blue","red"] and is ["blue","rot"]`) {
			t.Errorf("%v", err)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		file := filepath.Join(dir, "checkpoint.safetensors")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 4, 100, len(data) / 2, len(data) - 1} {
			if err := os.WriteFile(file, data[:n], 0o666); err != nil {
				t.Fatal(err)
			}
			_, err := finetune.Run(context.Background(), backbone(t), d, dir, o)
			var bad *finetune.CheckpointError
			if !errors.As(err, &bad) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	})
}

// TestPatience ends a run that gets no better.
func TestPatience(t *testing.T) {
	o := small()
	o.Epochs, o.LR, o.Patience = 20, 1e-12, 2
	o.Monitor = "val_acc"
	res := train(t, dataOf(t, pictures(4, "blue", "red")), t.TempDir(), o)
	if !res.Early || res.Best != 1 || len(res.History) != 3 {
		t.Errorf("early %v, best %d of %d", res.Early, res.Best, len(res.History))
	}
}

// TestDiverged stops a run whose loss is no number any more, and leaves the checkpoint of the epoch before (case 28).
func TestDiverged(t *testing.T) {
	dir := t.TempDir()
	d := dataOf(t, pictures(4, "blue", "red"))
	o := small()
	o.Optimizer, o.LR, o.Epochs, o.Head = "sgd", 1e15, 10, "8,relu"
	_, err := finetune.Run(context.Background(), backbone(t), d, dir, o)
	var bad *finetune.DivergedError
	if !errors.As(err, &bad) || bad.Epoch < 1 || len(bad.Files) == 0 || !strings.Contains(err.Error(), "learning rate may be too high") {
		t.Fatalf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "model.onnx")); err == nil {
		t.Error("there is a model")
	}
}

// TestBadData refuses or survives data that is not as it should be.
func TestBadData(t *testing.T) {
	broken := &fstest.MapFile{Data: []byte("no image")}
	for _, c := range []struct {
		name    string
		data    func() fstest.MapFS
		val     fstest.MapFS
		message string // of the error, "" for none
		skipped int
	}{
		{"one class", func() fstest.MapFS { return pictures(4, "blue") }, nil, `only one class ("blue")`, 0},
		{"no classes", func() fstest.MapFS { return fstest.MapFS{"a.png": pictures(1, "x")["x/00.png"]} }, nil, "no class folders", 0},
		{"class in val only", func() fstest.MapFS {
			f := fstest.MapFS{}
			for n, v := range pictures(2, "blue", "red") {
				f["train/"+n], f["val/"+n] = v, v
			}
			f["val/white/1.png"] = f["val/red/00.png"]
			return f
		}, nil, `no training images of class "white"`, 0},
		{"class in another val only", func() fstest.MapFS { return pictures(4, "blue", "red") }, pictures(1, "blue", "white"), `class "white" is in the validation data but not in the training data (blue, red)`, 0},
		{"unreadable", func() fstest.MapFS {
			f := pictures(4, "blue", "red")
			f["blue/bad.png"], f["red/bad.png"] = broken, broken
			return f
		}, nil, "", 2},
		{"a class that cannot be read", func() fstest.MapFS {
			f := pictures(4, "blue", "red")
			f["white/1.png"], f["white/2.png"] = broken, broken
			return f
		}, nil, `no training images of class "white"`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := func() error {
				set, err := features.Folder(c.data())
				if err != nil {
					return err
				}
				var val *features.Dataset
				if c.val != nil {
					if val, err = features.Folder(c.val); err != nil {
						return err
					}
				}
				d, err := finetune.NewData(set, val, 0.25, 0)
				if err != nil {
					return err
				}
				res, err := finetune.Run(context.Background(), backbone(t), d, t.TempDir(), small())
				if err == nil && len(res.Skipped) != c.skipped {
					t.Errorf("skipped %v", res.Skipped)
				}
				return err
			}()
			if c.message == "" && err != nil || c.message != "" && (err == nil || !strings.Contains(err.Error(), c.message)) {
				t.Errorf("%v, want %q", err, c.message)
			}
		})
	}
	t.Run("labels", func(t *testing.T) {
		for _, c := range []struct {
			message string
			change  func(*finetune.Data)
		}{
			{"label 2 is not one of 2 classes", func(d *finetune.Data) { d.Train[1].Label = 2 }},
			{"label -1 is not one of 2 classes", func(d *finetune.Data) { d.Val[0].Label = -1 }},
			{"label 3 is not one of 2 classes", func(d *finetune.Data) {
				for _, items := range [][]features.Item{d.Train, d.Val} {
					for i := range items {
						items[i].Labels = []int{0, 3}
					}
				}
			}},
			{"images have one class each, or all have any number", func(d *finetune.Data) { d.Val[0].Labels = []int{} }},
			{"no images for validation", func(d *finetune.Data) { d.Val = nil }},
			{"no images to train on", func(d *finetune.Data) { d.Train = nil }},
			{`no training images of class "red"`, func(d *finetune.Data) { d.Train = d.Train[:2] }},
		} {
			d := dataOf(t, pictures(4, "blue", "red"))
			c.change(d)
			if _, err := finetune.Run(context.Background(), backbone(t), d, t.TempDir(), small()); err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("%v, want %q", err, c.message)
			}
		}
	})
	t.Run("too small", func(t *testing.T) {
		o := small()
		o.Size = [2]int{1, 1}
		_, err := finetune.Run(context.Background(), backbone(t), dataOf(t, pictures(4, "blue", "red")), t.TempDir(), o)
		if err == nil || !strings.Contains(err.Error(), "does not fit images of [3 1 1]") && !strings.Contains(err.Error(), "too small") {
			t.Errorf("%v", err)
		}
	})
}

// TestLastOfOne trains normalisations with the batch's statistics where one image is left for the last batch (case 26):
// of maps, and of rows in the head, of which one has no variance.
func TestLastOfOne(t *testing.T) {
	d := dataOf(t, pictures(6, "blue", "red"))
	d.Train = d.Train[:5]
	for i := range d.Train {
		d.Train[i].Label = i % 2
	}
	for _, c := range []struct {
		name, last, message string
		steps               int
		change              func(*finetune.Options)
	}{
		{"maps, joined", "", "", 1, func(o *finetune.Options) { o.UnfreezeFrom, o.BN = "10", "train" }},
		{"maps, dropped", "drop", "", 1, func(o *finetune.Options) { o.UnfreezeFrom, o.BN = "10", "train" }},
		{"maps, alone", "keep", "", 2, func(o *finetune.Options) { o.UnfreezeFrom, o.BN = "10", "train" }},
		{"frozen", "", "", 2, func(o *finetune.Options) { o.UnfreezeFrom = "10" }},
		{"rows, joined", "", "", 1, func(o *finetune.Options) { o.Head = "8,batchnorm,relu" }},
		{"rows, dropped", "drop", "", 1, func(o *finetune.Options) { o.Head = "8,batchnorm,relu" }},
		{"rows, alone", "keep", "5 images in batches of 4 leave a batch of one (5 % 4 = 1)", 0, func(o *finetune.Options) { o.Head = "8,batchnorm,relu" }},
		{"all alone", "", "a batch of one has no statistics", 0, func(o *finetune.Options) { o.Head, o.Batch = "8,batchnorm,relu", 1 }},
		{"no such thing", "merge", `last batch "merge" is none of auto, drop, keep`, 0, func(*finetune.Options) {}},
	} {
		o := small()
		o.LastBatch = c.last
		c.change(&o)
		o.Start = func(p finetune.Plan) {
			if p.Steps != c.steps {
				t.Errorf("%s: %d steps", c.name, p.Steps)
			}
		}
		res, err := finetune.Run(context.Background(), backbone(t), d, t.TempDir(), o)
		if c.message != "" {
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("%s: %v, want %q", c.name, err, c.message)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, e := range res.History {
			if !(e.TrainLoss < 10) {
				t.Errorf("%s: %+v", c.name, e)
			}
		}
	}
}

// TestFolder refuses to write over an earlier run unless told to.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	d := dataOf(t, pictures(4, "blue", "red"))
	o := small()
	o.Epochs = 1
	train(t, d, dir, o)
	if _, err := finetune.Run(context.Background(), backbone(t), d, dir, o); !errors.Is(err, finetune.ErrRunExists) {
		t.Errorf("%v", err)
	}
	o.Force = true
	train(t, d, dir, o)
	if _, err := finetune.Run(context.Background(), backbone(t), d, "", o); err == nil {
		t.Error("a folder without name is taken")
	}
}

// TestResults is the weights of a run in the file, in another program's hands.
func TestResults(t *testing.T) {
	res := train(t, dataOf(t, pictures(4, "blue", "red")), t.TempDir(), small())
	c, err := features.NewClassifier(open(t, res.Model), nil, features.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	set, err := features.Folder(pictures(2, "blue", "red"))
	if err != nil {
		t.Fatal(err)
	}
	for p, err := range c.Predict(context.Background(), set, 1) {
		if err != nil {
			t.Fatal(err)
		}
		if want := set.Classes[p.Item.Label]; p.Scores[0].Label != want {
			t.Errorf("%s is taken for %s", p.Item.Path, p.Scores[0].Label)
		}
	}
}
