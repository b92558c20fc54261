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
