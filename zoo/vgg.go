package zoo

import "strconv"

// vggPlans are the channels of the convolutions of configurations A, B, D and E; 0 is a pool.
var vggPlans = []struct {
	name          string
	plan          []int
	params, bnToo int // without and with batch normalisation
}{
	{"vgg11", []int{64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0}, 132863336, 132868840},
	{"vgg13", []int{64, 64, 0, 128, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0}, 133047848, 133053736},
	{"vgg16", []int{64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0}, 138357544, 138365992},
	{"vgg19", []int{64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512, 0}, 143667240, 143678248},
}

// vggs are the networks of Simonyan and Zisserman in torchvision's form.
func vggs() []Arch {
	var all []Arch
	for _, c := range vggPlans {
		for _, bn := range []bool{false, true} {
			a := Arch{Name: c.name, Source: "torchvision", Paper: "arXiv:1409.1556", Classes: 1000, Size: [2]int{224, 224}, Channels: 3,
				Params: c.params, Recipe: "torchvision-v1", build: func(b *builder, x value) value { return b.vgg(x, c.plan, bn) }}
			if bn {
				a.Name, a.Params = c.name+"_bn", c.bnToo
			}
			all = append(all, a)
		}
	}
	return all
}

func (b *builder) vgg(x value, plan []int, bn bool) value {
	b.inits = inits{kaimingOut, allZero, normal(0.01), allZero}
	i := 0
	next := func() string {
		i++
		return "features." + strconv.Itoa(i-1)
	}
	for _, c := range plan {
		if c == 0 {
			x = b.maxPool(next(), x, square(2, 2, 0))
			continue
		}
		x = b.conv(next(), x, c, square(3, 1, 1), true)
		if bn {
			x = b.norm(next(), x, 1e-5)
		}
		x = b.relu(next(), x)
	}
	if b.NoTop {
		return x
	}
	x = b.adaptivePool("avgpool", x, 7)
	x = b.flatten("flatten", x)
	x = b.linear("classifier.0", x, 4096)
	x = b.relu("classifier.1", x)
	x = b.dropout("classifier.2", x, 0.5)
	x = b.linear("classifier.3", x, 4096)
	x = b.relu("classifier.4", x)
	x = b.dropout("classifier.5", x, 0.5)
	return b.linear("classifier.6", x, b.Classes)
}
