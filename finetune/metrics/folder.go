package metrics

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
)

// The files of a report's folder.
const (
	pageFile        = "index.html"
	reportFile      = "report.json"
	predictionsFile = "predictions.csv"
	confusionFile   = "confusion.png"
	rocFile         = "roc.png"
	calibrationFile = "calibration.png"
	recallFile      = "precision_recall.png"
)

// Page returns the name of the page in a report's folder.
func Page(dir string) string { return filepath.Join(dir, pageFile) }

// reportFiles are all of them.
var reportFiles = []string{pageFile, reportFile, predictionsFile, confusionFile, rocFile, calibrationFile, recallFile}

// CheckFolder returns an error if a report should not be written to that folder: because it is none, or because it
// has files in it that are no report. A report whose writing was cut short is one.
func CheckFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	have := map[string]bool{}
	others := false
	for _, e := range entries {
		have[e.Name()] = true
		others = others || !slices.ContainsFunc(reportFiles, func(f string) bool { return e.Name() == f || atomicfile.IsTemporary(e.Name(), f) })
	}
	if others && !(have[pageFile] && have[reportFile]) {
		return fmt.Errorf("%s has files in it that are not a report: choose a new folder", dir)
	}
	return nil
}

// WriteFolder writes everything about the evaluation to a folder, which is made if it does not exist: index.html, a
// page that needs no other file; report.json; predictions.csv; confusion.png, roc.png and calibration.png. Files of
// these names are replaced; but see [CheckFolder] for folders that are refused.
func (e *Evaluation) WriteFolder(dir string) error {
	return writeFolder(dir, []folderFile{
		{reportFile, e.WriteJSON},
		{predictionsFile, e.Predictions.WriteCSV},
		{confusionFile, e.WriteConfusion},
		{rocFile, e.WriteROC},
		{calibrationFile, e.WriteCalibration},
		{pageFile, e.WritePage},
	})
}

// folderFile is a file of a report's folder.
type folderFile struct {
	name  string
	write func(io.Writer) error
}

func writeFolder(dir string, files []folderFile) error {
	if err := CheckFolder(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, f := range reportFiles {
		if err := atomicfile.Clean(filepath.Join(dir, f)); err != nil {
			return err
		}
	}
	for _, f := range files {
		// Whole before the file is opened: the charts are made in memory anyway.
		var b bytes.Buffer
		if err := f.write(&b); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if err := atomicfile.Write(filepath.Join(dir, f.name), func(w io.Writer) error { _, err := w.Write(b.Bytes()); return err }); err != nil {
			return err
		}
	}
	return nil
}

// columnsUpTo is how many classes have a column of their own in the table of predictions.
const columnsUpTo = 100

// WriteCSV writes a line for each sample: its path, the true and the predicted class, whether they are the same, the
// probabilities of both, and how many classes are more probable than the true one. With up to 100 classes the
// probability of each follows.
func (p *Predictions) WriteCSV(w io.Writer) error {
	all := len(p.Classes) <= columnsUpTo
	header := []string{"path", "actual", "predicted", "correct", "probability", "actual_probability", "rank"}
	if all {
		for _, c := range p.Classes {
			header = append(header, "p("+c+")")
		}
	}
	out := csv.NewWriter(w)
	line := append([]string{}, header...)
	write := func() { _ = out.Write(line) } // the error stays, and Error returns it
	write()
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 8, 64) }
	for i, label := range p.Labels {
		got, row := p.Predicted(i), p.Row(i)
		line = append(line[:0], p.name(i), p.Classes[label], p.Classes[got], strconv.FormatBool(got == label),
			number(row[got]), number(row[label]), strconv.Itoa(p.rank(i)))
		if all {
			for _, v := range row {
				line = append(line, number(v))
			}
		}
		write()
	}
	out.Flush()
	return out.Error()
}
