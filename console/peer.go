package console

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Peer is one server behind a connection, as it was at one moment. All texts are untrusted.
type Peer struct {
	Number     int    // counts from 1; of a server of the lab its number there
	Address    string // host:port or unix:///path
	ServerName string // what its certificate has to be for; "" without TLS
	State      string // one of the Peer states below
	Protocol   string // "v1" or "v2"; "" while unknown
	Conns      int
	Pending    int           // calls that wait for its answer
	Calls      uint64        // that were sent to it
	Failures   uint64        // of them, as the balancer counts: what the server is to blame for
	Ejections  uint64        // how often it was taken out because calls failed
	Latency    time.Duration // a moving average, at once up when calls are slow; 0 while nothing is known
	Share      float64       // of the calls of the last seconds, 0 to 1
	Back       time.Duration // until one that is down or ejected is tried again; 0 where nothing is planned
	LastError  string
	LostAt     time.Time // when the last connection to it was lost; zero if none ever was
	Lab        string    // what the lab does to it: "killed", "slow 200 ms"; "" for nothing
}

// The states of a Peer.
const (
	PeerIdle       = "idle" // there is no connection, and nothing speaks against one
	PeerConnecting = "connecting"
	PeerUp         = "up"
	PeerDown       = "down"     // dials fail, or nobody answers
	PeerEjected    = "ejected"  // calls failed: it gets none for a while
	PeerProbing    = "probing"  // it is tried before it gets calls again
	PeerDraining   = "draining" // it finishes what it has and takes nothing new
)

// Usable says whether new calls go to the peer.
func (p *Peer) Usable() bool {
	return p.State == PeerUp || p.State == PeerIdle || p.State == PeerConnecting
}

// CountUp returns how many of the peers are usable.
func CountUp(peers []Peer) (n int) {
	for i := range peers {
		if peers[i].Usable() {
			n++
		}
	}
	return n
}

// Peers returns the servers behind the connection, nil while there is none. Those of the lab have its numbers, others the numbers after them.
func (s *Session) Peers() []Peer {
	b, _ := s.link()
	if b == nil {
		return nil
	}
	return s.numbered(b.Peers())
}

// numbered fills in what is the session's of a list of peers, and sorts them by their numbers.
func (s *Session) numbered(peers []Peer) []Peer {
	own := s.labPeers()
	next := len(own)
	for i := range peers {
		p := &peers[i]
		if n := slices.IndexFunc(own, func(l LabPeer) bool { return l.Address == p.Address }); n >= 0 {
			p.Number, p.Lab = n+1, own[n].text(s.ascii())
			continue
		}
		next++
		p.Number = next
	}
	slices.SortStableFunc(peers, func(a, b Peer) int { return a.Number - b.Number })
	return peers
}

// HasLab says whether the servers of a lab are at hand, which the command peer acts on.
func (s *Session) HasLab() bool { return s.cfg.Lab != nil }

// labPeers are the servers of the lab, nil without one.
func (s *Session) labPeers() []LabPeer {
	if s.cfg.Lab == nil {
		return nil
	}
	return s.cfg.Lab.Peers()
}

// Count says how many servers there are and whether all of them are up, "3 servers" or "2 of 3 up"; "" where there is at most one.
func (st *Stats) Count() string {
	switch {
	case st.Servers < 2:
		return ""
	case st.Up < st.Servers:
		return fmt.Sprintf("%d of %d up", st.Up, st.Servers)
	}
	return fmt.Sprintf("%d servers", st.Servers)
}

// Label names the connection in little room: a target with one server by itself, a list by how many there are, anything else by its beginning. It is safe for a
// terminal.
func (st *Stats) Label() string {
	count := st.Count()
	switch {
	case st.list() && count != "":
		return count
	case st.list():
		return ShortTarget(st.Target, 40)
	case st.Up < st.Servers && count != "":
		return ShortTarget(st.Target, 40) + " (" + count + ")"
	}
	return ShortTarget(st.Target, 40)
}

// list says whether the target is a list of addresses.
func (st *Stats) list() bool { return strings.Contains(st.Target, ",") }

// ShortTarget writes a target in at most so many cells: of a list that is too long it keeps the first and says how many follow, "10.0.0.1:8888 and 4 more". It is safe for a terminal.
func ShortTarget(target string, cells int) string {
	whole := shorten(Printable(target), cells)
	first, rest, list := strings.Cut(target, ",")
	if !list || whole == target {
		return whole
	}
	more := fmt.Sprintf(" and %d more", strings.Count(rest, ",")+1)
	return shorten(Printable(first), max(cells-len(more), 8)) + more
}
