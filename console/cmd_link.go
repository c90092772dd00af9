package console

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const dialTimeout = 5 * time.Second

func linkCommands() []*command {
	return []*command{
		{
			name: "connect", group: "Connection", args: "[ADDR]",
			help: "connect to a server",
			long: "ADDR is `host:port`, `:8888`, `rpckids://host:port` or `unix:///path`; `-` is the previous one, nothing is localhost:8888.\n" +
				"The connection before is closed when the new one is up.",
			examples: []string{"connect localhost:8888", "connect :8888", "connect -"},
			flags:    []flag{{"timeout", "D", "how long to try, 5s by default"}},
			max:      1, run: runConnect, check: checkConnect, complete: completeConnect,
		},
		{name: "disconnect", group: "Connection", help: "close the connection; calls that run fail", run: runDisconnect},
		{name: "reconnect", group: "Connection", help: "close the connection and open it again", run: runReconnect},
		{name: "status", group: "Connection", help: "how the connection and this session are doing", run: runStatus},
	}
}

func runConnect(ctx context.Context, s *Session, a *args) (Result, error) {
	w := a.word(0)
	target, err := s.connectTarget(w.text)
	if err != nil {
		return Result{}, a.at(w, err)
	}
	limit := dialTimeout
	if t, ok := a.flags["timeout"]; ok {
		if limit, err = parseTimeout(t.text); err != nil {
			return Result{}, a.at(t, err)
		}
	}
	return s.connect(ctx, target, limit)
}

// connectTarget is the address that was meant.
func (s *Session) connectTarget(text string) (string, error) {
	switch text {
	case "":
		return parseTarget(s.home())
	case "-":
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.previous == "" {
			return "", &Error{Exit: ExitUsage, Message: "there is no previous connection", Hint: "as in: connect localhost:8888"}
		}
		return s.previous, nil
	}
	return parseTarget(text)
}

