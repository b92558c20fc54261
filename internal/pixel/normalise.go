package pixel

import "fmt"

// Channels is the order, or kind, of the channels that a network takes.
type Channels int

// The channel orders. Gray is luma by ITU-R 601, as Pillow's mode "L".
const (
	RGB Channels = iota
	BGR
	Gray
)

// Count returns the number of channels.
func (c Channels) Count() int {
	if c == Gray {
		return 1
	}
	return 3
}

// Normaliser turns bytes into the network's numbers, (v*scale - mean) / std, by a table a channel.
type Normaliser struct {
	channels Channels
	last     bool // channels last (NHWC)
	table    [3][256]float32
}

// NewNormaliser returns the normaliser for these constants; mean and std are in the order of the network's channels
// (so for BGR the blue one is first). channelsLast chooses NHWC. The formula is computed in float64 and rounded once.
func NewNormaliser(c Channels, channelsLast bool, scale float64, mean, std [3]float64) *Normaliser {
	n := &Normaliser{channels: c, last: channelsLast}
	for ch := range n.table {
		for v := range n.table[ch] {
			n.table[ch][v] = float32((float64(float64(v)*scale) - mean[ch]) / std[ch])
		}
	}
	return n
}

// Apply normalises packed RGB into dst.
func (n *Normaliser) Apply(rgb []uint8, dst []float32) error {
	count := len(rgb) / 3
	if len(dst) != count*n.channels.Count() {
		return fmt.Errorf("destination has %d values, want %d", len(dst), count*n.channels.Count())
	}
	rgb = rgb[:3*count]
	if n.channels == Gray {
		t := &n.table[0]
		for i := range dst {
			p := rgb[3*i : 3*i+3]
			dst[i] = t[luma(p[0], p[1], p[2])]
		}
		return nil
	}
	first, third := 0, 2
	if n.channels == BGR {
		first, third = 2, 0
	}
	a, b, c := &n.table[0], &n.table[1], &n.table[2]
	if n.last {
		for i := 0; i+2 < len(dst); i += 3 {
			p, d := rgb[i:i+3], dst[i:i+3]
			d[0], d[1], d[2] = a[p[first]], b[p[1]], c[p[third]]
		}
		return nil
	}
	d0, d1, d2 := dst[:count], dst[count:2*count], dst[2*count:]
	for i := range d0 {
		p := rgb[3*i : 3*i+3]
		d0[i], d1[i], d2[i] = a[p[first]], b[p[1]], c[p[third]]
	}
	return nil
}

// luma is 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point, rounded.
func luma(r, g, b uint8) uint8 {
	return uint8((uint32(r)*19595 + uint32(g)*38470 + uint32(b)*7471 + 1<<15) >> 16)
}
