package onnx

import (
	"bufio"
	"io"
)

// Write writes the model as one protobuf message, with all weights inside, in the same bytes for the same model. Fields
// that this package does not know are written as they were read.
func (m *Model) Write(w io.Writer) error {
	if err := m.alive(); err != nil {
		return err
	}
	return new(encoder).encode(bufio.NewWriterSize(w, 1<<16), m)
}
