package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/rpckids/rpckids/console"
)

const long = `rpckids-console calls, looks at and teaches an rpckids server from a terminal.

  rpckids-console demo                        a server, a dashboard and your first calls
  rpckids-console demo --servers 3            three, to kill one and see where calls go
  rpckids-console connect localhost:8888      the dashboard; with --repl the prompt
  rpckids-console connect :8888 < calls.rpc   a script: every line is a command
  rpckids-console call fib 10                 any command of the prompt, once
  rpckids-console help                        those commands`

// command returns the tree of commands. What is not in the tree is a command of the session, run once: the session knows its own
// commands, so they are neither listed nor parsed here.
func (p *program) command() *cobra.Command {
	root := &cobra.Command{
		Use:                "rpckids-console [-a ADDR] [-o FORMAT] [--proto P] COMMAND",
		Long:               long,
		Version:            version(),
		SilenceUsage:       true,
		SilenceErrors:      true,
		DisableFlagParsing: true, // own has taken the console's flags; the others are the session's commands'
		Args:               cobra.ArbitraryArgs,
		RunE:               func(c *cobra.Command, args []string) error { return p.once(c.Context(), c, args) },
		ValidArgsFunction:  p.complete,
	}
	p.flags(root.PersistentFlags())
	root.SetOut(p.out)
	root.SetErr(p.err)
	root.SetHelpCommand(&cobra.Command{Use: "no-help", Hidden: true}) // help is the session's
	root.AddCommand(p.connectCommand(), p.demoCommand(), p.labCommand())
	return root
}

func (p *program) connectCommand() *cobra.Command {
	var prompt, keepGoing bool
	c := &cobra.Command{
		Use:   "connect [ADDR]",
		Short: "open the dashboard, the prompt, or run standard input as a script",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				p.addr = args[0]
			}
			return p.connect(c.Context(), prompt, keepGoing)
		},
	}
	talkFlags(c, &prompt, &keepGoing)
	return c
}

func (p *program) connect(ctx context.Context, prompt, keepGoing bool) error {
	p.remember()
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Exec(ctx, "connect "+p.addr); err != nil {
		return err
	}
	return p.talk(ctx, s, nil, prompt, keepGoing)
}

func (p *program) demoCommand() *cobra.Command {
	var prompt, keepGoing bool
	servers := 1
	c := &cobra.Command{
		Use:   "demo",
		Short: "start a demo server, or several, and walk through the first calls",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p.inside = true
			d, err := p.serve(c.Context(), servers)
			if err != nil {
				return err
			}
			defer d.stop()
			p.remember()
			s, err := p.session(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if err := demoSession(c.Context(), s, d.target); err != nil {
				return err
			}
			return p.talk(c.Context(), s, d.tour, prompt, keepGoing)
		},
	}
	c.Flags().IntVar(&servers, "servers", 1, fmt.Sprintf("how many servers, 1 to %d; several are processes of their own, which peer kills, pauses and starts", mostServers))
	talkFlags(c, &prompt, &keepGoing)
	return c
}

// talkFlags declares the flags of the commands that end in talk.
func talkFlags(c *cobra.Command, prompt, keepGoing *bool) {
	c.Flags().BoolVar(prompt, "repl", false, "the prompt instead of the dashboard")
	c.Flags().BoolVar(keepGoing, "keep-going", false, "a script goes on after a failure; the first exit code is the program's")
}

// once runs one command of the session and ends.
func (p *program) once(ctx context.Context, c *cobra.Command, args []string) error {
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" {
		return c.Help()
	}
	if args[0] == "--version" || args[0] == "-v" {
		_, err := fmt.Fprintln(p.out, "rpckids-console", c.Version)
		return err
	}
	if strings.HasPrefix(args[0], "-") {
		return usage("rpckids-console --help lists what there is", "unknown flag %s", args[0])
	}
	if face := args[0]; face == "dashboard" || face == "repl" {
		if !isTerminal(p.in) || !isTerminal(p.out) {
			return usage("a script is run with connect", "%s needs a terminal", face)
		}
		return p.connect(ctx, face == "repl", false)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT)
	defer stop()
	p.single = true
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	out := p.printer()
	r, err := s.ExecArgs(ctx, args, out.Talk())
	if lost := out.Print(r, err); lost != nil {
		return &console.Error{Exit: console.ExitInternal, Message: "the result cannot be written: " + lost.Error(), Hint: "is the disk full?", Cause: lost}
	}
	if e, ok := errors.AsType[*console.Error](err); ok {
		return exitError{e.Exit}
	}
	return err
}

// complete offers what the session would offer for the same words.
func (p *program) complete(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	s, err := p.session(c.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer s.Close()
	line := strings.Join(append(args, word), " ")
	var offers []string
	for _, item := range s.Complete(line, len(line)).Offers {
		offers = append(offers, cobra.CompletionWithDesc(item.Text, item.Help))
	}
	return offers, cobra.ShellCompDirectiveNoFileComp
}
