package dash

import (
	"context"
	"fmt"
	"runtime/debug"
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

	w, h    int
	layout  layout
	front   place // the pane that had the keyboard last: the one that is shown where there is room for one
	zoom    bool
	prompt  prompt
	calls   calls
	timings timing
	result  result
	tour    *tour
	over    int // the newest entry when the tour was done; later ones close it
	overlay overlay

	runs    []run // commands that run, oldest first
	serial  int
	leaving time.Time     // when ctrl+c was pressed on an empty line
	offers  chan struct{} // tells the feed that leaving was offered; one slot, more offers are one
	looks   string        // the settings that the theme was made of

	cache string
	dirty bool
	next  console.Next
	err   error
}

// run is a command that runs.
type run struct {
	serial    int
	cancel    context.CancelFunc
	cancelled bool
}

// Messages of our own.
type (
	tickMsg  struct{} // something changed, or something runs
	calmMsg  struct{} // the offer to leave is over
	panicMsg struct{ err error }
	doneMsg  struct {
		serial int
		line   string
		result console.Result
		err    error
	}
)

func newModel(ctx context.Context, s *console.Session, cfg Config) *model {
	m := &model{ctx: ctx, cfg: cfg, clock: time.Now, caret: &caret{}, offers: make(chan struct{}, 1), front: atResult, dirty: true}
	m.scene = scene{session: s, focus: atPrompt}
	m.prompt.scene, m.calls.scene, m.timings.scene, m.result.scene = &m.scene, &m.scene, &m.scene, &m.scene
	m.tour = newTour(cfg.Tour, cfg.try())
	m.dress()
	m.refresh()
	if m.tour != nil {
		m.tour.watch(s.Journal().Tail(m.last, 0))
		if m.tour.finished() {
			m.tour = nil // it was done the last time the dashboard was open
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

// Update routes.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
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
	case doneMsg:
		cmd := m.finish(msg)
		m.refresh()
		return m, cmd
	case calmMsg:
		if m.clock().Sub(m.leaving) >= patience {
			m.stay()
		}
	case tea.ResumeMsg:
		m.refresh()
		return m, tea.ClearScreen
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
	if !m.tour.finished() {
		m.tour.watch(m.tail)
		m.over = m.last
	}
	m.arrange()
}

// picked is the entry chosen by hand, which counts while a pane has the keyboard; 0 otherwise.
func (m *model) picked() int {
	if m.focus == atPrompt {
		return 0
	}
	return m.calls.chosen
}

// arrange lays out the screen and loads what the panes show there.
func (m *model) arrange() {
	m.choose(m.picked())
	reply := m.result.output == nil // the text of a command takes the whole width: it is a table more often than not
	m.layout = newLayout(m.w, m.h, view{pane: m.pane(), zoom: m.zoom, tour: m.touring() && reply, facts: reply && m.done.Number > 0})
	if m.layout.shape == tiny {
		m.overlay = nil // it would hide the prompt
		if m.focus != atPrompt {
			m.give(atPrompt) // nothing else is there
			m.choose(0)
		}
	}
	r := m.layout.frames
	m.calls.load(r[atCalls].inside().h)
	m.timings.load()
	m.result.facts = r[atSide].empty()
	m.result.load(r[atResult].inside())
}

// pane is the one that is shown where there is room for one.
func (m *model) pane() place {
	if m.focus != atPrompt {
		return m.focus
	}
	return m.front
}

// touring says whether the tour still has its place: until a call is made after its last step.
func (m *model) touring() bool {
	return m.tour != nil && (!m.tour.finished() || m.last == m.over)
}

// do carries out the wish of a pane or an overlay.
func (m *model) do(w wish) tea.Cmd {
	switch w := w.(type) {
	case wishRun:
		m.calls.chosen = 0 // what comes of it is the newest
		return m.exec(string(w))
	case wishEdit:
		m.give(atPrompt)
		m.prompt.set(string(w))
	case wishShow:
		m.result.say(nil)
	case wishOpen:
		m.result.say(nil)
		m.give(atResult)
	}
	return nil
}

// give gives the keyboard to a place.
func (m *model) give(p place) {
	m.focus = p
	if p == atPrompt {
		m.zoom, m.calls.chosen = false, 0
		return
	}
	m.front = p
}

// exec runs a line beside the program, which stays awake meanwhile.
func (m *model) exec(line string) tea.Cmd {
	if line == "" {
		return nil
	}
	m.serial++
	ctx, cancel := context.WithCancel(m.ctx)
	serial := m.serial
	m.runs = append(m.runs, run{serial: serial, cancel: cancel})
	return guarded(func() tea.Msg { // owned by the session, which ends it at the latest when it is closed
		r, err := m.session.Exec(ctx, line)
		return doneMsg{serial, line, r, err}
	})
}

// guarded makes a command whose panic ends the program in order, with the terminal as it was.
func guarded(f func() tea.Msg) tea.Cmd {
	return func() (msg tea.Msg) {
		defer func() {
			if p := recover(); p != nil {
				msg = panicMsg{fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
			}
		}()
		return f()
	}
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
	switch {
	case d.result.Entry != nil:
		m.result.say(nil)
	case d.err != nil:
		m.refuse(d)
	case d.result.Notice && !strings.Contains(d.result.Text, "\n"):
		m.prompt.notice = d.result.Text // it says what was done: not worth the place of a result
	case d.result.Text != "":
		m.tell(&output{command: d.line, text: d.result.Text})
	}
	switch d.result.Next {
	case console.Clear:
		m.result.say(nil)
		return tea.ClearScreen
	case console.Quit, console.OpenREPL:
		m.next = d.result.Next
		return tea.Quit
	}
	return nil
}

// tell shows the text of a command, where one pane is shown at a time in place of another one without the keyboard.
func (m *model) tell(o *output) {
	m.result.say(o)
	if m.focus == atPrompt {
		m.front = atResult
	}
}

// refuse shows why a line did not run. The line comes back to be mended, unless something else is being typed.
func (m *model) refuse(d doneMsg) {
	e := asError(d.err)
	here := e.Line != "" && strings.TrimSpace(e.Line) == d.line
	mend := (here || e.Exit == console.ExitUsage || e.Exit == console.ExitType) && m.prompt.empty()
	if !here || !mend {
		m.tell(&output{command: d.line, err: e})
	}
	if !mend {
		return
	}
	m.prompt.set(d.line)
	shown := *e
	if here {
		lead := len(e.Line) - len(strings.TrimLeft(e.Line, " \t"))
		shown.At = max(e.At-lead, 0)
	} else {
		shown.Line, shown.At = "", 0
	}
	m.prompt.refused = &shown
}
