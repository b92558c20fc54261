package finetune

import (
	"context"
	"slices"
	"time"
)

// Plan is what a run is about to do.
type Plan struct {
	Classes    []string
	Train, Val int     // images that can be read
	Skipped    []error // one for each image that cannot
	First      int     // epoch that begins, from 1: larger where the run goes on
	Notes      []string
	PhasePlan
}

// PhasePlan is what a phase is about to do. A run without [Options.Phases] has one phase.
type PhasePlan struct {
	Phase, Phases int     // which one of how many, from 1
	From          string  // first layer of the base that is trained
	Epochs        int     // of the phase, those before included
	LR            float64 // of the head
	BaseLR        float64 // of the base's last layer that is trained, and of its first; 0 where none is
	FirstLR       float64
	Layers        int      // weights that are trained
	Trained       int      // parameters that are trained
	Frozen        int      // parameters that are not
	Cut           []string // values at which the frozen part ends
	Begins        string   // the first layer of the base that is trained, "" where only the head is
	Steps         int      // an epoch
	Cached        bool     // the activations there are kept
	Images        bool     // nothing is computed before the trained part: it reads the images
	Fitted        bool     // the head is fitted at once, not trained step by step

	Memory    int           // bytes that training takes, about; see [Cost]. 0 where it was not measured
	EpochTime time.Duration // about, from a step that changed nothing; likewise
}

// start tells what is about to happen: of the whole run, or of a phase after the first.
func (r *run) start(ctx context.Context) error {
	begins := r.train != nil && r.events == nil
	if begins && r.o.Start == nil || !begins && r.o.NextPhase == nil {
		return nil
	}
	p, err := r.planPhase(ctx)
	if err != nil {
		return err
	}
	if !begins {
		r.o.NextPhase(p)
		return nil
	}
	r.o.Start(Plan{Classes: r.data.Classes, Train: len(r.train.items), Val: len(r.val.items), Skipped: r.skipped,
		First: len(r.history) + 1, Notes: r.data.Notes, PhasePlan: p})
	return nil
}

// planPhase says what the present phase is about to do. What it costs is measured on its first batch.
func (r *run) planPhase(ctx context.Context) (PhasePlan, error) {
	phase := r.o.phases()[r.phase]
	batches := r.batches(len(r.history))
	p := PhasePlan{Phase: r.phase + 1, Phases: len(r.o.phases()), From: phase.From, Epochs: phase.Epochs, LR: phase.LR,
		Layers: len(r.net.Params), Trained: r.net.Trained, Frozen: r.net.Frozen, Cut: r.net.Cut, Begins: r.net.Begins, Steps: len(batches), Cached: r.train.cache != nil,
		Images: slices.Equal(r.net.Cut, []string{r.net.Input}), Fitted: r.head != nil}
	for _, w := range r.net.Params {
		if w.Base {
			lr := phase.LR * r.o.rate(w)
			if p.BaseLR = lr; p.FirstLR == 0 {
				p.FirstLR = lr
			}
		}
	}
	if r.head != nil || r.finished() {
		return p, nil
	}
	start := time.Now()
	err := r.loader.each(ctx, r.train.items, batches[:1], len(r.history), func(b *images) error {
		load := time.Since(start)
		if err := b.firstError(r.train.items); err != nil {
			return err
		}
		c, err := r.trainer.Measure(ctx, b.x)
		if err != nil {
			return err
		}
		p.Memory = c.Memory + r.train.cache.memory() + r.val.cache.memory()
		train, val := c.Step, c.Forward
		if r.train.cache == nil {
			train += load + c.Prefix
		}
		if r.val.cache == nil {
			val += load + c.Prefix
		}
		// As many images as in the batch take as long.
		share := func(n int) float64 { return float64(n) / float64(len(b.index)) }
		p.EpochTime = time.Duration(float64(train)*share(len(r.train.items)) + float64(val)*share(len(r.val.items)))
		r.budget.validate = time.Duration(float64(val) * share(len(r.val.items)))
		return nil
	})
	return p, err
}
