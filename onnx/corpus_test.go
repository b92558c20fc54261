package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

const corpus = "/usr/share/libonnx-testdata/data"

// TestCorpus reads every model and tensor of libonnx-testdata.
func TestCorpus(t *testing.T) {
	models, err := filepath.Glob(corpus + "/*/*/model.onnx")
	if err != nil || len(models) == 0 {
		missing(t, "libonnx-testdata")
	}
	for _, path := range models {
		m, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		var b bytes.Buffer
		if m.Graph == nil || len(m.Graph.Nodes) == 0 && len(m.Functions) == 0 {
			t.Errorf("%s: no nodes", path)
		}
		_ = b
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		pbs, _ := filepath.Glob(filepath.Dir(path) + "/test_data_set_*/*.pb")
		for _, pb := range pbs {
			data, err := os.ReadFile(pb)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseTensor(data); err != nil {
				t.Logf("%s: %v", pb, err)
			}
		}
	}
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("ONNXCNN_REQUIRE_REFERENCES") == "1" {
		t.Fatalf("%s is missing", what)
	}
	t.Skipf("%s is missing", what)
}
