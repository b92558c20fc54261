// Package cpu says which instruction set the kernels use: the best one that the processor has, or the one that the
// environment variable ONNXCNN_SIMD names.
package cpu

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// ISA is an instruction set that kernels exist for.
type ISA int

// The instruction sets. Generic is portable Go and always there.
const (
	Generic ISA = iota
	NEON        // arm64 Advanced SIMD
	AVX2        // AVX2 with FMA
	AVX512      // AVX-512 F, BW, DQ and VL
)

// Env is the environment variable that forces an instruction set.
const Env = "ONNXCNN_SIMD"

var names = [...]string{Generic: "generic", NEON: "neon", AVX2: "avx2", AVX512: "avx512"}

// String returns the name that [Env] takes.
func (i ISA) String() string {
	if i < 0 || int(i) >= len(names) {
		return fmt.Sprintf("isa(%d)", int(i))
	}
	return names[i]
}

// Supported returns the instruction sets that this processor and this build have, the fastest first. A build with the
// tag purego has only Generic.
func Supported() []ISA { return append(detect(), Generic) }

// Selected returns the instruction set to use. A value of [Env] that is unknown, or that this machine does not have,
// is an error; the result is then what would be chosen without it. The variable is read once.
func Selected() (ISA, error) { return selected() }

var selected = sync.OnceValues(func() (ISA, error) { return choose(os.Getenv(Env), Supported()) })

// choose applies the rule of Selected.
func choose(name string, have []ISA) (ISA, error) {
	if name == "" {
		return have[0], nil
	}
	var known []string
	for _, isa := range have {
		if isa.String() == strings.ToLower(name) {
			return isa, nil
		}
		known = append(known, isa.String())
	}
	for _, n := range names {
		if n == strings.ToLower(name) {
			return have[0], fmt.Errorf("%s=%s: this machine does not have it, only %s", Env, name, strings.Join(known, ", "))
		}
	}
	return have[0], fmt.Errorf("%s=%s: unknown instruction set, want one of %s", Env, name, strings.Join(known, ", "))
}
