package onnx

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// FormatError says what is wrong with the bytes of a model or a tensor, and where.
type FormatError struct {
	File   string // file name, "" where there is none
	Field  string // where in the message, as in graph.node[3] "conv1".attribute[0] "value"; "" at the top
	Offset int64  // byte where the trouble begins (in the expanded bytes of a compressed file), -1 where it does not lie in the file
	What   string
}

// Error names file, field and byte in front of what is wrong.
func (e *FormatError) Error() string {
	s := ""
	if e.File != "" {
		s = e.File + ": "
	}
	if e.Field != "" {
		s += shortened(e.Field) + ": "
	}
	s += e.What
	if e.Offset >= 0 {
		s += fmt.Sprintf(" (at byte %d)", e.Offset)
	}
	return s
}

// shortened leaves out the middle of what deep nesting or a long name made unreadable.
func shortened(field string) string {
	const head, tail = 240, 160
	if len(field) <= head+tail {
		return field
	}
	return strings.ToValidUTF8(field[:head], "") + " ... " + strings.ToValidUTF8(field[len(field)-tail:], "")
}

// ExternalDataError says why the external data of a tensor is refused.
type ExternalDataError struct {
	File     string // model file, "" where there is none
	Tensor   string
	Location string // as the model gives it
	What     string
	Err      error // what the file system said, nil otherwise
}

// Error names the model's file, the tensor and the location.
func (e *ExternalDataError) Error() string {
	s := fmt.Sprintf("tensor %q: external data %q: %s", e.Tensor, e.Location, e.What)
	if e.Err != nil && !errors.Is(e.Err, fs.ErrNotExist) { // which What says
		s += ": " + e.Err.Error()
	}
	if e.File != "" {
		s = e.File + ": " + s
	}
	return s
}

// Unwrap returns what the file system said.
func (e *ExternalDataError) Unwrap() error { return e.Err }
