package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
	"github.com/rpckids/rpckids/internal/wire"
)

func peerCommands() []*command {
	return []*command{
		{
			name: "peers", group: "Connection", pipe: true,
			help: "the servers behind the connection, one by one",
			long: "A share is of the calls of the last ten seconds. The latency is an average that follows slow calls at once, and takes a failed one for a slow one. A server is down while nobody answers there, and " +
				"ejected for a while after calls failed; then it is tried again before it gets calls. Calls that a server is not to blame for are no failures of it. In the dashboard the pane Peers shows the same, as it changes.",
			examples: []string{"peers"},
			run:      runPeers,
		},
		{
			name: "peer", group: "Connection", args: "ACTION N [VALUE]",
			help:     "kill, pause, slow or start a server of the demo",
			long:     labActionText() + "\nIt is for the servers that `rpckids-console demo --servers 3` starts, so that one can watch where calls go.",
			examples: []string{"peer kill 2", "peer slow 2 200ms", "peer slow 2 0", "peer fail 2 unavailable", "peer start 2"},
			min:      2, max: 3, run: runPeer, check: checkPeer, complete: completePeer,
		},
	}
}

// labAction is something that the command peer can do.
type labAction struct {
	name, help string
	value      string // what it takes, as "D"; "" for nothing
	done       string // what was done, as "killed"
	do         func(ctx context.Context, l Lab, n int, value string) error
}

func plainAction(f func(Lab, context.Context, int) error) func(context.Context, Lab, int, string) error {
	return func(ctx context.Context, l Lab, n int, _ string) error { return f(l, ctx, n) }
}

var labActions = []labAction{
	{"kill", "end it at once, as kill -9", "", "killed", plainAction(Lab.Kill)},
	{"stop", "end it in order: it finishes the calls that it has", "", "stopped in order", plainAction(Lab.Stop)},
	{"start", "start it again, at the same address", "", "started", plainAction(Lab.Start)},
	{"pause", "stand it still with its connections open", "", "paused", plainAction(Lab.Pause)},
	{"resume", "let it run on", "", "runs on", plainAction(Lab.Resume)},
	{"slow", "every call waits so long before it runs; 0 ends that", "D", "", slowAction},
	{"fail", "every call fails with that code at once; off ends that", "CODE", "", failAction},
}

// labActionText explains the actions in the help of peer.
func labActionText() string {
	texts := make([]string, len(labActions))
	for i, a := range labActions {
		texts[i] = fmt.Sprintf("`peer %s`: %s.", strings.TrimSpace(a.name+" N "+a.value), a.help)
	}
	return strings.Join(texts, "\n")
}

func slowAction(ctx context.Context, l Lab, n int, value string) error {
	d, err := parseTimeout(value)
	if err != nil {
		return &Error{Exit: ExitUsage, Message: fmt.Sprintf("%q is not a time", value), Hint: "as 50ms or 2s; 0 ends it"}
	}
	return l.Slow(ctx, n, d)
}

func failAction(ctx context.Context, l Lab, n int, value string) error {
	if value == "off" || value == "0" {
		return l.Fail(ctx, n, "")
	}
	if !slices.Contains(failCodes, value) {
		hint := "as in unavailable, internal, resource_exhausted; off ends it"
		if near := shape.Nearest(value, failCodes); near != "" {
			hint = "nearest is " + near
		}
		return &Error{Exit: ExitUsage, Message: fmt.Sprintf("no code %q", value), Hint: hint}
	}
	return l.Fail(ctx, n, value)
}

// failCodes are the codes that a call can fail with, those that a server is to blame for first.
var failCodes = func() []string {
	names := []string{wire.Unavailable.String(), wire.Internal.String(), wire.ResourceExhausted.String()}
	for c := wire.Canceled; c <= wire.Unauthenticated; c++ {
		if !slices.Contains(names, c.String()) {
			names = append(names, c.String())
		}
	}
	return names
}()

func labActionNamed(name string) *labAction {
	for i := range labActions {
		if labActions[i].name == name {
			return &labActions[i]
		}
	}
	return nil
}

