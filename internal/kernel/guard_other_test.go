//go:build !unix

package kernel

import "testing"

// guarded returns n floats; this system has no pages to guard them with that package syscall knows.
func guarded(_ testing.TB, n int, _ bool) []float32 { return make([]float32, n) }
