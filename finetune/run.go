package finetune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/finetune/metrics"
	"github.com/onnxcnn/onnxcnn/internal/tfevents"
	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// Result is what a run has come to.
type Result struct {
	History []Epoch
	Best    int  // epoch of model.onnx, from 1
	Early   bool // patience ended it, or its last phase
	TimeUp  bool // the time that it was given ended it
	Partial bool // and that in the midst of the first epoch, of which no checkpoint is: going on begins anew
	Skipped []error
	Check   Check
	Report  *metrics.Report      // of Model on the images of validation; nil where these have any number of classes
	Multi   *metrics.MultiReport // of such images, else nil
	Model   string               // the file
	Head    string
}

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
	skipped  []error
	unread   []string // names of the images that could not be read

	phase   int     // that goes on, an index into o.phases()
	values  weights // what earlier phases have changed, as it is in the best epoch so far
	history []Epoch
	saved   int     // whole epochs in the checkpoint
	best    weights // of the present phase's, as they are in the best epoch so far
	probe   *probe  // of the present phase; nil until it is needed
	said    *samples
	budget  budget

	cacheFull atomic.Bool // activations are not kept for later runs any more
	events    *tfevents.Writer
}

// part is the images of training or of validation.
type part struct {
	all   []features.Item // with those that cannot be read
	items []features.Item
	cache *cache // nil where activations are not kept
}

// Run trains a network on images and writes the run folder. The model must stay open until it returns.
//
// When ctx ends, so does the run, at once, with an [InterruptedError]: the folder's checkpoint is that of the last whole
// epoch, and a run with Options.Resume goes on from there, to the same bits. So does one that could not write to its folder.
//
// With [Options.Phases] other layers are trained in each phase. A phase begins with the weights of the best epoch so far,
// and with optimiser, schedule, warm-up and patience anew; patience ends a phase, and the next one begins.
func Run(ctx context.Context, m *onnx.Model, data *Data, dir string, o Options) (*Result, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	r := &run{o: o, dir: folder(dir), base: m, data: data, values: weights{}, budget: budget{start: time.Now(), limit: o.Time}}
	defer r.close()
	res, err := r.run(ctx)
	ended := ctx.Err() != nil && errors.Is(err, ctx.Err())
	if ended || r.saved > 0 && errors.As(err, new(*fs.PathError)) {
		return nil, &InterruptedError{Dir: dir, Saved: r.saved, Err: err}
	}
	return res, err
}

func (r *run) run(ctx context.Context) (*Result, error) {
	if err := r.prepare(); err != nil {
		return nil, err
	}
	if err := r.dir.open(r.o.Force, r.o.Resume); err != nil {
		return nil, err
	}
	r.config = r.o.config(filepath.Base(r.base.Path()), r.base.Digest(), r.data, r.recipe)
	var saved *checkpoint
	if r.o.Resume {
		var err error
		if saved, err = r.readCheckpoint(); err != nil {
			return nil, err
		}
	}
	if saved != nil && (saved.progress.Phase > 0 || len(saved.kept) > 0) {
		r.values = saved.kept
		if err := r.enter(saved.progress.Phase); err != nil {
			return nil, err
		}
	}
	if err := r.readable(ctx); err != nil {
		return nil, err
	}
	if err := r.checkBatches(); err != nil {
		return nil, err
	}
	r.newSchedule()
	r.best = r.trainer.snapshot()
	if saved != nil {
		if err := r.restore(saved); err != nil {
			return nil, err
		}
	}
	if r.head == nil { // before the folder says that a run goes on there: it could be killed at once
		if err := r.saveStart(saved != nil); err != nil {
			return nil, err
		}
	}
	if err := r.dir.writeJSON("run.json", r.report(nil)); err != nil {
		return nil, err
	}
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	if r.head != nil {
		return r.fit(ctx)
	}
	var err error
	if r.events, err = r.dir.openEvents(len(r.history) + 1); err != nil {
		return nil, err
	}
	end, err := r.phases(ctx)
	if err != nil {
		return nil, err
	}
	return r.finish(ctx, end)
}

// close lets go of what the run holds.
func (r *run) close() {
	if r.trainer != nil {
		_ = r.trainer.Close() // what it holds is let go in any case
	}
	for _, p := range []*part{r.train, r.val} {
		if p != nil {
			p.cache.close()
		}
	}
	if r.events != nil {
		_ = r.events.Close() // every event is written by now
	}
}

// prepare resolves the recipe, and makes sure that the network can be trained in every phase. It leaves the first one ready.
func (r *run) prepare() error {
	if err := r.data.check(); err != nil {
		return err
	}
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
	r.o.NetOptions.Shape = recipe.Shape()
	if r.head, err = parseClassical(r.o.Head); err != nil {
		return err
	}
	if r.head != nil && r.data.MultiLabel() {
		return fmt.Errorf("head %s tells which one of the classes an image has, and these images have any number", r.o.Head)
	}
	workers := r.o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	r.loader = &loader{recipe: recipe, augment: r.o.Augment, seed: r.o.Seed, workers: workers, maxPixels: r.o.MaxPixels}
	for i := range slices.Backward(r.o.phases()) {
		if err := r.enter(i); err != nil {
			return err
		}
	}
	return nil
}

