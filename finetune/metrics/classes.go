package metrics

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcnn/onnxcnn/onnx"
	"github.com/onnxcnn/onnxcnn/zoo"
)

// ClassError says that the classes of a network are not those of a data set.
type ClassError struct {
	Missing []string // classes of the network that the data set lacks
	Extra   []string // classes of the data set that the network does not know
}

func (e *ClassError) Error() string {
	s := "the classes are not those of the network:"
	if len(e.Extra) > 0 {
		s += "\nthe network does not know " + names(e.Extra)
	}
	if len(e.Missing) > 0 {
		s += "\nthe data has no " + names(e.Missing)
	}
	return s
}

// names lists names, of many the first.
func names(list []string) string {
	const most = 10
	quoted := make([]string, 0, most)
	for _, n := range list[:min(len(list), most)] {
		quoted = append(quoted, fmt.Sprintf("%q", n))
	}
	s := strings.Join(quoted, ", ")
	if n := len(list) - most; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// MatchClasses returns for each class of a data set the output of the network that has its name. Labels are the names
// of the outputs in their order; two that are the same are an error. Where the two sets of names differ the error is a
// *[ClassError], but classes that only the network has are fine if allowMissing.
func MatchClasses(labels, classes []string, allowMissing bool) ([]int, error) {
	output := make(map[string]int, len(labels))
	for i, l := range labels {
		if j, ok := output[l]; ok {
			return nil, fmt.Errorf("outputs %d and %d of the network are both named %q", j, i, l)
		}
		output[l] = i
	}
	var wrong ClassError
	to := make([]int, len(classes))
	for i, c := range classes {
		j, ok := output[c]
		if !ok {
			wrong.Extra = append(wrong.Extra, c)
		}
		to[i] = j
	}
	for _, l := range labels {
		if !allowMissing && !slices.Contains(classes, l) {
			wrong.Missing = append(wrong.Missing, l)
		}
	}
	if len(wrong.Extra)+len(wrong.Missing) > 0 {
		return nil, &wrong
	}
	return to, nil
}

// labelsOf returns the names of a network's outputs, nil where they are not known. Given names must be the stored ones
// where the model has some: another order would exchange classes without any error.
func labelsOf(m *onnx.Model, given []string) ([]string, error) {
	stored, err := zoo.LabelsOf(m)
	switch {
	case err != nil:
		return nil, err
	case stored == nil:
		return given, nil
	case given == nil || slices.Equal(given, stored):
		return stored, nil
	case len(given) != len(stored):
		return nil, fmt.Errorf("%d classes are given, but the model stores the names of %d: %s", len(given), len(stored), names(stored))
	}
	at := 0
	for given[at] == stored[at] {
		at++
	}
	return nil, fmt.Errorf("the given classes are not those that the model stores: output %d is given as %q, but stored as %q; the stored order is %s",
		at, given[at], stored[at], names(stored))
}
