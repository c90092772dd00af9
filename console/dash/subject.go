package dash

import (
	"sync/atomic"
	"time"

	"github.com/rpckids/rpckids/console"
)

// subject is what Timing and the charts are about: the calls of one type over a stretch of time.
//
// The type is what the person asked for last: a call chosen in Calls, a type chosen in Timing, a call made from here. Otherwise it is that of the
// newest call, but it moves on only when its own calls have ceased for a while, so that nothing jumps while calls of several types pour in.
type subject struct {
	typ    string
	held   bool // it was chosen in Timing
	chosen int  // the call in Calls that it followed last; 0 for none
	span   int  // in console.Spans

	live    console.Timing // of the type, as it is now
	figures console.Timing // its percentiles as shown, which rest a little while calls arrive
	bands   []console.Band // of figures
	since   time.Time      // since when figures are shown; zero when they may change at once
	watches []console.Watch

	field string        // the name of the server's time: "costInNanos"; "" when no reply tells one
	cost  console.Entry // the shown call of that type, or else the newest, whose server time is known

	moves atomic.Int64 // when a chart moves on by a column, in nanoseconds since 1970; 0: there is nothing to move
}

const (
	figureRest = time.Second / 2 // how long percentiles stay as they are, so that they can be read
	calmTime   = 2 * time.Second // a type whose calls ceased for so long gives way to that of the newest call
	usualSpan  = 1               // a minute
)

// settle chooses the type. chosen is the call that was chosen by hand, 0 without one.
func (u *subject) settle(s *scene, chosen int) {
	j, was := s.session.Journal(), u.chosen
	u.chosen = chosen
	newest := s.shown.Type
	if s.shown.Number > 0 && (s.shown.Kind == console.KindCast || j.Timing(newest, 0).Calls == 0) {
		newest = j.Timing("", 0).Type // casts have no timing, nor has what runs for the first time
	}
	switch {
	case chosen != was && chosen != 0:
		u.typ, u.held = newest, false
	case u.held:
	case u.typ == "", chosen != was, chosen == 0 && newest != u.typ && u.calm(s):
		u.typ = newest
	}
}

// calm says whether the calls of the type have ceased, compared with the newest call.
func (u *subject) calm(s *scene) bool {
	p := s.session.Journal().Timing(u.typ, 1).Points
	return len(p) == 0 || s.shown.Started.Add(s.elapsed(s.shown)).Sub(p[0].At) >= calmTime
}

// follow lets the subject be what a command from here was about; nil if it was not one call.
func (u *subject) follow(e *console.Entry) {
	switch {
	case e == nil && !u.held:
		u.typ = "" // the type that finished last
	case e != nil && e.Kind != console.KindCast:
		u.typ, u.held = e.Type, false
	}
}

// step chooses the type after this one, or before it, in the order of their names.
func (u *subject) step(s *scene, by int) {
	all := s.session.Journal().Timed()
	for i, typ := range all {
		if typ == u.typ {
			u.typ, u.held = all[(i+by+len(all))%len(all)], true
			return
		}
	}
}

// stretch chooses a longer or a shorter stretch of time.
func (u *subject) stretch(by int) {
	u.span = min(max(u.span+by, 0), len(console.Spans)-1)
}

// spanText names the stretch of time: "60 s", "5 min".
func (u *subject) spanText() string {
	return [...]string{"10 s", "60 s", "5 min", "1 h"}[u.span]
}

// read takes what is told of the type. It is called when something changed.
func (u *subject) read(s *scene, chosen int) {
	u.settle(s, chosen)
	j := s.session.Journal()
	u.live = j.Timing(u.typ, 0)
	switch {
	case u.live.Type != u.figures.Type:
		u.figures, u.since, u.bands = u.live, time.Time{}, j.Spectrum(u.typ)
	case u.live.Calls != u.figures.Calls && s.now.Sub(u.since) >= figureRest:
		u.figures, u.since, u.bands = u.live, s.now, j.Spectrum(u.typ)
	}
	u.watches = s.session.Watches()
	u.price(s)
}

// price finds the server's own time and how it is called.
func (u *subject) price(s *scene) {
	u.field, u.cost = "", console.Entry{}
	if !u.live.HasServer {
		return
	}
	u.cost = u.newestCost(s)
	if u.field = s.session.ServerTimeField(u.live.Type); u.field == "" {
		u.field = "server"
		if !u.cost.HasServer && u.cost.Trace.Timed {
			u.field = "handler"
		}
	}
	u.field = console.Printable(u.field)
}

func (u *subject) newestCost(s *scene) console.Entry {
	if _, known := s.shown.ServerTime(); known && s.shown.Type == u.live.Type {
		return s.shown
	}
	for i := len(s.tail) - 1; i >= 0; i-- {
		if e := s.tail[i]; e.Type == u.live.Type {
			if _, known := e.ServerTime(); known {
				return e
			}
		}
	}
	return console.Entry{}
}

// columns are the calls in the stretch of time, one bucket for each of n columns; nil without a call in it.
func (u *subject) columns(s *scene, n int) []console.Bucket {
	if n < 1 || u.live.Calls == 0 {
		return nil
	}
	all := s.session.Journal().Window(u.live.Type, console.Spans[u.span], n, s.now)
	for _, b := range all {
		if b.Count > 0 {
			return all
		}
	}
	return nil
}

// drift tells the feed when the columns move on. Without motion they stand until something happens.
func (u *subject) drift(s *scene, all []console.Bucket) {
	at := int64(0)
	if s.motion && len(all) > 0 {
		last := all[len(all)-1]
		at = last.Start.Add(last.Span).UnixNano()
	}
	u.moves.Store(at)
}

// good is how many calls have a duration.
func (u *subject) good() int { return u.figures.Calls - u.figures.Failed }

// fewCalls are too few for a rate.
const fewCalls = 5

// tally counts what is in columns, and says how many a second that is: from the first of them on, since what was before it was no rest. 0 for too few.
func tally(all []console.Bucket, now time.Time) (calls, failed int, rate float64) {
	var first time.Time
	for _, b := range all {
		if calls == 0 && b.Count > 0 {
			first = b.Start
		}
		calls, failed = calls+b.Count, failed+b.Failed
	}
	if took := now.Sub(first).Seconds(); calls >= fewCalls && took > 0 {
		rate = float64(calls) / took
	}
	return calls, failed, rate
}
