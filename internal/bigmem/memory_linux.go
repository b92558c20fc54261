package bigmem

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// limitFiles hold the limit of the control group that the process of a container sees as its root, in version 2 and 1.
var limitFiles = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// systemLimits returns the bytes that the machine has, and those that the container may use; 0 for what is not known.
func systemLimits() []uint64 {
	var limits []uint64
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err == nil {
		limits = append(limits, uint64(info.Totalram)*uint64(info.Unit))
	}
	for _, file := range limitFiles {
		limits = append(limits, readLimit(file))
	}
	return limits
}

// readLimit reads a number of bytes from a file: 0 where there is none, or "max".
func readLimit(file string) uint64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
