package finetune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune/metrics"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// Plan is what a run is about to do.
type Plan struct {
	Classes    []string
	Train, Val int      // images that can be read
	Skipped    []error  // one for each image that cannot
	Layers     int      // weights that are trained
	Trained    int      // parameters that are trained
	Frozen     int      // parameters that are not
	Cut        []string // values at which the frozen part ends
	Steps      int      // an epoch
	Cached     bool     // the activations there are kept
	First      int      // epoch that begins, from 1: larger where the run goes on
	Notes      []string
}

// Result is what a run has come to.
type Result struct {
	History []Epoch
	Best    int  // epoch of model.onnx, from 1
	Early   bool // patience ended it
	Skipped []error
	Check   Check
	Report  *metrics.Report      // of Model on the images of validation; nil where these have any number of classes
	Multi   *metrics.MultiReport // of such images, else nil
	Model   string               // the file
	Head    string
}

// DivergedError says where training has gone astray. What the folder held before is still there.
type DivergedError struct {
	Epoch, Batch int // from 1
	Files        []string
	Err          error
}

func (e *DivergedError) Error() string {
	files := e.Files
	more := ""
	if len(files) > 8 {
		files, more = files[:8], fmt.Sprintf(" and %d more", len(e.Files)-8)
	}
	return fmt.Sprintf("epoch %d, batch %d: %v (images %s%s)", e.Epoch, e.Batch, e.Err, strings.Join(files, ", "), more)
}

// Unwrap returns what is not finite.
func (e *DivergedError) Unwrap() error { return e.Err }

// run is a run while it goes on.
type run struct {
	o        Options
	dir      folder
	base     *onnx.Model
	data     *Data
	net      *Network
	trainer  *Trainer
	head     classical // nil for one that is trained step by step
	schedule *Schedule
	loader   *loader
	config   config
	recipe   zoo.Recipe
	train    *part
	val      *part
	history  []Epoch
	best     snapshot
	skipped  []error
}

// part is the images of training or of validation.
type part struct {
	items []features.Item
	cache *cache // nil where activations are not kept
}

// Run trains a network on images and writes the run folder. The model must stay open until it returns.
//
// When ctx ends, so does the run, at once: the folder's checkpoint is that of the last whole epoch, and a run with
// Options.Resume goes on from there, to the same bits.
func Run(ctx context.Context, m *onnx.Model, data *Data, dir string, o Options) (*Result, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	r := &run{o: o, dir: folder(dir), base: m, data: data}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	defer r.trainer.Close()
	if err := r.dir.open(o.Force, o.Resume); err != nil {
		return nil, err
	}
	defer func() {
		for _, p := range []*part{r.train, r.val} {
			if p != nil {
				p.cache.close()
			}
		}
	}()
	if err := r.readable(ctx); err != nil {
		return nil, err
	}
	r.config = o.config(filepath.Base(m.Path()), m.Digest(), data, r.recipe)
	r.schedule = NewSchedule(o.Schedule, o.Epochs, len(r.batches(0)), o.Warmup)
	r.best = r.trainer.snapshot()
	if o.Resume {
		if _, err := r.loadCheckpoint(); err != nil {
			return nil, err
		}
	}
	if err := r.dir.writeJSON("run.json", r.report(nil)); err != nil {
		return nil, err
	}
	if o.Start != nil {
		o.Start(r.plan())
	}
	if r.head != nil {
		return r.fit(ctx)
	}
	early, err := r.epochs(ctx)
	if err != nil {
		return nil, err
	}
	return r.finish(ctx, early)
}

// prepare resolves the recipe, splits the network and compiles it.
func (r *run) prepare() error {
	recipe, err := features.RecipeFor(r.base, r.o.Recipe)
	if err != nil {
		return err
	}
	if r.o.Size != [2]int{} {
		recipe = recipe.WithSize(r.o.Size[0], r.o.Size[1])
		if err := recipe.Validate(); err != nil {
			return err
		}
	}
	r.recipe = recipe
	kind, outputs, err := lossKind(r.o.Loss, len(r.data.Classes), r.data.MultiLabel())
	if err != nil {
		return err
	}
	r.o.NetOptions.Shape = recipe.Shape()
	net := r.o.NetOptions
	if r.head, err = parseClassical(r.o.Head); err != nil {
		return err
	}
	if r.head != nil {
		net.Head = "linear" // until it is fitted
	}
	if r.net, err = Split(r.base, outputs, net); err != nil {
		return err
	}
	t := TrainerOptions{OptimOptions: r.o.OptimOptions, Loss: kind, LabelSmoothing: r.o.LabelSmoothing, Seed: r.o.Seed, Threads: r.o.Threads, Provider: r.o.Provider, Warn: r.o.Warn}
	if err := r.weigh(&t, outputs); err != nil {
		return err
	}
	if r.trainer, err = NewTrainer(r.net, t); err != nil {
		return err
	}
	workers := r.o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	r.loader = &loader{recipe: recipe, augment: r.o.Augment, seed: r.o.Seed, workers: workers, maxPixels: r.o.MaxPixels}
	return nil
}

