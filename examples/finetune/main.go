// Command finetune shows how a program trains a network on images of its own: with the library's loop in a few lines, or
// with a loop of the program's own around the trainer.
//
//	go run ./examples/finetune MODEL.onnx FOLDER RUN [LAYER]
//
// FOLDER has a folder of images for each class. The results go to the folder RUN. LAYER is the first layer of the network
// that is trained beside the new head ("layer4" or 10, say); without it only the head is. The model must carry the recipe
// by which images become its input.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "finetune:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) < 3 || len(args) > 4 {
		return errors.New("usage: finetune MODEL.onnx FOLDER RUN [LAYER]")
	}
	model, err := onnx.Open(args[0])
	if err != nil {
		return err
	}
	defer model.Close()
	images, err := features.Open(args[1])
	if err != nil {
		return err
	}
	// A fifth of each class is kept for validation, unless the folder has train and val in it.
	data, err := finetune.NewData(images, nil, 0.2, 0)
	if err != nil {
		return err
	}

	options := finetune.Options{Epochs: 5, Batch: 16}
	options.Head = "64,relu"
	options.LR = 0.003
	if len(args) == 4 {
		options.UnfreezeFrom = args[3]
	}
	options.Epoch = func(e finetune.Epoch) {
		fmt.Fprintf(out, "epoch %d: loss %.3f, validation accuracy %.3f\n", e.Epoch, e.TrainLoss, e.ValAcc)
	}
	result, err := finetune.Run(ctx, model, data, args[2], options)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: accuracy %.3f on %d images\n", result.Model, result.Report.Accuracy, result.Report.Samples)

	// For a service: batch normalisations folded, in a file that every ONNX runtime opens.
	file := filepath.Join(args[2], "folded.onnx")
	exported, err := finetune.ExportRun(ctx, args[2], file, finetune.ExportOptions{FoldBN: true})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %d parameters, the same class as the trained network for %d of %d images\n",
		file, exported.Parameters, exported.Check.Agree, exported.Check.Images)
	return nil
}
