package dash

import (
	"regexp"
	"sort"
	"strconv"

	"github.com/rpckids/rpckids/console"
)

// finder looks for a text in the document of Result. Letters are alike whether small or large.
type finder struct {
	box    box
	text   string
	of     *regexp.Regexp // nil: nothing is looked for
	found  []int          // the pieces that hold it, in order, each once
	more   bool           // there are more than were counted
	at     int            // the one that was gone to
	errand errand
	serial int // of the search that is wanted
	from   int // the line from which it began
}

const (
	mostFound = 10_000
	searchNow = 64 << 10 // bytes that are searched at once; larger documents are beside the program
)

// search looks for a text from line n of the document on; go is called with the first line when it is found.
func (f *finder) search(s *scene, d document, text string, n int, arrive func(line int)) {
	f.text, f.from = text, n
	f.serial++
	if text == "" {
		f.of, f.found = nil, nil
		return
	}
	f.of = regexp.MustCompile("(?i)" + regexp.QuoteMeta(text))
	if len(d.text) <= searchNow {
		f.found, f.more = findIn(d, f.of)
		f.arrive(arrive)
		return
	}
	f.found, f.more = nil, false
	serial, of := f.serial, f.of
	f.errand.send(s, func() func() {
		found, more := findIn(d, of)
		return func() {
			if serial == f.serial {
				f.found, f.more = found, more
				f.arrive(arrive)
			}
		}
	})
}

func (f *finder) arrive(arrive func(line int)) {
	if len(f.found) == 0 {
		return
	}
	f.at = sort.SearchInts(f.found, f.from) % len(f.found)
	arrive(f.found[f.at])
}

func findIn(d document, of *regexp.Regexp) (found []int, more bool) {
	last := -1
	for _, m := range of.FindAllStringIndex(d.text, mostFound+1) {
		if n := d.lineAt(m[0]); n != last {
			found, last = append(found, n), n
		}
		more = len(found) > mostFound
	}
	return found, more
}

// step goes to the next one, or the one before; -1 when there is none.
func (f *finder) step(n int) (line int) {
	if len(f.found) == 0 {
		return -1
	}
	f.at = (f.at + n + len(f.found)) % len(f.found)
	return f.found[f.at]
}

// drop ends the search.
func (f *finder) drop() {
	f.serial++
	f.text, f.of, f.found = "", nil, nil
}

// label says what is looked for and how often it is there.
func (f *finder) label() string {
	if f.of == nil {
		return ""
	}
	s := "/" + console.Printable(f.text) + " "
	switch {
	case f.errand.out:
		return s + "looking"
	case len(f.found) == 0:
		return s + "not found"
	}
	n := console.Count(len(f.found))
	if f.more {
		n += "+"
	}
	return s + strconv.Itoa(f.at+1) + " of " + n
}
