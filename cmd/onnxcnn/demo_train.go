package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// demoTraining is what fine-tuning has come to in the demo.
type demoTraining struct {
	From       string  `json:"unfreeze_from"`
	Trained    int     `json:"trained_parameters"`
	Epochs     int     `json:"epochs"`
	Seconds    float64 `json:"seconds"`
	Correct    int     `json:"correct"`
	Accuracy   float64 `json:"accuracy"`
	File       string  `json:"file,omitempty"` // "" where nothing is kept
	Bytes      int64   `json:"bytes"`
	Difference float64 `json:"max_difference"` // of the exported file's logits
}

// trainDemo fine-tunes the network on the pictures in "train", evaluates it on those in "val", and exports it.
func trainDemo(c *cli.Context, m *onnx.Model, data *features.Dataset, folder *demoFolder, r *demoResult) error {
	split, err := finetune.NewData(data, nil, 0, 0)
	if err != nil {
		return err
	}
	dir, file, err := folder.trainingPaths()
	if err != nil {
		return err
	}
	o := finetune.Options{Epochs: 20, Batch: 16, Schedule: "cosine", Monitor: "train_loss", Force: true, // what it is tested on has no say in the choice of the epoch
		Provider: c.String("provider"), Threads: c.Int("threads")}
	o.UnfreezeFrom, o.Head, o.LR, o.BaseLRScale = "7", "64,relu,dropout=0.3", 0.003, 1
	o.Warn = func(s string) { advise(c, "%s", s) }
	if folder == nil {
		defer os.RemoveAll(dir)
		o.CacheDir = dir // nothing is left behind
	}
	t := &r.Training
	o.Start = func(p finetune.Plan) { t.Trained = p.Trained }
	start := time.Now()
	res, err := finetune.Run(c.Context, m, split, dir, o)
	if err != nil {
		return fmt.Errorf("fine-tuning: %w", err)
	}
	t.From, t.Epochs, t.Seconds = o.UnfreezeFrom, len(res.History), time.Since(start).Seconds()
	t.Correct, t.Accuracy = res.Report.Correct, res.Report.Accuracy
	for k := range r.Classes {
		r.Classes[k].Finetuned = res.Report.Confusion[k][k]
	}
	e, err := finetune.ExportRun(c.Context, dir, file, finetune.ExportOptions{FoldBN: true, Threads: c.Int("threads")})
	if err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	t.Bytes, t.Difference = e.Bytes, e.Check.Difference
	if folder != nil {
		t.File = file
	}
	return nil
}

// trainingPaths returns the run folder and the file of the trained network: in the folder if there is one.
func (f *demoFolder) trainingPaths() (dir, file string, err error) {
	if f == nil {
		dir, err = os.MkdirTemp("", "onnxcnn-demo-")
		return dir, filepath.Join(dir, "classifier.onnx"), err
	}
	file = filepath.Join(f.dir, "classifier.onnx")
	_, err = os.Lstat(file)
	switch {
	case err == nil:
		f.replaced = append(f.replaced, file)
	case !errors.Is(err, fs.ErrNotExist):
		return "", "", err
	}
	return filepath.Join(f.dir, "run"), file, nil
}
