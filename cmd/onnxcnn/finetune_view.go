package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/finetune"
)

// finetuned is what finetune --json prints.
type finetuned struct {
	Run        string           `json:"run"`
	Model      string           `json:"model"`
	Head       string           `json:"head"`
	Classes    []string         `json:"classes"`
	Trained    int              `json:"trained_parameters"`
	Frozen     int              `json:"frozen_parameters"`
	BestEpoch  int              `json:"best_epoch"`
	Best       finetune.Epoch   `json:"best"`
	Early      bool             `json:"stopped_early"`
	TimeUp     bool             `json:"time_up"`
	Difference float64          `json:"export_max_difference"`
	Agree      int              `json:"export_same_class"`
	Compared   int              `json:"export_compared"`
	Skipped    []string         `json:"skipped"`
	History    []finetune.Epoch `json:"history"`
}

// finetuneView tells the user how a run goes.
type finetuneView struct {
	c     *cli.Context
	bar   bar
	phase string
	plan  finetune.Plan
}

func (v *finetuneView) progress(p finetune.Progress) {
	phase := fmt.Sprint(p.Phase, p.Epoch)
	if phase != v.phase {
		v.bar.clear()
		v.bar, v.phase = *newBar(v.c, p.Total, "images"), phase
	}
	if p.Phase == "train" {
		v.bar.describe(fmt.Sprintf("epoch %d, loss %.4f, accuracy %.3f", p.Epoch, p.Loss, p.Accuracy))
	}
	v.bar.set(p.Done)
}

func (v *finetuneView) start(p finetune.Plan) {
	v.bar.clear()
	v.plan = p
	for _, s := range p.Skipped {
		fmt.Fprintf(v.c.App.ErrWriter, "onnxcnn: skipped %v\n", s)
	}
	advise(v.c, "%s of %d classes, %d for validation", plural(p.Train, "image"), len(p.Classes), p.Val)
	v.phaseBegins(p.PhasePlan)
	if p.First > 1 {
		advise(v.c, "going on with epoch %d", p.First)
	}
}

// phaseBegins says what is trained, and what that costs.
func (v *finetuneView) phaseBegins(p finetune.PhasePlan) {
	v.bar.clear()
	v.phase = ""
	what := "training"
	if p.Phases > 1 {
		from := p.From
		if from == "none" {
			from = "head"
		}
		what = fmt.Sprintf("phase %d of %d (%s, %s at rate %g): training", p.Phase, p.Phases, from, plural(p.Epochs, "epoch"), p.LR)
	}
	cached := ""
	switch {
	case p.Cached && p.Images:
		cached = ", decoded images are kept"
	case p.Cached:
		cached = ", what the frozen layers say is kept"
	}
	if p.Fitted {
		advise(v.c, "fitting the head to what the frozen layers say at %s", strings.Join(p.Cut, ", "))
		return
	}
	from := "the head"
	if p.Begins != "" {
		from = fmt.Sprintf("layer %q", p.Begins)
	}
	advise(v.c, "%s %s of %s parameters in %d tensors, from %s on%s",
		what, thousands(p.Trained), thousands(p.Trained+p.Frozen), p.Layers, from, cached)
	switch {
	case p.BaseLR == 0 || p.BaseLR == p.LR && p.FirstLR == p.LR:
	case p.BaseLR == p.FirstLR:
		advise(v.c, "learning rates: head %.3g, base %.3g", p.LR, p.BaseLR)
	default:
		advise(v.c, "learning rates: head %.3g, base %.3g at its end to %.3g where training begins", p.LR, p.BaseLR, p.FirstLR)
	}
	if p.Memory > 0 {
		advise(v.c, "about %s of memory, and %s an epoch of %s (measured on one step)", megabytes(p.Memory), roughly(p.EpochTime), plural(p.Steps, "step"))
	}
}

// megabytes writes a number of bytes.
func megabytes(n int) string {
	if n >= 10_000_000_000 {
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.0f MB", max(float64(n)/1e6, 1))
}

// roughly writes how long something takes, with two digits.
func roughly(d time.Duration) string {
	switch {
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.1f hours", d.Hours())
	case d >= 2*time.Minute:
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.2g s", d.Seconds())
}

func (v *finetuneView) epoch(e finetune.Epoch) {
	v.bar.clear()
	v.phase = ""
	if v.c.Bool("json") || v.c.Bool("quiet") {
		return
	}
	what, best := fmt.Sprint("epoch ", e.Epoch), ""
	switch {
	case v.plan.Fitted:
		what = "fitted"
	case e.Best:
		best = "  best so far"
	}
	fmt.Fprintf(v.c.App.Writer, "%s: loss %.4f, accuracy %.4f; validation: loss %.4f, accuracy %.4f (%.1f s)%s\n",
		what, e.TrainLoss, e.TrainAcc, e.ValLoss, e.ValAcc, e.Seconds, best)
}

// found shows what a learning rate range test suggests.
func (v *finetuneView) found(l *finetune.LRFind) error {
	if v.c.Bool("json") {
		return printJSON(v.c, l)
	}
	_, err := fmt.Fprintf(v.c.App.Writer, "the loss falls most steeply at a learning rate of %.2g, and is smallest at %.2g: %s\nsuggested: --lr %.2g\n",
		l.Suggested, l.Smallest, filepath.ToSlash(l.Plot), l.Suggested)
	return err
}

// result shows what has come of it.
func (v *finetuneView) result(dir string, res *finetune.Result) error {
	v.bar.clear()
	best := res.History[res.Best-1]
	if v.c.Bool("json") {
		out := finetuned{Run: dir, Model: res.Model, Head: res.Head, Classes: v.plan.Classes, Trained: v.plan.Trained, Frozen: v.plan.Frozen,
			BestEpoch: res.Best, Best: best, Early: res.Early, TimeUp: res.TimeUp, Difference: res.Check.Difference, Agree: res.Check.Agree,
			Compared: res.Check.Images, Skipped: []string{}, History: res.History}
		for _, s := range res.Skipped {
			out.Skipped = append(out.Skipped, s.Error())
		}
		if err := printJSON(v.c, out); err != nil {
			return err
		}
	} else if !v.c.Bool("quiet") {
		switch {
		case res.Early:
			fmt.Fprintf(v.c.App.Writer, "stopped: no better epoch than %d\n", res.Best)
		case res.Partial:
			fmt.Fprintln(v.c.App.Writer, "stopped: the time is up in the midst of the first epoch")
		case res.TimeUp:
			fmt.Fprintf(v.c.App.Writer, "stopped: the time is up after epoch %d (--resume goes on)\n", len(res.History))
		}
		fmt.Fprintf(v.c.App.Writer, "%s: epoch %d, validation accuracy %.4f, loss %.4f\n", filepath.ToSlash(res.Model), res.Best, best.ValAcc, best.ValLoss)
		fmt.Fprintln(v.c.App.Writer, verified(res.Check))
	}
	if n := len(res.Skipped); n > 0 {
		return skippedf("%s skipped", wereOf(n))
	}
	return nil
}