// weigh sets how much classes count.
func (r *run) weigh(t *TrainerOptions, outputs int) error {
	counts := classCounts(r.data.Train, len(r.data.Classes))
	own := counts
	if !r.data.MultiLabel() {
		own = counts[len(counts)-outputs:] // a single output is the second class
	}
	switch {
	case len(r.o.PosWeight) > 0 && t.Loss != "bce":
		return errors.New("a weight of what is there is for loss bce: with ce, take class weights")
	case len(r.o.PosWeight) > 0 && r.o.ClassWeights == "balanced":
		return errors.New("balanced class weights and weights of what is there say the same: give one of them")
	case len(r.o.PosWeight) == 1:
		t.PosWeight = slices.Repeat(r.o.PosWeight, outputs)
	case len(r.o.PosWeight) > 0:
		t.PosWeight = r.o.PosWeight
	case r.o.ClassWeights == "balanced" && t.Loss == "bce":
		t.PosWeight = balancedPos(own, len(r.data.Train))
	case r.o.ClassWeights == "balanced":
		t.ClassWeights = balanced(counts)
	}
	return nil
}

// readable leaves out the images that cannot be read, and keeps the activations of the others where they stay the same.
func (r *run) readable(ctx context.Context) error {
	var err error
	if r.train, err = r.scan(ctx, r.data.Train, r.o.Augment.IsNone() && r.o.Mix.IsNone()); err != nil {
		return err
	}
	if r.val, err = r.scan(ctx, r.data.Val, true); err != nil {
		return err
	}
	if err := everyClass(r.train.items, r.data.Classes); err != nil {
		return errors.Join(append([]error{err}, r.skipped...)...)
	}
	if len(r.val.items) == 0 {
		return errors.Join(append([]error{errors.New("none of the images for validation can be read")}, r.skipped...)...)
	}
	return nil
}

// scan reads all images of a part once. Those that cannot be read have no place in it: which these are depends on the
// files alone, so that a run that goes on meets the same.
func (r *run) scan(ctx context.Context, items []features.Item, same bool) (*part, error) {
	p := &part{}
	keep := same && (r.o.Cache == "auto" || r.head != nil)
	if keep {
		var err error
		if p.cache, err = newCache(r.net.Cut, r.net.shapes, len(items), r.o.CacheMemory, string(r.dir)); err != nil {
			return nil, err
		}
	}
	phase := "check"
	if keep {
		phase = "features"
	}
	done := 0
	err := r.loader.each(ctx, items, batchesOf(count(len(items)), r.o.Batch, false), -1, func(b *images) error {
		var good []int // rows
		for k, err := range b.errs {
			if err != nil {
				r.skipped = append(r.skipped, fmt.Errorf("%s: %w", items[b.index[k]].Path, err))
				continue
			}
			good = append(good, k)
		}
		if keep && len(good) > 0 {
			values, err := r.trainer.Cut(ctx, b.x)
			if err != nil {
				return err
			}
			for i, k := range good {
				if err := p.cache.put(len(p.items)+i, values, k); err != nil {
					return err
				}
			}
		}
		for _, k := range good {
			p.items = append(p.items, items[b.index[k]])
		}
		done += len(b.index)
		r.tell(Progress{Phase: phase, Done: done, Total: len(items)})
		return nil
	})
	return p, err
}

func (r *run) tell(p Progress) {
	if r.o.Progress != nil {
		r.o.Progress(p)
	}
}

// plan says what is about to happen.
func (r *run) plan() Plan {
	return Plan{Classes: r.data.Classes, Train: len(r.train.items), Val: len(r.val.items), Skipped: r.skipped, Layers: len(r.net.Params),
		Trained: r.net.Trained, Frozen: r.net.Frozen, Cut: r.net.Cut, Steps: len(r.batches(0)), Cached: r.train.cache != nil,
		First: len(r.history) + 1, Notes: r.data.Notes}
}

