package convert

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
	"github.com/onnxcnn/onnxcnn/onnx"
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

// FuzzTFJS tries model.json and the file of weights that it names.
func FuzzTFJS(f *testing.F) {
	weight := func(name, dtype, shape, more string) string {
		return fmt.Sprintf(`{"name": %q, "dtype": %q, "shape": %s%s}`, name, dtype, shape, more)
	}
	model := func(config string, weights ...string) []byte {
		return []byte(`{"format": "layers-model", "modelTopology": {"model_config": ` + config + `}, "weightsManifest": [{"paths": ["w.bin"], "weights": [` + strings.Join(weights, ", ") + `]}]}`)
	}
	dense := chain("2", `Dense "units": 1`)
	f.Add(model(dense, weight("l0/kernel", "float32", "[2, 1]", ""), weight("l0/bias", "float32", "[1]", "")), floats(1, 2, 3))
	f.Add(model(dense, weight("l0/kernel", "float32", "[2, 1]", `, "quantization": {"dtype": "uint8", "min": -1, "scale": 0.5}`), weight("l0/bias", "float32", "[1]", `, "quantization": {"dtype": "float16"}`)), []byte{0, 255, 0, 60})
	f.Add(model(dense, weight("l0/kernel", "int32", "[9223372036854775807, 9]", "")), []byte{})
	f.Add([]byte(`{"modelTopology": {"node": []}}`), []byte{})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, config, weights []byte) {
		if len(config) > 8000 {
			return // large networks take time, not thought
		}
		reftest.Fuzzed(len(config) + len(weights))
		if err := os.WriteFile(filepath.Join(dir, "w.bin"), weights, 0o666); err != nil {
			t.Fatal(err)
		}
		checkKeras(t, filepath.Join(dir, "model.json"), config)
	})
}

// FuzzKerasFile tries whole files: HDF5, and archives.
func FuzzKerasFile(f *testing.F) {
	config := []byte(chain("2", `Dense "units": 1`))
	for _, name := range []string{"earliest", "groups", "latest"} {
		packed, err := os.Open(filepath.Join("..", "internal", "hdf5", "testdata", name+".h5.gz"))
		if err != nil {
			f.Fatal(err)
		}
		unpacked, err := gzip.NewReader(packed)
		if err != nil {
			f.Fatal(err)
		}
		h5, err := io.ReadAll(unpacked)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(h5)
		f.Add(zipOf(f, entry{"config.json", config}, entry{"model.weights.h5", h5}, entry{"metadata.json", []byte(`{"keras_version": "3.0.0"}`)}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		reftest.Fuzzed(len(data))
		checkKeras(t, "model.keras", data)
	})
}

// checkKeras reads a model; what it becomes is right.
func checkKeras(t *testing.T, path string, data []byte) {
	m, _, err := readKeras(path, data, KerasOptions{})
	if err != nil {
		return
	}
	if faults := m.Check(); len(faults) > 0 {
		t.Error(faults)
	}
}
