package finetune_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/onnxcnn/onnxcnn/finetune"
)

func TestParsePhases(t *testing.T) {
	for _, c := range []struct {
		spec string
		want []finetune.Phase
		err  string
	}{
		{"", nil, ""},
		{"head:3", []finetune.Phase{{From: "head", Epochs: 3}}, ""},
		{"head:3,layer4:5@1e-4, all:2", []finetune.Phase{{"head", 3, 0}, {"layer4", 5, 1e-4}, {"all", 2, 0}}, ""},
		{"/a/b:c:2@0.5", []finetune.Phase{{"/a/b:c", 2, 0.5}}, ""},
		{"head", nil, `phase "head": no layer and epochs: want LAYER:EPOCHS`},
		{":3", nil, "no layer and epochs"},
		{"head:0", nil, `"0" is no number of epochs`},
		{"head:x", nil, `"x" is no number of epochs`},
		{"head:3@0", nil, `"0" is no learning rate`},
		{"head:3@NaN", nil, `"NaN" is no learning rate`},
		{"head:3,", nil, "no layer and epochs"},
		{strings.Repeat("head:1,", 101) + "head:1", nil, "more than 100 phases"},
	} {
		got, err := finetune.ParsePhases(c.spec)
		if !slices.Equal(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %v, %v", c.spec, got, err)
		}
	}
}

// phased are options with phases that thaw, freeze again and thaw all.
func phased(t *testing.T) finetune.Options {
	o := small()
	o.Phases = []finetune.Phase{{From: "head", Epochs: 2}, {From: "10", Epochs: 2, LR: 3e-3}, {From: "head", Epochs: 1}, {From: "all", Epochs: 2, LR: 1e-4}}
	o.BN, o.BaseLRScale, o.Head = "train", 0.5, "8,relu,dropout=0.2"
	return o
}

// TestPhases trains other layers in each phase: what a phase does not train stays as the phases before have left it.
func TestPhases(t *testing.T) {
	d := dataOf(t, pictures(6, "blue", "red"))
	o := phased(t)
	var plans []finetune.PhasePlan
	o.Start = func(p finetune.Plan) { plans = append(plans, p.PhasePlan) }
	o.NextPhase = func(p finetune.PhasePlan) { plans = append(plans, p) }
	res := train(t, d, t.TempDir(), o)
	if len(res.History) != 7 {
		t.Fatalf("%d epochs", len(res.History))
	}
	for i, want := range []struct {
		phase int
		lr    float64
	}{{1, 0.01}, {1, 0.01}, {2, 3e-3}, {2, 3e-3}, {3, 0.01}, {4, 1e-4}, {4, 1e-4}} {
		if e := res.History[i]; e.Epoch != i+1 || e.Phase != want.phase || math.Abs(e.LR-want.lr) > 1e-12 {
			t.Errorf("epoch %d: %+v, want %+v", i+1, e, want)
		}
	}
	var trained []int
	for i, p := range plans {
		trained = append(trained, p.Trained)
		if p.Phase != i+1 || p.Phases != 4 || p.Memory <= 4*(p.Trained+p.Frozen) || p.EpochTime <= 0 || p.Steps < 1 {
			t.Errorf("phase %d: %+v", i+1, p)
		}
	}
	if len(trained) != 4 || trained[0] != trained[2] || trained[0] >= trained[1] || trained[1] >= trained[3] {
		t.Errorf("parameters that are trained: %v", trained)
	}
	if plans[0].Cached != true || plans[3].Frozen >= plans[0].Frozen {
		t.Errorf("%+v", plans)
	}
	if best := res.History[res.Best-1]; best.ValAcc < 0.75 {
		t.Errorf("accuracy %v", best.ValAcc)
	}
}

// TestPhasesResume stops a run of phases in each of its epochs and goes on: to the same bits, for any number of threads.
func TestPhasesResume(t *testing.T) {
	files := pictures(4, "blue", "red")
	files["blue/0.png"] = &fstest.MapFile{Data: []byte("no image")} // batches are those of all images, these included
	d := dataOf(t, files)
	o := phased(t)
	whole := train(t, d, t.TempDir(), o)
	single := o
	single.Threads = 1
	sameWeights(t, whole.Model, train(t, d, t.TempDir(), single).Model)

	dir := t.TempDir()
	for epoch := 1; epoch <= 7; epoch += 2 {
		ctx, cancel := context.WithCancel(context.Background())
		part := o
		part.Resume = epoch > 1
		part.Progress = func(p finetune.Progress) {
			if p.Epoch == epoch && p.Phase == "validate" {
				cancel()
			}
		}
		_, err := finetune.Run(ctx, backbone(t), d, dir, part)
		var stopped *finetune.InterruptedError
		if !errors.As(err, &stopped) || !errors.Is(err, context.Canceled) || stopped.Saved < epoch-1 || stopped.Dir != dir || !strings.HasPrefix(err.Error(), "interrupted") {
			t.Fatalf("interrupted in epoch %d: %v, %+v", epoch, err, stopped)
		}
		cancel()
	}
	o.Resume = true
	rest := train(t, d, dir, o)
	sameWeights(t, whole.Model, rest.Model)
	for i, e := range rest.History {
		e.Seconds = whole.History[i].Seconds
		if e != whole.History[i] {
			t.Errorf("epoch %d: %+v, in one go %+v", i+1, e, whole.History[i])
		}
	}
	if events, _ := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*")); len(events) < 2 {
		t.Errorf("events %v", events)
	}
	o.Phases = o.Phases[:2]
	if _, err := finetune.Run(context.Background(), backbone(t), d, dir, o); err == nil || !strings.Contains(err.Error(), `phases was "head:2,10:2@0.003,head:1,all:2@0.0001" and is "head:2,10:2@0.003"`) {
		t.Errorf("other phases: %v", err)
	}
}

