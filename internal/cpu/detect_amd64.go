//go:build !purego

package cpu

import "golang.org/x/sys/cpu"

func detect() []ISA {
	var have []ISA
	avx2 := cpu.X86.HasAVX2 && cpu.X86.HasFMA
	if avx2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL {
		have = append(have, AVX512)
	}
	if avx2 {
		have = append(have, AVX2)
	}
	return have
}
