package rpcclient

import (
	"time"

	"github.com/rpckids/rpckids/internal/balance"
)

// PeerState is what a client thinks of one of its servers.
type PeerState uint8

// The states of a server.
const (
	PeerIdle       PeerState = iota // no connection; a call makes one
	PeerConnecting                  // the first dial, or one after a peaceful end
	PeerUp                          // takes calls
	PeerDown                        // dials fail; the next one comes after Peer.Back
	PeerEjected                     // failed too often, and is left alone for Peer.Back
	PeerProbing                     // its ejection is over, and a probe runs
	PeerDraining                    // takes no new calls and finishes those that run
)

// String returns the state as one lower-case word.
func (s PeerState) String() string {
	return [...]string{"idle", "connecting", "up", "down", "ejected", "probing", "draining"}[min(s, PeerDraining)]
}

// Peer is a picture of one server of a client. The counters begin with the
// server's first appearance in the client's list.
type Peer struct {
	Address    string // as the target or the resolver gives it
	ServerName string // what its certificate has to be for; "" without TLS
	State      PeerState
	Protocol   string        // "v1" or "v2", "" without a connection
	Conns      int           // open, those that only finish their calls included
	Pending    int           // calls and streams that run, or wait for their turn
	Calls      uint64        // attempts, retries and hedges included
	Failures   uint64        // of these: see [Ejection]
	Ejections  uint64        // so far
	Latency    time.Duration // moving average, peaks count more; 0: nothing is known
	Share      float64       // of the client's calls of the last 10 s, 0 to 1
	Back       time.Duration // until a server that is down or ejected is tried again
	LastError  error         // why a dial failed or a connection was lost last, an *Error; nil if neither ever was
	LostAt     time.Time     // when its last connection was lost, peaceful ends not counted; zero if it never was
}

// Peers returns a picture of the client's servers, in the order of the list, and
// behind them those that have left it and still finish calls.
func (c *Client) Peers() []Peer {
	list, left := c.fleet.servers()
	now, clock := time.Now(), c.now()
	peers := make([]Peer, 0, len(list)+len(left))
	shares := make([]uint64, 0, cap(peers))
	total := uint64(0)
	for i, s := range append(list, left...) {
		p, lately := s.picture(now, clock)
		if i >= len(list) {
			p.State, p.Back = PeerDraining, 0
		}
		peers, shares = append(peers, p), append(shares, lately)
		total += lately
	}
	for i := range peers {
		if total > 0 {
			peers[i].Share = float64(shares[i]) / float64(total)
		}
	}
	return peers
}

// picture returns what is known about the server, and how many of its calls came lately.
func (s *server) picture(now time.Time, clock int64) (p Peer, lately uint64) {
	m := s.member.Picture(clock)
	p = Peer{Address: s.address, ServerName: s.client.cfg.certified(s.address, s.client.target.host), Failures: s.failed.Load(), Ejections: m.Ejections, Latency: m.Latency, Back: m.Back}
	s.mu.Lock()
	defer s.mu.Unlock()
	live := s.live()
	p.Conns, p.Calls, p.Pending = len(s.conns), s.callsLocked(), s.gate.waiting()
	for cn := range s.conns {
		p.Pending += cn.whereabouts().load.running()
	}
	if live != nil {
		p.Protocol = live.version()
	}
	p.State = s.stateLocked(m.State, live != nil)
	if p.State == PeerDown {
		p.Back = max(0, s.retryAt.Sub(now))
	}
	p.LostAt = s.lostAt
	if f := s.trouble; f != nil {
		p.LastError = &Error{Status: f.status, Kind: f.kind, Server: s.label, cause: f.cause}
	}
	return p, s.recent.since(now, p.Calls)
}

// callsLocked returns how many attempts the server has had.
func (s *server) callsLocked() uint64 {
	n := s.calls
	for cn := range s.conns {
		n += uint64(cn.whereabouts().load.begun())
	}
	return n
}

func (s *server) stateLocked(m balance.State, live bool) PeerState {
	switch {
	case m == balance.Ejected:
		return PeerEjected
	case m == balance.Probing:
		return PeerProbing
	case live:
		return PeerUp
	case s.failures > 0 && s.attempt != nil:
		return PeerDown
	case s.attempt != nil || s.climb != nil:
		return PeerConnecting
	case len(s.conns) > 0:
		return PeerDraining
	case s.failures > 0:
		return PeerDown
	}
	return PeerIdle
}
