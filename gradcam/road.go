package gradcam

import "math/rand/v2"

// Noisy linear imputation: a removed pixel is the mean of its neighbours, those beside it with weight 1/6 and those
// across with 1/12, and a little noise. That is a linear system over the removed pixels, which is symmetric and positive
// definite (a graph's Laplacian with borders given), so conjugate gradients solve it.

const (
	straight, across = 1.0 / 6, 1.0 / 12
	imputationNoise  = 0.01
	imputationSteps  = 500
	imputationError  = 1e-4 // of the residual, relative: far below the noise
)

// neighbours calls f for each pixel beside or across from p in a plane of h by w.
func neighbours(p, h, w int, f func(q int, weight float64)) {
	y, x := p/w, p%w
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			if (dy == 0 && dx == 0) || y+dy < 0 || y+dy >= h || x+dx < 0 || x+dx >= w {
				continue
			}
			weight := straight
			if dy != 0 && dx != 0 {
				weight = across
			}
			f(p+dy*w+dx, weight)
		}
	}
}

// link is a neighbour of a removed pixel that is removed, too.
type link struct {
	to     int32 // among the removed
	weight float64
}

// fillIn replaces the removed pixels of a plane. Where all are removed, they become their mean.
func fillIn(plane []float32, h, w int, removed []int, rng *rand.Rand) {
	n := len(removed)
	if n == 0 {
		return
	}
	index := make([]int32, len(plane))
	for i := range index {
		index[i] = -1
	}
	for i, p := range removed {
		index[p] = int32(i)
	}
	links := make([][]link, n)
	diagonal, right := make([]float64, n), make([]float64, n)
	known := 0
	mean := 0.0
	for i, v := range plane {
		if index[i] < 0 {
			mean += float64(v)
			known++
		}
	}
	if known == 0 {
		m := float32(sum(plane) / float64(len(plane)))
		for i := range plane {
			plane[i] = m
		}
		return
	}
	mean /= float64(known)
	for i, p := range removed {
		neighbours(p, h, w, func(q int, weight float64) {
			diagonal[i] += weight
			if k := index[q]; k >= 0 {
				links[i] = append(links[i], link{k, weight})
			} else {
				right[i] += weight * float64(plane[q])
			}
		})
	}
	times := func(out, v []float64) {
		for i := range out {
			s := diagonal[i] * v[i]
			for _, l := range links[i] {
				s -= l.weight * v[l.to]
			}
			out[i] = s
		}
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = mean
	}
	solve(times, diagonal, right, x)
	for i, p := range removed {
		plane[p] = float32(x[i] + imputationNoise*rng.NormFloat64())
	}
}

// solve improves x until times(x) is right, by conjugate gradients preconditioned with the diagonal.
func solve(times func(out, v []float64), diagonal, right, x []float64) {
	n := len(x)
	r, z, p, ap := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	times(r, x)
	scale := 0.0
	for i := range r {
		scale += right[i] * right[i]
		r[i] = right[i] - r[i]
		z[i] = r[i] / diagonal[i]
	}
	copy(p, z)
	rz := dot(r, z)
	for range imputationSteps {
		if dot(r, r) <= imputationError*imputationError*scale || rz == 0 {
			return
		}
		times(ap, p)
		alpha := rz / dot(p, ap)
		for i := range x {
			x[i] += alpha * p[i]
			r[i] -= alpha * ap[i]
			z[i] = r[i] / diagonal[i]
		}
		next := dot(r, z)
		for i := range p {
			p[i] = z[i] + next/rz*p[i]
		}
		rz = next
	}
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}
