package bigmem

import "syscall"

// advise asks for huge pages. It is advice: an error changes nothing.
func advise(start, size uintptr) {
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, start, size, syscall.MADV_HUGEPAGE)
}
