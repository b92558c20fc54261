package metrics

import (
	"fmt"
	"html/template"
	"io"
	"path/filepath"

	"github.com/onnxcnn/onnxcnn/internal/chart"
)

// WritePrecisionRecall draws the precision-recall curve of each class as a PNG, and above what its average precision is.
func (r *MultiReport) WritePrecisionRecall(w io.Writer) error {
	return r.drawPrecisionRecall(w, &chart.Light)
}

// WriteROC draws the ROC curve of each class as a PNG, and their mean.
func (r *MultiReport) WriteROC(w io.Writer) error { return r.drawROC(w, &chart.Light) }

// WriteCalibration draws how often a class is there that is said to be with some probability, as a PNG.
func (r *MultiReport) WriteCalibration(w io.Writer) error { return r.drawCalibration(w, &chart.Light) }

func (r *MultiReport) recallTitle() string {
	if !r.AveragePrecision.Defined() {
		return "Precision and recall: no image has a class"
	}
	return fmt.Sprintf("Mean average precision %.3f", r.AveragePrecision)
}

func (r *MultiReport) drawPrecisionRecall(w io.Writer, t *chart.Theme) error {
	f := curvesChart{title: r.recallTitle(), x: "recall", y: "precision"}
	for _, c := range r.Classes {
		if c.AveragePrecision.Defined() {
			f.curves = append(f.curves, curve{name: c.Name, area: c.AveragePrecision, x: c.PR.Recall, y: c.PR.Precision})
		}
	}
	return f.draw(w, t)
}

// rocTitle counts the classes that have a curve: each stands for itself here, even of two.
func (r *MultiReport) rocTitle() string { return rocTitle(r.AUC, 0) }

func (r *MultiReport) drawROC(w io.Writer, t *chart.Theme) error {
	var classes []Class
	for _, c := range r.Classes {
		classes = append(classes, c.Class)
	}
	return drawROC(w, t, r.rocTitle(), classes, r.ROC)
}

func (r *MultiReport) drawCalibration(w io.Writer, t *chart.Theme) error {
	f := calibrationChart{bins: r.Calibration, ece: r.CalibrationError, x: "probability", y: "share that is there", gap: "gap to the probability", counts: "answers of that probability"}
	return f.draw(w, t)
}

// multiPage is what the template shows.
type multiPage struct {
	*MultiEvaluation
	Title  string
	Charts []pageChart
	Wrong  []multiPageMistake
}

type multiPageMistake struct {
	MultiMistake
	Image template.URL // "" where the image cannot be read any more
}

// WritePage writes one HTML page as [Evaluation.WritePage] does.
func (e *MultiEvaluation) WritePage(w io.Writer) error {
	p := multiPage{MultiEvaluation: e, Title: "Evaluation"}
	if e.Model != "" {
		p.Title = "Evaluation of " + filepath.Base(e.Model)
	}
	var err error
	p.Charts, err = newPageCharts([]chartSpec{
		{"Precision and recall", "Precision-recall curves: " + e.recallTitle() + ".",
			"How many of the images that are said to have a class do, against how many of those that have it are found, as the threshold falls. The best threshold of each class is in the table.", e.drawPrecisionRecall},
		{"ROC curves", "ROC curves: " + e.rocTitle() + ".", rocNote, e.drawROC},
		{"Calibration", fmt.Sprintf("Reliability diagram: the expected calibration error is %.4f.", e.CalibrationError),
			"Of classes that are said to be there with a probability of 0.8, 80 % should be: bars above the diagonal mean too little confidence, below too much.", e.drawCalibration},
	})
	if err != nil {
		return err
	}
	for _, m := range e.Mistakes {
		shown := multiPageMistake{MultiMistake: m}
		if m.Sample < len(e.Items) {
			shown.Image = thumbnail(e.Items[m.Sample])
		}
		p.Wrong = append(p.Wrong, shown)
	}
	return pageTemplates.ExecuteTemplate(w, "multi.html", p)
}