// enter makes the network and the trainer of a phase, with the values that earlier ones have left.
func (r *run) enter(phase int) error {
	p := r.o.phases()[phase]
	inPhase := func(err error) error {
		if len(r.o.Phases) > 0 {
			return fmt.Errorf("phase %d (%s): %w", phase+1, p.From, err)
		}
		return err
	}
	kind, outputs, err := lossKind(r.o.Loss, len(r.data.Classes), r.data.MultiLabel())
	if err != nil {
		return err
	}
	o := r.o.NetOptions
	o.UnfreezeFrom = p.From
	if r.head != nil {
		o.Head = "linear" // until it is fitted
	}
	net, err := Split(r.base, outputs, o)
	if err != nil {
		return inPhase(err)
	}
	if err := net.adopt(r.values); err != nil {
		return err
	}
	t := TrainerOptions{OptimOptions: r.o.OptimOptions, Loss: kind, LabelSmoothing: r.o.LabelSmoothing, Seed: r.o.Seed + uint64(phase)<<32,
		Threads: r.o.Threads, Provider: r.o.Provider, Warn: r.o.Warn}
	t.LR = p.LR
	if err := r.weigh(&t, outputs); err != nil {
		return err
	}
	trainer, err := NewTrainer(net, t)
	if err != nil {
		return inPhase(err)
	}
	if r.trainer != nil {
		_ = r.trainer.Close() // what it holds is let go in any case
	}
	r.net, r.trainer, r.phase, r.probe = net, trainer, phase, nil
	return nil
}

// checkBatches refuses to train normalisations on a batch of one where that leaves nothing to normalise by: before an epoch
// has been lost.
func (r *run) checkBatches() error {
	if len(r.trainer.buffers) == 0 || !slices.ContainsFunc(r.batches(0), func(b []int) bool { return len(b) == 1 }) {
		return nil
	}
	if _, err := r.trainer.program(1); err != nil {
		n := len(r.train.items)
		if n == 1 || r.o.Batch == 1 {
			return fmt.Errorf("a batch of one has no statistics that could train a normalisation: take larger batches: %w", err)
		}
		return fmt.Errorf("%d images in batches of %d leave a batch of one (%d %% %d = %d), whose statistics cannot train a normalisation; "+
			"choose another batch size, or let the last batch be dropped: %w", n, r.o.Batch, n, r.o.Batch, n%r.o.Batch, err)
	}
	return nil
}

// newSchedule begins the learning rates of the present phase.
func (r *run) newSchedule() {
	r.schedule = NewSchedule(r.o.Schedule, r.o.phases()[r.phase].Epochs, len(r.batches(0)), r.o.Warmup)
}

// ending says why training has come to its end.
type ending struct{ early, timeUp, partial bool }

// phases goes through the phases from the present one on.
func (r *run) phases(ctx context.Context) (ending, error) {
	for {
		end, err := r.epochs(ctx)
		if err != nil || end.timeUp || r.phase+1 == len(r.o.phases()) {
			return end, err
		}
		cut := r.net.Cut
		for name, w := range r.best {
			r.values[name] = w
		}
		if err := r.enter(r.phase + 1); err != nil {
			return end, err
		}
		// What lies before the cut has the values of the best epoch so far, whichever phase that was in: it is what
		// this phase began with. So kept activations stay right where the cut does.
		if !slices.Equal(cut, r.net.Cut) {
			if err := r.keep(ctx); err != nil {
				return end, err
			}
		}
		if err := r.checkBatches(); err != nil {
			return end, err
		}
		r.newSchedule()
		r.best = r.trainer.snapshot()
		if err := r.start(ctx); err != nil {
			return end, err
		}
	}
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

// finish exports the best epoch and writes what is left.
func (r *run) finish(ctx context.Context, end ending) (*Result, error) {
	last := r.trainer.snapshot()
	r.trainer.restore(r.best)
	defer r.trainer.restore(last)
	m, err := r.trainer.Export(r.data.Classes, &r.recipe)
	if err != nil {
		return nil, err
	}
	return r.write(ctx, m, end, r.trainer.Logits)
}

// write writes the run folder's results: the network, of which logits says what it makes of the cut, and what there is to
// say of it.
func (r *run) write(ctx context.Context, m *onnx.Model, end ending, logits cutLogits) (*Result, error) {
	var err error
	res := &Result{History: r.history, Best: bestEpoch(r.history, r.o.Monitor) + 1, Early: end.early, TimeUp: end.timeUp, Partial: end.partial, Skipped: r.skipped,
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
	if err := errors.Join(r.dir.writeHistory(r.history), r.dir.writeCurves(r.history)); err != nil {
		return nil, err // and run.json does not say that it is finished
	}
	if err := r.dir.writeJSON("run.json", r.report(res)); err != nil {
		return nil, err
	}
	return res, r.dir.removeStart()
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
	TimeUp     bool     `json:"time_up,omitempty"`
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
		out.Finished, out.Early, out.TimeUp, out.BestEpoch, out.Difference = true, res.Early, res.TimeUp, res.Best, res.Check.Difference
		out.Best = &r.history[res.Best-1]
	}
	return out
}
