package dash

import (
	"slices"

	"github.com/rpckids/rpckids/console"
)

// sieve holds which of the calls that are kept a filter takes. Each call is looked at once when it has ended, and a running one again and again: at any rate a
// frame costs no more than what is new.
type sieve struct {
	filter console.CallFilter
	found  []int // numbers, the oldest first
	open   []int // of those that were looked at while they ran, taken or not
	upto   int   // the newest that was looked at
	serial int   // counts filters
	errand errand
	behind bool // calls are being looked at beside the program
}

const (
	journalHeld = 1000    // as many as the journal keeps
	siftNow     = 2 << 20 // bytes of payloads that are looked through at once
)

// set takes another filter.
func (v *sieve) set(f console.CallFilter) {
	*v = sieve{filter: f, serial: v.serial + 1, errand: v.errand}
}

// sift looks at what is new.
func (v *sieve) sift(s *scene) {
	if v.behind {
		return
	}
	j := s.session.Journal()
	fresh := j.Tail(min(s.last-v.upto, journalHeld), s.last)
	for _, n := range v.open {
		if e, ok := j.Entry(n); ok {
			fresh = append(fresh, e)
		}
	}
	if size := bytesOf(fresh); size <= siftNow {
		v.take(fresh, taken(v.filter, fresh), s.last)
		return
	}
	v.behind = true
	serial, filter, last := v.serial, v.filter, s.last
	v.errand.send(s, func() func() {
		some := taken(filter, fresh)
		return func() {
			if serial == v.serial {
				v.behind = false
				v.take(fresh, some, last)
			}
		}
	})
}

func bytesOf(entries []console.Entry) (n int) {
	for i := range entries {
		n += len(entries[i].Payload) + len(entries[i].Result)
	}
	return n
}

func taken(f console.CallFilter, entries []console.Entry) []bool {
	out := make([]bool, len(entries))
	for i := range entries {
		out[i] = f.Match(&entries[i])
	}
	return out
}

// take puts calls that were looked at where they belong.
func (v *sieve) take(entries []console.Entry, some []bool, last int) {
	v.open = v.open[:0]
	for i := range entries {
		n := entries[i].Number
		at, there := slices.BinarySearch(v.found, n)
		switch {
		case some[i] && !there:
			v.found = slices.Insert(v.found, at, n)
		case !some[i] && there:
			v.found = slices.Delete(v.found, at, at+1)
		}
		if entries[i].State == console.Running {
			v.open = append(v.open, n)
		}
	}
	v.upto = last
	kept, _ := slices.BinarySearch(v.found, last-journalHeld+1)
	v.found = slices.Delete(v.found, 0, kept)
}

// tail returns up to n of them that end at number end.
func (v *sieve) tail(j *console.Journal, n, end int) []console.Entry {
	at, there := slices.BinarySearch(v.found, end)
	if there {
		at++
	}
	var out []console.Entry
	for _, number := range v.found[max(at-n, 0):at] {
		if e, ok := j.Entry(number); ok {
			out = append(out, e)
		}
	}
	return out
}

// newest is the newest of them, 0 without any.
func (v *sieve) newest() int {
	if len(v.found) == 0 {
		return 0
	}
	return v.found[len(v.found)-1]
}

// step is the one n places from a number, as far as there are any.
func (v *sieve) step(number, n int) int {
	if len(v.found) == 0 {
		return 0
	}
	at, _ := slices.BinarySearch(v.found, number)
	return v.found[min(max(at+n, 0), len(v.found)-1)]
}

// nearest is the number itself, or the next older one that is among them, or the oldest.
func (v *sieve) nearest(number int) int {
	at, there := slices.BinarySearch(v.found, number)
	switch {
	case len(v.found) == 0:
		return 0
	case there || at == 0:
		return v.found[at]
	}
	return v.found[at-1]
}
