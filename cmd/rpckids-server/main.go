// Command rpckids-server serves the demo services on one port, and logs with the words of the original.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/rpcserver"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// drainTime is how long running calls may take after the first signal.
const drainTime = 10 * time.Second

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, signals))
}

// usageError is a wrong command line, which has an exit code of its own.
type usageError struct{ error }

// run is main without the process: the log goes to out, errors go to problems, a first signal stops the server and a second one cuts it.
func run(args []string, out, problems io.Writer, signals <-chan os.Signal) int {
	cmd := newCommand(out, signals)
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(problems)
	err := cmd.Execute()
	if err == nil {
		return exitOK
	}
	code, cause, cure := explain(err)
	fmt.Fprintf(problems, "error: %s\nhint: %s\n", cause, cure)
	return code
}

// explain says an error in one line for its cause and one for its cure.
func explain(err error) (code int, cause, cure string) {
	cause = err.Error()
	usage, isUsage := errors.AsType[usageError](err)
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case isUsage:
		cause, _, _ = strings.Cut(usage.Error(), ": strconv.")
		cause, _, _ = strings.Cut(cause, ": time:")
		return exitUsage, cause, "rpckids-server --help lists the flags"
	case errors.Is(err, syscall.EADDRINUSE) && isOp:
		return exitError, fmt.Sprintf("%s is in use by another program", op.Addr), "stop that program, or take a free port with --addr localhost:0"
	case isOp:
		cause = "cannot listen: " + op.Err.Error()
	}
	return exitError, cause, "--addr names the host and port to listen on, as in localhost:8888"
}

type settings struct {
	addr, format, level string
	config              rpcserver.Config
}

func newCommand(out io.Writer, signals <-chan os.Signal) *cobra.Command {
	var set settings
	cmd := &cobra.Command{
		Use:   "rpckids-server",
		Short: "Serve the demo services: fib, exp, echo, slow, fail, log, and with items fibs, sum, chat, ticks",
		Long: `Serve the demo services on one TCP port, over the wire of the original and over version 2: fib, exp, echo, slow, fail and log,
and with items, which only version 2 carries, fibs, sum, chat and ticks.

The log goes to standard output. Ctrl+C lets running calls finish, for 10 seconds at most; a second one cuts them.`,
		Example:       "  rpckids-server\n  rpckids-server --addr localhost:0 --log-format json\n  rpckids-server --log-level warn   # for measuring",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unexpected argument %q", args[0])}
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error { return serve(&set, out, signals) },
	}
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := cmd.Flags()
	f.StringVar(&set.addr, "addr", "localhost:8888", "host:port to listen on; port 0 takes a free one")
	f.IntVar(&set.config.Workers, "workers", 16, "handlers that run at once")
	f.IntVar(&set.config.Queue, "queue", 1000, "calls that wait for a worker; 0 means none")
	f.DurationVar(&set.config.Idle, "idle", 60*time.Second, "close a connection after this long without a byte; 0 means never")
	f.BoolVar(&set.config.V1Only, "v1-only", false, "speak the wire of the original alone")
	f.StringVar(&set.format, "log-format", "text", "text or json")
	f.StringVar(&set.level, "log-level", "info", "debug, info, warn or error; info has a line for every message")
	return cmd
}

func serve(set *settings, out io.Writer, signals <-chan os.Signal) error {
	if err := set.check(); err != nil {
		return usageError{err}
	}
	logger, err := newLogger(out, set.format, set.level)
	if err != nil {
		return usageError{err}
	}
	set.config.Logger = logger
	s := rpcserver.New(&set.config)
	demo.RegisterLogging(s, func(line string) { logger.Info("a line was cast", "line", printable(line)) })
	served := make(chan error, 1)
	go func() { served <- s.ListenAndServe(set.addr) }() // ends after Shutdown or with its error; received below in every case
	select {
	case err := <-served:
		return err
	case <-signals:
	}
	logger.Info("server stops")
	if err := shutdown(s, signals); err != nil {
		logger.Warn("running calls were cut")
	}
	<-served
	return nil // that calls were cut is not the command's failure
}

// shutdown waits for running calls, until drainTime is over or another signal comes; an error says that some were cut.
func shutdown(s *rpcserver.Server, signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- s.Shutdown(ctx) }() // ends with ctx at the latest; received below
	select {
	case err := <-drained:
		return err
	case <-signals:
		cancel()
		return <-drained
	}
}

// check brings the words of the command line into those of the Config, where 0 means the default.
func (s *settings) check() error {
	switch {
	case s.config.Workers < 1:
		return fmt.Errorf("--workers is %d, want 1 or more", s.config.Workers)
	case s.config.Queue < 0:
		return fmt.Errorf("--queue is %d, want 0 or more", s.config.Queue)
	case s.config.Idle < 0:
		return fmt.Errorf("--idle is %s, want 0 or more", s.config.Idle)
	}
	if s.config.Queue == 0 {
		s.config.Queue = -1
	}
	if s.config.Idle == 0 {
		s.config.Idle = -1
	}
	return nil
}
