package finetune

import (
	"cmp"
	"encoding/json"
	"fmt"
	"sort"

	"github.com/onnxcnn/onnxcnn/zoo"
)

// config is what decides on a run's numbers, in the form that run.json and checkpoints have.
type config struct {
	Base           string     `json:"base"` // file name
	BaseSHA256     string     `json:"base_sha256"`
	Data           string     `json:"data_sha256"` // of the images' names, labels and parts
	Classes        []string   `json:"classes"`
	Train          int        `json:"train_images"`
	Val            int        `json:"val_images"`
	At             string     `json:"at,omitempty"`
	Head           string     `json:"head"`
	Pool           string     `json:"pool"`
	UnfreezeFrom   string     `json:"unfreeze_from"`
	BN             string     `json:"bn"`
	Loss           string     `json:"loss"`
	LabelSmoothing float64    `json:"label_smoothing"`
	ClassWeights   string     `json:"class_weights"`
	PosWeight      []float64  `json:"pos_weight,omitempty"`
	Optimizer      string     `json:"optimizer"`
	LR             float64    `json:"lr"`
	BaseLRScale    float64    `json:"base_lr_scale"`
	LayerDecay     float64    `json:"layer_lr_decay"`
	Momentum       float64    `json:"momentum"`
	Nesterov       bool       `json:"nesterov"`
	WeightDecay    float64    `json:"weight_decay"`
	NoDecayBias    bool       `json:"no_decay_bias"`
	GradClip       float64    `json:"grad_clip"`
	EMA            float64    `json:"ema"`
	Schedule       string     `json:"schedule"`
	Warmup         float64    `json:"warmup"`
	Epochs         int        `json:"epochs"`
	Phases         string     `json:"phases,omitempty"`
	Batch          int        `json:"batch"`
	LastBatch      string     `json:"last_batch"`
	Augment        string     `json:"augment"`
	Mixup          float64    `json:"mixup,omitempty"`
	Cutmix         float64    `json:"cutmix,omitempty"`
	Recipe         zoo.Recipe `json:"recipe"`
	Seed           uint64     `json:"seed"`
	Monitor        string     `json:"monitor"`
	Patience       int        `json:"patience"`
	Provider       string     `json:"base_provider"`
}

func (o *Options) config(baseFile, digest string, data *Data, recipe zoo.Recipe) config {
	head, from := o.Head, o.UnfreezeFrom
	if head == "" {
		head = "linear"
	}
	if from == "" {
		from = "none"
	}
	return config{
		Base: baseFile, BaseSHA256: digest, Data: data.digest(), Classes: data.Classes, Train: len(data.Train), Val: len(data.Val),
		At: o.At, Head: head, Pool: o.Pool, UnfreezeFrom: from, BN: o.BN, Loss: o.Loss, LabelSmoothing: o.LabelSmoothing,
		ClassWeights: o.ClassWeights, PosWeight: o.PosWeight, Optimizer: o.Optimizer, LR: o.LR, BaseLRScale: o.BaseLRScale, LayerDecay: o.LayerDecay, Momentum: o.Momentum,
		Nesterov: o.Nesterov, WeightDecay: o.WeightDecay, NoDecayBias: o.NoDecayBias, GradClip: o.GradClip, EMA: o.EMA,
		Schedule: o.Schedule, Warmup: o.Warmup, Epochs: o.Epochs, Phases: formatPhases(o.Phases), Batch: o.Batch, LastBatch: o.LastBatch, Augment: o.Augment.String(), Mixup: o.Mix.Mixup, Cutmix: o.Mix.Cutmix,
		Recipe: recipe, Seed: o.Seed, Monitor: o.Monitor, Patience: o.Patience, Provider: cmp.Or(o.Provider, "native"),
	}
}

// free are what may change between a run and its continuation: where the base lies and what runs it (another machine may
// not have the same), and how long training may go on, as far as the schedule does not depend on it.
func (c config) free() []string {
	names := []string{"base", "base_provider", "patience"}
	if c.Schedule != "cosine" && c.Schedule != "onecycle" && c.Phases == "" {
		names = append(names, "epochs")
	}
	return names
}

// differences lists what another configuration has that this one has not, apart from what is free.
func (c config) differences(with config) []string {
	a, b := c.fields(), with.fields()
	for _, name := range c.free() {
		delete(a, name)
		delete(b, name)
	}
	var diff []string
	for name := range a {
		if _, ok := b[name]; !ok {
			b[name] = nil // what is not set is left out
		}
	}
	for name := range b {
		if string(a[name]) != string(b[name]) {
			diff = append(diff, fmt.Sprintf("%s was %s and is %s", name, text(a[name]), text(b[name])))
		}
	}
	sort.Strings(diff)
	return diff
}

func text(v json.RawMessage) string {
	if len(v) == 0 {
		return "not set"
	}
	return string(v)
}

func (c config) fields() map[string]json.RawMessage {
	data, err := json.Marshal(c)
	fields := map[string]json.RawMessage{}
	if err == nil {
		err = json.Unmarshal(data, &fields)
	}
	if err != nil {
		return nil // only numbers that are not finite could be in the way, and options have none
	}
	return fields
}
