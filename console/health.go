package console

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// Health is what a server says about itself: all of it is untrusted, texts and numbers alike. Counts of events are since it started.
type Health struct {
	Server    string    // the address that answered
	At        time.Time // when the answer came
	Status    string    // "serving" or "draining"
	Name, Go  string    // what it is, and the version of Go it was built with
	Protocols []string  // "v1", "v2"
	Uptime    time.Duration

	Connections, V1, V2                 int // open, and those that speak a version; the rest has not spoken yet
	Running, Queued, Streams            int // handlers at work; calls that wait for a worker; streams
	InFlight, Limit                     int // those three together, and how many there may be
	Workers                             int
	Calls, Failed, Canceled, Panics     uint64
	Refused                             uint64            // calls
	Refusals                            map[string]uint64 // of calls and connections, by reason
	Accepted                            uint64            // connections
	BytesIn, BytesOut, Heap, Goroutines uint64
}

// Draining says whether the server takes nothing new.
func (h *Health) Draining() bool { return h.Status == "draining" }

// Silent is how many connections have not spoken yet.
func (h *Health) Silent() int { return max(h.Connections-h.V1-h.V2, 0) }

const (
	mostNumber  = 1_000_000_000_000_000 // no server has more of anything; what says so is taken at this
	mostReasons = 32
	mostWord    = 40 // cells of a name in an answer
)

// tame makes of an answer what can be shown and counted with: texts are safe for a terminal and short, numbers are not negative and not absurd.
func (h *Health) tame() {
	for _, s := range []*string{&h.Server, &h.Status, &h.Name, &h.Go} {
		*s = shorten(Printable(*s), mostWord)
	}
	h.Status = or(h.Status, "-")
	h.Protocols = slices.Clone(h.Protocols[:min(len(h.Protocols), 4)])
	for i := range h.Protocols {
		h.Protocols[i] = shorten(Printable(h.Protocols[i]), 8)
	}
	for _, n := range []*int{&h.Connections, &h.V1, &h.V2, &h.Running, &h.Queued, &h.Streams, &h.InFlight, &h.Limit, &h.Workers} {
		*n = min(max(*n, 0), mostNumber)
	}
	for _, n := range []*uint64{&h.Calls, &h.Failed, &h.Canceled, &h.Panics, &h.Refused, &h.Accepted, &h.BytesIn, &h.BytesOut, &h.Heap, &h.Goroutines} {
		*n = min(*n, mostNumber)
	}
	h.Uptime = max(h.Uptime, 0)
	h.tameRefusals()
}

// tameRefusals keeps the most frequent reasons.
func (h *Health) tameRefusals() {
	type reason struct {
		name string
		n    uint64
	}
	var all []reason
	for name, n := range h.Refusals {
		all = append(all, reason{name, min(n, mostNumber)})
	}
	slices.SortFunc(all, func(a, b reason) int {
		return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.name, b.name))
	})
	h.Refusals = map[string]uint64{}
	for _, r := range all[:min(len(all), mostReasons)] {
		h.Refusals[or(shorten(Printable(r.name), mostWord), "-")] = r.n
	}
}

// Top is how a server is and what it does in a second, as `top` shows it. It is a snapshot that never changes; its texts are safe for a terminal.
type Top struct {
	Health
	Number, Of int           // which of how many servers it is; Of is 0 where there is only one
	Over       time.Duration // what the rates are about; 0 while there are none: it was asked for the first time, or has started anew
	Rates      TopRates
	Reasons    []TopReason   // of refusals, the most frequent first
	Paces      []float64     // calls in a second, of each time between two answers, oldest first
	Every      time.Duration // between two questions; 0: there is no next one
	Done       bool          // nobody asks any more
	Err        *Error        // why it could not be asked again: the figures are older then; nil: they are fresh
}

// TopRates are how many in a second.
type TopRates struct{ Calls, Failed, Canceled, Panics, Refused, BytesIn, BytesOut float64 }

// TopReason is why calls or connections were refused.
type TopReason struct {
	Name  string
	Count uint64
	Rate  float64
}

const topPaces = 240 // as many columns as a chart may have

// next is the picture after an answer. before is the one before it, of whatever server.
func (h Health) next(before *Top) Top {
	t := Top{Health: h}
	old := &before.Health
	if since := h.since(old); since > 0 {
		per := func(now, then uint64) float64 { return float64(now-min(now, then)) / since.Seconds() }
		t.Over = since
		t.Rates = TopRates{per(h.Calls, old.Calls), per(h.Failed, old.Failed), per(h.Canceled, old.Canceled), per(h.Panics, old.Panics), per(h.Refused, old.Refused),
			per(h.BytesIn, old.BytesIn), per(h.BytesOut, old.BytesOut)}
		t.Paces = append(slices.Clone(before.Paces[max(len(before.Paces)-topPaces+1, 0):]), t.Rates.Calls)
	}
	for name, n := range h.Refusals {
		r := TopReason{Name: name, Count: n}
		if t.Over > 0 {
			r.Rate = float64(n-min(n, old.Refusals[name])) / t.Over.Seconds()
		}
		t.Reasons = append(t.Reasons, r)
	}
	slices.SortFunc(t.Reasons, func(a, b TopReason) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Name, b.Name))
	})
	return t
}

// since is the time between two answers; 0 where they cannot be compared. The server's clock knows best, unless it says what cannot be.
func (h *Health) since(old *Health) time.Duration {
	if old.At.IsZero() || h.Server != old.Server || h.Uptime < old.Uptime || h.Calls < old.Calls {
		return 0
	}
	ours, its := h.At.Sub(old.At), h.Uptime-old.Uptime
	if its > 0 && its >= ours/2 && its/2 <= ours {
		return its
	}
	if ours < time.Millisecond {
		return 0 // nothing can be said of so short a time
	}
	return ours
}

// refusalWords say what the reasons of an rpckids server mean, in few words: name and words fit beside the table in 80 cells.
var refusalWords = map[string]string{
	"connections":                 "it takes no more",
	"connections of one address":  "too many",
	"in flight":                   "too many calls at once",
	"in flight on one connection": "too many",
	"queue full":                  "every worker is busy",
	"adaptive limit":              "calls grew slow",
	"rate":                        "somebody called too often",
	"deadline passed":             "before they ran",
	"draining":                    "it is about to stop",
	"unauthenticated":             "who calls is unknown",
	"permission denied":           "who calls may not",
	"not TLS":                     "it takes only TLS",
}

// RefusalText is a reason for which calls or connections were refused, with what it means where that is known.
func RefusalText(reason string) string {
	if words, ok := refusalWords[reason]; ok {
		return reason + ": " + words
	}
	return reason
}

// whole is a count as an int, for [Count].
func whole(n uint64) int { return int(min(n, math.MaxInt)) }
