package dash

import (
	"context"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// model is the program: it routes messages, runs lines and puts the pieces of the screen together.
type model struct {
	scene
	ctx   context.Context
	cfg   Config
	clock func() time.Time
	caret *caret

	w, h     int
	layout   layout
	front    place // the pane that had the keyboard last: the one that is shown where there is room for one
	lower    place // the one of Result, Wire, Log, Peers and Server that had it last
	middle   place // the one of Wire, Peers and Server that had it last; atPrompt for none
	back     place // Peers or Server was shown when the text of a command took its place, and comes back after it; atPrompt: neither
	zoom     bool
	prompt   prompt
	calls    calls
	timings  timing
	result   result
	bytes    wire
	log      logbook
	peers    peers
	server   server
	charts   charts
	tour     *tour
	flowing  int  // the newest stream that was seen running
	benching bool // a bench was seen running
	over     int  // the newest entry when the tour was done; later ones close it
	overlay  overlay
	mouse    bool // it is ours and not the terminal's
	prefix   bool // ctrl+x was pressed: ctrl+e may follow

	runs    []run // commands that run, oldest first
	serial  int
	leaving time.Time     // when ctrl+c was pressed on an empty line
	offers  chan struct{} // tells the feed that leaving was offered; one slot, more offers are one
	looks   string        // the settings that the theme was made of

	cache string
	dirty bool
	next  console.Next
	err   error  // a fault
	quit  func() // ends the program from where no command can be returned; nil in tests
}

// run is a command that runs.
type run struct {
	serial    int
	cancel    context.CancelFunc
	cancelled bool
	desk      *desk // takes it the lines that it asks for
}

// Messages of our own.
type (
	tickMsg  struct{} // something changed, or something runs
	calmMsg  struct{} // the offer to leave is over
	thenMsg  func()   // work is back
	panicMsg struct{ err error }
	doneMsg  struct {
		serial int
		line   string
		result console.Result
		err    error
	}
)

func newModel(ctx context.Context, s *console.Session, cfg Config) *model {
	m := &model{ctx: ctx, cfg: cfg, clock: time.Now, caret: &caret{}, offers: make(chan struct{}, 1), front: atResult, lower: atResult, dirty: true}
	m.scene = scene{session: s, focus: atPrompt}
	m.prompt.scene, m.calls.scene, m.timings.scene, m.result.scene, m.bytes.scene, m.log.scene, m.peers.scene = &m.scene, &m.scene, &m.scene, &m.scene, &m.scene, &m.scene, &m.scene
	m.server.scene, m.server.ctx = &m.scene, ctx
	m.timings.span, m.charts.timing = usualSpan, &m.timings
	m.bytes.at = -1
	m.tour = newTour(cfg.Tour, cfg.try())
	m.dress()
	m.refresh()
	if m.tour != nil {
		m.tour.watch(s.Journal().Tail(m.last, 0))
		if m.tour.finished() {
			m.tour = nil // it was done the last time the dashboard was open
		} else if m.tour.Beside == console.BesidePeers {
			m.lower = atPeers
		}
	}
	return m
}

// dress makes the theme anew when a setting asks for another.
func (m *model) dress() {
	name, box := m.session.Setting("theme"), m.session.Setting("box")
	m.motion = m.session.Setting("motion") != "off"
	if looks := name + " " + box; looks == m.looks && m.theme != nil {
		return
	}
	m.looks = name + " " + box
	o := m.cfg.Theme
	if name != "" && name != "auto" {
		o.Name = name
	}
	switch box {
	case "ascii":
		o.ASCII = true
	case "unicode":
		o.ASCII = false
	}
	m.theme = theme.New(o)
}

func (m *model) Init() tea.Cmd { return nil }

// Update routes, and begins the work that this gave rise to.
func (m *model) Update(msg tea.Msg) (_ tea.Model, cmd tea.Cmd) {
	defer recovered(func(err error) { m.err, cmd = err, tea.Quit })
	_, cmd = m.update(msg)
	if len(m.work) == 0 {
		return m, cmd
	}
	cmds := []tea.Cmd{cmd}
	for _, w := range m.work {
		cmds = append(cmds, guarded(func() tea.Msg { return thenMsg(w()) }))
	}
	m.work = nil
	return m, tea.Batch(cmds...)
}

func (m *model) update(msg tea.Msg) (tea.Model, tea.Cmd) {
	m.dirty = true
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
		m.refresh()
	case tea.KeyMsg:
		cmd := m.key(msg)
		m.arrange()
		return m, cmd
	case tickMsg:
		m.frame++
		m.refresh()
	case thenMsg:
		if msg != nil {
			msg()
		}
		m.arrange()
	case doneMsg:
		cmd := m.finish(msg)
		m.refresh()
		return m, cmd
	case calmMsg:
		if m.clock().Sub(m.leaving) >= patience {
			m.stay()
		}
	case tea.MouseMsg:
		cmd := m.pointed(msg)
		m.arrange()
		return m, cmd
	case editedMsg:
		return m, m.edited(msg)
	case tea.ResumeMsg:
		return m, m.awake()
	case panicMsg:
		m.err = msg.err
		return m, tea.Quit
	default:
		m.dirty = false
	}
	return m, nil
}

// refresh reads the session and lets every piece settle on what it shows.
func (m *model) refresh() {
	m.take(m.clock())
	m.prompt.sit(m.asking())
	if e := newest(m.tail, true); e.State == console.Running && tells(e) && e.Number > m.flowing {
		m.flowing = e.Number
		m.result.say(nil) // its items come where the text of the last command stands
	}
	m.watchBench()
	if !m.tour.finished() {
		m.tour.watch(m.tail)
		if m.tour.waits() {
			m.tour.look(m.session.Peers())
		}
		m.over = m.last
	}
	m.arrange()
}

