package finetune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/onnxcnn/onnxcnn/backend"
	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/internal/graph"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// ExportOptions say in what form [ExportRun] writes a network. The zero value writes it as it was trained: with the names
// and the normalisations of its base.
type ExportOptions struct {
	Opset    int              // version of ONNX's operators, as [convert.Opset] takes it; 0 for the base's
	HeadOnly bool             // the head alone, which takes what the base gives
	FoldBN   bool             // fold batch normalisations into the convolutions before them
	Float16  bool             // weights and sums in half precision, inputs and outputs as they are, see [convert.Float16]
	Save     onnx.SaveOptions // whether weights go to a second file
	Threads  int              // of the comparison; 0: one a processor
	Warn     func(string)     // may be nil
}

// Exported is what [ExportRun] has written.
type Exported struct {
	File       string `json:"file"`
	Bytes      int64  `json:"bytes"` // of the model's own file, without a second one for weights
	Opset      int    `json:"opset"`
	Nodes      int    `json:"nodes"`
	Parameters int    `json:"parameters"`
	Epoch      int    `json:"epoch,omitempty"`      // of an interrupted run: the one that the network is of, and
	LastEpoch  int    `json:"last_epoch,omitempty"` // the last one that was whole
	Folded     int    `json:"folded_normalisations"`
	Check      Check  `json:"check"`

	Half *convert.HalfReport `json:"half_precision,omitempty"` // nil where nothing was asked to be
}

// halfTolerance is what a file in half precision may differ by, as a share of the largest logit: a value has 11 bits there,
// and a network adds up many that were rounded.
const halfTolerance = 2e-2

// ErrNoRun says that a folder has no run in it, or none that has come far enough.
var ErrNoRun = errors.New("the folder has no finished run in it")

// ExportRun writes the network of a run to a file: that of the best epoch, or of the best one so far where the run was
// interrupted. It reads the file back, and compares what it says of images of validation, one alone and three at once, with
// what the trained network said of them: a [MismatchError] tells of a difference. The same run gives the same bytes.
func ExportRun(ctx context.Context, dir, file string, o ExportOptions) (*Exported, error) {
	run, err := openTrained(dir)
	if err != nil {
		return nil, err
	}
	defer run.close()
	v := verifyOptions{tolerance: tolerance, threads: o.Threads, warn: o.Warn}
	v.target = target{kind: "ce", outputs: run.said.batch.Shape[1]}
	if run.config.Loss == "bce" || zoo.IsMultiLabel(run.whole) {
		v.target.kind = "bce"
	}
	m := run.whole
	if o.HeadOnly {
		if m, err = run.head(); err != nil {
			return nil, err
		}
		base, err := baseOf(run.whole, m, o)
		if err != nil {
			return nil, err
		}
		defer base.session.Close()
		v.base = base.run
	}
	out := &Exported{File: file, Epoch: run.epoch, LastEpoch: run.last}
	if o.FoldBN {
		if m, out.Folded, err = graph.FoldBatchNorm(m); err != nil {
			return nil, err
		}
	}
	if o.Opset != 0 {
		if m, err = convert.Opset(m, o.Opset); err != nil {
			return nil, err
		}
	}
	if o.Float16 {
		out.Half = &convert.HalfReport{}
		if m, *out.Half, err = convert.Float16(m); err != nil {
			return nil, err
		}
		v.tolerance = halfTolerance
	}
	if faults := m.Check(); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if err := m.Save(file, o.Save); err != nil {
		return nil, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	out.Bytes, out.Opset, out.Nodes = info.Size(), m.OpsetVersion(""), len(m.Graph.Nodes)
	for _, t := range m.Graph.Initializers {
		out.Parameters += t.Len()
	}
	out.Check, err = verify(ctx, file, run.said, v)
	return out, err
}

// trained is the network of a run.
type trained struct {
	config config
	whole  *onnx.Model
	said   *samples
	head   func() (*onnx.Model, error) // what the head alone is

	epoch, last int // see Exported
	opened      []*onnx.Model
}

func (t *trained) close() {
	for _, m := range t.opened {
		_ = m.Close() // it was only read
	}
}

// openTrained reads the folder of a run, finished or not.
func openTrained(dir string) (*trained, error) {
	f := folder(dir)
	t := &trained{}
	var err error
	t.config, err = f.finished()
	if errors.Is(err, errInterrupted) {
		i, err := f.interrupted()
		if err != nil {
			return nil, err
		}
		t.config, t.whole, t.said, t.epoch, t.last, t.opened = i.config, i.model, i.said, i.best, i.last, []*onnx.Model{i.model}
		t.head = func() (*onnx.Model, error) {
			input := map[string][]int{i.model.Graph.RequiredInputs()[0].Name: i.said.first().Shape}
			layers, err := backend.Layers(i.model, input)
			if err != nil {
				return nil, err
			}
			shapes := map[string][]int{}
			for _, l := range layers {
				shapes[l.Output] = l.Shape
			}
			return headModel(i.model, i.headFirst, shapes)
		}
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if t.said, err = f.readSamples(); err != nil {
		return nil, err
	}
	open := func(name string) (*onnx.Model, error) {
		m, err := onnx.Open(f.path(name))
		if err == nil {
			t.opened = append(t.opened, m)
		}
		return m, err
	}
	t.head = func() (*onnx.Model, error) { return open("head.onnx") }
	t.whole, err = open("model.onnx")
	return t, err
}

// errInterrupted is the [ErrNoRun] of a run that has begun.
var errInterrupted = fmt.Errorf("%w: the run there was interrupted", ErrNoRun)

// options reads run.json. Where there is none it is an [ErrNoRun].
func (f folder) options() (report, error) {
	var r report
	data, err := os.ReadFile(f.path("run.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, fmt.Errorf("%s: %w (no run.json)", string(f), ErrNoRun)
	case err != nil:
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s: %w", f.path("run.json"), err)
	}
	return r, nil
}

// finished reads the options of a run that has come to its end.
func (f folder) finished() (config, error) {
	r, err := f.options()
	if err == nil && !r.Finished {
		err = fmt.Errorf("%s: %w", string(f), errInterrupted)
	}
	return r.Options, err
}

// base is the part of a network before its head.
type base struct {
	session       backend.Session
	input, output string
}

// baseOf opens the part of a network that makes what a head takes.
func baseOf(whole, head *onnx.Model, o ExportOptions) (*base, error) {
	b := &base{output: head.Graph.RequiredInputs()[0].Name}
	var err error
	if b.session, err = backend.Open(whole, backend.Options{Threads: o.Threads, Outputs: []string{b.output}, Warn: o.Warn}); err != nil {
		return nil, err
	}
	b.input = b.session.Inputs()[0].Name
	return b, nil
}

func (b *base) run(ctx context.Context, images *onnx.Tensor) (*onnx.Tensor, error) {
	out, err := b.session.Run(ctx, map[string]*onnx.Tensor{b.input: images})
	if err != nil {
		return nil, err
	}
	return out[b.output], nil
}
