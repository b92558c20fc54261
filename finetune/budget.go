package finetune

import "time"

// budget is the time that a run may take. What comes after the last epoch needs some of it.
type budget struct {
	start time.Time
	limit time.Duration // 0: none

	scan     time.Duration // that reading the images of validation through the frozen part took: evaluating takes it again
	validate time.Duration // that validating took, the longest of all epochs
	epoch    time.Duration // that an epoch took, likewise
}

// left returns how much of the time is left for training; what is 0 or less is none.
func (b *budget) left() time.Duration {
	return b.limit - time.Since(b.start) - 2*b.validate - b.scan
}

// over reports whether training must stop now.
func (b *budget) over() bool { return b.limit > 0 && b.left() <= 0 }

// fits reports whether there is time for another epoch, as far as earlier ones tell.
func (b *budget) fits() bool { return b.limit <= 0 || b.left() > b.epoch }
