package finetune

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// progress is where a run is, beside its numbers. Random numbers need nothing here: those of an epoch follow from the
// seed and the epoch.
type progress struct {
	History []Epoch `json:"history"`
	Steps   int     `json:"steps"`

	PlateauBest  string  `json:"plateau_best"` // a number or +Inf, which JSON has no form for
	PlateauBad   int     `json:"plateau_bad"`
	PlateauScale float64 `json:"plateau_scale"`
}

// snapshot is a copy of everything that training changes and the result needs.
type snapshot struct {
	params  [][]float32
	buffers [][]float32
}

// take copies what is validated and exported: averaged weights where there are some.
func (t *Trainer) snapshot() snapshot {
	var s snapshot
	for i, p := range t.net.Params {
		w := p.Value.Float32s()
		if t.ema != nil {
			w = t.ema[i]
		}
		s.params = append(s.params, slices.Clone(w))
	}
	for _, b := range t.buffers {
		s.buffers = append(s.buffers, slices.Clone(b.value.Float32s()))
	}
	return s
}

// restore makes a snapshot the present state.
func (t *Trainer) restore(s snapshot) {
	for i, p := range t.net.Params {
		copy(p.Value.Float32s(), s.params[i])
		if t.ema != nil {
			copy(t.ema[i], s.params[i])
		}
	}
	for i, b := range t.buffers {
		copy(b.value.Float32s(), s.buffers[i])
	}
}

// tensors visits every slice that a checkpoint holds, under its name there.
func (t *Trainer) tensors(best snapshot, visit func(name string, shape []int, data []float32)) {
	for i, p := range t.net.Params {
		visit("param/"+p.Name, p.Value.Shape, p.Value.Float32s())
		visit("best/"+p.Name, p.Value.Shape, best.params[i])
		if t.ema != nil {
			visit("ema/"+p.Name, p.Value.Shape, t.ema[i])
		}
		for k, s := range t.opt.state[i] {
			if s != nil {
				visit(fmt.Sprintf("optimizer%d/%s", k, p.Name), p.Value.Shape, s)
			}
		}
	}
	for i, b := range t.buffers {
		visit("buffer/"+b.value.Name, b.value.Shape, b.value.Float32s())
		visit("bestbuffer/"+b.value.Name, b.value.Shape, best.buffers[i])
	}
}

// saveCheckpoint writes everything that a run needs to go on.
func (r *run) saveCheckpoint() error {
	views := map[string]safetensors.TensorView{}
	var errs []error
	r.trainer.tensors(r.best, func(name string, shape []int, data []float32) {
		v, err := view(shape, data)
		errs = append(errs, err)
		views[name] = v
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	p := progress{History: r.history, Steps: r.trainer.opt.steps, PlateauBest: strconv.FormatFloat(r.schedule.best, 'g', -1, 64),
		PlateauBad: r.schedule.bad, PlateauScale: r.schedule.scale}
	state, err := json.Marshal(p)
	if err != nil {
		return err
	}
	config, err := json.Marshal(r.config)
	if err != nil {
		return err
	}
	meta := map[string]string{"onnxcnn.progress": string(state), "onnxcnn.config": string(config)}
	return atomicfile.Write(r.dir.path(checkpointFile), func(w io.Writer) error {
		return safetensors.SerializeToWriter(views, meta, w)
	})
}

// CheckpointError says why a run cannot go on from a checkpoint.
type CheckpointError struct {
	File string
	Err  error
}

func (e *CheckpointError) Error() string { return fmt.Sprintf("%s: %v", e.File, e.Err) }

// Unwrap returns the reason.
func (e *CheckpointError) Unwrap() error { return e.Err }

// loadCheckpoint goes back to where the run was. Without a checkpoint it returns false: then it begins.
func (r *run) loadCheckpoint() (bool, error) {
	file := r.dir.path(checkpointFile)
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := r.restore(data); err != nil {
		return false, &CheckpointError{File: file, Err: err}
	}
	return true, nil
}

// restore reads a checkpoint. It checks everything before it changes anything.
func (r *run) restore(data []byte) error {
	st, err := safetensors.Deserialize(data)
	if err != nil {
		return fmt.Errorf("not a whole checkpoint: %w", err)
	}
	_, header, err := safetensors.ReadMetadata(data)
	if err != nil {
		return err
	}
	meta := header.Metadata()
	var config config
	if err := json.Unmarshal([]byte(meta["onnxcnn.config"]), &config); err != nil {
		return fmt.Errorf("not a checkpoint of a run: %w", err)
	}
	if diff := config.differences(r.config); len(diff) > 0 {
		return fmt.Errorf("belongs to another run: %s", strings.Join(diff, "; "))
	}
	var p progress
	if err := json.Unmarshal([]byte(meta["onnxcnn.progress"]), &p); err != nil {
		return fmt.Errorf("not a checkpoint of a run: %w", err)
	}
	best, err := strconv.ParseFloat(p.PlateauBest, 64)
	if err != nil || p.Steps < 0 || math.IsNaN(p.PlateauScale) {
		return errors.New("its progress makes no sense")
	}
	r.best = r.trainer.snapshot()
	var errs []error
	r.trainer.tensors(r.best, func(name string, shape []int, into []float32) {
		v, ok := st.Tensor(name)
		if !ok || v.DType() != safetensors.F32 || len(v.Data()) != 4*len(into) {
			errs = append(errs, fmt.Errorf("has no %q of shape %v", name, shape))
		}
	})
	if len(errs) > 0 {
		return errs[0]
	}
	r.trainer.tensors(r.best, func(name string, _ []int, into []float32) {
		v, _ := st.Tensor(name)
		copy(onnx.Of([]int{len(into)}, into).Raw, v.Data())
	})
	r.history = p.History
	r.trainer.opt.steps = p.Steps
	r.schedule.best, r.schedule.bad, r.schedule.scale = best, p.PlateauBad, p.PlateauScale
	return nil
}
