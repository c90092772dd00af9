// Command rpckids-server serves the demo services on one port, and logs with the words of the original.
package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/rpcserver"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // where nobody reads the log any more its lines are lost, and nothing else
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		hangup := make(chan os.Signal, 1)
		signal.Notify(hangup, syscall.SIGHUP)
		go func() { signals <- <-hangup }() // one of them: a terminal that goes may say so twice, and the second signal cuts; ends with the process
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, signals))
}

// usageError is a wrong command line, which has an exit code of its own.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

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

The log goes to standard output. Ctrl+C, SIGTERM, or a terminal that goes lets running calls finish, for 10 seconds or what --drain says; a second
signal cuts them.`,
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
	var why os.Signal
	select {
	case err := <-served:
		withdraw()
		return err
	case why = <-signals:
	}
	set.limits.stops(logger, why)
	s.SetReady(false) // whoever sends calls here has to see it first
	withdraw()
	shutdown(s, signals, set.limits.lameDuck, set.limits.drain)
	if cut := s.Stats().Cut; cut > 0 { // which is not the command's failure
		logger.Warn("running calls were cut", "calls", cut)
	}
	<-served
	logger.Info("server stopped")
	return nil
}

// check brings the words of the command line into those of the Config, where 0 means the default.
func (s *settings) check() error {
	if err := checkAddr(s.addr); err != nil {
		return err
	}
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
