package rpcclient

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// leavingConn is a connection that is always about to close when a call comes.
type leavingConn struct {
	conn
	at endpoint
}

func (c *leavingConn) whereabouts() *endpoint                { return &c.at }
func (c *leavingConn) enough() int                           { return 1 }
func (c *leavingConn) version() string                       { return protocolV1 }
func (c *leavingConn) isOurs() bool                          { return true }
func (c *leavingConn) describe(*Stats, bool)                 {}
func (c *leavingConn) exchange(context.Context, *call) error { return errMoved }

// leaving makes a client whose servers have such connections and get no others.
func leaving(t *testing.T, target string) *Client {
	t.Helper()
	c, err := New(target, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	for _, s := range c.fleet.list {
		s.mu.Lock()
		s.closed = true
		s.open.Store(&[]conn{&leavingConn{at: endpoint{server: s, remote: s.label, load: new(load)}}})
		s.mu.Unlock()
	}
	return c
}

// A call that finds no connection to stay with says so, and how many it tried; it
// does not speak of version 2, which has nothing to do with it.
func TestNoConnectionStays(t *testing.T) {
	for _, test := range []struct {
		name, target, want string
		call               func(*Client) error
	}{
		{"on its way to one server", "a:1", "no connection stays: tried 19, and each was about to close", func(c *Client) error {
			_, err := Call[int](t.Context(), c, "fib", 1)
			return err
		}},
		{"on its way to one of two", "a:1,b:1", "no connection stays: tried 19, and each was about to close", func(c *Client) error {
			return Cast(t.Context(), c, "log", 1)
		}},
		{"before it has a connection", "a:1,b:1", "no connection stays: tried 16, and each was about to close", func(c *Client) error {
			for _, err := range Stream[int](t.Context(), c, "fibs", 1) {
				return err
			}
			return nil
		}},
		{"a question about the server", "a:1", "the servers that were dialed have left the list meanwhile", func(c *Client) error {
			_, err := c.Probe(t.Context())
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := leaving(t, test.target)
			err := test.call(c)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Kind != ErrConnectionLost || e.Code != Unavailable || e.Message != test.want || strings.Contains(err.Error(), "version 2") {
				t.Errorf("got  %v (%+v)\nwant %s", err, e, test.want)
			}
			if got := c.Stats().Pending; got != 0 {
				t.Errorf("%d calls are left", got)
			}
		})
	}
}
