package dash

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

// jq is the filter of Result: what it makes of each reply is shown in place of the reply. It runs beside the program, one run at a time, and each run may take
// console.LiveFilter while it is being typed.
type jq struct {
	box    box
	text   string   // the filter in force; "" with an open box: the reply as it is
	on     bool     // the box has its row
	err    error    // of the last run, or of the text as it stands
	stop   func()   // ends the run that is out
	errand errand   // one run at a time
	offers []string // what tab offers, and what has been offered
	offer  int      // the one in the line; -1: none yet
	from   int      // byte offset of what is replaced
	values int      // of that run
}

// run has the filter applied to payloads; shown is called when there are values.
func (q *jq) run(s *scene, payloads []json.RawMessage, shown func(document)) {
	if q.stop != nil {
		q.stop()
	}
	ctx, stop := context.WithCancel(context.Background())
	q.stop = stop
	text, session := q.text, s.session
	q.errand.send(s, func() func() {
		defer stop()
		limited, cancel := context.WithTimeout(ctx, console.LiveFilter)
		defer cancel()
		values, err := apply(limited, session, text, payloads)
		doc := newDocument(values...)
		return func() {
			if ctx.Err() != nil && text != q.text {
				return // another one is wanted
			}
			if q.err = err; err != nil && len(values) == 0 {
				return // what was there stays: half a filter is wrong more often than not
			}
			q.values = len(values)
			shown(doc)
		}
	})
}

// apply runs a filter over payloads one after the other.
func apply(ctx context.Context, s *console.Session, text string, payloads []json.RawMessage) (all []json.RawMessage, err error) {
	f, err := s.CompileFilter(text)
	if err != nil {
		return nil, err
	}
	const most = 1000
	for _, p := range payloads {
		values, err := f.Run(ctx, p)
		all = append(all, values...)
		if err != nil || len(all) > most {
			return all, err
		}
	}
	return all, nil
}

// drop ends it: the reply is shown again.
func (q *jq) drop() {
	if q.stop != nil {
		q.stop()
	}
	q.text, q.on, q.err, q.stop = "", false, nil, nil
}

// reason is why there is no result; "" when there is one.
func (q *jq) reason() string {
	if q.err == nil || errors.Is(q.err, context.Canceled) {
		return ""
	}
	message := console.Printable(asError(q.err).Message)
	if _, why, found := strings.Cut(message, " failed: "); found {
		return why // which filter is seen in the row above
	}
	return message
}

// complete puts in what tab offers next, as it would behind `rerun 128 |`.
func (q *jq) complete(s *console.Session, number, step int) {
	if len(q.offers) == 0 {
		before := "rerun " + strconv.Itoa(number) + " | "
		found := s.Complete(before+q.box.String(), len(before)+q.box.edit.offset())
		if found.From < len(before) || len(found.Offers) == 0 {
			return
		}
		q.from, q.offer = found.From-len(before), -1
		if step < 0 {
			q.offer = 0
		}
		for _, o := range found.Offers {
			q.offers = append(q.offers, o.Text)
		}
	}
	q.offer = (q.offer + step + len(q.offers)) % len(q.offers)
	line, at := q.box.String(), q.box.edit.offset()
	q.box.edit.set(line[:q.from] + q.offers[q.offer])
	end := q.box.edit.at
	q.box.edit.insert([]rune(line[at:]))
	q.box.edit.at = end
}

// key edits the filter; changed says that there is another one to run.
func (q *jq) key(s *console.Session, number int, msg tea.KeyMsg) (changed bool) {
	switch msg.String() {
	case "tab":
		q.complete(s, number, 1)
	case "shift+tab":
		q.complete(s, number, -1)
	default:
		q.offers = nil
		done, keep := q.box.key(msg)
		if done && (!keep || q.box.String() == "") {
			q.drop()
			return true
		}
	}
	changed = q.text != q.box.String()
	q.text = q.box.String()
	return changed
}
