package console

import (
	"fmt"
	"strings"
	"time"
)

// flapping is how often one server of several gets a line of the log at most. What has changed meanwhile is told when the time is over.
const flapping = time.Second

// standing is what the log has said of one server of several.
type standing struct {
	name   string    // as "server 2 (10.0.0.2:8888)"
	back   string    // what to say when calls go there again; "": they do
	up     bool      // they did so once
	lostAt time.Time // of the loss that was told last
	said   time.Time
}

// serversLocked tells which of several servers are lost and which are back since they were last looked at.
func (l *Log) serversLocked(peers []Peer, now time.Time) {
	before := l.servers
	l.servers = make(map[string]standing, len(peers))
	for i := range peers {
		p := &peers[i]
		if _, twice := l.servers[p.Address]; twice { // it is back in the list, and calls from before run on
			continue
		}
		s, known := before[p.Address]
		if !known {
			s.lostAt = p.LostAt
		}
		s.name = p.name()
		s.up = s.up || p.State == PeerUp || p.Conns > 0
		l.servers[p.Address] = l.compareLocked(s, p, now)
		delete(before, p.Address)
	}
	for _, s := range before {
		if s.back != "" {
			l.addLocked(EventNotice, now, s.name+" is in the list no more")
		}
	}
}

// compareLocked tells what has become of one server, if anything, and returns what is known of it then.
func (l *Log) compareLocked(s standing, p *Peer, now time.Time) standing {
	lost := s.back != ""
	fell := p.LostAt.After(s.lostAt) // and may be back already
	switch {
	case !p.Usable(), fell:
		lost = true
	case p.State == PeerUp:
		lost = false
	}
	if said := s.back != ""; lost == said || now.Sub(s.said) < flapping {
		if said {
			s.lostAt = p.LostAt // one line for all losses until it is back
		}
		return s
	}
	s.said = now
	if !lost {
		l.addLocked(EventUp, now, s.name+" "+s.back)
		s.back = ""
		return s
	}
	at := now
	if fell {
		at = p.LostAt
	}
	s.lostAt = p.LostAt
	what, back := p.absence(s.up)
	l.addLocked(EventLost, at, s.name+" "+what)
	s.back = back
	return s
}

// mostAbsent is how many servers that are not up status names.
const mostAbsent = 5

// absent says in a line each which of several servers calls do not go to, why, and since when where it was lost.
func (s *Session) absent() (texts []string) {
	more := 0
	for _, p := range s.Peers() {
		if p.Usable() {
			continue
		}
		if len(texts) == mostAbsent {
			more++
			continue
		}
		what, _ := p.absence(false)
		text := p.name() + " " + what
		if p.State == PeerDown && !p.LostAt.IsZero() {
			text = p.LostAt.Format("15:04:05") + " " + text
		}
		texts = append(texts, shorten(Printable(text), logText))
	}
	if more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return texts
}

// name says which of several servers the peer is.
func (p *Peer) name() string { return fmt.Sprintf("server %d (%s)", p.Number, p.Address) }

// absence says in words why calls do not go to the peer, and what to say when they do again. known: they did before, whatever p says.
func (p *Peer) absence(known bool) (what, back string) {
	switch p.State {
	case PeerDraining:
		return "takes no new calls and finishes those that it has", "takes calls again"
	case PeerEjected, PeerProbing:
		return "is left alone for a while, because calls failed", "gets calls again"
	}
	why := ""
	if p.LastError != "" {
		why = ": " + p.LastError
	}
	if known || p.Calls > 0 || !p.LostAt.IsZero() {
		return "is lost" + why, "is connected again"
	}
	return "cannot be reached" + strings.Replace(why, "cannot connect: ", "", 1), "is connected"
}
