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
	Folded     int    `json:"folded_normalisations"`
	Check      Check  `json:"check"`

	Half *convert.HalfReport `json:"half_precision,omitempty"` // nil where nothing was asked to be
}

// halfTolerance is what a file in half precision may differ by, as a share of the largest logit: a value has 11 bits there,
// and a network adds up many that were rounded.
const halfTolerance = 2e-2

// ErrNoRun says that a folder has no finished run in it.
var ErrNoRun = errors.New("the folder has no finished run in it")

// ExportRun writes the network of a finished run to a file, reads it back, and compares what it says of images of
// validation, one alone and three at once, with what the trained network said of them: a [MismatchError] tells of a
// difference. The same run gives the same bytes.
func ExportRun(ctx context.Context, dir, file string, o ExportOptions) (*Exported, error) {
	run := folder(dir)
	c, err := run.finished()
	if err != nil {
		return nil, err
	}
	want, err := run.readSamples()
	if err != nil {
		return nil, err
	}
	whole, err := onnx.Open(run.path("model.onnx"))
	if err != nil {
		return nil, err
	}
	defer whole.Close()
	v := verifyOptions{tolerance: tolerance, threads: o.Threads, warn: o.Warn}
	v.target = target{kind: "ce", outputs: want.batch.Shape[1]}
	if c.Loss == "bce" || zoo.IsMultiLabel(whole) {
		v.target.kind = "bce"
	}
	m := whole
	if o.HeadOnly {
		head, err := onnx.Open(run.path("head.onnx"))
		if err != nil {
			return nil, err
		}
		defer head.Close()
		base, err := baseOf(whole, head, o)
		if err != nil {
			return nil, err
		}
		defer base.session.Close()
		m, v.base = head, base.run
	}
	out := &Exported{File: file}
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
	out.Check, err = verify(ctx, file, want, v)
	return out, err
}

// finished reads the options of a run that has come to its end.
func (f folder) finished() (config, error) {
	var r report
	data, err := os.ReadFile(f.path("run.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r.Options, fmt.Errorf("%s: %w (no run.json)", string(f), ErrNoRun)
	case err != nil:
		return r.Options, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r.Options, fmt.Errorf("%s: %w", f.path("run.json"), err)
	}
	if !r.Finished {
		return r.Options, fmt.Errorf("%s: %w: the run there was interrupted", string(f), ErrNoRun)
	}
	return r.Options, nil
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
