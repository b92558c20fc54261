package filemap

import (
	"os"
	"syscall"
)

var page = os.Getpagesize()

// giveBack drops whole pages of a mapping. It is advice: an error changes nothing.
func giveBack(pages []byte) { _ = syscall.Madvise(pages, syscall.MADV_DONTNEED) }
