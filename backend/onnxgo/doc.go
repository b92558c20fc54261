// Package onnxgo runs programs that were written for onnx-go (github.com/owulveryck/onnx-go) on this project's engine.
//
// [Graph] is a computation backend in onnx-go's sense. A program keeps its calls and its gorgonia.org/tensor values; it
// only takes its backend from here:
//
//	backend := onnxgo.NewGraph() // was: gorgonnx.NewGraph()
//	model := onnx.NewModel(backend)
//	err := model.UnmarshalBinary(data)
//	...
//	err = model.SetInput(0, picture)
//	err = backend.Run()
//	output, err := model.GetOutputTensors()
//
// onnx-go decodes the file, so its limits hold: no sub-graphs, no external data, no operators of other domains, and
// nothing is known of the operator set's version. See [Options] for the last.
package onnxgo
