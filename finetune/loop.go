package finetune

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/onnxcnn/onnxcnn/onnx"
)

// batches returns the images of an epoch in their order: one that the seed and the epoch decide.
func (r *run) batches(epoch int) [][]int {
	rng := rand.New(rand.NewPCG(r.o.Seed, shuffleStream<<32+uint64(epoch)))
	return trainingBatches(rng.Perm(len(r.train.items)), r.o.Batch, r.o.LastBatch, len(r.trainer.buffers) > 0)
}

// inPhase are the epochs of the present phase so far.
func (r *run) inPhase() []Epoch {
	for i, e := range r.history {
		if e.Phase == r.phase+1 {
			return r.history[i:]
		}
	}
	return nil
}

// finished reports whether the present phase has come to its end.
func (r *run) finished() bool {
	return len(r.inPhase()) >= r.o.phases()[r.phase].Epochs || r.outOfPatience()
}

// outOfPatience reports whether so many epochs have brought nothing that the phase ends.
func (r *run) outOfPatience() bool {
	done := r.inPhase()
	return r.o.Patience > 0 && len(done) > 0 && len(done)-1-bestEpoch(done, r.o.Monitor) >= r.o.Patience
}

// errTimeUp says that the time is over, in the midst of an epoch.
var errTimeUp = errors.New("the time is up")

// epochs trains until the end of the phase, until patience is out, or until the time is.
func (r *run) epochs(ctx context.Context) (ending, error) {
	for !r.finished() {
		if len(r.history) > 0 && !r.budget.fits() {
			return ending{timeUp: true}, nil
		}
		start := time.Now()
		e, err := r.epoch(ctx, len(r.history))
		timeUp := errors.Is(err, errTimeUp)
		if timeUp && len(r.history) > 0 {
			return ending{timeUp: true}, nil // what it has learned of half of the images is let go
		}
		if err != nil && !timeUp {
			return ending{}, err
		}
		r.budget.epoch = max(r.budget.epoch, time.Since(start))
		e.Seconds = time.Since(start).Seconds()
		before := bestEpoch(r.history, r.o.Monitor)
		e.Best = before < 0 || e.score(r.o.Monitor) < r.history[before].score(r.o.Monitor)
		r.history = append(r.history, e)
		if e.Best {
			r.best = r.trainer.snapshot()
			if r.said, err = r.takeSamples(ctx, r.trainer.Logits); err != nil {
				return ending{}, err
			}
		}
		r.schedule.Observe(e.score(r.o.Monitor))
		if err := writeEvents(r.events, e); err != nil {
			return ending{}, err
		}
		if !timeUp { // a run that goes on must not take half an epoch for a whole one
			if err := r.saveCheckpoint(); err != nil {
				return ending{}, err
			}
		}
		if err := r.dir.writeHistory(r.history); err != nil {
			return ending{}, err
		}
		if r.o.Epoch != nil {
			r.o.Epoch(e)
		}
		if timeUp {
			return ending{timeUp: true, partial: true}, nil
		}
	}
	return ending{early: len(r.inPhase()) < r.o.phases()[r.phase].Epochs}, nil
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

// epoch trains on every image once, and validates. Where the time is up before the end it validates what it has in the
// first epoch of a run, and returns errTimeUp.
func (r *run) epoch(ctx context.Context, epoch int) (Epoch, error) {
	e := Epoch{Epoch: epoch + 1, Phase: r.phase + 1}
	before := len(r.inPhase()) // epochs of the phase
	var train, val sums
	batches := r.batches(epoch)
	step, done := 0, 0
	err := r.each(ctx, r.train, batches, epoch, func(index []int, cut []*onnx.Tensor, y []float32) error {
		rate := r.schedule.Factor(before*len(batches) + step)
		step++
		e.LR = rate * r.trainer.o.LR
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
		if step < len(batches) && r.budget.over() {
			return errTimeUp
		}
		return nil
	})
	timeUp := errors.Is(err, errTimeUp)
	if err != nil && !(timeUp && epoch == 0) {
		return e, err
	}
	start := time.Now()
	e.TrainLoss, e.TrainAcc = train.mean()
	done = 0
	err = r.each(ctx, r.val, batchesOf(count(len(r.val.items)), r.o.Batch), -1, func(index []int, cut []*onnx.Tensor, y []float32) error {
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
	r.budget.validate = max(r.budget.validate, time.Since(start))
	if err == nil && timeUp {
		err = errTimeUp
	}
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

// largest returns the largest magnitude.
func largest(x []float32) float64 {
	m := 0.0
	for _, v := range x {
		m = max(m, math.Abs(float64(v)))
	}
	return m
}
