package rpcserver

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/rpckids/rpckids/internal/socket"
	"github.com/rpckids/rpckids/internal/wire"
)

// TLS lives on the same port as everything else: its first byte tells, and inside it the first byte is looked at again.

// safeTLS returns a copy of a Config's TLS that takes no version below 1.2.
func safeTLS(c *tls.Config) *tls.Config {
	if c == nil {
		return nil
	}
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	return c
}

// shake makes the handshake on a connection that began one. What comes next is read from inside.
func (c *conn) shake() Reason {
	first := c.came
	c.came, c.dec = nil, wire.Decoder{Max: c.dec.Max} // whose buffer first is
	c.reader, c.trier = nil, nil
	sec := socket.ServeTLS(c.nc, first, c.s.config.TLS, c.s.config.WriteStall)
	c.mu.Lock()
	if why := c.why; why != "" {
		c.mu.Unlock()
		return why
	}
	c.nc.SetReadDeadline(time.Now().Add(c.s.config.HalfMessage))
	c.mu.Unlock()
	err := sec.Handshake() // cut and Shutdown end it by the socket
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != "" {
		return c.why
	}
	if err != nil {
		c.detail = shown(err.Error(), mostError)
		c.eof = errors.Is(err, io.EOF)
		return HandshakeFailed
	}
	c.nc, c.armed = sec, time.Time{}
	c.nc.SetReadDeadline(time.Time{})
	c.pass = &passport{secure: true, waiter: socket.NewWaiter(sec)}
	if chains := sec.ConnectionState().VerifiedChains; len(chains) > 0 {
		c.pass.cert = chains[0][0]
	}
	return ""
}

// What a peer is told that does not meet the server's wish for TLS, or wishes for it in vain. Our client knows the details.
const (
	textPlain = "this port takes TLS alone: connect with TLS"
	textNoTLS = "this server has no TLS: connect without"
)

var detailsPlain = json.RawMessage(wire.NeedsTLS)

// plain reports whether the peer has to be turned away because it does not speak TLS.
func (c *conn) plain() bool { return c.s.config.RefusePlain && !c.secure() }

// turnAway answers the first call of a peer of version 1 that does not speak TLS.
func (c *conn) turnAway(call *Call) {
	e := Errorf(FailedPrecondition, textPlain)
	e.Details = detailsPlain
	c.s.refused(notTLS, c.nc.RemoteAddr())
	c.end(PlainRefused)
	c.refuse(call, e)
	c.refused.Store(true)
}

// farewell2 is all that a server says on version 2 to a peer that it turns away: its magic, SETTINGS and GOAWAY.
func farewell2(text string) []byte {
	b := wire.AppendFrame([]byte(wire.Magic), wire.KindSettings, 0, 0, nil)
	return wire.AppendFrame(b, wire.KindGoAway, 0, 0, wire.AppendGoAway(nil, bye(text)))
}

func bye(text string) *wire.Farewell {
	return &wire.Farewell{Code: FailedPrecondition, Text: text}
}
