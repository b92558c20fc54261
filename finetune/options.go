package finetune

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/onnxcnn/onnxcnn/zoo"
)

// NetOptions say what is trained. The zero value trains a linear head on a frozen base.
type NetOptions struct {
	At           string // where the base ends: a layer's number or name; "" before the network's own classifier
	Head         string // "linear" (also ""), layers such as "256,batchnorm,relu,dropout=0.5" before the last, or "keep" for the network's own; [Run] also fits "logreg[=C]", "knn[=K]" and "centroid"
	Pool         string // how a feature map becomes the head's input: "auto" (also ""), "avg", "max", "flatten"
	UnfreezeFrom string // first layer of the base that is trained: "none" (also ""), "all", a number, a name or a block
	BN           string // normalisation in the trained part: "frozen" (also ""), "affine" or "train"
	Seed         uint64 // of the head's weights

	// Shape is that of one image; nil takes what the network declares.
	Shape []int
	Warn  func(string) // may be nil
}

// OptimOptions say how weights change. The zero value is Adam at a constant rate of 1e-3.
type OptimOptions struct {
	Optimizer   string  // "adam" (also ""), "adamw", "sgd", "rmsprop", "adagrad"
	LR          float64 // learning rate of the head, 0 for 1e-3
	BaseLRScale float64 // the base's learning rate is this times LR; 0 for 0.1
	LayerDecay  float64 // each layer of the base learns at this times the rate of the one behind it, by Param.Depth; 0 for 1
	Momentum    float64 // of sgd
	Nesterov    bool    // of sgd
	WeightDecay float64
	NoDecayBias bool    // leave biases and normalisation out of weight decay
	GradClip    float64 // largest norm of all gradients together, 0 for no limit
	EMA         float64 // decay of the averaged weights that are validated and exported, 0 for none
}

// rate returns the factor of the learning rate for a weight.
func (o *OptimOptions) rate(p *Param) float64 {
	if !p.Base {
		return 1
	}
	return o.BaseLRScale * math.Pow(o.LayerDecay, float64(p.Depth))
}

// Options say how [Run] trains. The zero value is usable: see each field.
type Options struct {
	NetOptions
	OptimOptions

	Epochs         int             // 0 for 10
	Phases         []Phase         // which layers are trained when, in place of UnfreezeFrom and Epochs; see [ParsePhases]
	Time           time.Duration   // training stops so early that the run is done by then, with the best epoch; 0 for no limit
	Batch          int             // images a step, 0 for 32
	LastBatch      string          // "auto" (also ""): a last batch of one joins the one before where normalisations train; "drop": an incomplete last batch is left out; "keep"
	Loss           string          // "auto" (also ""), "ce", "bce" (two classes, one output; or images of any number of classes)
	LabelSmoothing float64         // share of the target that is spread over all classes
	ClassWeights   string          // "none" (also "") or "balanced"
	PosWeight      []float64       // of bce: how much more it counts that a class is there than that it is not; one for all, or one each
	Schedule       string          // "constant" (also ""), "cosine", "step", "onecycle", "plateau"
	Warmup         float64         // epochs over which the rate rises from nothing
	Augment        zoo.Augment     // of training images only
	Mix            Mixer           // training images mixed with each other, and their targets; accuracy in training counts the larger share
	Recipe         *zoo.Recipe     // how images become the input; nil takes the model's own
	Size           [2]int          // height and width of the input; zero leaves the recipe's
	ValSplit       float64         // share of the images for validation where the data has no split of its own, 0 for 0.2
	Monitor        string          // what decides on the best epoch: "val_loss" (also ""), "val_acc", "train_loss", "train_acc"
	Patience       int             // epochs without improvement after which training stops, 0 for never
	Cache          string          // "auto" (also ""): keep activations at the cut where they stay the same; "off"
	CacheMemory    int             // bytes of activations kept in memory, beyond which they go to a file; 0 for 1 GiB
	CacheDir       string          // where activations are kept for later runs; "" for $ONNXCNN_HOME/activations, or the user's cache
	CacheDisk      int64           // bytes of activations that are kept there, those of all runs together; 0 for 8 GiB
	Resume         bool            // go on from the run folder's checkpoint
	Force          bool            // replace what an earlier run left in the folder
	Provider       string          // what runs the frozen part, as in backend.Options
	Threads        int             // 0: one a processor
	Workers        int             // images decoded at once, 0 for one a processor
	MaxPixels      int             // largest image that is decoded, 0 for the default of [zoo.DecodeOptions]
	Progress       func(Progress)  // called after every step; may be nil
	Epoch          func(Epoch)     // called after every epoch; may be nil
	Start          func(Plan)      // called before the first step; may be nil
	NextPhase      func(PhasePlan) // called before a phase after the first one; may be nil
}

// Progress says how far a run is.
type Progress struct {
	Phase       string // "check", "features", "train" or "validate"
	Epoch       int    // from 1; 0 before training
	Done, Total int    // images of this phase
	Loss        float64
	Accuracy    float64
}

