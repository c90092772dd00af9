package rpcserver

import (
	"log/slog"
	"net"
	"net/netip"
	"time"
)

// door counts the connections of each address. It is protected by Server.mu.
type door struct {
	guests map[netip.Addr]*guest
	full   hush // for the log: one for all, because who comes to a full server may have any number of addresses
}

// guest is an address that has connections.
type guest struct {
	addr  netip.Addr
	conns int
	many  hush
}

// enterLocked says whether a connection may begin, and whom it counts for; nil means nobody.
func (s *Server) enterLocked(nc net.Conn) (*guest, refusal) {
	if len(s.conns) >= s.config.MaxConns {
		return nil, tooManyConns
	}
	addr, counts := placeOf(nc.RemoteAddr())
	if !counts {
		return nil, admitted
	}
	g := s.door.guests[addr]
	if g == nil {
		if s.door.guests == nil {
			s.door.guests = map[netip.Addr]*guest{}
		}
		g = &guest{addr: addr}
		s.door.guests[addr] = g
	}
	if g.conns >= s.config.MaxConnsPerAddr {
		return g, tooManyFromThere
	}
	g.conns++
	return g, admitted
}

// leftLocked takes a connection off the count of its address.
func (s *Server) leftLocked(c *conn) {
	if g := c.guest; g != nil {
		if g.conns--; g.conns == 0 {
			delete(s.door.guests, g.addr)
		}
	}
}

// placeOf returns the address that a connection counts for. Loopback and whatever is no IP address do not count: there the operator is at
// home. The /64 of IPv6 is one address, since whoever has one has them all.
func placeOf(a net.Addr) (addr netip.Addr, counts bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return addr, false
	}
	addr = tcp.AddrPort().Addr().Unmap()
	if addr.IsLoopback() || !addr.IsValid() {
		return addr, false
	}
	if addr.Is6() {
		prefix, _ := addr.WithZone("").Prefix(64) // 64 bits are in every such address
		addr = prefix.Addr()
	}
	return addr, true
}

// turnAway closes a connection that is one too many. It gets no word: on what version of the wire it would want one is not known yet, and
// who floods does not listen.
func (s *Server) turnAway(nc net.Conn, g *guest, why refusal) {
	defer nc.Close() // last: who sees it finds it counted
	s.refused(why, nc.RemoteAddr())
	line := &s.door.full
	if why == tooManyFromThere {
		line = &g.many
	}
	if left, ok := line.pass(time.Now()); ok {
		s.log(slog.LevelWarn, "connection refused", withLeft([]slog.Attr{slog.String("peer", shown(nc.RemoteAddr().String(), mostError)), slog.String("reason", why.String())}, left)...)
	}
}
