// Package ort runs models on ONNX Runtime, through its shared library. Importing it registers the provider "ort":
//
//	import _ "github.com/onnxcnn/onnxcnn/backend/ort"
//
// It needs cgo: in a program that is built without, the provider says so. The library, ONNX Runtime 1.24 or newer,
// is loaded when the first session is opened, from the path in the environment variable ONNXCNN_ORT_LIB (of the file, or of
// the folder that it lies in), else from beside the program, from where scripts/get_ort.sh puts it, or by the system's
// loader under its usual name.
//
// What follows "ort:" names an execution provider of ONNX Runtime, with its options as ONNX Runtime's documentation has
// them: "ort:cuda", "ort:cuda,device_id=1,gpu_mem_limit=2147483648", "ort:tensorrt,trt_fp16_enable=1", "ort:openvino",
// "ort:coreml", "ort:directml,device_id=0", "ort:migraphx", "ort:nvtensorrtrtx", "ort:qnn", "ort:snpe", "ort:vitisai",
// "ort:webgpu", "ort:xnnpack"; "ort" alone is its CPU, and "ort:cpu,mem_limit=2147483648" bounds the bytes that runs on it
// take together, in the whole process (weights do not count). Where the execution provider cannot be had, opening a
// session fails and says what is missing; with the option "fallback=cpu" it warns and runs on the CPU. Single operators
// that the execution provider lacks run on the CPU in any case: ONNX Runtime sees to that.
package ort