// choice checks that a value is one of those allowed, "" standing for the first.
func choice(name, v string, allowed ...string) (string, error) {
	if v == "" {
		return allowed[0], nil
	}
	if !slices.Contains(allowed, v) {
		return "", fmt.Errorf("%s %q is none of %s", name, v, strings.Join(allowed, ", "))
	}
	return v, nil
}

// complete fills in what was left out, and checks the rest.
func (o *OptimOptions) complete() error {
	var errs []error
	var err error
	if o.Optimizer, err = choice("optimizer", o.Optimizer, "adam", "adamw", "sgd", "rmsprop", "adagrad"); err != nil {
		errs = append(errs, err)
	}
	if o.LR == 0 {
		o.LR = 1e-3
	}
	if o.BaseLRScale == 0 {
		o.BaseLRScale = 0.1
	}
	if o.LayerDecay == 0 {
		o.LayerDecay = 1
	}
	for _, c := range []struct {
		name  string
		v     float64
		below float64 // 0: no limit
	}{
		{"learning rate", o.LR, 0}, {"learning rate of the base", o.BaseLRScale, 0}, {"decay of the learning rate by layer", o.LayerDecay, 0}, {"momentum", o.Momentum, 1},
		{"weight decay", o.WeightDecay, 0}, {"gradient clipping", o.GradClip, 0}, {"EMA decay", o.EMA, 1},
	} {
		errs = append(errs, inRange(c.name, c.v, c.below))
	}
	if o.LayerDecay > 1 {
		errs = append(errs, fmt.Errorf("decay of the learning rate by layer: %v is above 1", o.LayerDecay))
	}
	switch {
	case o.Nesterov && o.Optimizer != "sgd":
		errs = append(errs, fmt.Errorf("nesterov is a form of sgd, and the optimizer is %s", o.Optimizer))
	case o.Nesterov && o.Momentum == 0:
		errs = append(errs, errors.New("nesterov needs a momentum"))
	}
	return errors.Join(errs...)
}

// inRange checks that a number is finite, at least 0, and less than below unless that is 0.
func inRange(name string, v, below float64) error {
	if !(v >= 0) || v > 1e30 || below > 0 && v >= below {
		if below > 0 {
			return fmt.Errorf("%s: %v is not at least 0 and below %v", name, v, below)
		}
		return fmt.Errorf("%s: %v is not a number of at least 0", name, v)
	}
	return nil
}

// Validate reports what options are wrong by themselves, whatever the network and the data.
func (o Options) Validate() error { return o.complete() }

// complete fills in what was left out, and checks the rest.
func (o *Options) complete() error {
	var errs []error
	set := func(name string, v *string, allowed ...string) {
		var err error
		if *v, err = choice(name, *v, allowed...); err != nil {
			errs = append(errs, err)
		}
	}
	set("loss", &o.Loss, "auto", "ce", "bce")
	set("class weights", &o.ClassWeights, "none", "balanced")
	set("schedule", &o.Schedule, "constant", "cosine", "step", "onecycle", "plateau")
	set("monitor", &o.Monitor, "val_loss", "val_acc", "train_loss", "train_acc")
	set("last batch", &o.LastBatch, "auto", "drop", "keep")
	set("cache", &o.Cache, "auto", "off")
	set("bn", &o.BN, "frozen", "affine", "train")
	set("pool", &o.Pool, "auto", "avg", "max", "flatten")
	errs = append(errs, o.OptimOptions.complete())
	for _, d := range []struct {
		v   *int
		def int
	}{{&o.Epochs, 10}, {&o.Batch, 32}, {&o.CacheMemory, 1 << 30}} {
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	if o.CacheDisk == 0 {
		o.CacheDisk = 8 << 30
	}
	head, err := parseClassical(o.Head)
	errs = append(errs, err, o.suits(head))
	if head == nil && err == nil && o.Head != "keep" {
		_, err := parseHead(o.Head)
		errs = append(errs, err)
	}
	if o.ValSplit == 0 {
		o.ValSplit = 0.2
	}
	for _, c := range []struct {
		name string
		v    int
	}{{"epochs", o.Epochs}, {"batch", o.Batch}, {"patience", o.Patience}, {"cache memory", o.CacheMemory}} {
		if c.v < 0 {
			errs = append(errs, fmt.Errorf("%s: %d is negative", c.name, c.v))
		}
	}
	for _, w := range o.PosWeight {
		errs = append(errs, inRange("weight of what is there", w, 0))
	}
	errs = append(errs, o.checkPhases(), inRange("time", o.Time.Seconds(), 0), o.Mix.Validate(), inRange("label smoothing", o.LabelSmoothing, 1), inRange("warm-up", o.Warmup, 0),
		inRange("share for validation", o.ValSplit, 1))
	return errors.Join(errs...)
}
