package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/onnxcnn/onnxcnn/finetune"
)

func exportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write the network of a run in the form that its user needs",
		ArgsUsage: "RUN -o FILE",
		Description: `RUN is the folder of a finished finetune. Its model.onnx is an ONNX file already, which other programs open; export
writes it in another form. With class names and recipe inside, the file is all that predict and evaluate need. Of a run
that was interrupted, or is still going on, it writes the best epoch so far, and says so.

After writing, the file is read back and compared with what the trained network said of images of validation, one
alone and three at once: a difference makes the command fail.

  onnxcnn export run -o flowers.onnx --fold-bn
  onnxcnn export run -o small.onnx --fold-bn --fp16
  onnxcnn export run -o old.onnx --opset 12
  onnxcnn export run -o head.onnx --head-only`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`; compressed if its name ends in .gz or .zst"},
			&cli.BoolFlag{Name: "head-only", Usage: "write the head alone, which takes what the base gives"},
			&cli.IntFlag{Name: "opset", Usage: "write version `N` of ONNX's operators; by default that of the network which training began with"},
			&cli.BoolFlag{Name: "fp16", Usage: "write weights in half precision: half the size, and classes that lie close together may change places"},
			&cli.BoolFlag{Name: "fold-bn", Usage: "fold batch normalisations into the convolutions before them: smaller, but not to be trained again"},
			threadsFlag(), quietFlag(), jsonFlag(),
		},
		Action: export,
	}
}

func export(c *cli.Context) error {
	dir, rest, err := firstArg(c, "which run? Give the folder that finetune has written")
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return withHint(usagef("export takes one run, not also %q", rest[0]), "%s", seeHelp(c.Command))
	case c.String("output") == "":
		return withHint(usagef("where to? Give -o FILE"), "%s", seeHelp(c.Command))
	}
	if c.IsSet("opset") && c.Int("opset") < 1 {
		return usagef("--opset %d: want 1 or more", c.Int("opset"))
	}
	o := finetune.ExportOptions{Opset: c.Int("opset"), Float16: c.Bool("fp16"), HeadOnly: c.Bool("head-only"), FoldBN: c.Bool("fold-bn"), Threads: c.Int("threads"),
		Warn: func(s string) { advise(c, "warning: %s", s) }}
	res, err := finetune.ExportRun(c.Context, dir, c.String("output"), o)
	if errors.Is(err, finetune.ErrNoRun) {
		return withHint(err, "give the folder of \"onnxcnn finetune -o\"; the same finetune with --resume goes on with an interrupted run")
	}
	if err != nil {
		return err
	}
	if res.Epoch > 0 {
		advise(c, "the run was interrupted behind epoch %d: this is epoch %d, the best so far; finetune --resume goes on", res.LastEpoch, res.Epoch)
	}
	if o.FoldBN && res.Folded == 0 {
		advise(c, "there is no batch normalisation to fold")
	}
	if res.Half != nil && len(res.Half.Kept) > 0 {
		advise(c, "%d nodes stay in single precision, such as %s", len(res.Half.Kept), res.Half.Kept[0])
	}
	switch {
	case c.Bool("json"):
		return printJSON(c, res)
	case !c.Bool("quiet"):
		fmt.Fprintf(c.App.Writer, "%s: %s parameters, %d nodes, opset %d, %s bytes\n", res.File, thousands(res.Parameters), res.Nodes, res.Opset, thousands(int(res.Bytes)))
		fmt.Fprintln(c.App.Writer, verified(res.Check))
	}
	return nil
}

// verified says how a file that was written compares with the trained network.
func verified(c finetune.Check) string {
	return fmt.Sprintf("verified: the file differs from the trained network by at most %.2g, and names the same class for %d of %d images",
		c.Difference, c.Agree, c.Images)
}
