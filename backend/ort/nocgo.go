//go:build !cgo

package ort

import (
	"errors"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/onnx"
)

func init() {
	backend.Register("ort", func(*onnx.Model, backend.Options) (backend.Session, error) {
		return nil, &backend.UnavailableError{Err: errors.New("this program was built without cgo, which ONNX Runtime needs: build it with CGO_ENABLED=1 and a C compiler, or take the provider native")}
	})
}
