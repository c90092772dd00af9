// rpckids-console calls, looks at and teaches an rpckids server from a terminal: as a dashboard, at a prompt, from a script or once from
// the shell. This command only wires: everything it does is in the console packages.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/early"
	"github.com/rpckids/rpckids/rpcclient/etcd"
)

// exitTerminated is what a shell shows for a program that SIGTERM ended.
const exitTerminated console.Exit = 128 + 15

func main() {
	early.Restore()
	etcd.Quiet()
	os.Exit(int(run(os.Args[1:])))
}

// run is main with an exit code. A terminated program still puts the terminal in order: the faces end when ctx does.
func run(args []string) console.Exit {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	p := program{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv}
	return p.end(ctx, p.execute(ctx, args))
}

// end tells how the program ended, and its exit code.
func (p *program) end(ctx context.Context, err error) console.Exit {
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
	if told.Exit == console.ExitInternal && told.Cause != nil { // where it went wrong, for whoever mends it
		for row := range strings.Lines(told.Cause.Error()) {
			fmt.Fprintln(p.err, console.Printable(strings.TrimSuffix(row, "\n")))
		}
	}
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
	if err := console.CheckProtocol(p.proto); err != nil {
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
