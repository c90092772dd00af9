package rpcserver

import (
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// greet looks at the first byte that came, and then at the first inside TLS. A reason says that the connection ends here.
func (c *conn) greet() (p wire.Protocol, why Reason) {
	p = wire.Sniff(c.came[0])
	switch {
	case p == wire.V1, p == wire.HTTP, p == wire.V2 && !c.s.config.V1Only:
		return p, ""
	case p == wire.TLS && !c.secure() && c.s.config.TLS != nil:
		return p, c.shake()
	case p == wire.TLS && !c.secure():
		c.mu.Lock()
		c.last = farewell2(textNoTLS)
		c.mu.Unlock()
		return p, NoTLS
	}
	c.detail = p.String() + ", first byte " + quote(c.came[:1])
	return p, NotOurs
}

// speakV2 hands the connection over to version 2 for the rest of its life.
func (c *conn) speakV2() Reason {
	first, why := c.becomeV2()
	if why != "" {
		return why
	}
	return c.v2.serve(first)
}

// becomeV2 is apart from its caller, whose frame is on every stack that an idle connection keeps.
//
//go:noinline
func (c *conn) becomeV2() (first []byte, why Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != "" {
		return nil, c.why
	}
	c.speaks(wire.V2)
	c.v2 = newV2(c)
	if c.plain() {
		c.s.refused(notTLS, c.nc.RemoteAddr())
		c.v2.mux.GoAway(*bye(textPlain))
		c.v2.mux.CloseWhenIdle()
	}
	c.nc.SetReadDeadline(time.Time{}) // the one for a first byte
	first = c.came
	c.came, c.dec, c.reader = nil, wire.Decoder{}, nil // whose buffer first is; package mux has a reader of its own
	return first, ""
}
