package finetune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// startFile has the network as it was before training, as long as the run goes on: with the weights of a checkpoint it is
// that of the best epoch so far.
const startFile = "start.onnx"

// saveStart writes the network before training. A run that goes on from a checkpoint has it already, and may have no room
// for another.
func (r *run) saveStart(resumed bool) error {
	if resumed {
		if _, err := os.Stat(r.dir.path(startFile)); err == nil {
			return nil
		}
	}
	m, err := r.trainer.Export(r.data.Classes, &r.recipe)
	if err != nil {
		return err
	}
	if err := r.sign(m); err != nil {
		return err
	}
	return m.Save(r.dir.path(startFile), onnx.SaveOptions{})
}

// probe is the images that every export is compared by, and what the frozen part makes of them.
type probe struct {
	images, first *onnx.Tensor
	single, batch []*onnx.Tensor // the values of the cut
}

// newProbe reads the images and runs the frozen part on them.
func (r *run) newProbe(ctx context.Context) (*probe, error) {
	var index []int
	for i := range sampleImages {
		index = append(index, i%len(r.val.items))
	}
	p := &probe{}
	err := r.loader.each(ctx, r.val.items, [][]int{index}, -1, func(b *images) error {
		if err := b.firstError(r.val.items); err != nil {
			return err
		}
		p.images = b.x.Clone()
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.first = (&samples{images: p.images}).first()
	if p.single, err = r.trainer.Cut(ctx, p.first); err != nil {
		return nil, err
	}
	p.batch, err = r.trainer.Cut(ctx, p.images)
	return p, err
}

// interrupted is what a run has come to that did not end.
type interrupted struct {
	config    config
	model     *onnx.Model // the network of the best epoch so far
	said      *samples    // and what it said
	headFirst int         // the head's first node
	best      int         // the epoch, from 1
	last      int         // the last one that was whole
}

// interrupted reads a run that has a checkpoint. The model must be closed.
func (f folder) interrupted() (*interrupted, error) {
	file := f.path(checkpointFile)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: the run there was interrupted before its first epoch was whole", string(f), ErrNoRun)
	}
	if err != nil {
		return nil, err
	}
	r, err := f.parseInterrupted(data)
	if err != nil {
		return nil, &CheckpointError{File: file, Err: err}
	}
	return r, nil
}

func (f folder) parseInterrupted(data []byte) (*interrupted, error) {
	c, err := parseCheckpoint(data)
	if err != nil {
		return nil, err
	}
	p := &c.progress
	r := &interrupted{config: c.config, best: bestEpoch(p.History, c.config.Monitor) + 1, last: len(p.History), headFirst: p.HeadFirst}
	if r.best < 1 {
		return nil, fmt.Errorf("no epoch has a %s that is a number", r.config.Monitor)
	}
	if r.said, err = parseSamples(c.tensors, samplesPrefix); err != nil {
		return nil, err
	}
	r.model, err = onnx.Open(f.path(startFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s beside it", ErrNoRun, startFile)
	}
	if err != nil {
		return nil, err
	}
	if err := r.overlay(c); err != nil {
		_ = r.model.Close() // nothing is written
		return nil, err
	}
	return r, nil
}

// overlay puts the weights of the best epoch into the network.
func (r *interrupted) overlay(c *checkpoint) error {
	g := r.model.Graph
	if r.headFirst < 0 || r.headFirst >= len(g.Nodes) {
		return errors.New("its progress makes no sense")
	}
	at := map[string]int{}
	for i, t := range g.Initializers {
		at[t.Name] = i
	}
	for _, name := range c.tensors.Names() {
		kind, weight, _ := strings.Cut(name, "/")
		if !slices.Contains([]string{"best", "bestbuffer", "kept"}, kind) {
			continue
		}
		i, ok := at[weight]
		var w *onnx.Tensor
		if ok {
			w, ok = c.weight(name, g.Initializers[i])
		}
		if !ok {
			return fmt.Errorf("has a %q that does not fit the network in %s", name, startFile)
		}
		w.Name = weight
		g.Initializers[i] = w
	}
	return nil
}
