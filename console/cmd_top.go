package console

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// topEvery is how often a server is asked how it is, leastEvery how often it can be.
const (
	topEvery   = time.Second
	leastEvery = 100 * time.Millisecond
)

func topCommands() []*command {
	return []*command{{
		name: "top", group: "Connection", args: "[SERVER]", pipe: true,
		help: "how the server is: what it does, and what it refuses",
		long: "It asks the server itself, with the call !health, which is answered however\n" +
			"busy it is; only an rpckids server has it. On a terminal the table is written\n" +
			"anew every second until ctrl+c; elsewhere, and with a filter, it asks once.\n" +
			"Rates are of the time between two answers. The questions are calls, too: one\n" +
			"a second is its own.\n\n" +
			"Where there are several servers, SERVER is the number of one or its address,\n" +
			"as `peers` shows them; otherwise it is the first that is up. It gets a\n" +
			"connection of its own as long as it is asked. In the dashboard the pane\n" +
			"Server shows the same.",
		examples: []string{"top", "top 2", "top --every 500ms", "top -n 1", "top | .refusals"},
		flags:    []flag{{"every", "D", "between two questions, 1s unless given"}, {"n", "N", "ask so often"}},
		max:      1, run: runTop, check: checkTop, complete: completeTop,
	}}
}

// topWish is what was asked for.
type topWish struct {
	every time.Duration
	times int // 0: until the person ends it
}

func (s *Session) topWish(a *args) (w topWish, err error) {
	w.every = topEvery
	if d, ok := a.flags["every"]; ok {
		if w.every, err = parseTimeout(d.text); err != nil {
			return w, a.at(d, err)
		}
		if w.every < leastEvery || w.every > time.Hour {
			return w, a.fault(ExitUsage, d.at, "--every is a time from "+benchTime(leastEvery)+" to 1h", "as in: top --every 500ms")
		}
	}
	if n, ok := a.flags["n"]; ok {
		if w.times, err = strconv.Atoi(n.text); err != nil || w.times < 1 || w.times > 1_000_000 {
			return w, a.fault(ExitUsage, n.at, "-n is a number from 1 to 1 000 000", "as in: top -n 10")
		}
		if a.filter != nil && w.times > 1 {
			return w, a.fault(ExitUsage, n.at, "a filter is for one answer", "without it: top -n "+n.text)
		}
	}
	if p := a.word(0); p.text != "" {
		m := Monitor{session: s, server: p.text}
		if peers := s.Peers(); peers != nil {
			if _, err := m.pick(peers); err != nil {
				return w, a.at(p, err)
			}
		}
	}
	return w, nil
}

func runTop(ctx context.Context, s *Session, a *args) (Result, error) {
	w, err := s.topWish(a)
	if err != nil {
		return Result{}, err
	}
	show := a.talk.Top
	live := show != nil && a.talk.Live && !s.cfg.Script && a.filter == nil
	if a.filter != nil {
		show = nil
	}
	if w.times == 0 && !live {
		w.times = 1
	}
	m := s.Monitor(a.word(0).text)
	defer m.Close()
	t, err := m.follow(ctx, w, live, show)
	if t.At.IsZero() || err != nil {
		return Result{}, err
	}
	r := Result{Top: &t}
	if show == nil || live {
		r.Text = t.Text(s.ascii())
	}
	if show == nil {
		r.Value = newTopJSON(&t)
	}
	return r, nil
}

// follow asks as often as was wished for, until ctx ends, which is no failure once there was an answer. A server that is shown live may be away for a while.
func (m *Monitor) follow(ctx context.Context, w topWish, live bool, show func(Top) error) (t Top, err error) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	if live {
		defer func() {
			if !t.At.IsZero() {
				t.Done = true
				_ = show(t) // it only takes away what stands there
			}
		}()
	}
	for n := 1; ; n++ {
		next := m.Next(ctx)
		if ctx.Err() != nil && !t.At.IsZero() {
			return t, nil
		}
		if next.Err != nil && (!live || next.At.IsZero()) {
			return t, next.Err
		}
		t = next
		t.Every = w.every
		if show != nil {
			if err := show(t); err != nil {
				return t, err
			}
		}
		if n == w.times {
			return t, nil
		}
		select {
		case <-ctx.Done():
			return t, nil
		case <-tick.C:
		}
	}
}

func checkTop(s *Session, a *args, typing bool) Hint {
	if _, err := s.topWish(a); err != nil {
		if typing {
			return Hint{Text: a.command.usage()}
		}
		return badHint(err)
	}
	return Hint{State: HintGood, Text: a.command.help}
}

func completeTop(s *Session, _ *args, _ word) []Offer {
	peers := s.Peers()
	if len(peers) < 2 {
		return nil
	}
	var items []Offer
	for _, p := range peers {
		items = append(items, Offer{strconv.Itoa(p.Number), fmt.Sprintf("%s %s", Printable(p.Address), Printable(p.State))})
	}
	return items
}
