package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// setting is a step of training that both programs measure.
type setting struct {
	title string
	file  string   // network, below the folder of models
	torch []string // architecture and image size, as torch_bench.py takes them
	batch int
	flags []string // of onnxcnn bench --train
}

// settings are what torch_bench.py trains: the last blocks and a new head for two classes, by Adam.
var settings = []setting{
	{"VGG16, 150x150, from conv3_1 on", "vgg16.onnx", []string{"vgg16", "150"}, 16,
		[]string{"--unfreeze-from", "10", "--input-size", "150", "--head", "256,relu", "--pool", "flatten"}},
	{"ResNet50, 224x224, layer4 and head, normalisations frozen", "resnet50.bn.onnx", []string{"resnet50", "224"}, 16,
		[]string{"--unfreeze-from", "layer4", "--input-size", "224"}},
}

// step is what one of the programs has measured.
type step struct {
	Seconds float64 `json:"step_s"`
	Peak    float64 `json:"peak_mb"`
	Cached  float64 `json:"cached_step_s"`
}

// torchLine is what torch_bench.py prints.
var torchLine = regexp.MustCompile(`^torch (\S+) .*median=([0-9.]+)s .*maxrss=([0-9]+)MB`)

// torch is PyTorch's side of the comparison.
type torch struct {
	script, python string
	rounds         int
}

// measure measures steps of training in both programs. They take turns, and each measures so many runs in its turn. What
// counts is the median of the turns.
func (t torch) measure(b *strings.Builder, exe, dir string, runs, threads int) error {
	say(b, "# Training\n\nWritten by `make bench-train`. ")
	say(b, "Seconds a step, medians of %d turns of %d runs, the two programs taking turns; %d threads, Adam, batches of 16.\n", t.rounds, runs, threads)
	say(b, "Ratios are those of onnxcnn to PyTorch: below 1, onnxcnn is faster or needs less.\n\n%s\n", machine())
	say(b, "| step | onnxcnn s | PyTorch s | time, ratio | peak memory, MB | PyTorch, MB | memory, ratio |\n")
	say(b, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	version := ""
	for _, s := range settings {
		path, err := find(dir, s.file)
		if err != nil {
			return err
		}
		var own, other []step
		for range t.rounds {
			args := append([]string{"bench", "--train", "--json", "--loss", "bce", "--batch", strconv.Itoa(s.batch), "--runs", strconv.Itoa(runs),
				"--threads", strconv.Itoa(threads)}, append(s.flags, "--", path)...)
			data, err := output(exe, args...)
			if err != nil {
				return err
			}
			var all []step
			if err := json.Unmarshal(data, &all); err != nil {
				return err
			}
			own = append(own, all...)
			data, err = output(t.python, t.script, "finetune", s.torch[0], s.torch[1], strconv.Itoa(s.batch), strconv.Itoa(runs), strconv.Itoa(threads))
			if err != nil {
				return err
			}
			m := torchLine.FindSubmatch(data)
			if m == nil {
				return fmt.Errorf("%s printed no figures: %s", t.script, data)
			}
			var s step
			if s.Seconds, err = strconv.ParseFloat(string(m[2]), 64); err != nil {
				return err
			}
			if s.Peak, err = strconv.ParseFloat(string(m[3]), 64); err != nil {
				return err
			}
			other, version = append(other, s), string(m[1])
		}
		a, o := middle(own), middle(other)
		say(b, "| %s | %.3f | %.3f | %.2f | %.0f | %.0f | %.2f |\n", s.title, a.Seconds, o.Seconds, a.Seconds/o.Seconds, a.Peak, o.Peak, a.Peak/o.Peak)
	}
	say(b, "\nPyTorch %s.\n", version)
	return nil
}

// middle returns the median of the times, and the largest peak.
func middle(all []step) step {
	slices.SortFunc(all, func(a, b step) int {
		if a.Seconds < b.Seconds {
			return -1
		}
		return 1
	})
	m := all[len(all)/2]
	for _, s := range all {
		m.Peak = max(m.Peak, s.Peak)
	}
	return m
}

// find returns the path of a network below a folder.
func find(dir, name string) (string, error) {
	for _, pattern := range []string{name, filepath.Join("*", name)} {
		if list, err := filepath.Glob(filepath.Join(dir, pattern)); err == nil && len(list) > 0 {
			return list[0], nil
		}
	}
	return "", fmt.Errorf("%s has no %s; give a folder with MODELS=DIR", dir, name)
}

// output runs a program.
func output(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	data, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(append([]string{filepath.Base(name)}, args...), " "), err, strings.TrimSpace(said.String()))
	}
	return data, nil
}
