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
	"github.com/spf13/pflag"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/rpcserver"
	"github.com/rpckids/rpckids/rpcserver/etcd"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

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
	setup, isSetup := errors.AsType[*setupError](err)
	unregistered, isMember := errors.AsType[*etcd.Error](err)
	switch {
	case isMember:
		return explainMember(unregistered)
	case isSetup:
		return exitError, setup.cause, setup.cure
	case isUsage:
		cause, _, _ = strings.Cut(usage.Error(), ": strconv.")
		if cause, _, isTime := strings.Cut(cause, ": time:"); isTime {
			return exitUsage, cause, "times have a unit, as in 10s, 500ms or 1m30s"
		}
		return exitUsage, cause, "rpckids-server --help lists the flags"
	case errors.Is(err, syscall.EADDRINUSE) && isOp:
		return exitError, fmt.Sprintf("%s is in use by another program", op.Addr), "stop that program, or take a free port with --addr localhost:0"
	case errors.Is(err, syscall.EACCES) && isOp:
		return exitError, fmt.Sprintf("may not listen on %s", op.Addr), "ports below 1024 are for the administrator: take another with --addr"
	case isOp:
		cause = "cannot listen: " + op.Err.Error()
	}
	return exitError, cause, "--addr names the host and port to listen on, as in localhost:8888"
}

type settings struct {
	addr, format, level string
	config              rpcserver.Config
	member              member
	secure              secure
	limits              limits
}

func newCommand(out io.Writer, signals <-chan os.Signal) *cobra.Command {
	var set settings
	cmd := &cobra.Command{
		Use:   "rpckids-server",
		Short: "Serve the demo services: fib, exp, echo, slow, fail, log, and with items fibs, sum, chat, ticks",
		Long: `Serve the demo services on one TCP port, over the wire of the original and over version 2: fib, exp, echo, slow, fail and log,
and with items, which only version 2 carries, fibs, sum, chat and ticks.

The log goes to standard output. Ctrl+C lets running calls finish, for 10 seconds or what --drain says; a second one cuts them.`,
		Example: "  rpckids-server\n  rpckids-server --addr localhost:0 --log-format json\n  rpckids-server --log-level warn   # for measuring\n" +
			"  rpckids-server --addr :8888 --advertise web1:8888 --etcd http://127.0.0.1:2379 --name demo\n" +
			"  rpckids-server --dev-tls ./tls                 # TLS with certificates of its own\n" +
			"  rpckids-server --tls-cert c.pem --tls-key k.pem --client-ca ca.pem --refuse-plain",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unexpected argument %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := blank(cmd.Flags()); err != nil {
				return usageError{err}
			}
			return serve(&set, out, signals)
		},
	}
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := cmd.Flags()
	f.StringVar(&set.addr, "addr", "localhost:8888", "host:port to listen on; port 0 takes a free one")
	f.IntVar(&set.config.Workers, "workers", 16, "handlers that run at once")
	f.IntVar(&set.config.Queue, "queue", 1000, "calls that wait for a worker; 0 means none")
	f.DurationVar(&set.config.Idle, "idle", 60*time.Second, "close a connection after this long without a byte; 0 means never")
	f.BoolVar(&set.config.V1Only, "v1-only", false, "speak the wire of the original alone")
	set.limits.flags(f, &set.config)
	set.secure.flags(f)
	set.member.flags(f)
	f.StringVar(&set.format, "log-format", "text", "text or json")
	f.StringVar(&set.level, "log-level", "info", "debug, info, warn or error; info has a line for every message")
	return cmd
}

// blank names a flag whose value is empty: a variable that is not set, as in --token-file "$TOKENS", must not open the server to everybody.
func blank(f *pflag.FlagSet) (err error) {
	f.Visit(func(flag *pflag.Flag) {
		if v := flag.Value.String(); v == "" || v == "[]" {
			err = fmt.Errorf("--%s is empty: is a variable not set?", flag.Name)
		}
	})
	return err
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
	if err := set.secure.apply(&set.config, logger); err != nil {
		return err
	}
	set.secure.announce(&set.config, set.addr, func(command string) {
		if set.format == "json" { // whose lines all are objects
			logger.Info("connect with", "command", command)
			return
		}
		fmt.Fprintln(out, "connect with: "+command)
	})
	s := rpcserver.New(&set.config)
	set.secure.collect(s)
	demo.RegisterLogging(s, func(line string) { logger.Info("a line was cast", "line", printable(line)) })
	served, withdraw, err := set.member.serve(s, set.addr, logger)
	if err != nil {
		return err
	}
	select {
	case err := <-served:
		withdraw()
		return err
	case <-signals:
	}
	logger.Info("server stops")
	s.SetReady(false) // whoever sends calls here has to see it first
	withdraw()
	if err := shutdown(s, signals, set.limits.lameDuck, set.limits.drain); err != nil {
		logger.Warn("running calls were cut")
	}
	<-served
	return nil // that calls were cut is not the command's failure
}

// shutdown lets the server go on for a while as if nothing were, so that balancers see that it is not ready, and then waits for running calls, until the time
// to drain is over. Another signal ends both; an error says that calls were cut.
func shutdown(s *rpcserver.Server, signals <-chan os.Signal, lameDuck, drain time.Duration) error {
	select {
	case <-time.After(lameDuck):
	case <-signals:
		drain = 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), drain)
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
	if err := s.member.check(); err != nil {
		return err
	}
	if err := s.limits.check(&s.config); err != nil {
		return err
	}
	if s.config.Queue == 0 {
		s.config.Queue = -1
	}
	if s.config.Idle == 0 {
		s.config.Idle = -1
	}
	return nil
}
