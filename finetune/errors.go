package finetune

import (
	"fmt"
	"strings"
)

// DivergedError says where training has gone astray. What the folder held before is still there.
type DivergedError struct {
	Epoch, Batch int // from 1; batch 0 is in validation
	Files        []string
	Err          error
}

func (e *DivergedError) Error() string {
	files := e.Files
	more := ""
	if len(files) > 8 {
		files, more = files[:8], fmt.Sprintf(" and %d more", len(e.Files)-8)
	}
	where := fmt.Sprintf("batch %d", e.Batch)
	if e.Batch == 0 {
		where = "validation"
	}
	return fmt.Sprintf("epoch %d, %s: %v (images %s%s)", e.Epoch, where, e.Err, strings.Join(files, ", "), more)
}

// Unwrap returns what is not finite.
func (e *DivergedError) Unwrap() error { return e.Err }

// InterruptedError says how far a run came whose context ended, or that met a file which could not be written or read any
// more after an epoch: the disk is full, say, or the folder is closed. The folder has what is whole; Err names the file.
type InterruptedError struct {
	Dir   string // the run folder
	Saved int    // whole epochs in its checkpoint, 0 for none
	Err   error
}

func (e *InterruptedError) Error() string {
	if e.Saved == 0 {
		return fmt.Sprintf("interrupted before the first epoch was whole: %v", e.Err)
	}
	return fmt.Sprintf("interrupted: %s has everything up to epoch %d: %v", e.Dir, e.Saved, e.Err)
}

// Unwrap returns the context's error, or that of the file.
func (e *InterruptedError) Unwrap() error { return e.Err }

// CacheError says that there is no place to keep activations in. Options.Cache "off" does without: they are computed in
// every epoch.
type CacheError struct {
	Bytes int64 // that all of them take
	Err   error
}

func (e *CacheError) Error() string {
	return fmt.Sprintf("keeping %d MB of activations: %v", (e.Bytes+1e6-1)/1e6, e.Err)
}

// Unwrap returns the reason.
func (e *CacheError) Unwrap() error { return e.Err }
