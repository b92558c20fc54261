package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/features/doctor"
)

// listed is how many findings of one kind are shown without --all.
const listed = 10

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "find what is wrong with a folder of images before training starts",
		ArgsUsage: "DIR",
		Description: `DIR has a folder of images for each class, perhaps inside train and val. Every file is read. What is found:
images that cannot be read, are cut, tiny or huge, have the wrong extension, are rotated by EXIF, animated, in CMYK,
with 16 bits, a palette or transparency; copies and near copies within a class, in two classes, in train and val;
classes that are empty, small, out of balance, or missing in a part; folders that may not be read; hidden files and
other files.

With --fix what cannot be read and certain copies are moved to a folder beside DIR, to the same paths below it. A file
` + doctor.ManifestName + ` in that folder says what and why, and --undo moves everything back. Nothing is deleted.
--move chooses other kinds of findings; those that can be moved are:
  ` + strings.Join(kindNames(doctor.Movable()), ", ") + `.

The exit status is 1 where errors are left: findings with which training fails or its figures cannot be trusted.

  onnxcnn doctor photos
  onnxcnn doctor photos --fix
  onnxcnn doctor photos --fix --move unreadable,truncated,duplicate,near-duplicate
  onnxcnn doctor --undo photos-quarantine`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "fix", Usage: "move the files of some findings to another folder"},
			&cli.StringFlag{Name: "move", Value: strings.Join(kindNames(doctor.DefaultMove), ","), Usage: "which findings --fix moves: `KINDS`, separated by commas"},
			&cli.StringFlag{Name: "quarantine", Usage: "move to `FOLDER`, which is made; by default DIR-quarantine"},
			&cli.StringFlag{Name: "undo", Usage: "move everything in the quarantine `FOLDER` back"},
			&cli.IntFlag{Name: "near", Value: 6, Usage: "images look the same whose hashes differ in at most `N` of 128 bits; -1 does not look for them"},
			&cli.IntFlag{Name: "min-side", Value: 32, Usage: "report images with a side of less than `N` pixels"},
			&cli.IntFlag{Name: "max-pixels", Usage: "report images of more than `N` pixels; 0 means 178956970"},
			&cli.BoolFlag{Name: "all", Usage: fmt.Sprintf("list every file, not only %d of a kind", listed)},
			jsonFlag(), quietFlag(),
		},
		Action: examineFolder,
	}
}

func kindNames(kinds []doctor.Kind) []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return names
}

func examineFolder(c *cli.Context) error {
	if folder := c.String("undo"); folder != "" {
		return undoQuarantine(c, folder)
	}
	if c.NArg() != 1 {
		return withHint(usagef("which folder? Give one folder of images"), "%s", seeHelp(c.Command))
	}
	for _, f := range []struct {
		name     string
		min, max int
	}{{"near", -1, 64}, {"min-side", 1, 1 << 20}, {"max-pixels", 0, 1 << 40}} {
		if n := c.Int(f.name); n < f.min || n > f.max {
			return usagef("--%s %d: want %d to %d", f.name, n, f.min, f.max)
		}
	}
	kinds, err := moveKinds(c.String("move"))
	if err != nil {
		return err
	}
	dir := c.Args().First()
	o := doctor.Options{MaxPixels: c.Int("max-pixels"), MinSide: c.Int("min-side"), Near: c.Int("near")}
	var progress *bar
	o.Progress = func(done, total int) {
		if progress == nil {
			progress = newBar(c, total, "images")
		}
		progress.set(done)
	}
	report, err := doctor.Examine(c.Context, dir, o)
	if progress != nil {
		progress.clear()
	}
	if err != nil {
		return missingPath(err)
	}
	if !c.Bool("fix") {
		if err := showReport(c, report, "", nil); err != nil {
			return err
		}
		return leftover(report, nil)
	}
	folder := c.String("quarantine")
	if folder == "" {
		if folder, err = quarantineOf(dir); err != nil {
			return err
		}
	}
	moved, err := report.Quarantine(c.Context, folder, kinds)
	if errors.Is(err, context.Canceled) {
		advise(c, "%s moved so far; onnxcnn doctor --undo %s moves them back", count(len(moved), "file"), argument(folder))
	}
	if errors.Is(err, fs.ErrPermission) && len(moved) == 0 && !c.IsSet("quarantine") {
		err = withHint(err, "files are moved, to --quarantine FOLDER: %s and its folders must be writable for that", dir)
	}
	if err != nil {
		return err
	}
	if err := showReport(c, report, folder, moved); err != nil {
		return err
	}
	return leftover(report, kinds)
}

