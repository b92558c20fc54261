// Package doctor examines a folder of images before a network is trained on it, and puts what would do harm aside.
//
// [Examine] looks at every file: it finds images that cannot be read or are not what they seem, copies of one image
// (under one name or several, changed or not, within a part of the data or across parts), and classes that are missing,
// tiny or out of balance. [Report.Quarantine] moves what should not be trained on to another folder, with a manifest
// from which [Undo] puts everything back. Nothing is ever deleted.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/onnxcnn/onnxcnn/features"
	"github.com/onnxcnn/onnxcnn/internal/pixel"
)

// Kind names what a finding is about.
type Kind string

// The kinds of findings: about single files, about copies, about the whole.
const (
	Unreadable     Kind = "unreadable"      // no decoder takes it
	Truncated      Kind = "truncated"       // the file ends too early
	Huge           Kind = "huge"            // more pixels than the limit
	Tiny           Kind = "tiny"            // a side is shorter than Options.MinSide
	WrongExtension Kind = "wrong-extension" // a JPEG called .png, say
	NoExtension    Kind = "no-extension"    // an image whose name no loader of image folders takes
	Rotated        Kind = "rotated"         // EXIF says to turn it
	CMYK           Kind = "cmyk"            // colours of print
	Deep           Kind = "16-bit"          // more than 8 bits a channel
	Alpha          Kind = "alpha"           // has pixels that are not opaque
	Palette        Kind = "palette"         // colours from a table
	Animated       Kind = "animated"        // more frames than one
	Hidden         Kind = "hidden"          // files that loaders should not see
	NotImage       Kind = "not-an-image"    // other files among the images

	Duplicate     Kind = "duplicate"      // byte for byte the same, in one class and part
	NearDuplicate Kind = "near-duplicate" // looks the same, in one class and part
	Leak          Kind = "leak"           // the same image, or one that looks the same, in two parts of a split
	Conflict      Kind = "conflict"       // the same image, or one that looks the same, in two classes

	ClosedFolder Kind = "closed-folder" // may not be read, nor what is in it
	NoImages     Kind = "no-images"     // nothing to train on
	EmptyClass   Kind = "empty-class"   // a folder without images
	MissingClass Kind = "missing-class" // a class that one part of the split has and another has not
	OneClass     Kind = "one-class"     // nothing to tell apart
	FewImages    Kind = "few-images"    // a class of less than 10 images to train on
	Imbalance    Kind = "imbalance"     // the largest class has over three times the images of the smallest
	Loose        Kind = "no-label"      // images beside the class folders
	Loop         Kind = "loop"          // a link to a folder that it lies in, or that was looked at
)

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // training fails, or its figures cannot be trusted
	Warning Severity = "warning" // training works, the result may suffer
	Note    Severity = "note"    // handled here, but other tools may see it differently
)

// kinds gives the severity of each kind, and what to do about it.
var kinds = map[Kind]struct {
	severity Severity
	remedy   string
}{
	Unreadable:     {Error, "replace or remove it; --fix puts it aside"},
	Truncated:      {Error, "copy it again from where it came from; --fix puts it aside"},
	Huge:           {Error, "make it smaller, or raise --max-pixels"},
	Tiny:           {Warning, "find a larger version: stretched to the network's input it shows little"},
	WrongExtension: {Note, "rename it: here the content counts, elsewhere the name may"},
	NoExtension:    {Warning, "rename it: as it is called it is not trained on"},
	Rotated:        {Note, "it is turned here; torchvision and Pillow show it as it is stored"},
	CMYK:           {Note, "it is converted; other tools may show its colours inverted"},
	Deep:           {Note, "it is reduced to 8 bits a channel"},
	Alpha:          {Note, "its transparency is ignored; put it on a background if that shows"},
	Palette:        {Note, "it is converted to RGB"},
	Animated:       {Note, "only its first frame is used"},
	Hidden:         {Note, "it is left out here; other tools may take it for a class or an image"},
	NotImage:       {Note, "it is left out"},
	Duplicate:      {Warning, "keep one; --fix puts the others aside"},
	NearDuplicate:  {Warning, "look at them: copies count for more than other images"},
	Leak:           {Error, "validation on images that were trained on shows nothing; --fix puts those in train aside"},
	Conflict:       {Error, "decide on one class"},
	ClosedFolder:   {Error, "get the right to read it: what is in it is neither examined nor trained on"},
	NoImages:       {Error, "give a folder that holds a folder of images for each class"},
	EmptyClass:     {Warning, "add images or remove the folder; it is no class as it is"},
	MissingClass:   {Error, "add images of it, or remove the class from the other part"},
	OneClass:       {Error, "a classifier needs two classes: one folder for each"},
	FewImages:      {Warning, "add images, or train with --augment standard"},
	Imbalance:      {Warning, "train with --class-weights balanced, and look at the balanced accuracy"},
	Loose:          {Warning, "put them into class folders: they are not trained on"},
	Loop:           {Note, "it is not followed"},
}

