//go:build cgo

package convert

import (
	"testing"

	_ "github.com/onnxcnn/onnxcnn/backend/ort"
	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// needORT skips the test where ONNX Runtime is not here.
func needORT(t *testing.T) { t.Setenv("ONNXCNN_ORT_LIB", reftest.ORTLibrary(t)) }
