package rpcserver

import (
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// greet looks at the first byte that came. A reason says that the connection ends here.
func (c *conn) greet() (p wire.Protocol, why Reason) {
	p = wire.Sniff(c.came[0])
	switch {
	case p == wire.V1, p == wire.V2 && !c.s.config.V1Only:
		return p, ""
	case p == wire.HTTP:
		c.mu.Lock()
		c.last = append(c.last, answerHTTP...)
		c.mu.Unlock()
		return p, WasHTTP
	}
	c.detail = p.String() + ", first byte " + quote(c.came[:1])
	return p, NotOurs
}

// speakV2 hands the connection over to version 2 for the rest of its life.
func (c *conn) speakV2() Reason {
	c.mu.Lock()
	if why := c.why; why != "" {
		c.mu.Unlock()
		return why
	}
	c.v2 = newV2(c)
	c.nc.SetReadDeadline(time.Time{}) // the one for a first byte
	c.mu.Unlock()
	first := c.came
	c.came, c.dec = nil, wire.Decoder{} // whose buffer first is
	return c.v2.serve(first)
}

const textHTTP = "this port speaks rpckids, not HTTP\n"

const answerHTTP = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 35\r\nConnection: close\r\n\r\n" + textHTTP
