package dash

import (
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rpckids/rpckids/console"
)

// peersRest is how long the figures of servers stay as they are: they can be read, and a change of state shows at once all the same.
const peersRest = 250 * time.Millisecond

// peers shows the servers behind the connection, a row each, and how many calls each got second by second.
type peers struct {
	*scene
	list   []console.Peer
	taken  time.Time
	chosen string // the address of the chosen one; "": the first
	top    int    // the first one that is shown
	rows   int    // how many are shown
	looked atomic.Bool
	trail  trail
}

// load takes a snapshot. It is looked at closely when there is somebody to see it: the pane is shown, or the tour waits for something.
func (g *peers) load(in rect, waited bool) {
	g.looked.Store(!in.empty() || waited)
	if in.empty() && (g.stats.Servers < 2 || !g.trail.due(g.now)) {
		return
	}
	if fresh := g.session.Peers(); g.now.Sub(g.taken) >= peersRest || g.now.Before(g.taken) || !slices.EqualFunc(fresh, g.list, alike) {
		g.list, g.taken = fresh, g.now
		g.trail.add(fresh, g.now)
	}
	if in.empty() {
		return
	}
	g.rows = min(in.h, len(g.list))
	if g.headed(in.h) {
		g.rows = min(in.h-1, len(g.list))
	}
	at := g.at()
	g.top = min(max(g.top, at-g.rows+1, 0), at, max(len(g.list)-g.rows, 0))
}

// alike says whether two servers differ in figures only.
func alike(a, b console.Peer) bool {
	return a.Address == b.Address && a.State == b.State && a.Lab == b.Lab
}

// headed says whether the columns have names: where that does not take the place of a server.
func (g *peers) headed(h int) bool { return h > max(len(g.list), 1) || h >= 4 }

// at is the index of the chosen server.
func (g *peers) at() int {
	return max(slices.IndexFunc(g.list, func(p console.Peer) bool { return p.Address == g.chosen }), 0)
}

func (g *peers) Update(key string) wish {
	n := g.at()
	switch key {
	case "down", "j":
		n++
	case "up", "k":
		n--
	case "pgdown", " ":
		n += max(g.rows-1, 1)
	case "pgup":
		n -= max(g.rows-1, 1)
	case "home", "g":
		n = 0
	case "end", "G":
		n = len(g.list) - 1
	case "x", "p":
		return g.order(key)
	case "enter":
		if len(g.list) == 0 {
			return nil
		}
		return wishAsk("top " + strconv.Itoa(g.list[n].Number))
	default:
		return nil
	}
	if len(g.list) > 0 {
		g.chosen = g.list[min(max(n, 0), len(g.list)-1)].Address
		g.load(rect{0, 0, 1, g.rows + 1}, false)
	}
	return nil
}

// order has the lab do something to the chosen server, or undo it.
func (g *peers) order(key string) wish {
	if !g.session.HasLab() || len(g.list) == 0 {
		return wishNote("x and p are for the servers of rpckids-console demo --servers 3")
	}
	p := g.list[g.at()]
	what := map[string]string{"x": "kill", "p": "pause"}[key]
	switch p.Lab {
	case console.LabKilled, console.LabStopped, console.LabEnded:
		what = "start"
	case console.LabPaused:
		if key == "p" {
			what = "resume"
		}
	}
	return wishAsk(fmt.Sprintf("peer %s %d", what, p.Number))
}

// watchPeers shows the servers that `peers` was asked about, as they are from now on.
func (m *model) watchPeers() {
	m.reveal(atPeers)
}

// Click chooses the server of a row.
func (g *peers) Click(y int) wish {
	if n := g.top + y - 1; n >= 0 && n < len(g.list) && y > 0 {
		g.chosen = g.list[n].Address
	}
	return nil
}

func (g *peers) Keys() []key {
	m := g.theme.Mark
	short := func(text string) string {
		if g.session == nil || !g.session.HasLab() {
			return ""
		}
		return text
	}
	return []key{
		{"j k", "move", ""},
		{"j k " + m.Up + " " + m.Down, "", "the server below, above"},
		{"x", short("kill, start"), "kill it, start it again (demo --servers 3)"},
		{"p", short("pause"), "pause it, let it run on (demo --servers 3)"},
		{"enter", "how it is", "how the server is, as it says itself"},
		{"f", "zoom", "zoom this pane"},
		{"esc", "prompt", ""},
	}
}

func (g *peers) Heading(w, h int) heading {
	hd := heading{number: int(atPeers), name: "Peers"}
	up := console.CountUp(g.list)
	switch n := len(g.list); {
	case n < 2:
	case up < n:
		hd.right = fmt.Sprintf("%d of %d up", up, n)
	case w >= 30:
		hd.right = count(n, "server")
	default:
		hd.right = strconv.Itoa(n)
	}
	return hd
}