// Finding is one thing that was found.
type Finding struct {
	Kind     Kind     `json:"kind"`
	Severity Severity `json:"severity"`
	Paths    []string `json:"paths,omitempty"` // below the folder, with slashes; of copies all, the one to keep first
	What     string   `json:"what"`
	Remedy   string   `json:"remedy"`

	move []string // what Quarantine moves if the kind is chosen
}

// Options say what is looked for. The zero value takes the defaults.
type Options struct {
	MaxPixels int // larger images are not decoded; 0 means 178,956,970
	MinSide   int // shorter sides are reported; 0 means 32
	// Near is how far the 128-bit difference hashes of two images may be apart that look the same; 0 means 6, and a
	// negative number leaves the search for such images out.
	Near     int
	Progress func(done, total int) // may be nil
}

// Report is what was found in a folder.
type Report struct {
	Dir      string    `json:"dir"`
	Images   int       `json:"images"` // that would be trained on or validated with, readable or not
	Classes  []Class   `json:"classes"`
	Findings []Finding `json:"findings"` // the worst first
}

// Class is a class and its number of readable images, by part of the split ("" where there is none).
type Class struct {
	Name   string         `json:"name"`
	Counts map[string]int `json:"counts"`
}

// Errors returns the number of findings that are errors.
func (r *Report) Errors() int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == Error {
			n++
		}
	}
	return n
}

// examination is a report in the making.
type examination struct {
	o      Options
	dir    string
	items  []features.Item
	looks  []look
	report *Report
}

// Examine looks at every file of a folder: one folder of images for each class, perhaps inside train and val. What is
// wrong with the data is in the report; an error means that the folder itself cannot be read.
func Examine(ctx context.Context, dir string, o Options) (*Report, error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "examine", Path: dir, Err: errors.New("is not a folder")}
	}
	if err != nil {
		return nil, err
	}
	o.MinSide = cmp.Or(o.MinSide, 32)
	o.Near = cmp.Or(o.Near, 6)
	x := &examination{o: o, dir: dir, report: &Report{Dir: dir, Classes: []Class{}, Findings: []Finding{}}}
	data, err := features.Open(dir)
	var empty *features.EmptyError
	switch {
	case errors.As(err, &empty):
		data = &features.Dataset{}
	case err != nil:
		return nil, err
	}
	if err := x.others(); err != nil {
		return nil, err
	}
	data.Items = slices.DeleteFunc(data.Items, func(it features.Item) bool {
		if it.Unlisted() {
			_, err := it.Open()
			x.add(ClosedFolder, []string{it.Name()}, "%v", err)
		}
		return it.Unlisted()
	})
	x.items = data.Items
	x.report.Images = len(data.Items)
	if err := x.look(ctx); err != nil {
		return nil, err
	}
	x.classes(data)
	x.copies(data)
	slices.SortStableFunc(x.report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), cmp.Compare(a.Kind, b.Kind))
	})
	return x.report, nil
}

func rank(s Severity) int { return slices.Index([]Severity{Error, Warning, Note}, s) }

// below returns a path below the examined folder, with slashes.
func (x *examination) below(p string) string {
	if rel, err := filepath.Rel(x.dir, p); err == nil {
		return filepath.ToSlash(rel)
	}
	return p
}

func (x *examination) add(k Kind, paths []string, format string, args ...any) *Finding {
	x.report.Findings = append(x.report.Findings, Finding{Kind: k, Severity: kinds[k].severity, Paths: paths,
		What: fmt.Sprintf(format, args...), Remedy: kinds[k].remedy})
	return &x.report.Findings[len(x.report.Findings)-1]
}

// file adds a finding about one file, which Quarantine moves.
func (x *examination) file(k Kind, name, format string, args ...any) {
	x.add(k, []string{name}, format, args...).move = []string{name}
}

