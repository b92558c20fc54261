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
	History []Epoch  `json:"history"`
	Phase   int      `json:"phase"`  // from 0
	Steps   int      `json:"steps"`  // of the phase
	Unread  []string `json:"unread"` // names of the images that could not be read

	HeadFirst int `json:"head_first"` // the head's first node in the network

	PlateauBest  string  `json:"plateau_best"` // a number or +Inf, which JSON has no form for
	PlateauBad   int     `json:"plateau_bad"`
	PlateauScale float64 `json:"plateau_scale"`
}

// weights are weights and running statistics by name.
type weights map[string]*onnx.Tensor

// snapshot copies what is validated and exported: averaged weights where there are some.
func (t *Trainer) snapshot() weights {
	s := weights{}
	put := func(name string, shape []int, data []float32) {
		s[name] = onnx.Of(shape, slices.Clone(data))
		s[name].Name = name
	}
	for i, p := range t.net.Params {
		w := p.Value.Float32s()
		if t.ema != nil {
			w = t.ema[i]
		}
		put(p.Name, p.Value.Shape, w)
	}
	for _, b := range t.buffers {
		put(b.value.Name, b.value.Shape, b.value.Float32s())
	}
	return s
}

// restore makes a snapshot the present state.
func (t *Trainer) restore(s weights) {
	for i, p := range t.net.Params {
		copy(p.Value.Raw, s[p.Name].Raw)
		if t.ema != nil {
			copy(t.ema[i], s[p.Name].Float32s())
		}
	}
	for _, b := range t.buffers {
		copy(b.value.Raw, s[b.value.Name].Raw)
	}
}

// tensors visits every slice that a checkpoint holds, under its name there.
func (t *Trainer) tensors(best weights, visit func(name string, shape []int, data []float32)) {
	for i, p := range t.net.Params {
		visit("param/"+p.Name, p.Value.Shape, p.Value.Float32s())
		visit("best/"+p.Name, p.Value.Shape, best[p.Name].Float32s())
		if t.ema != nil {
			visit("ema/"+p.Name, p.Value.Shape, t.ema[i])
		}
		for k, s := range t.opt.state[i] {
			if s != nil {
				visit(fmt.Sprintf("optimizer%d/%s", k, p.Name), p.Value.Shape, s)
			}
		}
	}
	for _, b := range t.buffers {
		visit("buffer/"+b.value.Name, b.value.Shape, b.value.Float32s())
		visit("bestbuffer/"+b.value.Name, b.value.Shape, best[b.value.Name].Float32s())
	}
}

// keptPrefix is what the names of weights begin with that earlier phases have changed and the present one does not;
// samplesPrefix what those of the samples do, with what the network of the best epoch said of them.
const keptPrefix, samplesPrefix = "kept/", "samples/"

