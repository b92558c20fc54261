//go:build !cgo

package ort

import (
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func TestWithoutCgo(t *testing.T) {
	if _, err := backend.Open(&onnx.Model{}, backend.Options{Provider: "ort:cuda"}); err == nil || !strings.Contains(err.Error(), "built without cgo") {
		t.Error(err)
	}
}
