package dash

import (
	"slices"
	"strings"
	"time"

	"github.com/rpckids/rpckids/console"
)

const durationWidth = 7

// durationCell formats a duration in seven cells.
func durationCell(d time.Duration, ascii bool) string { return console.DurationCell(d, ascii) }

// unknownCell stands for a duration that was not measured: a dash under the last digit.
const unknownCell = "   -   "

// nanos writes a duration as whole nanoseconds, "28 113 ns".
func nanos(d time.Duration) string { return console.Count(int(d)) + " ns" }

// cost writes a server's own time: to the nanosecond while that can be read at a glance, from a millisecond on as any other time.
func cost(d time.Duration, ascii bool) string {
	if d < time.Millisecond {
		return nanos(d)
	}
	return short(d, ascii)
}

// part is a share of the time of a call.
type part struct {
	name string
	time time.Duration
	kind partKind

	text    string // its time as shown
	percent int
}

type partKind int

const (
	partClient partKind = iota
	partWait
	partNetwork
	partServer
	partQueue
	partHandler
	partFirst   // until the first item of a stream
	partItems   // from there to the end
	partSending // of an upload
	partReply
	partNothing // time in which nothing came
)

// partKinds are the parts by the names that the console gives them.
var partKinds = map[string]partKind{"client": partClient, "wait": partWait, "network": partNetwork, "server": partServer, "queue": partQueue, "handler": partHandler,
	"first item": partFirst, "items": partItems, "sending": partSending, "reply": partReply}

// parts splits the time of a finished entry by where it went.
func parts(e console.Entry) []part {
	t := e.Trace
	_, in := t.Sizes()
	switch {
	case e.Kind == console.KindCast:
		return []part{{name: "client", time: t.RTT, kind: partClient}}
	case e.State == console.Failed && in == 0:
		ps := []part{{name: "client", time: t.Client, kind: partClient}, {name: "wait", time: max(t.RTT-t.Client, 0), kind: partNothing}}
		return slices.DeleteFunc(ps, func(p part) bool { return p.time == 0 })
	}
	var ps []part
	for _, p := range console.Parts(e, false) {
		ps = append(ps, part{name: p.Name, time: p.Time, kind: partKinds[p.Name]})
	}
	return ps
}

// soFar splits the time of a stream that runs.
func soFar(e console.Entry, took time.Duration) []part {
	first := min(e.FirstAfter(), took)
	return []part{{name: "first item", time: first, kind: partFirst}, {name: "items", time: took - first, kind: partItems}}
}

// label writes the times and percentages of the parts so that they add up: the largest part takes what rounding leaves.
func label(ps []part, total time.Duration, ascii bool) {
	largest := 0
	for i, p := range ps {
		if p.time > ps[largest].time {
			largest = i
		}
	}
	rest, percent := total, 100
	for i := range ps {
		if i != largest && total > 0 {
			shown := digits(ps[i].time)
			ps[i].text, ps[i].percent = short(shown, ascii), int((200*ps[i].time+total)/(2*total))
			rest, percent = rest-shown, percent-ps[i].percent
		}
	}
	if len(ps) > 0 {
		ps[largest].text, ps[largest].percent = short(max(rest, 0), ascii), max(percent, 0)
	}
}

// digits rounds a duration to what a legend shows of it: two decimals below 10 of its unit, none from 10 up.
func digits(d time.Duration) time.Duration {
	unit := time.Nanosecond
	for _, u := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if 2*d >= 2*u-u/1000 {
			unit = u
			break
		}
	}
	if unit > 1 && d < 10*unit {
		return d.Round(unit / 100)
	}
	return d.Round(unit)
}

// short formats a part without decimals that say nothing.
func short(d time.Duration, ascii bool) string {
	s := console.Duration(d, ascii)
	return strings.Replace(strings.Replace(s, ".00 ", " ", 1), ".0 ", " ", 1)
}

// cells shares w cells among the parts: each part above zero gets at least one, and the largest what is left over.
func cells(ps []part, w int) []int {
	out := make([]int, len(ps))
	var total time.Duration
	for _, p := range ps {
		total += p.time
	}
	if total <= 0 || w <= 0 {
		return out
	}
	used, largest := 0, 0
	for i, p := range ps {
		out[i] = int(float64(p.time) / float64(total) * float64(w))
		if p.time > 0 && out[i] == 0 {
			out[i] = 1
		}
		used += out[i]
		if p.time > ps[largest].time {
			largest = i
		}
	}
	out[largest] = max(out[largest]+w-used, 0)
	return out
}

func unit(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func count(n int, word string) string { return console.Count(n) + " " + unit(n, word) }