// peerJSON is a server as -o json prints it.
type peerJSON struct {
	Kind      string  `json:"kind"`
	Number    int     `json:"number"`
	Address   string  `json:"address"`
	State     string  `json:"state"`
	Protocol  string  `json:"protocol,omitempty"`
	Conns     int     `json:"conns"`
	Share     float64 `json:"share"`
	Latency   *int64  `json:"latency_ns,omitempty"`
	Pending   int     `json:"pending"`
	Calls     uint64  `json:"calls"`
	Failures  uint64  `json:"failures"`
	Ejections uint64  `json:"ejections"`
	Back      *int64  `json:"back_ns,omitempty"`
	LastError string  `json:"last_error,omitempty"`
	Lab       string  `json:"lab,omitempty"`
}

func newPeerJSON(p *Peer) peerJSON {
	v := peerJSON{Kind: "peer", Number: p.Number, Address: p.Address, State: p.State, Protocol: p.Protocol, Conns: p.Conns, Share: p.Share, Pending: p.Pending,
		Calls: p.Calls, Failures: p.Failures, Ejections: p.Ejections, LastError: p.LastError, Lab: p.Lab}
	if p.Latency > 0 {
		v.Latency = nanos(int64(p.Latency))
	}
	if p.Back > 0 {
		v.Back = nanos(int64(p.Back))
	}
	return v
}

// more is what there is to say of a server besides its row, "" for nothing. It is safe for a terminal.
func (p *Peer) more(ascii bool) string {
	var parts []string
	if p.Lab != "" {
		parts = append(parts, p.Lab)
	}
	if p.Ejections > 0 {
		parts = append(parts, fmt.Sprintf("ejected %s times", Count(int(p.Ejections))))
		if p.Ejections == 1 {
			parts[len(parts)-1] = "ejected once"
		}
	}
	if p.Back > 0 {
		parts = append(parts, "tried again in "+Duration(p.Back, ascii))
	}
	if p.LastError != "" && !p.Usable() { // of one that is well again it is old
		parts = append(parts, shorten(Printable(p.LastError), 120))
	}
	return Printable(strings.Join(parts, ", "))
}

func runPeers(ctx context.Context, s *Session, _ *args) (Result, error) {
	if _, err := s.need(ctx); err != nil {
		return Result{}, err
	}
	peers := s.Peers()
	list := make([]peerJSON, len(peers))
	t := table{right: map[int]bool{0: true, 3: true, 4: true, 5: true, 6: true, 7: true}}
	t.add("", "address", "state", "share", "latency", "pending", "calls", "failed", "wire")
	for i, p := range peers {
		list[i] = newPeerJSON(&p)
		latency := "-"
		if p.Latency > 0 {
			latency = Duration(p.Latency, s.ascii())
		}
		t.add(strconv.Itoa(p.Number), p.Address, s.peerMark(p.State)+" "+p.State, Percent(p.Share), latency, Count(p.Pending), Count(int(p.Calls)), Count(int(p.Failures)), or(p.Protocol, "-"))
	}
	rows := strings.Split(t.String(), "\n")
	text := rows[0]
	for i, p := range peers {
		text += "\n" + rows[i+1]
		if more := p.more(s.ascii()); more != "" {
			text += "\n   " + more
		}
	}
	if st := s.Stats(); st.Discovery != "" {
		text += "\n\n" + shorten(Printable("discovery: "+st.Discovery), maxMessage)
	}
	return Result{Text: text, Value: list, Peers: peers}, nil
}

// peerMark is the sign of a state, beside which its word always stands.
func (s *Session) peerMark(state string) string {
	marks := map[string][2]string{PeerUp: {"●", "*"}, PeerDown: {"○", "o"}, PeerEjected: {"!", "!"}}
	m, ok := marks[state]
	if !ok {
		m = [2]string{"◐", "~"}
	}
	if s.ascii() {
		return m[1]
	}
	return m[0]
}

// Percent writes a share of 0 to 1 as "33 %".
func Percent(share float64) string {
	if share > 0 && share < 0.005 {
		return "<1 %"
	}
	return strconv.Itoa(int(share*100+0.5)) + " %"
}

// errNoLab is what peer says where the servers are not the console's own.
var errNoLab = &Error{Exit: ExitUsage, Message: "these servers are not under this console's hand", Hint: "rpckids-console demo --servers 3 starts three that are"}

