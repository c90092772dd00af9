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

// Health is what a server says about itself. What an older one does not tell is zero. Counts of events are since it started.
type Health struct {
	Status      string            `json:"status"`      // "serving" or "draining"
	Connections int               `json:"connections"` // open
	V1          int               `json:"v1"`          // of these, speak version 1
	V2          int               `json:"v2"`          // and 2; the rest has not spoken yet
	Running     int               `json:"running"`     // handlers at work
	Queued      int               `json:"queued"`      // calls that wait for a worker
	Streams     int               `json:"streams"`     // that run; they take no worker
	InFlight    int               `json:"in_flight"`   // the last three together
	Limit       int               `json:"limit"`       // of these, now
	Workers     int               `json:"workers"`     // handlers that can be at work at once
	Calls       uint64            `json:"calls"`
	Failed      uint64            `json:"failed"`
	Canceled    uint64            `json:"canceled"`
	Panics      uint64            `json:"panics"`
	Refused     uint64            `json:"refused"`  // calls
	Refusals    map[string]uint64 `json:"refusals"` // of calls and connections, by reason
	Accepted    uint64            `json:"accepted"` // connections
	Closed      map[string]uint64 `json:"closed"`   // connections, by reason
	BytesIn     uint64            `json:"bytes_in"`
	BytesOut    uint64            `json:"bytes_out"`
	HeapBytes   uint64            `json:"heap_bytes"`
	Goroutines  uint64            `json:"goroutines"`
	UptimeMS    int64             `json:"uptime_ms"`
	Name        string            `json:"name"`
	Go          string            `json:"go"`        // the version it was built with, as "go1.26.0"
	Protocols   []string          `json:"protocols"` // as "v1"
}

// Services lists what the server offers, in the order of the names. Only a server
// of ours has a listing: with any other the error is of kind [ErrNoStreams]. If
// nothing is known about the server yet it is asked as for a first stream.
func (c *Client) Services(ctx context.Context) ([]Service, error) {
	return Call[[]Service](ctx, c, "!services", nil, Idempotent())
}

// Health asks the server how it is, of several any one: [Trace].Server says which.
// What Services says about other servers holds here, too.
func (c *Client) Health(ctx context.Context) (Health, error) {
	return Call[Health](ctx, c, "!health", nil, Idempotent())
}

// ours returns a connection to a server of ours, or a failure if the server has
// not shown to be one: what begins with "!" is sent to no other.
func (s *server) ours(ctx context.Context) (conn, error) {
	if cn := s.ready(); cn != nil && cn.isOurs() {
		return cn, nil
	}
	v2, err := s.v2(ctx, "listing")
	if err == nil {
		return v2, nil
	}
	if !isKind(err, ErrNoStreams) {
		return nil, err
	}
	if cn := s.live(); cn != nil && cn.isOurs() {
		return cn, nil
	}
	return nil, fail(ErrNoStreams, Unimplemented, nil, "the peer has not shown that it is an rpckids server")
}
