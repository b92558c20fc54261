package finetune_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/finetune"
)

// TestFindLR finds a rate that training does well with, the same for the same seed, and leaves three files.
func TestFindLR(t *testing.T) {
	d := dataOf(t, pictures(6, "blue", "red"))
	dir := t.TempDir()
	o := small()
	o.UnfreezeFrom, o.Optimizer = "10", "sgd"
	m := backbone(t)
	got, err := finetune.FindLR(context.Background(), m, d, dir, o, finetune.LRFinder{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Suggested < 1e-5 || got.Suggested > 5 || got.Smallest < got.Suggested || len(got.Points) < 50 {
		t.Errorf("suggested %v, smallest at %v of %d points", got.Suggested, got.Smallest, len(got.Points))
	}
	again, err := finetune.FindLR(context.Background(), m, d, dir, o, finetune.LRFinder{})
	if err != nil || !slices.Equal(got.Points, again.Points) {
		t.Errorf("another time it gives other losses, %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, []string{"lr_find.csv", "lr_find.json", "lr_find.png"}) {
		t.Errorf("files %v", names)
	}
	o.LR, o.Epochs = got.Suggested, 6
	if res := train(t, d, dir, o); res.History[res.Best-1].ValAcc < 0.75 {
		t.Errorf("with the suggested rate %v: %+v", got.Suggested, res.History)
	}
	short, err := finetune.FindLR(context.Background(), m, d, dir, o, finetune.LRFinder{From: 1, To: 1e30, Steps: 30})
	if err != nil || !short.Diverged || len(short.Points) == 30 {
		t.Errorf("rates without end: %+v, %v", short, err)
	}
	for _, c := range []struct {
		name, message string
		f             finetune.LRFinder
		change        func(*finetune.Options)
	}{
		{"falling", "want them rising", finetune.LRFinder{From: 1, To: 0.1}, func(*finetune.Options) {}},
		{"few steps", "10 steps or more", finetune.LRFinder{Steps: 3}, func(*finetune.Options) {}},
		{"options", "optimizer", finetune.LRFinder{}, func(o *finetune.Options) { o.Optimizer = "x" }},
		{"fitted head", "has no learning rate", finetune.LRFinder{}, func(o *finetune.Options) { o.Head, o.UnfreezeFrom = "centroid", "" }},
	} {
		o := small()
		c.change(&o)
		if _, err := finetune.FindLR(context.Background(), m, d, dir, o, c.f); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: %v, want %q", c.name, err, c.message)
		}
	}
}
