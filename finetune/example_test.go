package finetune_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune"
	"github.com/onnxcnn/onnxcnn/internal/demodata"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// A network that knows seven kinds of clothes learns three others from 50 pictures each.
func ExampleRun() {
	m, err := onnx.Parse(demodata.Backbone())
	if err != nil {
		log.Fatal(err)
	}
	fsys, err := demodata.Images() // folders train and val, with a folder for each class
	if err != nil {
		log.Fatal(err)
	}
	images, err := features.Folder(fsys)
	if err != nil {
		log.Fatal(err)
	}
	data, err := finetune.NewData(images, nil, 0, 0)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	var o finetune.Options
	o.Head = "64,relu"
	o.UnfreezeFrom = "10" // the last convolution
	o.LR = 0.01
	o.Epochs = 5
	res, err := finetune.Run(context.Background(), m, data, dir, o)
	if err != nil {
		log.Fatal(err)
	}
	best := res.History[res.Best-1]
	fmt.Println(data.Classes, "better than 0.8:", best.ValAcc > 0.8)
	// Output: [bag sandal sneaker] better than 0.8: true
}

// A loop of one's own: the frozen part runs once, and the head learns from what it said.
func ExampleTrainer() {
	m, err := onnx.Parse(demodata.Backbone())
	if err != nil {
		log.Fatal(err)
	}
	n, err := finetune.Split(m, 2, finetune.NetOptions{}) // a linear head of two outputs on a frozen base
	if err != nil {
		log.Fatal(err)
	}
	t, err := finetune.NewTrainer(n, finetune.TrainerOptions{OptimOptions: finetune.OptimOptions{LR: 0.05}})
	if err != nil {
		log.Fatal(err)
	}
	defer t.Close()

	// Two images: a dark one of class 0, and a bright one of class 1.
	x := onnx.New(onnx.Float, append([]int{2}, n.Shape...)...)
	bright := x.Float32s()[x.Len()/2:]
	for i := range bright {
		bright[i] = 1
	}
	classes := []float32{1, 0, 0, 1} // a row an image: how much of each class is in it
	ctx := context.Background()
	cut, err := t.Cut(ctx, x)
	if err != nil {
		log.Fatal(err)
	}
	var s finetune.StepResult
	for range 20 {
		if s, err = t.Step(ctx, cut, classes, 1); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(n.Trained, "weights; both right:", s.Correct == 2, "with a loss below 0.1:", s.Loss < 0.1)
	// Output: 258 weights; both right: true with a loss below 0.1: true
}

// A run's network in the form that a service wants.
func ExampleExportRun() {
	e, err := finetune.ExportRun(context.Background(), "run", "flowers.onnx", finetune.ExportOptions{FoldBN: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Parameters, e.Check.Difference)
}
