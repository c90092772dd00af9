package main

import (
	"context"
	"io"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/muesli/cancelreader"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/dash"
	"github.com/rpckids/rpckids/console/remote"
	"github.com/rpckids/rpckids/console/repl"
	"github.com/rpckids/rpckids/console/store"
	"github.com/rpckids/rpckids/console/theme"
)

// session returns a session that stands on this program's flags, environment and history. The caller closes it.
func (p *program) session(ctx context.Context) (*console.Session, error) {
	settings, err := p.settings()
	if err != nil {
		return nil, err
	}
	config := console.Config{
		Dial:     remote.Dialer(p.client()),
		Addr:     p.addr,
		Protocol: p.proto,
		Security: p.security(),
		History:  p.history,
		Connect:  p.single,
		Script:   !isTerminal(p.in) || !isTerminal(p.out),
		Settings: settings,
		ASCII:    p.ascii(),
		Topics:   map[string]string{"keys": dash.Keys(p.ascii())},
		Version:  version(),
		Lab:      p.lab,
	}
	if p.single { // otherwise standard input is the terminal or the script
		config.Stdin = p.interruptible(ctx)
	}
	return console.NewSession(config), nil
}

// version is that of the module, as the build noted it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}

// talk hands a session to a person or to a script: at a terminal it opens the dashboard, or the prompt if that is asked for or the
// terminal is a plain one; otherwise each line of standard input is a command.
func (p *program) talk(ctx context.Context, s *console.Session, tour *console.Tour, prompt, keepGoing bool) error {
	if !isTerminal(p.in) || !isTerminal(p.out) {
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT)
		defer stop()
		return exit(console.RunScript(ctx, s, p.interruptible(ctx), p.printer(), keepGoing))
	}
	next := console.OpenDashboard
	if prompt || p.dumb() {
		next = console.OpenREPL
	}
	f := faces{program: p, session: s, tour: tour, light: p.background(ctx)}
	defer f.close()
	return f.loop(ctx, next)
}

// interruptible is standard input whose reading ends when ctx does. A regular file cannot be waited for and need not be.
func (p *program) interruptible(ctx context.Context) io.Reader {
	r, err := cancelreader.NewReader(p.in)
	if err != nil {
		return p.in
	}
	context.AfterFunc(ctx, func() { r.Cancel() })
	return r
}

// faces are the two ways to sit at one session. Everything is kept from one to the other: it belongs to the session.
type faces struct {
	*program
	session *console.Session
	tour    *console.Tour
	light   bool       // the terminal's background
	repl    *repl.REPL // made when it is first opened: a second one could not share the terminal
}

func (f *faces) loop(ctx context.Context, next console.Next) (err error) {
	for err == nil && ctx.Err() == nil {
		switch next {
		case console.OpenDashboard:
			next, err = f.dashboard(ctx)
		case console.OpenREPL:
			next, err = f.prompt(ctx)
		default:
			return nil
		}
	}
	return err
}

func (f *faces) dashboard(ctx context.Context) (console.Next, error) {
	if f.dumb() {
		f.printer().Print(console.Result{}, &console.Error{Exit: console.ExitUsage, Message: "the dashboard needs a terminal that can move its cursor, and TERM is dumb",
			Hint: "set TERM to what the terminal is, as in TERM=xterm-256color"})
		return console.OpenREPL, nil
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT) // from elsewhere: the key is the dashboard's
	defer stop()
	next, err := dash.Run(ctx, f.session, dash.Config{In: f.in, Out: f.out, Theme: f.look(), Tour: f.tour})
	if ctx.Err() != nil {
		return console.Quit, exit(console.ExitInterrupted)
	}
	return next, err
}

func (f *faces) prompt(ctx context.Context) (console.Next, error) {
	if f.repl == nil {
		f.repl = repl.New(f.session, repl.Config{In: f.in, Out: f.out, Style: f.style(), ASCII: f.ascii()})
	}
	return f.repl.Run(ctx)
}

func (f *faces) close() {
	if f.repl != nil {
		f.repl.Close()
	}
}

// style follows the setting theme, which may change while the prompt is open. All styles are made before, since it is asked by several goroutines.
func (f *faces) style() repl.Style {
	styles := map[string]repl.Style{}
	for _, name := range console.Themes {
		look := f.look()
		look.Name = name
		styles[name] = repl.Themed(theme.New(look))
	}
	return func(role repl.Role, text string) string { return styles[f.session.Setting("theme")](role, text) }
}

// background reports whether the background is light. A theme that looks the same on every one asks the terminal nothing.
func (p program) background(ctx context.Context) bool {
	if theme.Adapts(p.theme) {
		p.theme = "auto" // what light asks the terminal for
	}
	return p.light(ctx)
}

// look is what the faces know of the terminal; the name of the theme is the session's setting, and both faces follow it.
func (f *faces) look() theme.Options {
	return theme.Options{Light: f.light, ASCII: f.ascii()}
}

// remember opens the history file of this user. One that cannot be used is a notice, not a failure.
func (p *program) remember() {
	h, notice := store.Open()
	if notice != "" {
		p.printer().Print(console.Result{Text: notice, Notice: true}, nil)
	}
	p.history = h
}