// batches returns the images of an epoch in their order: one that the seed and the epoch decide.
func (r *run) batches(epoch int) [][]int {
	rng := rand.New(rand.NewPCG(r.o.Seed, shuffleStream<<32+uint64(epoch)))
	return batchesOf(rng.Perm(len(r.train.items)), r.o.Batch, len(r.trainer.buffers) > 0)
}

// epochs trains until the end, or until patience is out.
func (r *run) epochs(ctx context.Context) (early bool, err error) {
	for len(r.history) < r.o.Epochs {
		if r.outOfPatience() {
			return true, nil
		}
		start := time.Now()
		e, err := r.epoch(ctx, len(r.history))
		if err != nil {
			return false, err
		}
		e.Seconds = time.Since(start).Seconds()
		before := bestEpoch(r.history, r.o.Monitor)
		e.Best = before < 0 || e.score(r.o.Monitor) < r.history[before].score(r.o.Monitor)
		r.history = append(r.history, e)
		if e.Best {
			r.best = r.trainer.snapshot()
		}
		r.schedule.Observe(e.score(r.o.Monitor))
		if err := errors.Join(r.saveCheckpoint(), r.dir.writeHistory(r.history)); err != nil {
			return false, err
		}
		if r.o.Epoch != nil {
			r.o.Epoch(e)
		}
	}
	return false, nil
}

// outOfPatience reports whether so many epochs have brought nothing that training ends.
func (r *run) outOfPatience() bool {
	return r.o.Patience > 0 && len(r.history)-1-bestEpoch(r.history, r.o.Monitor) >= r.o.Patience && len(r.history) > 0
}

// sums adds up what epochs are measured by.
type sums struct {
	loss, weight   float64
	correct, count int
}

func (s *sums) add(loss, weight float64, correct, count int) {
	s.loss += loss * weight
	s.weight += weight
	s.correct += correct
	s.count += count
}

func (s *sums) mean() (loss, accuracy float64) {
	if s.count == 0 || s.weight == 0 {
		return 0, 0
	}
	return s.loss / s.weight, float64(s.correct) / float64(s.count)
}

// epoch trains on every image once, and validates.
func (r *run) epoch(ctx context.Context, epoch int) (Epoch, error) {
	e := Epoch{Epoch: epoch + 1}
	var train, val sums
	batches := r.batches(epoch)
	step, done := 0, 0
	err := r.each(ctx, r.train, batches, epoch, func(index []int, cut []*onnx.Tensor, y []float32) error {
		rate := r.schedule.Factor(epoch*len(batches) + step)
		step++
		e.LR = rate * r.o.LR
		s, err := r.trainer.Step(ctx, cut, y, rate)
		if err != nil {
			var bad *NotFiniteError
			if errors.As(err, &bad) {
				return &DivergedError{Epoch: epoch + 1, Batch: step, Files: r.train.files(index), Err: bad}
			}
			return err
		}
		train.add(s.Loss, s.Weight, s.Correct, r.trainer.target.decisions(len(index)))
		loss, acc := train.mean()
		done += len(index)
		r.tell(Progress{Phase: "train", Epoch: epoch + 1, Done: done, Total: len(r.train.items), Loss: loss, Accuracy: acc})
		return nil
	})
	if err != nil {
		return e, err
	}
	e.TrainLoss, e.TrainAcc = train.mean()
	done = 0
	err = r.each(ctx, r.val, batchesOf(count(len(r.val.items)), r.o.Batch, false), -1, func(index []int, cut []*onnx.Tensor, y []float32) error {
		logits, err := r.trainer.Logits(ctx, cut)
		if err != nil {
			return err
		}
		loss, weight := r.trainer.target.loss(logits.Float32s(), y)
		if !finite(loss) {
			return &DivergedError{Epoch: epoch + 1, Batch: 0, Files: r.val.files(index), Err: &NotFiniteError{What: "the loss in validation"}}
		}
		val.add(loss, weight, r.trainer.target.correct(logits.Float32s(), y), r.trainer.target.decisions(len(index)))
		done += len(index)
		r.tell(Progress{Phase: "validate", Epoch: epoch + 1, Done: done, Total: len(r.val.items), Loss: e.TrainLoss, Accuracy: e.TrainAcc})
		return nil
	})
	e.ValLoss, e.ValAcc = val.mean()
	return e, err
}