// moveKinds reads --move.
func moveKinds(text string) ([]doctor.Kind, error) {
	var kinds []doctor.Kind
	for name := range strings.SplitSeq(text, ",") {
		k := doctor.Kind(strings.TrimSpace(name))
		if !slices.Contains(doctor.Movable(), k) {
			return nil, usagef("--move: %q is none of %s", name, strings.Join(kindNames(doctor.Movable()), ", "))
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}

// quarantineOf returns a name beside the folder that is free.
func quarantineOf(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	base := abs + "-quarantine"
	name := base
	for i := 2; ; i++ {
		if _, err := os.Lstat(name); errors.Is(err, os.ErrNotExist) {
			return name, nil
		} else if err != nil {
			return "", err
		}
		name = fmt.Sprintf("%s-%d", base, i)
	}
}

// leftover is the error of a folder with findings that are errors, but for those of kinds that were moved.
func leftover(r *doctor.Report, moved []doctor.Kind) error {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == doctor.Error && !slices.Contains(moved, f.Kind) {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s", r.Dir, count(n, "error"))
}

func showReport(c *cli.Context, r *doctor.Report, folder string, moved []doctor.Moved) error {
	if len(moved) == 0 {
		folder = "" // there is none
	}
	if c.Bool("json") {
		return printJSON(c, struct {
			*doctor.Report
			Quarantine string         `json:"quarantine,omitempty"`
			Moved      []doctor.Moved `json:"moved,omitempty"`
		}{r, folder, moved})
	}
	w := c.App.Writer
	fmt.Fprintf(w, "%s: %s in %s\n", r.Dir, count(r.Images, "image"), classes(len(r.Classes)))
	printClasses(w, r.Classes)
	for i := 0; i < len(r.Findings); {
		j := i
		for j < len(r.Findings) && r.Findings[j].Kind == r.Findings[i].Kind {
			j++
		}
		printKind(w, r.Findings[i:j], c.Bool("all"))
		i = j
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "\nnothing found")
	}
	if len(moved) > 0 {
		fmt.Fprintf(w, "\nmoved %s to %s; onnxcnn doctor --undo %s moves them back\n", count(len(moved), "file"), printable(folder), argument(folder))
	}
	return nil
}

func classes(n int) string {
	if n == 1 {
		return "1 class"
	}
	return fmt.Sprintf("%s classes", thousands(n))
}

// printClasses shows the number of readable images of each class, a column for each part.
func printClasses(w io.Writer, list []doctor.Class) {
	var parts []string
	for _, p := range []string{"train", "val", "test", ""} {
		if slices.ContainsFunc(list, func(c doctor.Class) bool { return c.Counts[p] > 0 }) {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return
	}
	width := len("class")
	for _, c := range list {
		width = max(width, utf8.RuneCountInString(c.Name))
	}
	fmt.Fprintf(w, "\n%-*s", width, "class")
	for _, p := range parts {
		fmt.Fprintf(w, "  %8s", cmp.Or(p, "images"))
	}
	fmt.Fprintln(w)
	for _, c := range list {
		fmt.Fprintf(w, "%-*s", width, c.Name)
		for _, p := range parts {
			fmt.Fprintf(w, "  %8s", thousands(c.Counts[p]))
		}
		fmt.Fprintln(w)
	}
}

// printKind shows the findings of one kind.
func printKind(w io.Writer, list []doctor.Finding, all bool) {
	f := list[0]
	fmt.Fprintf(w, "\n%s: %s (%s): %s\n", f.Severity, f.Kind, thousands(len(list)), f.Remedy)
	for i, f := range list {
		if i == listed && !all {
			fmt.Fprintf(w, "  ... and %s more: --all or --json shows them\n", thousands(len(list)-i))
			break
		}
		switch len(f.Paths) {
		case 0:
			fmt.Fprintf(w, "  %s\n", f.What)
		case 1:
			fmt.Fprintf(w, "  %s: %s\n", printable(f.Paths[0]), f.What)
		default:
			fmt.Fprintf(w, "  %s:\n", f.What)
			for _, p := range f.Paths {
				fmt.Fprintf(w, "    %s\n", printable(p))
			}
		}
	}
}

func undoQuarantine(c *cli.Context, folder string) error {
	if c.NArg() > 0 || c.Bool("fix") {
		return usagef("--undo FOLDER stands alone: its manifest says where the files came from")
	}
	n, err := doctor.Undo(folder)
	if err != nil && n > 0 {
		return fmt.Errorf("moved %s back, but not all: %w", count(n, "file"), err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "moved %s back\n", count(n, "file"))
	return nil
}
