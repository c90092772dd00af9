package rpcclient

import (
	"context"
	"net"
	"time"
)

// conn is one connection to the server, as the link and the calls see it: v1Conn
// or v2Conn. Which version it speaks is its own affair.
type conn interface {
	// exchange sends k and waits for the reply or, if k is a cast, until its
	// bytes are gone. It returns a failure if neither came.
	exchange(ctx context.Context, k *call) error

	// read is the reader: it ends when the socket does, and when it has returned
	// nothing of the conn runs any more.
	read()

	// leave makes it take no new calls and go when the last one has ended.
	leave()

	// goodbye ends it for Close: at once, unless that could destroy a cast.
	goodbye()

	// describe adds it to the picture; live says that it takes the new calls.
	describe(s *Stats, live bool)

	// total adds what it has counted itself to the client's counters, at its end.
	total(n *counters)

	// spent reports whether it takes no more calls.
	spent() bool

	// isOurs reports whether the server has shown that it is one of ours.
	isOurs() bool

	// version names what it speaks: "v1" or "v2".
	version() string

	whereabouts() *endpoint
}

// endpoint is what there is to know about a connection of either version.
type endpoint struct {
	link   *link
	remote string // the address, as it goes into errors and traces
	since  time.Time
}

func (e *endpoint) whereabouts() *endpoint { return e }

func (l *link) endpoint(sock net.Conn) endpoint {
	remote := l.client.target.text
	if l.client.target.network == "tcp" && sock.RemoteAddr() != nil {
		remote = sock.RemoteAddr().String()
	}
	return endpoint{l, remote, time.Now()}
}