// saveCheckpoint writes everything that a run needs to go on.
func (r *run) saveCheckpoint() error {
	views := map[string]safetensors.TensorView{}
	var errs []error
	put := func(name string, shape []int, data []float32) {
		v, err := view(shape, data)
		errs = append(errs, err)
		views[name] = v
	}
	r.trainer.tensors(r.best, put)
	for name, w := range r.values {
		if r.best[name] == nil { // else this phase trains it, too
			put(keptPrefix+name, w.Shape, w.Float32s())
		}
	}
	for name, t := range r.said.fields() {
		put(samplesPrefix+name, (*t).Shape, (*t).Float32s())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	p := progress{History: r.history, Phase: r.phase, Steps: r.trainer.opt.steps, Unread: r.unread, HeadFirst: r.net.headFirst, PlateauBest: strconv.FormatFloat(r.schedule.best, 'g', -1, 64),
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
	err = atomicfile.Write(r.dir.path(checkpointFile), func(w io.Writer) error {
		return safetensors.SerializeToWriter(views, meta, w)
	})
	if err == nil {
		r.saved = len(r.history)
	}
	return err
}

// CheckpointError says why a run cannot go on from a checkpoint.
type CheckpointError struct {
	File string
	Err  error
}

func (e *CheckpointError) Error() string { return fmt.Sprintf("%s: %v", e.File, e.Err) }

// Unwrap returns the reason.
func (e *CheckpointError) Unwrap() error { return e.Err }

// checkpoint is a file that was read.
type checkpoint struct {
	config   config
	progress progress
	best     float64 // progress.PlateauBest
	tensors  safetensors.SafeTensors
	kept     weights
	said     *samples
}

// readCheckpoint reads where the run was; nil where there is no checkpoint: then it begins.
func (r *run) readCheckpoint() (*checkpoint, error) {
	file := r.dir.path(checkpointFile)
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, r.sameRun()
	}
	if err != nil {
		return nil, err
	}
	c, err := r.parseCheckpoint(data)
	if err != nil {
		return nil, &CheckpointError{File: file, Err: err}
	}
	return c, nil
}

// sameRun makes sure that a folder without a checkpoint has no run with other options in it: one that came to no epoch, or
// of a head that was fitted at once.
func (r *run) sameRun() error {
	c, err := r.dir.options()
	if errors.Is(err, ErrNoRun) {
		return nil
	}
	if err != nil {
		return err
	}
	if diff := c.Options.differences(r.config); len(diff) > 0 {
		return &CheckpointError{File: r.dir.path("run.json"), Err: fmt.Errorf("belongs to another run: %s", strings.Join(diff, "; "))}
	}
	return nil
}

// parseCheckpoint reads what a checkpoint holds, whatever the run; that it fits one is for the caller to see.
func parseCheckpoint(data []byte) (*checkpoint, error) {
	var c checkpoint
	var err error
	if c.tensors, err = safetensors.Deserialize(data); err != nil {
		return nil, fmt.Errorf("not a whole checkpoint: %w", err)
	}
	_, header, err := safetensors.ReadMetadata(data)
	if err != nil {
		return nil, err
	}
	meta := header.Metadata()
	err = errors.Join(json.Unmarshal([]byte(meta["onnxcnn.config"]), &c.config), json.Unmarshal([]byte(meta["onnxcnn.progress"]), &c.progress))
	if err != nil {
		return nil, fmt.Errorf("not a checkpoint of a run: %w", err)
	}
	return &c, nil
}

// weight returns a tensor of the checkpoint as a value of the weight w.
func (c *checkpoint) weight(name string, w *onnx.Tensor) (*onnx.Tensor, bool) {
	v, _ := c.tensors.Tensor(name)
	if w == nil || w.Type != onnx.Float || v.DType() != safetensors.F32 || len(v.Data()) != 4*w.Len() {
		return nil, false
	}
	t := onnx.New(onnx.Float, w.Shape...)
	copy(t.Raw, v.Data())
	return t, true
}

// parseCheckpoint reads a checkpoint of this run.
func (r *run) parseCheckpoint(data []byte) (*checkpoint, error) {
	c, err := parseCheckpoint(data)
	if err != nil {
		return nil, err
	}
	if diff := c.config.differences(r.config); len(diff) > 0 {
		return nil, fmt.Errorf("belongs to another run: %s", strings.Join(diff, "; "))
	}
	p := &c.progress
	c.best, err = strconv.ParseFloat(p.PlateauBest, 64)
	if err != nil || p.Steps < 0 || math.IsNaN(p.PlateauScale) || p.Phase < 0 || p.Phase >= len(r.o.phases()) {
		return nil, errors.New("its progress makes no sense")
	}
	if c.said, err = parseSamples(c.tensors, samplesPrefix); err != nil {
		return nil, err
	}
	c.kept = weights{}
	for _, name := range c.tensors.Names() {
		short, ok := strings.CutPrefix(name, keptPrefix)
		if !ok {
			continue
		}
		if c.kept[short], ok = c.weight(name, r.net.Model.Graph.Initializer(short)); !ok {
			return nil, fmt.Errorf("has a %q that does not fit the network", name)
		}
	}
	return c, nil
}

// sameImages makes sure that the images that can be read are those that could be before: with others the run would come to
// something else.
func (r *run) sameImages(before []string) error {
	others := func(list, than []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slices.Contains(than, name) })
	}
	if gone := others(r.unread, before); len(gone) > 0 {
		return fmt.Errorf("is of a run with images that cannot be read any more (%s): %w", strings.Join(gone, ", "), errors.Join(r.skipped...))
	}
	if back := others(before, r.unread); len(back) > 0 {
		return fmt.Errorf("is of a run without images that can be read now: %s", strings.Join(back, ", "))
	}
	return nil
}

// restore goes back to where the run was. It checks everything before it changes anything.
func (r *run) restore(c *checkpoint) error {
	if err := r.sameImages(c.progress.Unread); err != nil {
		return &CheckpointError{File: r.dir.path(checkpointFile), Err: err}
	}
	var errs []error
	r.trainer.tensors(r.best, func(name string, shape []int, into []float32) {
		v, ok := c.tensors.Tensor(name)
		if !ok || v.DType() != safetensors.F32 || len(v.Data()) != 4*len(into) {
			errs = append(errs, fmt.Errorf("has no %q of shape %v", name, shape))
		}
	})
	if len(errs) > 0 {
		return &CheckpointError{File: r.dir.path(checkpointFile), Err: errs[0]}
	}
	r.trainer.tensors(r.best, func(name string, _ []int, into []float32) {
		v, _ := c.tensors.Tensor(name)
		copy(onnx.Of([]int{len(into)}, into).Raw, v.Data())
	})
	r.history, r.said, r.saved = c.progress.History, c.said, len(c.progress.History)
	r.trainer.opt.steps = c.progress.Steps
	r.schedule.best, r.schedule.bad, r.schedule.scale = c.best, c.progress.PlateauBad, c.progress.PlateauScale
	return nil
}
