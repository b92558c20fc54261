//go:build !purego

package cpu

// detect needs no test: every arm64 processor that Go runs on has Advanced SIMD.
func detect() []ISA { return []ISA{NEON} }
