package console

import (
	"fmt"
	"sync"
	"time"
)

// Event is a line of the log: something that happened to the session and is no call.
type Event struct {
	Number int // counts from 1
	At     time.Time
	Kind   EventKind
	Text   string // one line, safe for a terminal
}

// EventKind says what an event tells.
type EventKind int

const (
	EventNotice EventKind = iota // a command said what it did
	EventUp                      // the connection is there again, or better than before
	EventLost                    // it is gone
	EventFailed                  // a command or a call failed
)

// Log keeps the latest events of a session. Safe for concurrent use.
type Log struct {
	ring func() // tells the faces

	mu      sync.Mutex // protects the fields below
	events  []Event    // a ring: number n stands at (n-1) % logKeep
	last    int
	of      Backend // whose stats were seen
	seen    Stats
	servers map[string]standing // by address; nil where there is one
}

const (
	logKeep = 500 // events; older ones are forgotten
	logText = 300 // cells of one
)

// Last returns the number of the newest event, 0 when there is none.
func (l *Log) Last() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Tail returns up to n events that end at number end, oldest first; end 0 means the newest.
func (l *Log) Tail(n, end int) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	if end <= 0 || end > l.last {
		end = l.last
	}
	first := max(end-n+1, l.last-logKeep+1, 1)
	tail := make([]Event, 0, max(end-first+1, 0))
	for i := first; i <= end; i++ {
		tail = append(tail, l.events[(i-1)%logKeep])
	}
	return tail
}

func (l *Log) add(kind EventKind, at time.Time, text string) {
	l.mu.Lock()
	l.addLocked(kind, at, text)
	l.mu.Unlock()
	l.ring()
}

func (l *Log) addLocked(kind EventKind, at time.Time, text string) {
	l.last++
	e := Event{l.last, at, kind, shorten(Printable(text), logText)}
	if len(l.events) < logKeep {
		l.events = append(l.events, e)
	} else {
		l.events[(e.Number-1)%logKeep] = e
	}
}

// command notes how a line ended: what it did, or why it failed.
func (l *Log) command(line string, r Result, err error) {
	switch {
	case err != nil && r.Entry != nil:
		l.add(EventFailed, time.Now(), fmt.Sprintf("#%d %s: %v", r.Entry.Number, r.Entry.Type, err))
	case err != nil:
		l.add(EventFailed, time.Now(), glimpse([]byte(Hushed(line)), 60)+": "+err.Error())
	case r.Notice:
		l.add(EventNotice, time.Now(), r.Text)
	}
}

// saw compares how a connection is doing with how it was doing when it was last looked at. peers are its servers, where it has several.
func (l *Log) saw(b Backend, now Stats, peers []Peer) {
	l.mu.Lock()
	before, known := l.seen, l.of == b
	l.of, l.seen = b, now
	if !known || len(peers) == 0 {
		l.servers = nil
	}
	at := now.Since
	if at.IsZero() {
		at = time.Now()
	}
	last := l.last
	if len(peers) > 0 {
		l.serversLocked(peers, time.Now())
	}
	if known {
		l.changedLocked(before, now, at, l.last != last)
	}
	rang := l.last != last
	l.mu.Unlock()
	if rang {
		l.ring()
	}
}

// changedLocked tells what has become of the connection as a whole; told: which of several servers it was is in the log.
func (l *Log) changedLocked(before, now Stats, at time.Time, told bool) {
	why, several := "", now.Servers > 1 // then Server, Since and Reconnects are those of any one
	if now.LastError != "" {
		why = ": " + now.LastError
	}
	switch {
	case several && now.State == Connected && (before.State == Connected || told):
	case several && now.State == Reconnecting && before.State == Connected:
		l.addLocked(EventLost, time.Now(), fmt.Sprintf("no connection to any of %d servers", now.Servers)+why)
	case now.State == Connected && (before.State != Connected || now.Reconnects > before.Reconnects):
		l.addLocked(EventUp, at, "connected again to "+or(now.Server, now.Target))
	case now.State == before.State:
	case now.State == Idle:
		l.addLocked(EventLost, at, "the connection was idle and is closed; the next call opens it again")
	case before.State == Connected:
		l.addLocked(EventLost, at, "the connection to "+or(before.Server, before.Target)+" is lost"+why)
	}
	if now.State == Connected && now.Protocol != before.Protocol && before.Protocol != "" && now.Protocol != "" {
		l.addLocked(EventUp, time.Now(), "speaks protocol "+now.Protocol+" now")
	}
}
