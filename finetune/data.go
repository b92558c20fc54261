package finetune

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/features"
)

// Data is what a run learns from and is measured on. Labels count in Classes; images have either a Label each or Labels.
type Data struct {
	Train, Val []features.Item
	Classes    []string
	Notes      []string // what was left out and why
}

// NewData divides a data set. Images in folders "train" and "val" stay where they are; else val is taken for validation
// if it is not nil; else a share of the images of each class, drawn by the seed. Images in "test" are left alone.
//
// Where images have any number of classes each, the share is drawn so that rare classes are in both parts: class after
// class from the rarest on, among the images that no rarer class has.
//
// It refuses what no training can come of: fewer than two classes (but one will do where images need not have any), a
// class without images to learn from, and a part that cannot be read.
func NewData(d, val *features.Dataset, share float64, seed uint64) (*Data, error) {
	out := &Data{Classes: d.Classes}
	hasSplit, multi := false, d.MultiLabel()
	unlabelled := 0
	for _, it := range d.Items {
		switch {
		case it.Unlisted() && it.Label < 0:
			if it.Split == "train" || it.Split == "val" && val == nil {
				return nil, unlisted(it)
			}
		case it.Label < 0 && it.Labels == nil:
			unlabelled++
		case it.Split == "val" && val == nil:
			out.Val = append(out.Val, it)
			hasSplit = true
		case it.Split == "val" || it.Split == "test":
		default:
			out.Train = append(out.Train, it)
		}
	}
	if unlabelled > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("%d images lie in no class folder: they are left out", unlabelled))
	}
	switch {
	case len(d.Classes) == 0:
		return nil, fmt.Errorf("no class folders: put the images of each class into a folder of its name")
	case len(d.Classes) == 1 && !multi:
		return nil, fmt.Errorf("only one class (%q): a classifier needs two class folders or more", d.Classes[0])
	}
	if err := everyClass(out.Train, d.Classes); err != nil {
		return nil, err
	}
	switch {
	case val != nil:
		if err := out.validateOn(val, multi); err != nil {
			return nil, err
		}
	case !hasSplit && multi:
		out.holdMulti(share, seed)
	case !hasSplit:
		out.hold(share, seed)
	}
	if len(out.Val) == 0 {
		return nil, fmt.Errorf("no images for validation: there are too few, or the share of %v is too small", share)
	}
	return out, nil
}

// unlisted is the error of a part that cannot be read.
func unlisted(it features.Item) error {
	_, err := it.Open()
	return fmt.Errorf("%s: %w", it.Path, err)
}

// MultiLabel reports whether images have any number of classes instead of one.
func (d *Data) MultiLabel() bool {
	return slices.ContainsFunc(d.Train, func(it features.Item) bool { return it.Labels != nil })
}

// Outputs returns how many outputs a network needs for the data's classes with a loss as [Options] name it.
func (d *Data) Outputs(loss string) (int, error) {
	_, outputs, err := lossKind(loss, len(d.Classes), d.MultiLabel())
	return outputs, err
}

// check makes sure that there are images and that their labels are ones of the classes, for data that others have put
// together.
func (d *Data) check() error {
	multi := d.MultiLabel()
	for _, part := range []struct {
		name  string
		items []features.Item
	}{{"to train on", d.Train}, {"for validation", d.Val}} {
		if len(part.items) == 0 {
			return fmt.Errorf("no images %s", part.name)
		}
		for _, it := range part.items {
			labels := it.Labels
			if it.Labels == nil {
				labels = []int{it.Label}
			}
			if multi != (it.Labels != nil) {
				return fmt.Errorf("%s: images have one class each, or all have any number", it.Path)
			}
			for _, k := range labels {
				if k < 0 || k >= len(d.Classes) {
					return fmt.Errorf("%s: label %d is not one of %d classes", it.Path, k, len(d.Classes))
				}
			}
		}
	}
	return everyClass(d.Train, d.Classes)
}

