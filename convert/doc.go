// Package convert brings weights and models of other frameworks to ONNX, and changes ONNX models: operator set, precision,
// batch, input size, preprocessing, normalisation, head.
package convert
