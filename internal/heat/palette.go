// Package heat draws numbers as colours: maps of numbers in palettes, alone or laid over pictures, with contours.
package heat

import (
	"image/color"
	"math"
	"strconv"
	"strings"
)

// Palette is a scale of colours from 0 to 1.
type Palette struct {
	name  string
	table [256][3]uint8
}

// anchors are colours at equal distances along each palette; between them it is linear. Viridis and inferno are by
// Nathaniel Smith, Stéfan van der Walt and Eric Firing, who dedicate them to the public domain (CC0); turbo is by Anton
// Mikhailov, Copyright 2019 Google LLC, Apache 2.0. Of their 256 colours every eighth is here: no channel is further
// from theirs than 2 of 255. "diverging" is for signed numbers: blue below the middle, white there, red above.
var anchors = []struct{ name, colours string }{
	{"viridis", "440154 470d60 48186a 482374 472d7b 453681 424086 3f4989 3b528b 375a8d 33638d 2f6a8e 2c728e 297a8e 26818e 23898e 21908c " +
		"1f988b 1f9f88 21a685 28ae80 31b57b 3ebc74 4cc26c 5dc963 6ece58 82d34c 96d83f abdc32 c0df24 d5e21a eae51a fde725"},
	{"turbo", "30123b 392a73 4040a1 4456c7 466be3 467ff6 4293ff 37a7fa 29bbec 1dcdd8 18dcc3 1ee8b0 31f299 4cf97e 6bfd64 8aff4d a3fd3c " +
		"b8f735 cced34 dee037 edd03a f8c03a fdae35 fe982c fb8022 f56817 ec520f e04009 d23105 c02302 ac1701 950d01 7a0403"},
	{"inferno", "000004 040312 0b0724 150b37 210c4a 2e0a5a 3c0965 4a0c6b 57106d 63146e 70196e 7d1e6d 89226a 962766 a32b61 af315c bb3755 " +
		"c63e4d d14644 db4f3b e35932 eb6528 f1711e f67f14 f98d0a fb9c06 fcab0f fbba1f f9ca32 f5d949 f2e865 f3f586 fcffa4"},
	{"gray", "000000 ffffff"},
	{"diverging", "123a6b 2c6fb0 7fb1da cfe1f0 ffffff fbd9c8 f08a62 c93a33 6b0f1f"},
}

var palettes = makePalettes()

func makePalettes() []*Palette {
	all := []*Palette{jet()}
	for _, a := range anchors {
		p := &Palette{name: a.name}
		var rgb [][3]float64
		for _, s := range strings.Fields(a.colours) {
			v, _ := strconv.ParseUint(s, 16, 32)
			rgb = append(rgb, [3]float64{float64(v >> 16), float64(v >> 8 & 255), float64(v & 255)})
		}
		for i := range p.table {
			x := float64(i) / 255 * float64(len(rgb)-1)
			k := min(int(x), len(rgb)-2)
			t := x - float64(k)
			for c := range 3 {
				p.table[i][c] = uint8(math.Round(rgb[k][c]*(1-t) + rgb[k+1][c]*t))
			}
		}
		all = append(all, p)
	}
	return all
}

// jet is the rainbow of MATLAB: each channel a trapezium, 1.5-|4v-3|, 1.5-|4v-2| and 1.5-|4v-1| cut to 0..1.
func jet() *Palette {
	p := &Palette{name: "jet"}
	for i := range p.table {
		v := 4 * float64(i) / 255
		for c := range 3 {
			p.table[i][c] = uint8(math.Round(255 * min(max(1.5-math.Abs(v-float64(3-c)), 0), 1)))
		}
	}
	return p
}

// PaletteByName returns a palette: jet, viridis, turbo, inferno, gray or diverging; nil for another name.
func PaletteByName(name string) *Palette {
	for _, p := range palettes {
		if p.name == name {
			return p
		}
	}
	return nil
}

// PaletteNames lists the palettes.
func PaletteNames() []string {
	var names []string
	for _, p := range palettes {
		names = append(names, p.name)
	}
	return names
}

// At returns the colour of v: that of 0 below 0 and for what is not a number, that of 1 above 1.
func (p *Palette) At(v float64) color.NRGBA {
	i := 0
	if v > 0 { // false for NaN
		i = int(math.Round(min(v, 1) * 255))
	}
	c := p.table[i]
	return color.NRGBA{c[0], c[1], c[2], 255}
}
