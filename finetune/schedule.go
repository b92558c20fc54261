package finetune

import "math"

// Schedule gives the factor of the learning rate for each step.
type Schedule struct {
	Kind     string  // as [Options.Schedule]
	Steps    int     // of the whole run
	PerEpoch int     // steps an epoch
	Warmup   float64 // epochs over which the factor rises linearly

	// state of plateau
	best  float64
	bad   int
	scale float64
}

// The constants of the schedules: what PyTorch's have as defaults, or what its tutorials use.
const (
	stepEvery       = 7   // epochs after which "step" takes a tenth
	stepFactor      = 0.1 // StepLR of the transfer learning tutorial
	cyclePeak       = 0.3 // share of "onecycle" in which the rate rises
	cycleStart      = 25.0
	cycleEnd        = 1e4
	plateauPatience = 2 // epochs without improvement after which "plateau" takes a tenth
	plateauFactor   = 0.1
	plateauLeast    = 1e-4 // relative improvement that counts
)

// NewSchedule returns a schedule for epochs of so many steps.
func NewSchedule(kind string, epochs, perEpoch int, warmup float64) *Schedule {
	return &Schedule{Kind: kind, Steps: epochs * perEpoch, PerEpoch: perEpoch, Warmup: warmup, best: math.Inf(1), scale: 1}
}

// Factor returns what the learning rate is multiplied with in step i, from 0.
//
//	constant   1
//	cosine     (1 + cos(pi*t))/2, t rising from 0 to 1 after the warm-up
//	step       a tenth every 7 epochs
//	onecycle   by cosines from 1/25 to 1 in the first 30 %, then to 1/250,000 (Smith 2018; OneCycleLR)
//	plateau    a tenth whenever the training's monitor has not improved for more than 2 epochs
//
// During the warm-up the factor rises linearly from 1/steps to what the schedule begins with.
func (s *Schedule) Factor(i int) float64 {
	warm := int(math.Round(s.Warmup * float64(s.PerEpoch)))
	if i < warm {
		return s.after(0) * float64(i+1) / float64(warm)
	}
	return s.after(i - warm)
}

// after is the factor of step i after the warm-up.
func (s *Schedule) after(i int) float64 {
	warm := int(math.Round(s.Warmup * float64(s.PerEpoch)))
	steps := max(s.Steps-warm, 1)
	switch s.Kind {
	case "cosine":
		return (1 + math.Cos(math.Pi*min(float64(i)/float64(steps), 1))) / 2
	case "step":
		return math.Pow(stepFactor, float64((i+warm)/max(stepEvery*s.PerEpoch, 1)))
	case "onecycle":
		peak := cyclePeak*float64(steps) - 1
		last := float64(steps - 1)
		if t := float64(i); t <= peak && peak > 0 {
			return between(1/cycleStart, 1, t/peak)
		} else if last > peak {
			return between(1, 1/(cycleStart*cycleEnd), min((t-max(peak, 0))/(last-max(peak, 0)), 1))
		}
		return 1
	case "plateau":
		return s.scale
	}
	return 1
}

// between goes from a to b along half a cosine while t goes from 0 to 1.
func between(a, b, t float64) float64 { return b + (a-b)*(1+math.Cos(math.Pi*t))/2 }

// Observe tells the schedule what an epoch's monitor was; lower is better.
func (s *Schedule) Observe(v float64) {
	switch {
	case s.Kind != "plateau":
	case v < s.best-plateauLeast*math.Abs(s.best) || math.IsInf(s.best, 1):
		s.best, s.bad = v, 0
	default:
		if s.bad++; s.bad > plateauPatience {
			s.scale *= plateauFactor
			s.bad = 0
		}
	}
}
