package console

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// A command that runs once makes the connection it needs, and no other: v1 is enough for a call, until the server says that it is a stream, or is asked what it is.
func TestOnceNeedsOneConnection(t *testing.T) {
	token := Security{Token: "A", TokenPlain: true}
	for _, c := range []struct {
		line, protocol string
		sec            Security
		want           []string // what the connections were asked to speak
		exit           Exit
	}{
		{"call fib 3", "auto", Security{}, []string{"v1"}, ExitOK},
		{"cast log 3", "", Security{}, []string{"v1"}, ExitOK},
		{"call ticks 3 --timeout 50ms", "auto", Security{}, []string{"v1", "auto"}, ExitDeadline},
		{"call none 3", "auto", Security{}, []string{"v1", "auto"}, ExitOK},
		{"call hang 3 --timeout 1ms", "auto", Security{}, []string{"v1", "auto"}, ExitDeadline},
		{"stream none 3", "auto", Security{}, []string{"auto"}, ExitOK},
		{"status", "auto", Security{}, []string{"auto"}, ExitOK},
		{"call fib 3", "v2", Security{}, []string{"v2"}, ExitOK},
		{"call none 3", "v1", Security{}, []string{"v1"}, ExitServer},
		{"call fib 3", "auto", token, []string{"auto"}, ExitOK}, // v1 carries none
	} {
		var dialed []*fake
		s := NewSession(Config{Connect: true, Protocol: c.protocol, Security: c.sec, Dial: func(_ context.Context, _ string, o DialOptions) (Backend, error) {
			f := &fake{target: "modern:1", state: Connected, proto: o.Protocol}
			if o.Protocol == "v1" {
				f.target = "plain:1"
			}
			dialed = append(dialed, f)
			return f, nil
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		r, err := s.Exec(ctx, c.line)
		cancel()
		var spoken []string
		for i, f := range dialed {
			if spoken = append(spoken, f.proto); f.closed.Load() != (i < len(dialed)-1) {
				t.Errorf("%s: connection %d of %d is open or closed", c.line, i+1, len(dialed))
			}
		}
		if e, _ := errors.AsType[*Error](err); !slices.Equal(spoken, c.want) || (e == nil) != (c.exit == ExitOK) || e != nil && e.Exit != c.exit {
			t.Errorf("%s, --proto %s: got %q, %+v, %v; want %q", c.line, c.protocol, spoken, r.Entry, err, c.want)
		}
		s.Close()
	}
	s := NewSession(Config{Connect: true, Dial: func(_ context.Context, target string, o DialOptions) (Backend, error) {
		if o.Protocol != "v1" {
			return nil, errors.New("connection refused")
		}
		return &fake{target: target, state: Connected}, nil
	}})
	defer s.Close()
	if e := fails(t, s, "call none 3"); e.Exit != ExitConnect {
		t.Errorf("the server is gone when it is to stream: %v", e)
	}
}
