//go:build cgo

package ort

import (
	"errors"
	"regexp"
	"strings"
)

// noise is what ONNX Runtime and the binding put into messages for their own developers: places in their sources with the
// signature of the function, status codes, and what was being called.
var noise = regexp.MustCompile(`/\S+\.(?:cc|cpp|h):\d+ .*?\)(?: const)?(?: \[with .*?\])?(?:::<lambda\(.*?\)>)? ` +
	`|\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ` +
	`|Error running network: |Error creating C session(?: from file)?: |Error creating tensor from ort: ` +
	`|Non-zero status code returned while ` +
	`|with error: /\S+: ` +
	`|Platform-specific initialization failed: Error loading ONNX shared library "[^"]*": `)

// plain returns an error of ONNX Runtime as one line that its user can read.
func plain(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	return errors.New(strings.TrimSpace(noise.ReplaceAllString(text, "")))
}