func (s *Session) connect(ctx context.Context, target string, limit time.Duration) (Result, error) {
	if s.cfg.Dial == nil {
		return Result{}, &Error{Exit: ExitConnect, Message: "this console cannot connect"}
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	b, err := s.cfg.Dial(ctx, target)
	if err != nil {
		return Result{}, dialError(err, target, limit)
	}
	if old := s.swap(b, target); old != nil {
		_ = old.Close() // it is replaced: what it says no longer matters
	}
	st := b.Stats()
	text := "connected to " + target
	if st.Server != "" && st.Server != target {
		text += " (" + st.Server + ")"
	}
	return Result{Text: Printable(text), Notice: true}, nil
}

// need returns the connection. A session that may make one does so when there was none yet.
func (s *Session) need(ctx context.Context) (Backend, error) {
	b, target := s.link()
	if b != nil {
		return b, nil
	}
	if s.cfg.Connect && target == "" {
		target, err := parseTarget(s.home())
		if err != nil {
			return nil, err
		}
		if _, err := s.connect(ctx, target, dialTimeout); err != nil {
			return nil, err
		}
		if b, _ = s.link(); b != nil {
			return b, nil
		}
	}
	hint := "connect " + s.home()
	if target != "" { // there was a connection, to wherever that is
		hint = "reconnect, or connect ADDR"
	}
	return nil, &Error{Exit: ExitConnect, Message: "not connected", Hint: hint}
}

func dialError(err error, target string, limit time.Duration) error {
	if _, told := errors.AsType[*Error](err); told {
		return err
	}
	e := &Error{Exit: ExitConnect, Message: fmt.Sprintf("cannot connect to %s: %v", target, err), Hint: "is a server running there? rpckids-server starts one on localhost:8888", Cause: err}
	switch {
	case errors.Is(err, context.Canceled):
		e.Exit, e.Message, e.Hint = ExitInterrupted, "canceled", ""
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = fmt.Sprintf("cannot connect to %s: no answer within %s", target, limit)
	}
	return e
}

func runDisconnect(_ context.Context, s *Session, _ *args) (Result, error) {
	_, target := s.link()
	b := s.swap(nil, "")
	if b == nil {
		return Result{Text: "not connected", Notice: true}, nil
	}
	if err := b.Close(); err != nil {
		return Result{}, err
	}
	return Result{Text: Printable("disconnected from " + target), Notice: true}, nil
}

func runReconnect(ctx context.Context, s *Session, _ *args) (Result, error) {
	_, target := s.link()
	if target == "" {
		return Result{}, &Error{Exit: ExitConnect, Message: "there was no connection yet", Hint: "connect " + s.home()}
	}
	if b := s.swap(nil, ""); b != nil {
		_ = b.Close() // a new one follows
	}
	return s.connect(ctx, target, dialTimeout)
}

// statusJSON is what status prints with -o json.
type statusJSON struct {
	Kind       string `json:"kind"`
	State      string `json:"state"`
	Target     string `json:"target,omitempty"`
	Server     string `json:"server,omitempty"`
	Protocol   string `json:"protocol,omitempty"`
	Rpckids    bool   `json:"rpckids"`
	UpNanos    int64  `json:"up_ns,omitempty"`
	Sent       uint64 `json:"sent"`
	Received   uint64 `json:"received"`
	Dropped    uint64 `json:"dropped"`
	Reconnects uint64 `json:"reconnects"`
	LastError  string `json:"last_error,omitempty"`
	Running    int    `json:"running"`
	OK         int    `json:"ok"`
	Cast       int    `json:"cast"`
	Failed     int    `json:"failed"`
	Version    string `json:"version,omitempty"`
}

func runStatus(ctx context.Context, s *Session, _ *args) (Result, error) {
	if s.cfg.Connect { // run once from a shell, it says how the server is, and so a server that is not there is a failure
		if _, err := s.need(ctx); err != nil {
			return Result{}, err
		}
	}
	st, n := s.Stats(), s.journal.Totals()
	v := statusJSON{Kind: "status", State: st.State.String(), Target: st.Target, Server: st.Server, Protocol: st.Protocol, Rpckids: st.Ours, Sent: st.Sent, Received: st.Received,
		Dropped: st.Dropped, Reconnects: st.Reconnects, LastError: st.LastError, Running: n.Running, OK: n.OK, Cast: n.Sent, Failed: n.Failed, Version: s.cfg.Version}
	var t table
	t.add("connection", v.State)
	if st.Target != "" {
		t.add("server", serverText(st))
		if st.State == Connected && !st.Since.IsZero() {
			up := time.Since(st.Since)
			v.UpNanos = int64(up)
			t.add("up", Duration(up, s.ascii()))
		}
		t.add("messages", fmt.Sprintf("%s sent, %s received, %s dropped", Count(int(v.Sent)), Count(int(v.Received)), Count(int(v.Dropped))))
		t.add("reconnects", Count(int(v.Reconnects)))
	}
	if st.LastError != "" {
		t.add("last error", st.LastError)
	}
	t.add("calls", fmt.Sprintf("%s running, %s ok, %s failed, %s cast", Count(n.Running), Count(n.OK), Count(n.Failed), Count(n.Sent)))
	return Result{Text: t.String(), Value: v}, nil
}

// serverText says whom we talk to and how.
func serverText(st Stats) string {
	text := st.Target
	if st.Server != "" && st.Server != st.Target {
		text += " (" + st.Server + ")"
	}
	if st.Protocol != "" {
		text += ", protocol " + st.Protocol
	}
	if st.Ours {
		text += ", an rpckids server"
	}
	return text
}

func checkConnect(s *Session, a *args, typing bool) Hint {
	w := a.word(0)
	target, err := s.connectTarget(w.text)
	switch {
	case err != nil && typing:
		return Hint{Text: a.command.help}
	case err != nil:
		return badHint(a.at(w, err))
	}
	return Hint{State: HintGood, Text: "connect to " + Printable(target)}
}

func completeConnect(s *Session, _ *args, _ word) []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	var items []Item
	for _, t := range []string{s.target, s.previous} {
		if t != "" {
			items = append(items, Item{Text: t})
		}
	}
	return append(items, Item{Text: s.home()}, Item{Text: "-", Help: "the previous one"})
}
