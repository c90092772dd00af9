package dash

import (
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

const (
	sceneTail = 64  // entries looked through for the newest result and for the tour
	lookBack  = 200 // entries looked through for an earlier call of the same type
)

// scene is what the pieces of the screen draw: a snapshot of the session, taken when something changed and never while drawing.
type scene struct {
	session *console.Session
	theme   *theme.Theme
	motion  bool
	focus   place // what has the keyboard

	now      time.Time
	stats    console.Stats
	totals   console.Totals
	last     int             // number of the newest entry
	tail     []console.Entry // the newest entries, oldest first
	shown    console.Entry   // the entry in the hero; Number 0 when there is none
	done     console.Entry   // the entry in Result: one that has finished, or a stream; Number 0 when there is none
	before   console.Entry   // an earlier good call of the type of done; Number 0 when there is none
	beforeOf int             // the entry that before precedes
	frame    int             // counts ticks, for the spinner
	bench    console.Bench   // the newest; meaningful while it runs and while it is the result
	onBench  bool            // it stands in the hero
	work     []work          // waits to be begun, see later
}

// work is what takes too long for a key or a frame. It runs beside the program, touches nothing that the program does, and returns what the program does when
// it is back; nil for nothing.
type work func() (then func())

// later has work begun when the message that is being handled has been.
func (s *scene) later(w work) { s.work = append(s.work, w) }

// take reads the session anew; choose has to follow.
func (s *scene) take(now time.Time) {
	j := s.session.Journal()
	s.now = now
	s.stats, s.totals, s.last = s.session.Stats(), j.Totals(), j.Last()
	s.tail = j.Tail(sceneTail, 0)
	s.bench, _ = s.session.Bench()
}

// choose settles which entry the hero and Result show, and Timing follows. chosen is picked by hand; 0 means the newest.
func (s *scene) choose(chosen int) {
	j := s.session.Journal()
	s.shown, s.done = newest(s.tail, true), newest(s.tail, false)
	if e, ok := j.Entry(chosen); ok {
		s.shown = e
		if tells(e) {
			s.done = e
		}
	}
	if s.beforeOf != s.done.Number {
		s.before, s.beforeOf = s.earlier(j), s.done.Number
	}
}

// newest returns the entry that changed last, which with several calls at once need not be the one with the highest number.
func newest(entries []console.Entry, running bool) console.Entry {
	var best console.Entry
	var at time.Time
	for _, e := range entries {
		if !running && !tells(e) {
			continue
		}
		if when := e.Started.Add(e.Trace.RTT); !when.Before(at) {
			best, at = e, when
		}
	}
	return best
}

// tells says whether there is something to show of an entry: a stream shows its items as they come.
func tells(e console.Entry) bool {
	return e.State != console.Running || e.ItemsText() != ""
}

func (s *scene) earlier(j *console.Journal) console.Entry {
	if s.done.Number <= 1 || s.done.Kind != console.KindCall {
		return console.Entry{}
	}
	entries := j.Tail(lookBack, s.done.Number-1)
	for i := len(entries) - 1; i >= 0; i-- {
		if e := entries[i]; e.Type == s.done.Type && e.State == console.OK && e.Kind == console.KindCall {
			return e
		}
	}
	return console.Entry{}
}

func (s *scene) spinner() string {
	frames := s.theme.Mark.Spinner
	if !s.motion {
		return frames[0]
	}
	return frames[s.frame/2%len(frames)] // every second frame: fast enough to live, slow enough to rest
}

// elapsed is how long an entry took, or has been taking.
func (s *scene) elapsed(e console.Entry) time.Duration {
	if e.State == console.Running {
		return max(s.now.Sub(e.Started), 0)
	}
	return e.Trace.RTT
}

// markOf returns the sign of an entry's state with the styles of the sign and of its words.
func (s *scene) markOf(e console.Entry) (sign string, mark, word *theme.Style) {
	t := s.theme
	switch e.State {
	case console.OK:
		return t.Mark.OK, &t.OK, &t.Muted
	case console.Sent:
		return t.Mark.Sent, &t.Muted, &t.Muted
	case console.Failed:
		if e.Stopped() { // by the user: nothing is wrong
			return t.Mark.Late, &t.Warn, &t.Muted
		}
		return t.Mark.Fail, &t.Fail, &t.Fail
	}
	return s.spinner(), &t.Accent, &t.Muted
}
