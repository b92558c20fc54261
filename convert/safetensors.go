package convert

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/nlpodyssey/safetensors"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// maxSafetensorsHeader bounds the JSON in front of the data (100,000 tensors take some 10 MB): parsing it takes many times its
// size in memory.
const maxSafetensorsHeader = 16 << 20

var safetensorsTypes = map[safetensors.DType]onnx.DataType{
	safetensors.BOOL: onnx.Bool, safetensors.U8: onnx.Uint8, safetensors.I8: onnx.Int8,
	safetensors.U16: onnx.Uint16, safetensors.I16: onnx.Int16, safetensors.U32: onnx.Uint32, safetensors.I32: onnx.Int32,
	safetensors.U64: onnx.Uint64, safetensors.I64: onnx.Int64,
	safetensors.F16: onnx.Float16, safetensors.BF16: onnx.BFloat16, safetensors.F32: onnx.Float, safetensors.F64: onnx.Double,
}

func isSafetensors(data []byte) bool {
	n, ok := safetensorsHeader(data)
	return ok && n >= 2 && data[8] == '{'
}

// safetensorsHeader returns the length of the JSON in front, which has to lie in the file.
func safetensorsHeader(data []byte) (uint64, bool) {
	if len(data) < 8 {
		return 0, false
	}
	n := binary.LittleEndian.Uint64(data)
	return n, n <= uint64(len(data)-8)
}

// ReadSafetensors reads a file in safetensors format. The tensors come in the order of their data.
func ReadSafetensors(path string) (*Weights, error) {
	return readMapped(path, parseSafetensors)
}

func parseSafetensors(path string, data []byte) (*Weights, error) {
	n, ok := safetensorsHeader(data)
	switch {
	case !ok:
		return nil, errors.New("not a safetensors file, or cut short: its header does not fit")
	case n > maxSafetensorsHeader:
		return nil, fmt.Errorf("a safetensors header of %d bytes, more than %d", n, maxSafetensorsHeader)
	}
	st, err := safetensors.Deserialize(data)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	w := NewWeights("safetensors", path, int64(len(data)))
	for _, t := range st.Tensors() {
		typ, ok := safetensorsTypes[t.TensorView.DType()]
		if !ok {
			return nil, fmt.Errorf("tensor %q: type %v is not supported", t.Name, t.TensorView.DType())
		}
		shape := make([]int, len(t.TensorView.Shape()))
		for i, d := range t.TensorView.Shape() {
			if d > math.MaxInt {
				return nil, fmt.Errorf("tensor %q: shape %v is not possible", t.Name, t.TensorView.Shape())
			}
			shape[i] = int(d)
		}
		if err := w.Add(Weight{Name: t.Name, Type: typ, Shape: shape}, func() ([]byte, error) { return t.TensorView.Data(), nil }); err != nil {
			return nil, err
		}
	}
	return w, nil
}
