package onnx_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// A model is built, written and read again.
func Example() {
	w := onnx.Of([]int{2}, []float32{10, 20})
	w.Name = "w"
	image := &onnx.Type{Elem: onnx.Float, HasShape: true, Shape: []onnx.Dim{{Size: -1, Param: "N"}, {Size: 2}}}
	m := &onnx.Model{
		IRVersion: 8,
		Opsets:    []onnx.Opset{{Version: 17}},
		Graph: &onnx.Graph{
			Name:         "scale",
			Inputs:       []*onnx.Value{{Name: "x", Type: image}},
			Outputs:      []*onnx.Value{{Name: "y", Type: image}},
			Initializers: []*onnx.Tensor{w},
			Nodes:        []*onnx.Node{{Name: "scale", OpType: "Mul", Inputs: []string{"x", "w"}, Outputs: []string{"y"}}},
		},
	}
	var file bytes.Buffer
	if err := m.Write(&file); err != nil {
		log.Fatal(err)
	}
	again, err := onnx.Read(&file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.Graph.Nodes[0], again.Graph.Initializer("w").Float32s())
	fmt.Println("needs", again.Graph.RequiredInputs()[0].Name, "in opset", again.OpsetVersion(""))
	// Output:
	// node "scale" (Mul) [10 20]
	// needs x in opset 17
}

// All faults of a model are reported at once.
func ExampleModel_Check() {
	m := &onnx.Model{
		IRVersion: 8,
		Opsets:    []onnx.Opset{{Version: 17}},
		Graph: &onnx.Graph{
			Inputs:  []*onnx.Value{{Name: "x"}},
			Outputs: []*onnx.Value{{Name: "z"}},
			Nodes:   []*onnx.Node{{Name: "sum", OpType: "Add", Inputs: []string{"x", "nope"}, Outputs: []string{"y"}}},
		},
	}
	for _, err := range m.Check() {
		fmt.Println(err)
	}
	// Output:
	// node "sum" (Add): input "nope" is produced by no node and is no input or initializer
	// graph output "z" is produced by no node
}
