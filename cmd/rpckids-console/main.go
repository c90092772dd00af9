// rpckids-console calls, looks at and teaches an rpckids server from a terminal: as a dashboard, at a prompt, from a script or once from
// the shell. This command only wires: everything it does is in the console packages.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/early"
)

// exitTerminated is what a shell shows for a program that SIGTERM ended.
const exitTerminated console.Exit = 128 + 15

func main() {
	early.Restore()
	os.Exit(int(run(os.Args[1:])))
}

// run is main with an exit code. A terminated program still puts the terminal in order: the faces end when ctx does.
func run(args []string) console.Exit {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	p := program{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv}
	err := p.execute(ctx, args)
	if ctx.Err() != nil {
		return exitTerminated
	}
	if err == nil {
		return console.ExitOK
	}
	if e, ok := errors.AsType[exitError](err); ok { // reported already
		return e.code
	}
	told, ok := errors.AsType[*console.Error](err)
	if !ok { // cobra's own: a flag it does not know, a value it cannot read
		told = &console.Error{Exit: console.ExitUsage, Message: err.Error(), Hint: "rpckids-console --help lists what there is"}
	}
	p.printer().Print(console.Result{}, told)
	return told.Exit
}

func (p *program) execute(ctx context.Context, args []string) error {
	rest, err := p.own(args)
	if err != nil {
		return err
	}
	if _, err := console.ParseFormat(p.output); err != nil {
		return err
	}
	root := p.command()
	root.SetArgs(rest)
	return root.ExecuteContext(ctx)
}

// exitError ends the program with a code whose reason the user has read.
type exitError struct{ code console.Exit }

func (e exitError) Error() string { return "" }

func exit(code console.Exit) error {
	if code == console.ExitOK {
		return nil
	}
	return exitError{code}
}
