// Package ort runs models on ONNX Runtime, through its shared library. Importing it registers the provider "ort":
//
//	import _ "github.com/onnxcnn/onnxcnn/backend/ort"
//
// It needs cgo; in a program that is built without, importing it adds nothing. The library, ONNX Runtime 1.24 or newer,
// is loaded when the first session is opened, from the path in the environment variable ONNXCNN_ORT_LIB, else from
// where scripts/get_ort.sh puts it, else by the system's loader under its usual name.
package ort
