package metrics

import (
	"fmt"
	"io"

	"github.com/onnxcnn/onnxcnn/internal/chart"
)

// WriteROC draws the ROC curve of each class against all others as a PNG, and their mean. For two classes it is the
// curve of the second. Up to 10 classes each has a colour, beyond that the three with the smallest area have one.
func (r *Report) WriteROC(w io.Writer) error { return r.drawROC(w, &chart.Light) }

func (r *Report) drawROC(w io.Writer, t *chart.Theme) error {
	classes := r.Classes
	if len(classes) == 2 {
		classes = classes[1:]
	}
	return drawROC(w, t, rocTitle(r.AUC, len(r.Classes)), classes, r.ROC)
}

const rocNote = "How many of a class's images are found against how many others are taken for it, as the threshold falls."

func rocTitle(auc Value, classes int) string {
	switch {
	case !auc.Defined():
		return "ROC: undefined for one class"
	case classes == 2:
		return fmt.Sprintf("ROC: area %.3f", auc)
	}
	return fmt.Sprintf("ROC: mean area %.3f", auc)
}

// drawROC draws the curves of classes, and their mean if there are several.
func drawROC(w io.Writer, t *chart.Theme, title string, classes []Class, mean Curve) error {
	var curves []curve
	for _, c := range classes {
		if c.AUC.Defined() {
			curves = append(curves, curve{name: c.Name, area: c.AUC, x: c.ROC.FPR, y: c.ROC.TPR})
		}
	}
	f := curvesChart{title: title, x: "false positive rate", y: "true positive rate", diagonal: true, curves: curves}
	if len(curves) > 1 {
		f.mean = &curve{name: "mean of the classes", x: mean.FPR, y: mean.TPR}
	}
	return f.draw(w, t)
}
