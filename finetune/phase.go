package finetune

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Phase is a part of a run in which the same layers are trained.
type Phase struct {
	From   string  // first layer of the base that is trained, as [NetOptions] has it; "head" and "none" are the same
	Epochs int     // 1 or more
	LR     float64 // learning rate of the head, 0 for that of the run
}

// maxPhases bounds how many phases a run may have.
const maxPhases = 100

// ParsePhases reads phases such as "head:3,layer4:5@1e-4,all:2": for each the first layer that is trained, the number of
// epochs and, behind @, the learning rate of the head (0 where it is left out: that of the run).
func ParsePhases(spec string) ([]Phase, error) {
	if strings.TrimSpace(spec) == "" {
		return nil, nil
	}
	var all []Phase
	for _, part := range strings.Split(spec, ",") {
		part = strings.TrimSpace(part)
		bad := func(what string) error {
			return fmt.Errorf("phase %q: %s: want LAYER:EPOCHS or LAYER:EPOCHS@RATE, as in head:3,layer4:5@1e-4,all:2", part, what)
		}
		at := strings.LastIndexByte(part, ':')
		if at < 1 {
			return nil, bad("no layer and epochs")
		}
		p := Phase{From: part[:at]}
		epochs, rate, hasRate := strings.Cut(part[at+1:], "@")
		n, err := strconv.Atoi(epochs)
		if err != nil || n < 1 {
			return nil, bad(fmt.Sprintf("%q is no number of epochs", epochs))
		}
		p.Epochs = n
		if hasRate {
			if p.LR, err = strconv.ParseFloat(rate, 64); err != nil || !(p.LR > 0) || math.IsInf(p.LR, 0) {
				return nil, bad(fmt.Sprintf("%q is no learning rate", rate))
			}
		}
		if all = append(all, p); len(all) > maxPhases {
			return nil, fmt.Errorf("more than %d phases", maxPhases)
		}
	}
	return all, nil
}

// formatPhases is the reverse of ParsePhases.
func formatPhases(all []Phase) string {
	var parts []string
	for _, p := range all {
		s := fmt.Sprintf("%s:%d", p.From, p.Epochs)
		if p.LR != 0 {
			s += "@" + strconv.FormatFloat(p.LR, 'g', -1, 64)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ",")
}

// phases are those of the options: a single one where none are given.
func (o *Options) phases() []Phase {
	if len(o.Phases) == 0 {
		return []Phase{{From: o.UnfreezeFrom, Epochs: o.Epochs, LR: o.LR}}
	}
	all := make([]Phase, len(o.Phases))
	for i, p := range o.Phases {
		if p.From == "head" {
			p.From = "none"
		}
		if p.LR == 0 {
			p.LR = o.LR
		}
		all[i] = p
	}
	return all
}

// checkPhases reports what is wrong with phases by themselves.
func (o *Options) checkPhases() error {
	if len(o.Phases) > maxPhases {
		return fmt.Errorf("%d phases: want %d at most", len(o.Phases), maxPhases)
	}
	for i, p := range o.Phases {
		if p.Epochs < 1 {
			return fmt.Errorf("phase %d: %d epochs: want 1 or more", i+1, p.Epochs)
		}
		if err := inRange(fmt.Sprintf("learning rate of phase %d", i+1), p.LR, 0); err != nil {
			return err
		}
	}
	return nil
}
