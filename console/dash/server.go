package dash

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// server shows how the server is, as it says itself. It is asked once a second while the pane is shown, and not at all otherwise.
type server struct {
	*scene
	ctx     context.Context
	monitor *console.Monitor // nil: nothing was asked yet
	target  string           // of the connection that it was asked through
	named   string           // the number of the server that is asked; "": the one, or the first that is up
	seen    console.Top      // what it said last; At is zero before the first answer
	out     bool             // a question is under way
	shown   bool
	asked   time.Time    // when the last question was put
	due     atomic.Int64 // when the next one is, in nanoseconds since 1970; 0: never, nobody looks
	scale   scale
	paint   *theme.Theme // what figures are drawn with: the theme, faded while they are old
}

// serverEvery is how often a server is asked.
const serverEvery = time.Second

// stale is how old figures may be before the pane says so.
const stale = 3 * serverEvery

// load asks when it is time and there is somebody to see what comes of it.
func (g *server) load(in rect) {
	if in.empty() {
		if g.shown && g.monitor != nil {
			m := g.monitor
			g.later(func() func() { m.Rest(); return nil })
		}
		g.shown = false
		g.due.Store(0)
		return
	}
	g.shown = true
	if g.stats.Target != g.target { // numbers mean other servers now
		g.target = g.stats.Target
		g.choose("")
	}
	if !g.askable() {
		g.due.Store(0) // a change of the connection wakes the program
		return
	}
	if since := g.now.Sub(g.asked); !g.out && (since >= serverEvery || since < 0) {
		g.ask()
	}
	g.due.Store(g.asked.Add(serverEvery).UnixNano())
}

// askable says whether there is a server that can tell. One that is being looked for is not asked: each question would be another dial.
func (g *server) askable() bool {
	return g.stats.Ours && (g.stats.State == console.Connected || g.stats.State == console.Idle)
}

func (g *server) ask() {
	if g.monitor == nil {
		g.monitor = g.session.Monitor(g.named)
	}
	m := g.monitor
	g.out, g.asked = true, g.now
	g.later(func() func() {
		t := m.Next(g.ctx)
		return func() {
			if g.monitor == m { // else another one was chosen meanwhile
				g.out, g.seen = false, t
			}
		}
	})
}

// choose asks another server from now on; "" is the one, or the first that is up.
func (g *server) choose(name string) {
	if m := g.monitor; m != nil {
		g.later(func() func() { m.Close(); return nil })
	}
	g.monitor, g.named, g.seen, g.out, g.asked = nil, name, console.Top{}, false, time.Time{}
}

// close ends what is under way, and waits for it.
func (g *server) close() {
	if g.monitor != nil {
		g.monitor.Close()
	}
}

// watchServer shows the server that `top` was asked about. The pane goes on asking by itself.
func (m *model) watchServer(t *console.Top) {
	if t.Of > 1 && t.Number != m.server.seen.Number {
		m.server.choose(strconv.Itoa(t.Number))
	}
	if m.server.seen.At.IsZero() {
		m.server.seen, m.server.target = *t, m.stats.Target
	}
	m.reveal(atServer)
}

// reveal shows a pane that lives in place of what stands there. The prompt keeps the keyboard if it has it.
func (m *model) reveal(p place) {
	if m.focus != atPrompt {
		m.give(p)
		return
	}
	m.result.say(m.running())
	m.back = atPrompt
	m.front, m.lower, m.middle = p, p, p
}

func (g *server) Update(key string) wish {
	step := 0
	switch key {
	case "down", "j":
		step = 1
	case "up", "k":
		step = -1
	default:
		return nil
	}
	list := g.session.Peers()
	if len(list) < 2 {
		return nil
	}
	at := 0
	for i := range list {
		if list[i].Number == g.seen.Number {
			at = i + step
		}
	}
	g.choose(strconv.Itoa(list[min(max(at, 0), len(list)-1)].Number))
	return nil
}

func (g *server) Keys() []key {
	next := ""
	if g.session != nil && g.stats.Servers > 1 {
		next = "another server"
	}
	m := g.theme.Mark
	return []key{
		{"j k", next, ""},
		{"j k " + m.Up + " " + m.Down, "", "the next server, the one before"},
		{"f", "zoom", "zoom this pane"},
		{"esc", "prompt", ""},
	}
}

func (g *server) Heading(w, _ int) heading {
	hd := heading{number: int(atServer), name: "Server"}
	if t := &g.seen; !t.At.IsZero() {
		hd.right = cut(t.Server, max(w-24, 0), g.theme.Mark.Cut)
		if t.Of > 1 && w >= 60 {
			hd.right += ", " + strconv.Itoa(t.Number) + " of " + strconv.Itoa(t.Of)
		}
	}
	return hd
}
