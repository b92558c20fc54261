package finetune

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/internal/tfevents"
)

// folder is a run folder.
type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

const checkpointFile = "checkpoint.safetensors"

// results are the files that tell a folder of an earlier run.
var results = []string{"run.json", checkpointFile, "model.onnx"}

// written are the files that a run writes, of which a killed one may have left temporary ones.
var written = append([]string{"head.onnx", samplesFile, startFile, "history.csv", "history.json", "curves.png", "report.json", "confusion.png", "precision_recall.png"}, results...)

// ErrRunExists says that a run folder has the results of an earlier run.
var ErrRunExists = errors.New("the folder has an earlier run in it")

// removeStart removes what only a run that goes on needs.
func (f folder) removeStart() error {
	if err := os.Remove(f.path(startFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// open makes the folder. An earlier run in it is an error unless it is to be replaced or gone on with.
func (f folder) open(replace, resume bool) error {
	if f == "" {
		return errors.New("the run folder has no name")
	}
	if err := os.MkdirAll(string(f), 0o777); err != nil {
		return err
	}
	for _, name := range written {
		if err := atomicfile.Clean(f.path(name)); err != nil {
			return err
		}
	}
	if resume {
		return nil
	}
	for _, name := range results {
		_, err := os.Lstat(f.path(name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !replace:
			return fmt.Errorf("%s: %w (%s)", string(f), ErrRunExists, name)
		case name == checkpointFile:
			// What is not overwritten soon would be taken for this run's if it were stopped early.
			if err := os.Remove(f.path(name)); err != nil {
				return err
			}
		}
	}
	return tfevents.Remove(string(f))
}