// picked is the entry chosen by hand, which counts while a pane has the keyboard; 0 otherwise.
func (m *model) picked() int {
	if m.focus == atPrompt {
		return 0
	}
	return m.calls.picked()
}

// do carries out the wish of a pane or an overlay.
func (m *model) do(w wish) tea.Cmd {
	switch w := w.(type) {
	case wishRun:
		m.calls.chosen = 0 // what comes of it is the newest
		return m.exec(string(w))
	case wishAsk:
		return m.exec(string(w))
	case wishNote:
		m.prompt.notice = string(w)
	case wishEdit:
		m.give(atPrompt)
		m.prompt.set(string(w))
	case wishShow:
		m.result.say(nil)
	case wishOpen:
		m.result.say(nil)
		m.give(atResult)
	case wishGo:
		m.give(place(w))
	}
	return nil
}

// give gives the keyboard to a place.
func (m *model) give(p place) {
	m.focus = p
	if p == atPrompt {
		m.zoom, m.calls.chosen = false, 0
		if m.front == atCharts {
			m.front = atTiming
		}
		return
	}
	m.front = p
	m.back = atPrompt
	if p >= atResult && p <= atServer {
		m.lower = p
	}
	if p == atWire || p == atPeers || p == atServer {
		m.middle = p
	}
}

// exec runs a line beside the program, which stays awake meanwhile.
func (m *model) exec(line string) tea.Cmd {
	if line == "" {
		return nil
	}
	m.serial++
	ctx, cancel := context.WithCancel(m.ctx)
	serial, desk := m.serial, newDesk(m.session.Journal().Note)
	m.runs = append(m.runs, run{serial: serial, cancel: cancel, desk: desk})
	v := m.wanted(true, m.bench.Running)
	v.pane, v.lower = atResult, atResult
	columns := newLayout(m.w, m.h, v).frames[atResult].w - 4 // borders, and a column beside each
	return guarded(func() tea.Msg {                          // owned by the session, which ends it at the latest when it is closed
		r, err := m.session.ExecTalk(ctx, line, console.Talk{Line: desk.Line, Columns: columns}) // items are read from the journal
		return doneMsg{serial, line, r, err}
	})
}

// asking is the desk of the newest command that asks for items, nil if there is none.
func (m *model) asking() *desk {
	for i := len(m.runs) - 1; i >= 0; i-- {
		if _, _, open := m.runs[i].desk.now(); open && !m.runs[i].cancelled {
			return m.runs[i].desk
		}
	}
	return nil
}

// finish shows what a command gave.
func (m *model) finish(d doneMsg) tea.Cmd {
	for i, r := range m.runs {
		if r.serial == d.serial {
			r.cancel()
			m.runs = append(m.runs[:i:i], m.runs[i+1:]...)
			break
		}
	}
	m.dress()
	m.prompt.sit(m.asking())
	m.timings.follow(d.result.Entry)
	switch {
	case d.result.Values != nil && d.err == nil:
		m.tell(&output{command: console.Hushed(d.line), text: d.result.Text})
	case d.result.Entry != nil:
		m.result.say(nil)
	case d.result.Top != nil && d.err == nil:
		m.watchServer(d.result.Top)
	case d.result.Peers != nil && d.err == nil:
		m.watchPeers()
	case d.result.Bench != nil:
		m.bench = *d.result.Bench
		m.tell(&output{command: d.line, bench: true, err: failureOf(d.err)})
	case d.err != nil:
		m.refuse(d)
	case d.result.Notice && !strings.Contains(d.result.Text, "\n"):
		m.prompt.notice = d.result.Text // it says what was done: not worth the place of a result
	case d.result.Text != "":
		m.tell(&output{command: console.Hushed(d.line), text: d.result.Text, diff: d.result.Diff})
	}
	switch d.result.Next {
	case console.Clear:
		m.result.say(nil)
		return tea.ClearScreen
	case console.Quit, console.OpenREPL:
		m.next = d.result.Next
		return tea.Quit
	}
	return m.clip(d.result.Copy)
}

// tell shows the text of a command, where one pane is shown at a time in place of another one without the keyboard.
func (m *model) tell(o *output) {
	m.result.say(o)
	switch {
	case m.focus == atPrompt:
		if m.lower == atPeers || m.lower == atServer {
			m.back = m.lower
		}
		m.front, m.lower = atResult, atResult
	case m.layout.frames[atResult].empty() && !m.zoom: // one pane is shown, and it asked for this
		m.give(atResult)
	}
}

// refuse shows why a line did not run. The line comes back to be mended, unless something else is being typed.
func (m *model) refuse(d doneMsg) {
	e := asError(d.err)
	here := e.Line != "" && strings.TrimSpace(e.Line) == d.line
	mend := (here || e.Exit == console.ExitUsage || e.Exit == console.ExitType) && m.prompt.empty()
	tell := func() { m.tell(&output{command: console.Hushed(d.line), err: e}) }
	if !here || !mend {
		tell()
	}
	if !mend {
		return
	}
	m.prompt.set(d.line)
	m.prompt.offered = true
	shown := *e
	if here {
		lead := len(e.Line) - len(strings.TrimLeft(e.Line, " \t"))
		shown.At = max(e.At-lead, 0)
	} else {
		shown.Line, shown.At = "", 0
	}
	m.prompt.refused = &shown
	if _, missing := m.prompt.hint(m.w, m.layout.hints(), ""); missing && here {
		tell()
	}
}
