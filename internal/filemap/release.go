package filemap

import (
	"slices"
	"sync"
	"unsafe"
)

// live are the mappings that are in use.
var live mappings

type mappings struct {
	mu   sync.RWMutex // held while pages are given back, lest the addresses become somebody else's meanwhile
	list [][]byte
}

func (m *mappings) add(b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = append(m.list, b)
}

// end takes a mapping away and unmaps it.
func (m *mappings) end(b []byte, unmap func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = slices.DeleteFunc(m.list, func(have []byte) bool { return &have[0] == &b[0] })
	return unmap()
}

// Release says that what was read of a mapped file is not needed for now: its memory is given back, and loaded anew
// from the file if it is read again. Data that lies elsewhere stays as it is.
func Release[T any](data []T) {
	var z T
	live.release(uintptr(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(z)))
}

func (m *mappings) release(at uintptr, size int) {
	if size == 0 {
		return
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, b := range m.list {
		// Mappings begin with a page.
		if start := uintptr(unsafe.Pointer(&b[0])); at >= start && at-start <= uintptr(len(b)) {
			from := int(at - start)
			from, to := (from+page-1)/page*page, min(from+size, len(b))/page*page
			if from < to {
				giveBack(b[from:to])
			}
			return
		}
	}
}