// others reports the files that are not taken for images: hidden ones, and those with another extension.
func (x *examination) others() error {
	// With the separator the folder itself may be a link.
	return filepath.WalkDir(x.dir+string(filepath.Separator), func(p string, d fs.DirEntry, err error) error {
		name := x.below(p)
		switch base := path.Base(name); {
		case err != nil && name == ".":
			return err
		case err != nil: // the data set has it
		case name == ".":
		case features.IsHidden(base):
			what := "file"
			if d.IsDir() {
				what = "folder"
			}
			x.file(Hidden, name, "hidden %s", what)
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.Type()&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDevice) != 0:
			x.add(NotImage, []string{name}, "neither a file nor a folder")
		case d.Type().IsRegular() && !features.IsImage(base):
			if format := x.sniff(name); format != "" {
				x.file(NoExtension, name, "%s image whose name has not the extension of an image", strings.ToUpper(format))
			} else {
				x.file(NotImage, name, "not an image")
			}
		}
		return nil
	})
}

// sniff returns the format of a file's content, "" if it is no image.
func (x *examination) sniff(name string) string {
	f, err := os.Open(filepath.Join(x.dir, filepath.FromSlash(name)))
	if err != nil {
		return ""
	}
	defer f.Close()
	return pixel.Sniff(f)
}

// look examines all images, on all processors.
func (x *examination) look(ctx context.Context) error {
	x.looks = make([]look, len(x.items))
	var next, done atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range min(runtime.GOMAXPROCS(0), len(x.items)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(x.items) {
					return
				}
				x.looks[i] = examine(x.items[i], x.o)
				if n := int(done.Add(1)); x.o.Progress != nil {
					mu.Lock()
					x.o.Progress(n, len(x.items))
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	for i, l := range x.looks {
		for _, f := range l.findings {
			x.file(f.kind, x.items[i].Name(), "%s", f.what)
		}
	}
	return ctx.Err()
}

// classes reports what is wrong with the classes and their sizes.
func (x *examination) classes(data *features.Dataset) {
	parts := map[string]bool{}
	counts := make([]map[string]int, len(data.Classes))
	for i := range counts {
		counts[i] = map[string]int{}
	}
	loose := 0
	for i, it := range data.Items {
		parts[it.Split] = true
		switch {
		case it.Label < 0:
			loose++
		case x.looks[i].ok:
			counts[it.Label][it.Split]++
		}
	}
	for i, name := range data.Classes {
		x.report.Classes = append(x.report.Classes, Class{name, counts[i]})
	}
	for _, p := range data.Empty {
		x.add(EmptyClass, []string{x.below(p)}, "a folder without images")
	}
	for _, p := range data.Loops {
		x.add(Loop, []string{x.below(p)}, "a link that leads back to a folder that is looked at already")
	}
	switch {
	case len(data.Items) == 0:
		x.add(NoImages, nil, "there are no images here")
	case len(data.Classes) == 1:
		x.add(OneClass, nil, "only one class: %q", data.Classes[0])
	}
	switch {
	case loose > 0 && len(data.Classes) == 0:
		x.add(Loose, nil, "none of the %d images lies in the folder of a class", loose)
	case loose > 0:
		x.add(Loose, nil, "%d of %d images have no class", loose, len(data.Items))
	}
	for _, part := range []string{"", "train", "val", "test"} {
		if parts[part] && len(data.Classes) > 0 {
			x.sizes(part, counts, data.Classes)
		}
	}
}

// images returns a number of images in words.
func images(n int) string {
	if n == 1 {
		return "1 image"
	}
	return fmt.Sprintf("%d images", n)
}

// sizes reports on the classes of one part.
func (x *examination) sizes(part string, counts []map[string]int, names []string) {
	in := ""
	if part != "" {
		in = " in " + part
	}
	small, large := -1, -1
	for i := range names {
		n := counts[i][part]
		switch {
		case n == 0:
			x.add(MissingClass, nil, "class %q has no readable image%s", names[i], in)
			continue
		case n < 10 && part != "val" && part != "test":
			x.add(FewImages, nil, "class %q has %s%s", names[i], images(n), in)
		}
		if small < 0 || n < counts[small][part] {
			small = i
		}
		if large < 0 || n > counts[large][part] {
			large = i
		}
	}
	if small >= 0 && counts[large][part] > 3*counts[small][part] {
		x.add(Imbalance, nil, "class %q has %s%s, class %q has %d", names[large], images(counts[large][part]), in, names[small], counts[small][part])
	}
}
