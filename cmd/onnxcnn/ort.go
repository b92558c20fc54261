//go:build cgo

package main

import _ "github.com/onnxcnn/onnxcnn/backend/ort" // the provider "ort"
