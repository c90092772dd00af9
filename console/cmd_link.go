package console

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

func linkCommands() []*command {
	return []*command{
		{
			name: "connect", group: "Connection", args: "[ADDR]",
			help: "connect to a server",
			long: "ADDR is `host:port`, `:8888`, `rpckids://host:port` or `unix:///path`; `-` is the previous one, nothing is localhost:8888. Calls go to several servers with a list, `a:1,b:2,c:3`, " +
				"and with `dns:///name:8888` and `etcd:///name`, which find them by a name and follow it; `peers` tells how each is doing.\n" +
				"The connection before is closed when the new one is up.\n" +
				"A flag about TLS or the token makes this connection differ from those that the console was started for. `connect -` makes the previous one as it was.",
			examples: []string{"connect localhost:8888", "connect :8888", "connect -", "connect :8881,:8882,:8883", "connect :8888 --proto v2", "connect :8888 --tls --ca ca.pem"},
			flags:    append([]flag{{"timeout", "D", "how long to try, 5s by default"}, {"proto", "P", "auto: v1 until the server shows that it speaks v2; v1: only that, without streams; v2: at once"}}, secureFlags...),
			max:      1, run: runConnect, check: checkConnect, complete: completeConnect,
		},
		{name: "disconnect", group: "Connection", help: "close the connection; calls that run fail", run: runDisconnect},
		{name: "reconnect", group: "Connection", help: "close the connection and open it again", run: runReconnect},
		{name: "status", group: "Connection", help: "how the connection and this session are doing",
			long: "Run once from a shell it also asks the server, and fails as a call would where that takes none of ours.", run: runStatus},
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
	o, err := s.optionsOf(a)
	if err != nil {
		return Result{}, err
	}
	return s.connect(ctx, target, o, limit)
}

// optionsOf is how connect was asked to make its connection.
func (s *Session) optionsOf(a *args) (DialOptions, error) {
	proto, err := s.protocolOf(a)
	if err != nil {
		return DialOptions{}, err
	}
	sec, err := s.securityOf(a)
	if err != nil {
		return DialOptions{}, err
	}
	if a.word(0).text == "-" && !slices.ContainsFunc(slices.Collect(maps.Keys(a.flags)), func(name string) bool { return name != "timeout" }) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.before, nil
	}
	return DialOptions{Protocol: proto, Security: sec}, nil
}

// protocols are the ways to speak to a server.
var protocols = []string{"auto", "v1", "v2"}

// CheckProtocol says whether a connection can be made to speak that protocol. Its error is an *Error with the good values.
func CheckProtocol(name string) error {
	if name != "" && !slices.Contains(protocols, name) {
		return &Error{Exit: ExitUsage, Message: fmt.Sprintf("no protocol %q", name), Hint: "it is one of " + strings.Join(protocols, ", ")}
	}
	return nil
}

// protocolOf is the protocol that connect was asked for; without a flag it is the session's.
func (s *Session) protocolOf(a *args) (string, error) {
	w, ok := a.flags["proto"]
	if !ok {
		return s.cfg.Protocol, nil
	}
	if err := CheckProtocol(w.text); err != nil {
		return "", a.at(w, err)
	}
	return w.text, nil
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

func runDisconnect(_ context.Context, s *Session, _ *args) (Result, error) {
	_, target := s.link()
	b := s.swap(nil, "", DialOptions{})
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
	o := s.optionsNow()
	if b := s.swap(nil, "", DialOptions{}); b != nil {
		_ = b.Close() // a new one follows
	}
	return s.connect(ctx, target, o, dialTimeout)
}

// statusJSON is what status prints with -o json.
type statusJSON struct {
	Kind       string `json:"kind"`
	State      string `json:"state"`
	Target     string `json:"target,omitempty"`
	Server     string `json:"server,omitempty"`
	Servers    int    `json:"servers,omitempty"`
	Up         int    `json:"up,omitempty"`
	Discovery  string `json:"discovery,omitempty"`
	Protocol   string `json:"protocol,omitempty"`
	TLS        string `json:"tls,omitempty"`
	As         string `json:"as,omitempty"`
	Token      bool   `json:"token,omitempty"`
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
	var refused error
	if s.cfg.Connect { // run once from a shell, it says how the server is and what it speaks; a server that is not there, or that takes no calls of ours, is a failure
		b, err := s.need(ctx)
		if err != nil {
			return Result{}, err
		}
		refused = s.greet(ctx, b)
	}
	st, n := s.Stats(), s.journal.Totals()
	v := statusJSON{Kind: "status", State: st.State.String(), Target: st.Target, Server: st.Server, Servers: st.Servers, Up: st.Up, Discovery: st.Discovery, Protocol: st.Protocol, TLS: st.TLS, As: st.As, Token: st.Token, Rpckids: st.Ours, Sent: st.Sent, Received: st.Received,
		Dropped: st.Dropped, Reconnects: st.Reconnects, LastError: st.LastError, Running: n.Running, OK: n.OK, Cast: n.Sent, Failed: n.Failed, Version: s.cfg.Version}
	var t table
	t.add("connection", v.State)
	if st.Target != "" {
		t.add("server", serverText(st))
		if how := st.Protection(); how != "" {
			t.add("protection", how)
		}
		if count := st.Count(); count != "" {
			t.add("servers", count+", peers tells more")
		}
		if st.Discovery != "" {
			t.add("discovery", st.Discovery)
		}
		if st.Servers > 1 {
			for _, text := range s.absent() {
				t.add("not up", text)
			}
		}
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
	return Result{Text: t.String(), Value: v}, refused
}

// serverText says whom we talk to and how.
func serverText(st Stats) string {
	text := st.Target
	if st.Server != "" && st.Server != st.Target {
		text += " (" + st.Server + ")"
	}
	if st.Protocol != "" {
		text += ", protocol " + st.Protocol
		if st.Received == 0 && !st.Ours {
			text += " so far" // nothing has come that would show it
		}
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
	if p, ok := a.flags["proto"]; ok && !(typing && p.end() == len(a.line)) {
		if _, err := s.protocolOf(a); err != nil {
			return badHint(err)
		}
	}
	if _, err := s.securityOf(a); err != nil && !typing {
		return badHint(err)
	}
	return Hint{State: HintGood, Text: "connect to " + Printable(target)}
}

func completeConnect(s *Session, _ *args, _ word) []Offer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var items []Offer
	for _, t := range slices.Compact([]string{s.target, s.previous}) {
		if t != "" {
			items = append(items, Offer{Text: t})
		}
	}
	return append(items, Offer{Text: s.home()}, Offer{Text: "-", Help: "the previous one"})
}
