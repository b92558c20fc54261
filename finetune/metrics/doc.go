// Package metrics says how good a classifier is: from the probabilities that it gave and the true classes it computes
// the usual measures, draws the usual charts, and writes a report of both.
//
//	report, err := metrics.Compute(metrics.Predictions{
//		Classes:       []string{"cat", "dog"},
//		Labels:        []int{0, 1, 1},
//		Probabilities: []float64{0.9, 0.1, 0.2, 0.8, 0.6, 0.4}, // row after row
//	}, metrics.Options{})
//	...
//	err = report.WriteConfusion(w) // a PNG
//	err = report.WriteJSON(w)
//
// [Evaluate] gets the probabilities from a network and a folder of images, and [Evaluation.WriteFolder] writes a folder of
// JSON, CSV, PNG and one HTML page.
//
// # Definitions
//
// They are scikit-learn's unless said otherwise. The predicted class is the first of the most probable ones. A measure
// whose denominator is zero is 0: the precision of a class that is never predicted, the recall of a class without
// samples. Macro averages are over the classes that occur among the labels or the predictions, weighted averages weigh
// each class by its number of samples. The area under the ROC curve and the average precision of a class, against all
// others, are undefined where it has no samples, or nothing else has; their macro averages leave such classes out.
// Undefined values are NaN, and null in JSON.
package metrics
