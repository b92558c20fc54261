package finetune

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/onnxcnn/onnxcnn/features"
)

// FinishedRun is what the folder of a finished run tells.
type FinishedRun struct {
	Model   string // its network's file
	History []Epoch

	config config
}

// OpenRun reads the folder of a run. One that has no finished run in it is an [ErrNoRun].
func OpenRun(dir string) (*FinishedRun, error) {
	f := folder(dir)
	c, err := f.finished()
	if err != nil {
		return nil, err
	}
	r := &FinishedRun{Model: f.path("model.onnx"), config: c}
	data, err := os.ReadFile(f.path("history.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist): // a head that was fitted at once has no epochs
		return r, nil
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(data, &r.History); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path("history.json"), err)
	}
	return r, nil
}

// Divide divides a data set as the run did, where share is held back for validation if the data is not divided already.
// It reports whether these are the images that the run had, each in the same part and of the same class.
func (r *FinishedRun) Divide(d *features.Dataset, share float64) (*Data, bool) {
	data, err := NewData(d, nil, share, r.config.Seed)
	if err != nil {
		return nil, false
	}
	return data, data.digest() == r.config.Data
}
