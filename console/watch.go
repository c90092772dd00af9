package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rpckids/rpckids/internal/shape"
)

const (
	watchKeep = 512 // values of each watch
	watchMost = 20  // watches at once
)

// Watch is a number of a reply that is pinned: what it was in the latest replies. It is a snapshot.
type Watch struct {
	Name             string // as it was typed: exp_res.costInNanos; safe for a terminal
	Type             string // of the reply
	Path             string // in it: .costInNanos
	Count            int    // how many values came; the newest 512 are in Values
	Values           []Sample
	Min, Median, Max Number // of Values, exact: the median is the lower one where two are in the middle. Meaningful only with Values
}

// Sample is a value of a Watch, and when its reply came.
type Sample struct {
	At    time.Time
	Value Number
}

// Number is a number of a reply as it stood there, so that 64-bit integers stay exact.
type Number struct {
	text  string
	whole int64
	float float64
	exact bool // whole holds it
}

// parseNumber reads a JSON number; ok is false for any other JSON.
func parseNumber(raw []byte) (n Number, ok bool) {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return n, false
	}
	n.text = string(raw)
	var err error
	if n.whole, err = strconv.ParseInt(n.text, 10, 64); err == nil {
		n.float, n.exact = float64(n.whole), true
		return n, true
	}
	n.float, err = strconv.ParseFloat(n.text, 64)
	if len(n.text) > 24 {
		n.text = strconv.FormatFloat(n.float, 'g', -1, 64)
	}
	return n, err == nil && !math.IsInf(n.float, 0)
}

// String is the number with the digits it came with.
func (n Number) String() string { return n.text }

// Float is the number for a chart.
func (n Number) Float() float64 { return n.float }

// MarshalJSON writes the number as it came.
func (n Number) MarshalJSON() ([]byte, error) {
	if n.text == "" {
		return []byte("null"), nil
	}
	return []byte(n.text), nil
}

func (n Number) compare(m Number) int {
	if n.exact && m.exact {
		return cmp.Compare(n.whole, m.whole)
	}
	return cmp.Compare(n.float, m.float)
}

// watches are what a session pins. Safe for concurrent use; feeding them costs nothing while there are none.
type watches struct {
	mu   sync.Mutex // protects the fields below
	list []*pinned  // in the order they were made
}

// pinned is one watch as it grows.
type pinned struct {
	name, typ string
	path      shape.Path
	count     int
	ring      []Sample // value n stands at n % watchKeep
}

// add makes a watch; ok is false when there are too many.
func (w *watches) add(p *pinned) (ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.list) == watchMost {
		return false
	}
	w.list = append(w.list, p)
	return true
}

// remove forgets the watch of that name, "all" forgets all; it returns how many there were.
func (w *watches) remove(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := len(w.list)
	w.list = slices.DeleteFunc(w.list, func(p *pinned) bool { return name == "all" || p.name == name })
	return before - len(w.list)
}

// feed takes a payload of a reply type.
func (w *watches) feed(typ string, payload json.RawMessage, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.list {
		if p.typ == typ {
			p.feed(payload, at)
		}
	}
}

// entry takes what an entry brought when it finishes. Of a stream each item was fed as it came.
func (w *watches) entry(e *Entry) {
	if e.State == OK && !e.Kind.Streams() && !e.Dropped {
		w.feed(e.ReplyType, e.Result, e.Started.Add(e.Trace.RTT))
	}
}

func (p *pinned) feed(payload json.RawMessage, at time.Time) {
	raw, ok := p.path.Lookup(payload)
	if !ok {
		return
	}
	n, ok := parseNumber(raw)
	if !ok {
		return
	}
	if len(p.ring) < watchKeep {
		p.ring = append(p.ring, Sample{})
	}
	p.ring[p.count%watchKeep] = Sample{at, n}
	p.count++
}

func (p *pinned) snapshot() Watch {
	w := Watch{Name: Printable(p.name), Type: p.typ, Path: p.path.String(), Count: p.count}
	if len(p.ring) == 0 {
		return w
	}
	oldest := 0
	if p.count > watchKeep {
		oldest = p.count % watchKeep
	}
	w.Values = append(slices.Clone(p.ring[oldest:]), p.ring[:oldest]...)
	sorted := slices.Clone(w.Values)
	slices.SortFunc(sorted, func(a, b Sample) int { return a.Value.compare(b.Value) })
	w.Min, w.Median, w.Max = sorted[0].Value, sorted[(len(sorted)-1)/2].Value, sorted[len(sorted)-1].Value
	return w
}

