package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// The course's network for digits learns Fashion-MNIST: a thirtieth of the images in two epochs are enough to tell most
// of the ten classes apart.
func TestFashionMNIST(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains for seconds")
	}
	const dir = "/usr/share/datasets/fashion-mnist" // where Debian's package has it
	if _, err := os.Stat(dir); err != nil {
		reftest.Missing(t, "Debian's package dataset-fashion-mnist")
	}
	all, err := features.OpenIDX(dir)
	if err != nil {
		t.Fatal(err)
	}
	every := func(split string, n int) []features.Item {
		var list []features.Item
		for i, it := range all.Split(split).Items {
			if i%n == 0 {
				list = append(list, it)
			}
		}
		return list
	}
	data := &finetune.Data{Classes: all.Classes, Train: every("train", 30), Val: every("test", 20)}
	if len(data.Train) != 2000 || len(data.Val) != 500 || !slices.Equal(data.Classes, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}) {
		t.Fatalf("%d and %d images of %q", len(data.Train), len(data.Val), data.Classes)
	}
	arch, ok := zoo.Lookup("mnist_cnn")
	if !ok {
		t.Fatal("there is no mnist_cnn")
	}
	m, err := arch.Build(zoo.BuildOptions{Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	recipe, _ := zoo.RecipeByName(arch.Recipe)
	recipe = recipe.WithSize(28, 28)
	o := finetune.Options{Recipe: &recipe, Epochs: 2, Batch: 16, Schedule: "onecycle"}
	o.Head, o.UnfreezeFrom, o.BN, o.BaseLRScale, o.LR = "keep", "all", "train", 1, 3e-3
	res, err := finetune.Run(t.Context(), m, data, filepath.Join(t.TempDir(), "run"), o)
	if err != nil {
		t.Fatal(err)
	}
	if acc := res.History[len(res.History)-1].ValAcc; acc < 0.65 {
		t.Errorf("accuracy %.3f, want 0.65 or more", acc)
	} else {
		t.Logf("accuracy %.3f", acc)
	}
}