// targets returns the rows of targets of images.
func (r *run) targets(p *part, index []int) []float32 {
	k := r.trainer.target.outputs
	y := make([]float32, len(index)*k)
	for i, at := range index {
		row := y[i*k : (i+1)*k]
		switch it := p.items[at]; {
		case it.Labels != nil:
			for _, c := range it.Labels {
				row[c] = 1
			}
		case k == 1:
			row[0] = float32(it.Label)
		default:
			row[it.Label] = 1
		}
	}
	return y
}

func (p *part) files(index []int) []string {
	files := make([]string, len(index))
	for k, i := range index {
		files[k] = p.items[i].Path
	}
	return files
}

// each hands batches of a part to f as what the trained part reads, and their targets: from the cache, or through the frozen
// part. Those of a view of -1 are not changed at random; else images are, and mixed, as the seed and the view decide.
func (r *run) each(ctx context.Context, p *part, batches [][]int, view int, f func(index []int, cut []*onnx.Tensor, y []float32) error) error {
	if p.cache != nil {
		for _, index := range batches {
			if err := ctx.Err(); err != nil {
				return err
			}
			cut, err := p.cache.batch(index, r.net.shapes)
			if err != nil {
				return err
			}
			if err := f(index, cut, r.targets(p, index)); err != nil {
				return err
			}
		}
		return nil
	}
	rng := rand.New(rand.NewPCG(r.o.Seed, mixBatches<<32+uint64(view)))
	return r.loader.each(ctx, p.items, batches, view, func(b *images) error {
		if err := b.firstError(p.items); err != nil {
			return err // it could be read before
		}
		y := r.targets(p, b.index)
		if view >= 0 && !r.o.Mix.IsNone() {
			if err := r.o.Mix.Mix(b.x.Float32s(), b.x.Shape, r.recipe.Layout == "NHWC", y, rng.Uint64()); err != nil {
				return err
			}
		}
		cut, err := r.trainer.Cut(ctx, b.x)
		if err != nil {
			return err
		}
		return f(b.index, cut, y)
	})
}

// finish exports the best epoch and writes what is left.
func (r *run) finish(ctx context.Context, early bool) (*Result, error) {
	last := r.trainer.snapshot()
	r.trainer.restore(r.best)
	defer r.trainer.restore(last)
	m, err := r.trainer.Export(r.data.Classes, &r.recipe)
	if err != nil {
		return nil, err
	}
	return r.write(ctx, m, early, r.trainer.Logits)
}

// write writes the run folder's results: the network, of which logits says what it makes of the cut, and what there is to
// say of it.
func (r *run) write(ctx context.Context, m *onnx.Model, early bool, logits cutLogits) (*Result, error) {
	var err error
	res := &Result{History: r.history, Best: bestEpoch(r.history, r.o.Monitor) + 1, Early: early, Skipped: r.skipped,
		Model: r.dir.path("model.onnx"), Head: r.dir.path("head.onnx")}
	if res.Best < 1 {
		return nil, fmt.Errorf("no epoch has a %s that is a number", r.o.Monitor)
	}
	if res.Check, err = r.export(ctx, res, m, logits); err != nil {
		return nil, err
	}
	if err := r.evaluate(ctx, res); err != nil {
		return nil, err
	}
	if err := errors.Join(r.dir.writeHistory(r.history), r.dir.writeCurves(r.history), r.dir.writeJSON("run.json", r.report(res))); err != nil {
		return nil, err
	}
	return res, nil
}

// report is what run.json holds.
type report struct {
	Options    config   `json:"options"`
	Software   string   `json:"software"`
	Trained    int      `json:"trained_parameters"`
	Frozen     int      `json:"frozen_parameters"`
	Cut        []string `json:"cut"`
	Skipped    []string `json:"skipped"`
	Finished   bool     `json:"finished"`
	Early      bool     `json:"stopped_early,omitempty"`
	BestEpoch  int      `json:"best_epoch,omitempty"`
	Best       *Epoch   `json:"best,omitempty"`
	Difference float64  `json:"export_max_difference,omitempty"`
}

func (r *run) report(res *Result) report {
	out := report{Options: r.config, Software: software(), Trained: r.net.Trained, Frozen: r.net.Frozen, Cut: r.net.Cut, Skipped: []string{}}
	for _, s := range r.skipped {
		out.Skipped = append(out.Skipped, s.Error())
	}
	if res != nil {
		out.Finished, out.Early, out.BestEpoch, out.Difference = true, res.Early, res.Best, res.Check.Difference
		out.Best = &r.history[res.Best-1]
	}
	return out
}

// largest returns the largest magnitude.
func largest(x []float32) float64 {
	m := 0.0
	for _, v := range x {
		m = max(m, math.Abs(float64(v)))
	}
	return m
}
