package finetune

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
)

// Epoch is one line of the history. Losses are means over the images, as the loss weights them.
type Epoch struct {
	Epoch     int     `json:"epoch"` // from 1
	LR        float64 `json:"lr"`    // of the head, at the last step
	TrainLoss float64 `json:"train_loss"`
	TrainAcc  float64 `json:"train_acc"`
	ValLoss   float64 `json:"val_loss"`
	ValAcc    float64 `json:"val_acc"`
	Seconds   float64 `json:"seconds"`
	Phase     int     `json:"phase"` // from 1; see [Options.Phases]
	Best      bool    `json:"best"`  // better than all before, by the run's monitor
}

// metric returns a column by its name.
func (e Epoch) metric(name string) float64 {
	switch name {
	case "val_acc":
		return e.ValAcc
	case "train_loss":
		return e.TrainLoss
	case "train_acc":
		return e.TrainAcc
	}
	return e.ValLoss
}

// score is the metric, turned so that lower is better.
func (e Epoch) score(monitor string) float64 {
	v := e.metric(monitor)
	if monitor == "val_acc" || monitor == "train_acc" {
		return -v
	}
	return v
}

// bestEpoch returns the index of the best epoch, the first where there are several; -1 for none.
func bestEpoch(history []Epoch, monitor string) int {
	best, at := math.Inf(1), -1
	for i, e := range history {
		if s := e.score(monitor); s < best {
			best, at = s, i
		}
	}
	return at
}

// writeHistory writes history.csv and history.json to a run folder.
func (f folder) writeHistory(history []Epoch) error {
	err := atomicfile.Write(f.path("history.csv"), func(w io.Writer) error {
		c := csv.NewWriter(w)
		rows := [][]string{{"epoch", "lr", "train_loss", "train_acc", "val_loss", "val_acc", "seconds", "phase"}}
		text := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
		for _, e := range history {
			rows = append(rows, []string{strconv.Itoa(e.Epoch), text(e.LR), text(e.TrainLoss), text(e.TrainAcc), text(e.ValLoss), text(e.ValAcc), text(e.Seconds), strconv.Itoa(e.Phase)})
		}
		return c.WriteAll(rows)
	})
	if err != nil {
		return err
	}
	return f.writeJSON("history.json", history)
}

func (f folder) writeJSON(name string, v any) error {
	return atomicfile.Write(f.path(name), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}
