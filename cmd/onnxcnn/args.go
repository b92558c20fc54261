package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcnn/onnxcnn/internal/near"
	"github.com/urfave/cli/v2"
)

// arrange moves flags before the other arguments of the command that they belong to, because the parser stops looking
// for flags at the first argument that is none, while people write
//
//	onnxcnn extract-features model.onnx photos -o features.npz
//
// The result has the form PROGRAM COMMAND... FLAGS -- ARGUMENTS. Shared flags may even stand before the command.
// "--" ends the flags; "-" and negative numbers are arguments, or the values of the flags before them.
func arrange(app *cli.App, args []string) ([]string, error) {
	app.Setup()
	if len(args) == 0 {
		return args, nil
	}
	path := args[:1]
	cmds, known := app.Commands, slices.Concat(app.Flags, sharedFlags())
	var cmd *cli.Command
	var flags, rest []string
	early := map[string]string{} // flags before the command, by name
	for i := 1; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if !isFlag(arg) {
			sub := findCommand(cmds, arg)
			switch {
			case sub == nil || len(rest) > 0:
				rest = append(rest, arg)
			case sub.Name == "help":
				return args, nil // its arguments are names of commands
			default:
				path = append(slices.Clip(path), sub.Name)
				cmd, cmds, known = sub, sub.Subcommands, slices.Concat(sub.Flags, []cli.Flag{cli.HelpFlag})
				for name, arg := range early {
					if len(cmds) == 0 && findFlag(known, name) == nil {
						return nil, unknownFlag(app, cmd, known, arg)
					}
				}
			}
			continue
		}
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		f := findFlag(known, name)
		switch {
		case f == nil:
			return nil, unknownFlag(app, cmd, known, arg)
		case f == cli.HelpFlag:
			return append(slices.Clip(path), "--help"), nil // whatever else was said
		}
		if len(cmds) > 0 {
			early[name] = arg
		}
		flags = append(flags, arg)
		if hasValue || !takesValue(f) {
			continue
		}
		if i+1 == len(args) || isFlag(args[i+1]) && findFlag(known, strings.TrimLeft(args[i+1], "-")) != nil {
			return nil, withHint(usagef("flag %s needs a value", arg), "%s", helpOf(app, cmd))
		}
		i++
		flags = append(flags, args[i])
	}
	if cmd == nil && len(rest) > 0 {
		return nil, unknownCommand(app.Name, app.Commands, rest[0])
	}
	return slices.Concat(path, flags, []string{"--"}, rest), nil
}

// isFlag reports whether an argument has the form of a flag; a negative number has not.
func isFlag(arg string) bool {
	if len(arg) < 2 || arg[0] != '-' {
		return false
	}
	_, err := strconv.ParseFloat(arg, 64)
	return err != nil
}

func findCommand(cmds []*cli.Command, name string) *cli.Command {
	for _, c := range cmds {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

func findFlag(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

func unknownFlag(app *cli.App, cmd *cli.Command, known []cli.Flag, arg string) error {
	of := app.Name
	if cmd != nil {
		of = cmd.HelpName
	}
	arg, _, _ = strings.Cut(arg, "=")
	err := usagef("%s has no flag %s", of, arg)
	var names []string
	for _, f := range known {
		names = append(names, f.Names()...)
	}
	if s := near.Name(strings.TrimLeft(arg, "-"), names); len(s) > 1 {
		return withHint(err, "did you mean --%s? %s", s, helpOf(app, cmd))
	}
	return withHint(err, "%s", helpOf(app, cmd))
}

func helpOf(app *cli.App, cmd *cli.Command) string {
	if cmd == nil {
		return "see " + strconv.Quote(app.Name+" help")
	}
	return seeHelp(cmd)
}
