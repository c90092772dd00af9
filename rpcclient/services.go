package rpcclient

import (
	"context"
	"encoding/json"
)

// Service is one entry of a server's listing.
type Service struct {
	Name       string          `json:"name"`
	ReplyType  string          `json:"reply_type"`
	Pattern    Pattern         `json:"pattern"`
	Request    json.RawMessage `json:"request"` // JSON Schema of the payload, or of an item that is sent
	Reply      json.RawMessage `json:"reply"`   // JSON Schema of the reply, or of an item that comes; null for a cast
	Doc        string          `json:"doc"`
	Example    json.RawMessage `json:"example"` // a payload to try, or null
	Idempotent bool            `json:"idempotent"`
}

// Health is what a server says about itself.
type Health struct {
	Status      string   `json:"status"` // "serving" or "draining"
	Connections int      `json:"connections"`
	Running     int      `json:"running"` // handlers at work
	Queued      int      `json:"queued"`  // calls that wait for a worker
	Streams     int      `json:"streams"`
	Calls       uint64   `json:"calls"` // since it started; so are the next two
	Failed      uint64   `json:"failed"`
	Refused     uint64   `json:"refused"`
	UptimeMS    int64    `json:"uptime_ms"`
	Name        string   `json:"name"`
	Protocols   []string `json:"protocols"` // as "v1"
}

// Services lists what the server offers, in the order of the names. Only a server
// of ours has a listing: with any other the error is of kind [ErrNoStreams]. If
// nothing is known about the server yet it is asked as for a first stream.
func (c *Client) Services(ctx context.Context) ([]Service, error) {
	return Call[[]Service](ctx, c, "!services", nil, Idempotent())
}

// Health asks the server how it is. What Services says about other servers holds
// here, too.
func (c *Client) Health(ctx context.Context) (Health, error) {
	return Call[Health](ctx, c, "!health", nil, Idempotent())
}

// ours returns a connection to a server of ours, or a failure if the server has
// not shown to be one: what begins with "!" is sent to no other.
func (l *link) ours(ctx context.Context) (conn, error) {
	if cn := l.live.Load(); cn != nil && (*cn).isOurs() {
		return *cn, nil
	}
	v2, err := l.v2(ctx, "listing")
	if err == nil {
		return v2, nil
	}
	if !isKind(err, ErrNoStreams) {
		return nil, err
	}
	if cn := l.live.Load(); cn != nil && (*cn).isOurs() {
		return *cn, nil
	}
	return nil, fail(ErrNoStreams, Unimplemented, nil, "the peer has not shown that it is an rpckids server")
}
