package finetune_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/internal/demodata"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// TestMain keeps the tests out of the user's cache.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "onnxcnn-home-")
	if err != nil {
		panic(err)
	}
	os.Setenv("ONNXCNN_HOME", dir)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// entries lists the files of a cache.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*", "*.zst"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestCacheOverRuns goes through the same images again: what the frozen part said is taken from the first run, to the same
// bits, unless something is different.
func TestCacheOverRuns(t *testing.T) {
	cache := t.TempDir()
	d := dataOf(t, pictures(6, "blue", "red"))
	run := func(change func(*finetune.Options)) (*finetune.Result, int) {
		o := small()
		o.Epochs, o.CacheDir = 1, cache
		change(&o)
		before := len(entries(t, cache))
		res := train(t, d, t.TempDir(), o)
		return res, len(entries(t, cache)) - before
	}
	same := func(*finetune.Options) {}
	cold, n := run(same)
	if n != 12 {
		t.Errorf("%d entries of 12 images", n)
	}
	again, n := run(same)
	if n != 0 {
		t.Errorf("%d new entries of the same images", n)
	}
	sameWeights(t, cold.Model, again.Model)
	off, n := run(func(o *finetune.Options) { o.Cache = "off" })
	if n != 0 {
		t.Errorf("%d entries without cache", n)
	}
	sameWeights(t, cold.Model, off.Model)

	for _, c := range []struct {
		name   string
		change func(*finetune.Options)
		n      int
	}{
		{"another head", func(o *finetune.Options) { o.Head, o.LR = "8,relu", 0.02 }, 0},
		{"another part", func(o *finetune.Options) { o.UnfreezeFrom = "10" }, 12},
		{"normalisations that train, frozen again", func(o *finetune.Options) { o.UnfreezeFrom, o.BN = "10", "train" }, 0},
		{"another size", func(o *finetune.Options) { o.Size = [2]int{20, 20} }, 12},
		{"another limit of pixels", func(o *finetune.Options) { o.MaxPixels = 1000 }, 12},
		{"another batch", func(o *finetune.Options) { o.Batch = 3 }, 12},
		{"images that are changed at random: those of validation", func(o *finetune.Options) { o.Augment, o.UnfreezeFrom = augment(t, "hflip=0.5"), "7" }, 4},
		{"nothing frozen", func(o *finetune.Options) { o.UnfreezeFrom = "all" }, 0},
		{"a head that is fitted", func(o *finetune.Options) { o.Head = "logreg" }, 0},
	} {
		if _, n := run(c.change); n != c.n {
			t.Errorf("%s: %d new entries, want %d", c.name, n, c.n)
		}
	}

	// Damaged, removed and half-written entries are computed again, to the same bits.
	for i, e := range entries(t, cache) {
		switch i % 3 {
		case 0:
			if err := os.Truncate(e, 20); err != nil {
				t.Fatal(err)
			}
		case 1:
			if err := os.Remove(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	repaired, _ := run(same)
	sameWeights(t, cold.Model, repaired.Model)
	for _, e := range entries(t, cache) {
		if err := os.Truncate(e, 20); err != nil {
			t.Fatal(err)
		}
	}
	repaired, n = run(same)
	sameWeights(t, cold.Model, repaired.Model)
	if n != 0 {
		t.Errorf("%d new entries in place of damaged ones", n)
	}

	// A folder that cannot be made is told, and no reason to stop.
	var said []string
	lost, _ := run(func(o *finetune.Options) {
		o.CacheDir = filepath.Join(entries(t, cache)[0], "below")
		o.Warn = func(s string) { said = append(said, s) }
	})
	sameWeights(t, cold.Model, lost.Model)
	if len(said) == 0 || !strings.Contains(strings.Join(said, " "), "not kept for later runs") {
		t.Errorf("said %q", said)
	}
}

// TestCacheLimit stores no more than it may.
func TestCacheLimit(t *testing.T) {
	o := small()
	o.Epochs, o.CacheDir, o.CacheDisk = 1, t.TempDir(), 600
	train(t, dataOf(t, pictures(6, "blue", "red")), t.TempDir(), o)
	var size int64
	for _, e := range entries(t, o.CacheDir) {
		info, err := os.Stat(e)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size == 0 || size > 600 {
		t.Errorf("%d bytes are kept", size)
	}
}

// TestCachedSteps compares a step on kept activations with one that runs the frozen base: the second epoch with the first.
func TestCachedSteps(t *testing.T) {
	m, err := onnx.Parse(demodata.Backbone())
	if err != nil {
		t.Fatal(err)
	}
	n, err := finetune.Split(m, 3, finetune.NetOptions{Shape: []int{3, 128, 128}})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := finetune.NewTrainer(n, finetune.TrainerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	x := onnx.New(onnx.Float, 16, 3, 128, 128)
	y := make([]float32, 16*3)
	for i := range 16 {
		y[3*i+i%3] = 1
	}
	ctx := context.Background()
	whole, cached := time.Hour, time.Hour // the shortest of several: the machine may be busy
	for range 5 {
		start := time.Now()
		cut, err := tr.Cut(ctx, x)
		if err != nil {
			t.Fatal(err)
		}
		middle := time.Now()
		if _, err := tr.Step(ctx, cut, y, 1); err != nil {
			t.Fatal(err)
		}
		cached, whole = min(cached, time.Since(middle)), min(whole, time.Since(start))
	}
	t.Logf("%v with the frozen base, %v without: %.4f", whole, cached, cached.Seconds()/whole.Seconds())
	if cached > whole/4 {
		t.Errorf("a step on kept activations takes %v of %v", cached, whole)
	}
}
