package convert

import (
	"testing"

	"github.com/onnxcnn/onnxcnn/onnx"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// loadAll loads every tensor and checks what readers promise.
func loadAll(t *testing.T, w *Weights) {
	t.Helper()
	for _, x := range w.List() {
		y, err := x.Load()
		if err != nil {
			continue
		}
		if len(y.Raw) != y.Type.Bytes(onnx.NumElements(y.Shape)) {
			t.Errorf("%q of %v %v has %d bytes", x.Name, x.Type, x.Shape, len(y.Raw))
		}
	}
}

func FuzzTorch(f *testing.F) {
	f.Add(torchZipOf(f, []string{""}, [][]element{tinyState(4, "")}))
	f.Add(torchZipOf(f, []string{"state_dict", "ema"}, [][]element{tinyState(2, "module."), tinyState(2, "")}))
	f.Add(legacy(legacyDict(4, nil), "a", floats(1, 2, 3, 4)))
	f.Add(legacy(legacyDict(4, []int{1, 3}), "a", floats(1, 2, 3, 4)))
	f.Fuzz(func(t *testing.T, data []byte) {
		reftest.Fuzzed(len(data))
		if w, err := parseTorch("w.pth", data); err == nil {
			loadAll(t, w)
		}
	})
}

// FuzzTorchPickle puts the pickle alone into an archive that is right: mutations rarely leave an archive whole.
func FuzzTorchPickle(f *testing.F) {
	f.Add(plainPickle(func(p *pk) { p.view("FloatStorage", "0", 4, 0, []int{2, 2}, []int{1, 2}) }))
	f.Add(plainPickle(func(p *pk) { p.raw("}(").str("k").num(1).raw("u](").tuple(1, 2).raw("e0h\x00") }))
	f.Add([]byte("\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01aNs."))
	f.Fuzz(func(t *testing.T, data []byte) {
		reftest.Fuzzed(len(data))
		file := zipOf(t, entry{"a/data.pkl", data}, entry{"a/data/0", floats(1, 2, 3, 4)})
		if w, err := parseTorch("w.pth", file); err == nil {
			loadAll(t, w)
		}
	})
}

func FuzzSafetensors(f *testing.F) {
	f.Add(safetensorsFile(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"I64","shape":[],"data_offsets":[8,16]}}`, make([]byte, 16)))
	f.Add(safetensorsFile(`{"__metadata__":{"format":"pt"},"h":{"dtype":"BF16","shape":[0,3],"data_offsets":[0,0]}}`, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		reftest.Fuzzed(len(data))
		if w, err := parseSafetensors("w.safetensors", data); err == nil {
			loadAll(t, w)
		}
	})
}
