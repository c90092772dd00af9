package dash

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// noon is the time of all tests.
var noon = time.Date(2026, 3, 1, 14, 2, 44, 902e6, time.UTC)

// fake is a backend that answers as the demo server does.
type fake struct {
	stats console.Stats

	mu     sync.Mutex     // protects the fields below
	peers  []console.Peer // nil: nothing is known of them
	health console.Health // what it says of itself
	sick   error          // why it does not
	asked  int            // how often it was
}

func (f *fake) Stats() console.Stats {
	f.mu.Lock()
	st := f.stats
	f.mu.Unlock()
	if list := f.Peers(); list != nil {
		st.Up = console.CountUp(list)
	}
	return st
}

// become changes the figures of the connection while the session may look at them.
func (f *fake) become(change func(st *console.Stats)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.stats)
}

func (f *fake) Close() error { return nil }

func (f *fake) Peers() []console.Peer {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.peers)
}

func (f *fake) Health(context.Context) (console.Health, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return f.health, f.sick
}

// feel changes what it says of itself.
func (f *fake) feel(h console.Health, sick error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.health, f.sick = h, sick
}

func (f *fake) set(list []console.Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.peers = list
}

func (f *fake) trace(r console.Request) console.Trace {
	return console.Trace{RequestID: callID, Server: "127.0.0.1:8888", Attempts: 1,
		RTT: 398 * time.Microsecond, Client: 21 * time.Microsecond, Wait: 377 * time.Microsecond, Protocol: f.stats.Protocol, Out: message(callID, r.Type, string(r.Payload))}
}

func (f *fake) Call(ctx context.Context, r console.Request) (console.Reply, error) {
	rep := console.Reply{Type: r.Type + "_res", Trace: f.trace(r)}
	switch r.Type {
	case "slow":
		<-ctx.Done()
		return rep, &console.Error{Exit: console.ExitInterrupted, Message: "canceled", Cause: ctx.Err()}
	case "fail":
		rep.Trace.In = message(callID, "error", `{"code":"not_found"}`)
		return rep, &console.Error{Exit: console.ExitServer, Code: "not_found", Message: "no \x1b[31msuch thing", Hint: "services"}
	case "panic":
		panic("planted")
	case "exp":
		rep.Payload = json.RawMessage(`{"value":1024,"costInNanos":28113}`)
	default:
		rep.Payload = json.RawMessage(`89`)
	}
	rep.Trace.In = message(callID, rep.Type, string(rep.Payload))
	return rep, nil
}