// TestPhasesPatience ends each phase by itself.
func TestPhasesPatience(t *testing.T) {
	o := small()
	o.Phases = []finetune.Phase{{From: "head", Epochs: 9, LR: 1e-12}, {From: "head", Epochs: 9, LR: 1e-12}}
	o.Patience, o.Monitor = 2, "val_acc"
	res := train(t, dataOf(t, pictures(4, "blue", "red")), t.TempDir(), o)
	if n := len(res.History); n != 6 || res.History[2].Phase != 1 || res.History[3].Phase != 2 || !res.Early {
		t.Errorf("%d epochs, early %v", n, res.Early)
	}
}

func TestPhasesRefuse(t *testing.T) {
	d := dataOf(t, pictures(4, "blue", "red"))
	for _, c := range []struct {
		phases  []finetune.Phase
		message string
	}{
		{[]finetune.Phase{{From: "head", Epochs: 1}, {From: "13", Epochs: 1}}, `phase 2 (13): unfreezing from "13" trains nothing`},
		{[]finetune.Phase{{From: "head"}}, "phase 1: 0 epochs"},
		{[]finetune.Phase{{From: "head", Epochs: 1, LR: -1}}, "learning rate of phase 1"},
	} {
		o := small()
		o.Phases = c.phases
		if _, err := finetune.Run(context.Background(), backbone(t), d, t.TempDir(), o); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%+v: %v, want %q", c.phases, err, c.message)
		}
	}
}

// TestTime stops in time, with the best epoch of those that there were; a first epoch that is cut short is one. What was
// stopped so goes on to the same bits.
func TestTime(t *testing.T) {
	d := dataOf(t, pictures(6, "blue", "red"))
	o := small()
	whole := train(t, d, t.TempDir(), o)

	dir := t.TempDir()
	o.Time = 1
	res := train(t, d, dir, o)
	if !res.TimeUp || !res.Partial || len(res.History) != 1 || res.Best != 1 || res.Early {
		t.Errorf("%+v", res)
	}
	exists(t, dir, "model.onnx", "head.onnx", "report.json", "curves.png")
	o.Time, o.Resume = 0, true
	sameWeights(t, whole.Model, train(t, d, dir, o).Model)

	o.Resume, o.Time, o.Epochs = false, 300*time.Millisecond, 1_000_000
	res = train(t, d, t.TempDir(), o)
	if !res.TimeUp || len(res.History) == 0 || len(res.History) == o.Epochs {
		t.Errorf("%d epochs", len(res.History))
	}
	o.Time = -1
	if _, err := finetune.Run(context.Background(), backbone(t), d, t.TempDir(), o); err == nil {
		t.Error("a negative time is taken")
	}
}

// TestMixed trains on mixed images: nothing of them is kept, resumed runs end with the same bits, and so do those of one
// thread.
func TestMixed(t *testing.T) {
	d := dataOf(t, pictures(8, "blue", "red"))
	for name, m := range map[string]finetune.Mixer{"mixup": {Mixup: 0.4}, "both": {Mixup: 0.2, Cutmix: 1}} {
		o := small()
		o.Mix, o.Epochs, o.ClassWeights = m, 4, "balanced"
		cached := true
		o.Start = func(p finetune.Plan) { cached = p.Cached }
		whole := train(t, d, t.TempDir(), o)
		if best := whole.History[whole.Best-1]; best.ValAcc < 0.75 || cached {
			t.Errorf("%s: accuracy %v, activations kept: %v", name, best.ValAcc, cached)
		}
		single := o
		single.Threads, single.Workers = 1, 1
		sameWeights(t, whole.Model, train(t, d, t.TempDir(), single).Model)
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		part := o
		part.Progress = func(p finetune.Progress) {
			if p.Epoch == 3 {
				cancel()
			}
		}
		if _, err := finetune.Run(ctx, backbone(t), d, dir, part); !errors.Is(err, context.Canceled) {
			t.Fatalf("%s: %v", name, err)
		}
		cancel()
		o.Resume = true
		sameWeights(t, whole.Model, train(t, d, dir, o).Model)
	}
	o := small()
	o.Mix.Mixup = -1
	if o.Validate() == nil {
		if _, err := finetune.Run(context.Background(), backbone(t), d, t.TempDir(), o); err == nil {
			t.Error("a negative mixup is taken")
		}
	}
}
