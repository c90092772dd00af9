package remote

import (
	"strings"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/rpcclient"
)

// peerStates are the console's words for the client's states.
var peerStates = map[rpcclient.PeerState]string{
	rpcclient.PeerIdle:       console.PeerIdle,
	rpcclient.PeerConnecting: console.PeerConnecting,
	rpcclient.PeerUp:         console.PeerUp,
	rpcclient.PeerDown:       console.PeerDown,
	rpcclient.PeerEjected:    console.PeerEjected,
	rpcclient.PeerProbing:    console.PeerProbing,
	rpcclient.PeerDraining:   console.PeerDraining,
}

func (b *backend) Peers() []console.Peer {
	list := b.client.Peers()
	peers := make([]console.Peer, len(list))
	for i, p := range list {
		peers[i] = console.Peer{Address: p.Address, ServerName: p.ServerName, LostAt: p.LostAt, State: peerStates[p.State], Protocol: p.Protocol, Conns: p.Conns, Pending: p.Pending, Calls: p.Calls,
			Failures: p.Failures, Ejections: p.Ejections, Latency: p.Latency, Share: p.Share, Back: p.Back}
		if p.LastError != nil {
			peers[i].LastError = because(p.LastError, p.Address)
		}
	}
	return peers
}

// servers fills in how many servers there are and how many of them calls may go to. One that has left the list and finishes calls counts as neither.
func (b *backend) servers(c *console.Stats, s rpcclient.Stats) {
	c.Servers, c.Discovery = s.Servers, s.Discovery
	if s.Servers > 1 {
		c.Up = min(console.CountUp(b.Peers()), s.Servers)
	} else {
		c.Up = s.Servers
	}
}

// because is an error of a server in the words that a user gets, without its address, which stands beside it.
func because(err error, address string) string {
	return strings.TrimPrefix(explain(err).Message, address+": ")
}