// Watches returns what is pinned, in the order it was; nil for nothing.
func (s *Session) Watches() []Watch {
	s.pins.mu.Lock()
	defer s.pins.mu.Unlock()
	var all []Watch
	for _, p := range s.pins.list {
		all = append(all, p.snapshot())
	}
	return all
}

// pin makes a watch of a word like exp_res.costInNanos and fills it with what the journal still has.
func (s *Session) pin(a *args, w word) (*pinned, error) {
	p, err := s.parsePin(a, w)
	if err != nil {
		return nil, err
	}
	for _, e := range s.journal.Tail(journalKeep, 0) {
		if e.State == OK && e.ReplyType == p.typ && !e.Dropped && !e.Kind.Streams() {
			p.feed(e.Result, e.Started.Add(e.Trace.RTT))
		}
	}
	if !s.pins.add(p) {
		return nil, a.fault(ExitUsage, w.at, Count(watchMost)+" fields are watched already", "`watch rm NAME` makes room")
	}
	return p, nil
}

// parsePin reads a word like exp_res.costInNanos: the type of a reply and a path in it. The name of a type may hold dots, so one that is known goes first.
func (s *Session) parsePin(a *args, w word) (*pinned, error) {
	at := strings.IndexAny(w.text, ".[")
	for _, name := range s.replyTypes() {
		if rest, ok := strings.CutPrefix(w.text, name); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			at = max(at, len(name))
			if rest == "" {
				at = len(w.text)
			}
		}
	}
	if at < 0 {
		at = len(w.text)
	}
	p := &pinned{name: w.text, typ: w.text[:at]}
	if p.typ == "" {
		return nil, a.fault(ExitUsage, w.at, "the type of the reply is missing", "as in: watch exp_res.costInNanos")
	}
	var err error
	if p.path, err = shape.ParsePath(w.text[at:]); err != nil {
		e, _ := errors.AsType[*shape.ParseError](err)
		return nil, a.fault(ExitUsage, w.at+at+e.At, e.Text, "as in: watch exp_res.costInNanos or list_res.items[0].n")
	}
	sh := s.watchable(p.typ)
	if sh == nil {
		return p, nil // it may come
	}
	found, ok := sh.At(p.path)
	switch {
	case !ok:
		return nil, a.fault(ExitUsage, w.at+at, Printable(p.typ+" has nothing at "+p.path.String()), "it is "+shorten(Printable(sh.String()), 200))
	case !numeric(found):
		return nil, a.fault(ExitUsage, w.at+at, Printable(w.text+" is no number: "+found.Brief()), s.numbersHint(p.typ, sh))
	}
	return p, nil
}

func numeric(sh *shape.Shape) bool {
	return sh.Integer() || sh.Kind() == shape.Float32 || sh.Kind() == shape.Float64 || sh.Kind() == shape.Any
}

func (s *Session) numbersHint(typ string, sh *shape.Shape) string {
	if paths := numberPaths(sh, "", 5, 3); len(paths) > 0 {
		return "as in: watch " + typ + paths[0]
	}
	return "it has no number"
}

// numberPaths are the paths to the numbers of a shape, at most so many, and so deep.
func numberPaths(sh *shape.Shape, base string, most, depth int) []string {
	if numeric(sh) && sh.Kind() != shape.Any {
		return []string{base}
	}
	var paths []string
	for _, f := range sh.Fields() {
		if depth > 0 && len(paths) < most && f.Name != "" && clean(f.Name) {
			step, err := shape.ParsePath("[" + quoted(f.Name) + "]")
			if err == nil {
				paths = append(paths, numberPaths(f.Shape, base+step.String(), most-len(paths), depth-1)...)
			}
		}
	}
	return paths
}

// watchable is the shape of a reply type: known, or seen last; nil for neither.
func (s *Session) watchable(typ string) *shape.Shape {
	if t, ok := s.answerType(typ); ok {
		return t.shape
	}
	for _, e := range slices.Backward(s.journal.Tail(200, 0)) {
		if e.State == OK && e.ReplyType == typ && e.Result != nil {
			return shape.Infer(e.Result)
		}
	}
	return nil
}

// replyTypes are the reply types that are known or were seen.
func (s *Session) replyTypes() []string {
	names := s.replies()
	for _, e := range s.journal.Tail(200, 0) {
		if e.State == OK && len(e.ReplyType) <= maxType && e.ReplyType != "" {
			names = append(names, e.ReplyType)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// shapeAt is the short form of the shape at a path.
func shapeAt(sh *shape.Shape, path string) (brief string, ok bool) {
	p, err := shape.ParsePath(path)
	if err != nil {
		return "", false
	}
	at, ok := sh.At(p)
	if !ok {
		return "", false
	}
	return Printable(at.Brief()), true
}