// peerOrder checks the words of a peer line as far as they are there: what to do, to which server, with what.
func (s *Session) peerOrder(a *args) (action *labAction, p LabPeer, n int, err error) {
	if s.cfg.Lab == nil {
		return nil, p, 0, errNoLab
	}
	verb, number, value := a.word(0), a.word(1), a.word(2)
	if action = labActionNamed(verb.text); action == nil {
		return nil, p, 0, a.at(verb, noAction(verb.text))
	}
	peers := s.cfg.Lab.Peers()
	if n, err = strconv.Atoi(number.text); err != nil || n < 1 || n > len(peers) {
		return action, p, 0, a.at(number, &Error{Exit: ExitUsage, Message: fmt.Sprintf("there is no server %q", number.text), Hint: fmt.Sprintf("they count from 1 to %d: peers lists them", len(peers))})
	}
	switch {
	case action.value == "" && value.text != "":
		return action, p, 0, a.at(value, &Error{Exit: ExitUsage, Message: action.name + " takes only a number", Hint: fmt.Sprintf("as in: peer %s %d", action.name, n)})
	case action.value != "" && value.text == "":
		return action, p, 0, a.at(value, &Error{Exit: ExitUsage, Message: fmt.Sprintf("%s needs %s", action.name, action.value), Hint: fmt.Sprintf("as in: peer %s %d %s", action.name, n, action.sample())})
	}
	return action, peers[n-1], n, nil
}

func noAction(name string) error {
	names := make([]string, len(labActions))
	for i, x := range labActions {
		names[i] = x.name
	}
	hint := "it is one of " + strings.Join(names, ", ")
	if near := shape.Nearest(name, names); near != "" {
		hint = "nearest is " + near
	}
	return &Error{Exit: ExitUsage, Message: fmt.Sprintf("peer cannot %q", name), Hint: hint}
}

func (x *labAction) sample() string {
	if x.value == "D" {
		return "200ms"
	}
	return "unavailable"
}

func runPeer(ctx context.Context, s *Session, a *args) (Result, error) {
	action, before, n, err := s.peerOrder(a)
	if err != nil {
		return Result{}, err
	}
	begun := time.Now()
	if err := action.do(ctx, s.cfg.Lab, n, a.word(2).text); err != nil {
		if e, ok := errors.AsType[*Error](err); ok && e.Exit == ExitUsage && a.word(2).text != "" {
			return Result{}, a.at(a.word(2), err)
		}
		return Result{}, err
	}
	after := s.cfg.Lab.Peers()[n-1]
	name := fmt.Sprintf("server %d (%s)", n, before.Address)
	text := name + " " + action.done
	switch {
	case action.value != "":
		text = name + " answers as usual"
		if what := after.text(s.ascii()); what != "" {
			text = name + " is " + strings.Replace(what, "fails:", "failing:", 1)
		}
	case action.name == "stop":
		text += " in " + Duration(time.Since(begun), s.ascii())
	}
	return Result{Text: Printable(text), Notice: true}, nil
}

func checkPeer(s *Session, a *args, typing bool) Hint {
	action, p, n, err := s.peerOrder(a)
	switch {
	case err != nil && errors.Is(err, errNoLab):
		return badHint(err)
	case action != nil && action.value != "" && len(a.pos) == 2 && err != nil:
		return Hint{Text: strings.TrimSpace(action.name+" "+a.word(1).text+" "+action.value) + ": " + action.help}
	case err != nil && typing:
		return Hint{Text: a.command.usage()}
	case err != nil:
		return badHint(err)
	}
	return Hint{State: HintGood, Text: fmt.Sprintf("%s server %d (%s), which is %s", action.name, n, Printable(p.Address), or(p.text(s.ascii()), p.State))}
}

func completePeer(s *Session, a *args, _ word) []Offer {
	var items []Offer
	switch action := labActionNamed(a.word(0).text); {
	case len(a.pos) < 2:
		for _, x := range labActions {
			items = append(items, Offer{x.name + " ", x.help})
		}
	case len(a.pos) == 2:
		after := ""
		if action != nil && action.value != "" {
			after = " "
		}
		for i, p := range s.labPeers() {
			items = append(items, Offer{strconv.Itoa(i+1) + after, Printable(p.Address) + " " + or(p.text(s.ascii()), p.State)})
		}
	case action != nil && action.value == "D":
		items = []Offer{{"50ms", ""}, {"200ms", ""}, {"1s", ""}, {"0", "as usual"}}
	case action != nil && action.value != "":
		items = append(offersOf(failCodes, "", ""), Offer{"off", "as usual"})
	}
	return items
}