func (f *fake) Fire(ctx context.Context, r console.Request) error {
	select {
	case <-time.After(time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fake) Cast(_ context.Context, r console.Request) (console.Reply, error) {
	t := f.trace(r)
	t.RTT, t.Client, t.Wait = 18*time.Microsecond, 18*time.Microsecond, 0
	return console.Reply{Trace: t}, nil
}

func dialer(f *fake) console.Dialer {
	return func(context.Context, string, console.DialOptions) (console.Backend, error) { return f, nil }
}

// newSession returns a session that is connected to a fake and knows the types of the demo.
func newSession(t testing.TB) *console.Session {
	t.Helper()
	f := &fake{stats: console.Stats{Target: "localhost:8888", Server: "127.0.0.1:8888", State: console.Connected, Protocol: "v1", Sent: 128, Received: 127}}
	s := console.NewSession(console.Config{Dial: dialer(f)})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for _, line := range []string{
		"connect localhost:8888",
		"rpc fib int",
		"rpc fib_res int64 --of fib",
		"rpc exp {base:int,exp:int}",
		"rpc exp_res {value:int64,costInNanos:int64} --of exp --server-time .costInNanos",
	} {
		if _, err := s.Exec(t.Context(), line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return s
}

const (
	micro  = time.Microsecond
	callID = "3f9c51ab-34cd-4a29-9f71-6e0b7a2d1c55"
)

// message is a message of version 1.
func message(texts ...string) (b []byte) {
	for _, t := range texts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(t)))
		b = append(b, t...)
	}
	return b
}

// fill puts calls into the journal as a class would make them.
func fill(j *console.Journal, chinese bool) {
	note := `{"note":"two to the tenth","base":2,"exp":10}`
	if chinese {
		note = `{"note":"二的十六次方，以及更多的说明","base":2,"exp":16}`
	}
	for i := range 10 {
		call(j, i, "fib", fmt.Sprint(10+i), "89", time.Duration(200+i*3)*micro, 0)
	}
	for i := range 20 {
		call(j, 10+i, "exp", `{"base":3,"exp":4}`, `{"value":81,"costInNanos":25113}`, time.Duration(380+i*i%70)*micro, 25113)
	}
	call(j, 30, "exp", note, `{"value":1024,"costInNanos":31000}`, 405*micro, 31000)
	call(j, 31, "exp", `{"base":2,"exp":10}`, `{"value":1024,"costInNanos":28977}`, 412*micro, 28977)
	fails(j, 32)
	cast(j, 33)
	result := `{"value":1024,"costInNanos":28113}`
	if chinese {
		result = `{"value":1024,"说明":"二的十次方","costInNanos":28113}`
	}
	call(j, 34, "exp", `{"base":2,"exp":10}`, result, 398*micro, 28113)
}

func started(i int) time.Time { return noon.Add(time.Duration(i-34) * 2300 * time.Millisecond) }

func call(j *console.Journal, i int, typ, payload, result string, rtt, server time.Duration) {
	e := j.Start(console.Entry{Kind: console.KindCall, Type: typ, Payload: json.RawMessage(payload), Timeout: 5 * time.Second, Started: started(i)})
	e.State, e.ReplyType, e.Result = console.OK, typ+"_res", json.RawMessage(result)
	e.Trace = console.Trace{RequestID: callID, Server: "127.0.0.1:8888", Attempts: 1, RTT: rtt, Client: 21 * micro, Wait: rtt - 21*micro,
		Protocol: "v1", Out: message(callID, typ, payload), In: message(callID, typ+"_res", result)}
	e.Server, e.HasServer = server, server > 0
	j.Finish(e)
}

func fails(j *console.Journal, i int) {
	e := j.Start(console.Entry{Kind: console.KindCall, Type: "exp", Payload: json.RawMessage(`{"base":"x"}`), Timeout: 3 * time.Second, Started: started(i)})
	e.State = console.Failed
	e.Err = &console.Error{Exit: console.ExitDeadline, Message: "no reply within 3 s; the connection is still up", Hint: `call exp {"base":2,"exp":10}`}
	e.Trace = console.Trace{RequestID: "77", Attempts: 1, RTT: 3010 * time.Millisecond, Client: 20 * micro, Wait: 3010*time.Millisecond - 20*micro, Protocol: "v1", Out: message("77", "exp", `{"base":"x"}`)}
	j.Finish(e)
}

func cast(j *console.Journal, i int) {
	e := j.Start(console.Entry{Kind: console.KindCast, Type: "log", Payload: json.RawMessage(`"hi"`), Started: started(i)})
	e.State = console.Sent
	e.Trace = console.Trace{RequestID: "78", Attempts: 1, RTT: 18 * micro, Client: 18 * micro, Protocol: "v1", Out: message("78", "log", `"hi"`)}
	j.Finish(e)
}

func begin(j *console.Journal, i int) console.Entry {
	return j.Start(console.Entry{Kind: console.KindCall, Type: "exp", Payload: json.RawMessage(`{"base":2,"exp":40}`), Timeout: 5 * time.Second, Started: started(i)})
}

// looks are the themes that views are tested in.
func looks(name string, ascii bool) theme.Options {
	r := lipgloss.NewRenderer(nil)
	r.SetColorProfile(termenv.TrueColor)
	return theme.Options{Name: name, ASCII: ascii, Renderer: r}
}

// open makes a model of that size whose clock stands at noon.
func open(t testing.TB, s *console.Session, w, h int, cfg Config) *model {
	t.Helper()
	if cfg.Theme.Renderer == nil {
		cfg.Theme = looks("mono", false)
	}
	m := newModel(t.Context(), s, cfg)
	m.clock = func() time.Time { return noon }
	_, cmd := m.Update(tea.WindowSizeMsg{Width: w, Height: h})
	settle(m, cmd)
	return m
}

// text is the screen without colours.
func text(m *model) string { return ansi.Strip(m.View()) }

// press sends keys by their names; words are typed letter by letter.
func press(m *model, keys ...string) tea.Cmd {
	var cmd tea.Cmd
	for _, k := range keys {
		_, cmd = m.Update(keyMsg(k))
	}
	return cmd
}

// keyTypes are the keys that tests press.
var keyTypes = map[string]tea.KeyType{
	"enter": tea.KeyEnter, "tab": tea.KeyTab, "shift+tab": tea.KeyShiftTab, "esc": tea.KeyEsc, "up": tea.KeyUp, "down": tea.KeyDown,
	"left": tea.KeyLeft, "right": tea.KeyRight, "home": tea.KeyHome, "end": tea.KeyEnd, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown,
	"backspace": tea.KeyBackspace, "delete": tea.KeyDelete, "f1": tea.KeyF1, "f2": tea.KeyF2, "f6": tea.KeyF6, "ctrl+x": tea.KeyCtrlX,
	"ctrl+c": tea.KeyCtrlC, "ctrl+d": tea.KeyCtrlD, "ctrl+l": tea.KeyCtrlL, "ctrl+o": tea.KeyCtrlO, "ctrl+r": tea.KeyCtrlR, "ctrl+z": tea.KeyCtrlZ,
	"ctrl+w": tea.KeyCtrlW, "ctrl+u": tea.KeyCtrlU, "ctrl+k": tea.KeyCtrlK, "ctrl+y": tea.KeyCtrlY, "ctrl+a": tea.KeyCtrlA, "ctrl+e": tea.KeyCtrlE,
}

func keyMsg(k string) tea.KeyMsg {
	if typ, ok := keyTypes[k]; ok {
		return tea.KeyMsg{Type: typ}
	}
	if k == " " {
		return tea.KeyMsg{Type: tea.KeySpace, Runes: []rune{' '}}
	}
	if rest, ok := strings.CutPrefix(k, "alt+"); ok {
		return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(rest), Alt: true}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(k)}
}

// enter types a line and runs it to its end.
func enter(t testing.TB, m *model, line string) {
	t.Helper()
	settle(m, press(m, line, "enter"))
}

// settle runs a command and feeds the model with what it says.
func settle(m *model, cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range msg {
			settle(m, c)
		}
	default:
		_, next := m.Update(msg)
		settle(m, next)
	}
}

func demoTour() *console.Tour {
	ok := func(typ string) func(console.Entry) bool {
		return func(e console.Entry) bool { return e.Type == typ && (e.State == console.OK || e.State == console.Sent) }
	}
	return &console.Tour{Title: "Tour", Steps: []console.Step{
		{Title: "call fib 10", Do: "call fib 10", Before: "Ask the server for a number of the Fibonacci sequence.", After: "The reply is above, and the bar shows where its time went.", Done: ok("fib")},
		{Title: "call exp", Do: `call exp {"base":2,"exp":10}`, Before: "Two to the tenth. The server tells how many nanoseconds its loop took.", After: "Timing now shows costInNanos beside the round trip.", Done: ok("exp")},
		{Title: "cast log", Do: `cast log "hi"`, Before: "A cast is sent and nobody answers it.", After: "Sent and done: nothing to wait for.", Done: ok("log")},
	}}
}
