//go:build !cgo

package convert

import "testing"

func needORT(t *testing.T) { t.Skip("ONNX Runtime needs cgo") }
