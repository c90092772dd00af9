package rpctest

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// Pair starts a server in memory, lets register add its services, and returns a
// client of it. Both end with the test, and both work in a synctest bubble.
func Pair(t testing.TB, register func(*rpcserver.Server)) *rpcclient.Client {
	t.Helper()
	return PairOf(t, rpcserver.New(nil), nil, register)
}

// PairOf is Pair with a server and a client configuration of the caller's own.
// The client's Dialer is replaced; nil means the defaults.
func PairOf(t testing.TB, s *rpcserver.Server, config *rpcclient.Config, register func(*rpcserver.Server)) *rpcclient.Client {
	t.Helper()
	if register != nil {
		register(s)
	}
	c := Client(t, Serve(t, s), config)
	return c
}

// Serve runs s on an in-memory listener until the test ends.
func Serve(t testing.TB, s *rpcserver.Server) *memnet.Listener {
	t.Helper()
	ln := memnet.Listen()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }() // ends with Shutdown below, which waits for it
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; !errors.Is(err, rpcserver.ErrServerClosed) {
			t.Errorf("serve ended with %v", err)
		}
	})
	return ln
}

// Client returns a client that dials ln; it is closed when the test ends.
func Client(t testing.TB, ln *memnet.Listener, config *rpcclient.Config) *rpcclient.Client {
	t.Helper()
	var cfg rpcclient.Config
	if config != nil {
		cfg = *config
	}
	cfg.Dialer = ln.Dial
	c, err := rpcclient.New(ln.Addr().String(), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Leaks makes the test fail if it leaves a goroutine behind. Call it first, so
// that it looks when everything else has ended. Inside a synctest bubble it is
// not needed: the bubble itself insists.
func Leaks(t testing.TB) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}
