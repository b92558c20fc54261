package onnxgo

import (
	"github.com/onnxcnn/onnxcnn/internal/op"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// olderOpset is the version of the operator set that onnx-go was written for.
const olderOpset = 9

// inputSince lists operators whose attributes became inputs: with that many inputs they exist since that version
// (ONNX's Changelog.md).
var inputSince = map[string]struct{ inputs, version int }{
	"Clip": {2, 11}, "Dropout": {2, 12}, "Pad": {2, 11}, "ReduceMax": {2, 18}, "ReduceMean": {2, 18}, "ReduceMin": {2, 18},
	"ReduceProd": {2, 18}, "ReduceSum": {2, 13}, "Resize": {3, 11}, "Slice": {2, 10}, "Split": {2, 13}, "Squeeze": {2, 13},
	"TopK": {2, 10}, "Unsqueeze": {2, 13},
}

// guessOpset returns the oldest version from olderOpset on in which every node has a form that the version knows. Where
// there is none, older versions are tried, and then the one with the fewest complaints is taken.
func guessOpset(nodes []*onnx.Node) int {
	first := olderOpset
	for _, n := range nodes {
		if s, ok := inputSince[n.OpType]; ok && len(n.Inputs) >= s.inputs {
			first = max(first, s.version)
		}
	}
	best, fewest := first, 1<<30
	try := func(version int) bool {
		if c := complaints(nodes, version); c < fewest {
			best, fewest = version, c
		}
		return fewest == 0
	}
	for v := first; v <= op.MaxOpset; v++ {
		if try(v) {
			return best
		}
	}
	for v := first - 1; v > 0; v-- {
		if try(v) {
			return best
		}
	}
	return best
}

// complaints counts what does not fit a version: more for errors than for leniencies.
func complaints(nodes []*onnx.Node, version int) int {
	const isError = 1000
	count := 0
	for _, n := range nodes {
		if _, _, err := op.Make(n, version, func(string) { count++ }); err != nil {
			count += isError
		}
	}
	return count
}