// validateOn takes the images of another data set for validation, by the names of their classes.
func (d *Data) validateOn(val *features.Dataset, multi bool) error {
	number := func(k int) (int, error) {
		name := val.Classes[k]
		at, ok := slices.BinarySearch(d.Classes, name)
		if !ok {
			return 0, fmt.Errorf("class %q is in the validation data but not in the training data (%s)", name, strings.Join(d.Classes, ", "))
		}
		return at, nil
	}
	for _, it := range val.Items {
		var err error
		switch {
		case it.Unlisted() && it.Label < 0:
			return unlisted(it)
		case it.Label < 0 && it.Labels == nil:
			continue
		case multi != (it.Labels != nil):
			return fmt.Errorf("%s: images have one class each in one part of the data, and any number in the other", it.Path)
		case multi:
			it.Labels = slices.Clone(it.Labels)
			for i, k := range it.Labels {
				if it.Labels[i], err = number(k); err != nil {
					return err
				}
			}
		default:
			if it.Label, err = number(it.Label); err != nil {
				return err
			}
		}
		d.Val = append(d.Val, it)
	}
	return nil
}

// everyClass makes sure that there is something to learn each class from.
func everyClass(items []features.Item, classes []string) error {
	n := classCounts(items, len(classes))
	var empty []string
	for k, c := range classes {
		if n[k] == 0 {
			empty = append(empty, fmt.Sprintf("%q", c))
		}
	}
	if len(empty) > 0 {
		return fmt.Errorf("no training images of class %s: add some, or take the class out of the validation data", strings.Join(empty, ", "))
	}
	return nil
}

// hold moves a share of each class's images to validation: at least one, where the class has two or more.
func (d *Data) hold(share float64, seed uint64) {
	byClass := make([][]int, len(d.Classes))
	for i, it := range d.Train {
		byClass[it.Label] = append(byClass[it.Label], i)
	}
	rng := rand.New(rand.NewPCG(seed, splitStream))
	held := make([]bool, len(d.Train))
	for k, list := range byClass {
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		n := min(max(int(math.Round(share*float64(len(list)))), 1), len(list)-1)
		if n < 1 {
			d.Notes = append(d.Notes, fmt.Sprintf("class %q has one image only: none of it is used for validation", d.Classes[k]))
			continue
		}
		for _, i := range list[:n] {
			held[i] = true
		}
	}
	d.divide(held)
}

// holdMulti does the same where images may have several classes.
func (d *Data) holdMulti(share float64, seed uint64) {
	counts := classCounts(d.Train, len(d.Classes))
	order := count(len(counts))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(counts[a], counts[b]) })
	rng := rand.New(rand.NewPCG(seed, splitStream))
	held, seen := make([]bool, len(d.Train)), make([]bool, len(d.Train))
	draw := func(has func(features.Item) bool) int {
		var list []int
		for i, it := range d.Train {
			if !seen[i] && has(it) {
				list = append(list, i)
				seen[i] = true
			}
		}
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		n := max(min(int(math.Round(share*float64(len(list)))), len(list)-1), 0)
		for _, i := range list[:n] {
			held[i] = true
		}
		return n
	}
	n := 0
	for _, k := range order {
		n += draw(func(it features.Item) bool { return slices.Contains(it.Labels, k) })
	}
	n += draw(func(features.Item) bool { return true }) // those of no class
	if n == 0 && len(d.Train) > 1 {
		held[len(d.Train)-1] = true
	}
	d.divide(held)
}

// divide moves the images that are held to validation.
func (d *Data) divide(held []bool) {
	all := d.Train
	d.Train = nil
	for i, it := range all {
		if held[i] {
			d.Val = append(d.Val, it)
		} else {
			d.Train = append(d.Train, it)
		}
	}
}

// digest identifies the images by name, label and part.
func (d *Data) digest() string {
	h := sha256.New()
	for _, part := range [][]features.Item{d.Train, d.Val} {
		for _, it := range part {
			fmt.Fprintf(h, "%q %d", it.Name(), it.Label)
			if it.Labels != nil {
				fmt.Fprint(h, it.Labels)
			}
			fmt.Fprintln(h)
		}
		fmt.Fprintln(h)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// classCounts returns the number of images of each class.
func classCounts(items []features.Item, classes int) []int {
	n := make([]int, classes)
	for _, it := range items {
		if it.Labels == nil {
			n[it.Label]++
		}
		for _, k := range it.Labels {
			n[k]++
		}
	}
	return n
}
