//go:build cgo

package ort

import (
	"fmt"
	"strconv"
	"sync"

	ortlib "github.com/yalue/onnxruntime_go"
)

// memLimit is the option of ort:cpu that bounds the memory of runs, in bytes. Execution providers on devices have options
// of their own for that, as CUDA's gpu_mem_limit.
const memLimit = "mem_limit"

// leastLimit is the smallest limit: ONNX Runtime asks the system for a MiB at least.
const leastLimit = 1 << 20

// memory is ONNX Runtime's allocator with a limit, which all sessions of the process share that ask for one.
var memory struct {
	mu    sync.Mutex
	limit int // bytes; 0: there is none yet
}

// bytesIn reads the value of [memLimit].
func bytesIn(text string) (int, error) {
	limit, err := strconv.Atoi(text)
	if err != nil || limit < leastLimit {
		return 0, fmt.Errorf("option %s=%s: want a number of bytes, at least %d", memLimit, text, leastLimit)
	}
	return limit, nil
}

// limitMemory makes sessions opened with o share an allocator that gives no more than so many bytes to runs; weights do
// not count. A process has one such limit.
func limitMemory(o *ortlib.SessionOptions, limit int) error {
	memory.mu.Lock()
	defer memory.mu.Unlock()
	if memory.limit != 0 && memory.limit != limit {
		return fmt.Errorf("option %s=%d: this process has a limit already, of %d bytes", memLimit, limit, memory.limit)
	}
	if memory.limit == 0 {
		info, err := ortlib.GetMemoryInfo()
		if err != nil {
			return err
		}
		arena, err := ortlib.NewArenaCfg(limit, -1, -1, -1)
		if err != nil {
			return err
		}
		defer arena.Destroy()
		if err := ortlib.CreateAndRegisterAllocator(info, arena); err != nil {
			return err
		}
		memory.limit = limit
	}
	return o.AddSessionConfigEntry("session.use_env_allocators", "1")
}
