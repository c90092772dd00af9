package console

import (
	"context"
	"fmt"
	"strings"
	"time"
)

func diffCommands() []*command {
	return []*command{{
		name: "diff", group: "Journal", args: "[A] [B]", pipe: true,
		help: "what differs between two calls",
		long: "Without numbers the last two are compared, with one number that call and the last. - is what only the first has, + what only the second has. What was\n" +
			"sent and how it ended is shown where it differs.",
		examples: []string{"diff 125 128", "diff 125", "diff"},
		max:      2, run: runDiff, check: checkDiff, complete: completeNumber,
	}}
}

// diffed are the two entries that a line compares.
func (s *Session) diffed(a *args) (from, to Entry, err error) {
	first, second := a.word(0), a.word(1)
	if last := s.journal.Last(); first.text == "" {
		if last < 2 {
			return from, to, a.fault(ExitUsage, first.at, "there are no two calls yet", "as in: diff 1 2")
		}
		first.text = fmt.Sprint(last - 1)
	}
	for _, w := range []struct {
		word word
		e    *Entry
	}{{first, &from}, {second, &to}} {
		if *w.e, err = s.number(a, w.word); err != nil {
			return from, to, err
		}
		switch {
		case w.e.State == Running:
			return from, to, a.fault(ExitUsage, w.word.at, fmt.Sprintf("#%d is still running", w.e.Number), "")
		case w.e.Dropped:
			return from, to, a.fault(ExitUsage, w.word.at, fmt.Sprintf("payload and reply of #%d are no longer kept", w.e.Number), "")
		}
	}
	return from, to, nil
}

func runDiff(_ context.Context, s *Session, a *args) (Result, error) {
	from, to, err := s.diffed(a)
	if err != nil {
		return Result{}, err
	}
	v := diffJSON{Kind: "diff", From: from.Number, To: to.Number, Equal: true, RTT: []int64{int64(from.Trace.RTT), int64(to.Trace.RTT)}}
	for _, part := range diffSections(&from, &to) {
		v.Equal = v.Equal && part.equal
		var lines []string
		for _, l := range part.lines {
			lines = append(lines, l.String())
		}
		switch part.name {
		case "request":
			v.Request = lines
		case "state":
			v.State = lines
		case "reply":
			v.Reply = lines
		}
	}
	diff := []DiffLine{{DiffHead, fmt.Sprintf("#%d and #%d are equal", from.Number, to.Number)}}
	if !v.Equal {
		diff = DiffEntries(from, to)
	}
	for _, row := range strings.Split(s.timesBeside(&from, &to), "\n") {
		diff = append(diff, DiffLine{DiffHead, row})
	}
	lines := make([]string, len(diff))
	for i, l := range diff {
		lines[i] = l.String()
	}
	return Result{Text: strings.Join(lines, "\n"), Diff: diff, Value: v}, nil
}

// timesBeside are the times of two calls side by side, and by how much the second took longer.
func (s *Session) timesBeside(from, to *Entry) string {
	ascii := s.ascii()
	t := table{right: map[int]bool{1: true, 2: true, 3: true}}
	t.add("", fmt.Sprintf("#%d", from.Number), fmt.Sprintf("#%d", to.Number), "")
	row := func(name string, a, b time.Duration, haveA, haveB bool) {
		cells := []string{name, "-", "-", ""}
		if haveA {
			cells[1] = Duration(a, ascii)
		}
		if haveB {
			cells[2] = Duration(b, ascii)
		}
		if haveA && haveB && a != b {
			cells[3] = Duration(b-a, ascii)
			if b > a {
				cells[3] = "+" + cells[3]
			}
		}
		t.add(cells...)
	}
	row("rtt", from.Trace.RTT, to.Trace.RTT, from.Trace.RTT > 0, to.Trace.RTT > 0)
	first, second := partTimes(from), partTimes(to)
	for _, name := range []string{"client", "network", "wait", "queue", "handler", "server"} {
		a, haveA := first[name]
		b, haveB := second[name]
		if haveA || haveB {
			row(name, a, b, haveA, haveB)
		}
	}
	return t.String()
}

func partTimes(e *Entry) map[string]time.Duration {
	times := map[string]time.Duration{}
	for _, p := range Parts(*e, false) {
		times[p.Name] = p.Time
	}
	return times
}

func checkDiff(s *Session, a *args, typing bool) Hint {
	from, to, err := s.diffed(a)
	switch {
	case err == nil:
		return Hint{State: HintGood, Text: fmt.Sprintf("what differs between #%d and #%d", from.Number, to.Number)}
	case typing:
		return Hint{Text: a.command.usage()}
	}
	return badHint(err)
}
