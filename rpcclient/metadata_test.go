package rpcclient_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// Metadata arrives with every call, the first one included, whatever is known about
// the server by then.
func TestMetadataArrives(t *testing.T) {
	for _, test := range []struct {
		name   string
		before func(context.Context, *rpcclient.Client)
	}{
		{"first of all", nil},
		{"beside version 1", func(ctx context.Context, c *rpcclient.Client) { _ = rpcclient.Cast(ctx, c, "log", 1) }},
		{"while moving", func(ctx context.Context, c *rpcclient.Client) { _, _ = rpcclient.Call[int](ctx, c, "echo", 1) }},
	} {
		for servers := range 2 {
			t.Run(fmt.Sprint(test.name, "/", servers+1), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var with, without atomic.Int64
					w := build(t, servers+1, func(s *twin, st *mux.Stream) {
						payload := s.first(st)
						for name, value := range wire.Fields(st.Meta()) {
							if name == "tenant" && value == "a" {
								with.Add(1)
							}
						}
						_ = st.Finish(payload, nil, false)
					}, func(c *peer.Conn, m peer.Message) {
						if m.Type == "md" {
							without.Add(1)
						}
						marked(c, m)
					})
					c := w.client(func(cfg *rpcclient.Config) { cfg.Protocol = rpcclient.Auto })
					if test.before != nil {
						test.before(t.Context(), c)
					}
					ctx := rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"tenant": "a"})
					for i := range 20 {
						if got, err := rpcclient.Call[int](ctx, c, "md", i); got != i || err != nil {
							t.Fatalf("call %d gave %d, %v", i, got, err)
						}
					}
					if err := rpcclient.Cast(ctx, c, "md", 1); err != nil {
						t.Error(err)
					}
					synctest.Wait()
					if with.Load() != 21 || without.Load() != 0 {
						t.Errorf("%d calls came with their metadata and %d without, want 21 and 0", with.Load(), without.Load())
					}
				})
			})
		}
	}
}

// Where the server speaks version 1 alone metadata stays behind, and it is asked for
// version 2 once; a token does not stay behind, its call fails. Whoever asks for
// nothing, or for what comes with the reply, opens no connection besides.
func TestMetadataOverV1(t *testing.T) {
	tenant := rpcclient.Metadata{"tenant": "a"}
	token := rpcclient.Metadata{"authorization": "Bearer s3cret"}
	for _, protocol := range []rpcclient.Protocol{rpcclient.Auto, rpcclient.V1} {
		for _, test := range []struct {
			name  string
			ctx   func(context.Context) context.Context
			asks  bool
			fails bool
		}{
			{"nothing", func(ctx context.Context) context.Context { return ctx }, false, false},
			{"a place for the reply's", func(ctx context.Context) context.Context {
				return rpcclient.WithReplyMetadata(ctx, new(rpcclient.Metadata))
			}, false, false},
			{"traceparent", func(ctx context.Context) context.Context {
				return rpcclient.WithMetadata(ctx, rpcclient.Metadata{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
			}, false, false},
			{"metadata", func(ctx context.Context) context.Context { return rpcclient.WithMetadata(ctx, tenant) }, true, false},
			{"a token", func(ctx context.Context) context.Context { return rpcclient.WithMetadata(ctx, token) }, true, true},
		} {
			t.Run(fmt.Sprint(protocol, "/", test.name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ln := memnet.Listen()
					s := peer.ServeMagic(t, ln, peer.Echo, peer.Stay)
					c, err := rpcclient.New("memory:1", &rpcclient.Config{Protocol: protocol, Dialer: ln.Dial, TokenPlain: true})
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					for i := range 5 {
						got, err := rpcclient.Call[int](test.ctx(t.Context()), c, "n", i)
						if !test.fails && (got != i || err != nil) {
							t.Errorf("call %d gave %d, %v", i, got, err)
						}
						if test.fails {
							if e := kind(t, err, rpcclient.ErrNoStreams, rpcclient.Unimplemented); e.Message != "peer speaks v1, which has no metadata" {
								t.Errorf("message %q", e.Message)
							}
						}
					}
					magic, plain := 0, 0
					for _, conn := range s.Conns() {
						if conn.Magic() {
							magic++
						} else {
							plain++
						}
						if strings.Contains(string(conn.Bytes()), "s3cret") {
							t.Error("the token has left")
						}
					}
					if (magic == 1) != (test.asks && protocol == rpcclient.Auto) || magic > 1 || (plain == 1) == test.fails {
						t.Errorf("asked for version 2 %d times, %d other connections", magic, plain)
					}
				})
			})
		}
	}
}

// A call's own token leaves without TLS only where that is wanted, and otherwise not
// so much as a connection is made for it.
func TestTokenOfACallWithoutTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, plain := range []bool{false, true} {
			s := serveTwin(t, marked)
			c := s.client(t, rpcclient.Auto, func(cfg *rpcclient.Config) { cfg.TokenPlain = plain })
			ctx := rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"authorization": "Bearer s3cret"})
			_, err := rpcclient.Call[int](ctx, c, "echo", 1)
			if plain {
				if err != nil {
					t.Error(err)
				}
				continue
			}
			e := kind(t, err, rpcclient.ErrPayload, rpcclient.InvalidArgument)
			if !strings.Contains(e.Message, "TokenPlain") || strings.Contains(err.Error(), "s3cret") || s.dialed() != 0 {
				t.Errorf("got %v, %d dials; want the cure, no token and none", err, s.dialed())
			}
			for _, err = range rpcclient.Stream[int](ctx, c, "items", 1) {
			}
			kind(t, err, rpcclient.ErrPayload, rpcclient.InvalidArgument)
		}
	})
}

// One place for what comes, given to many calls at once: it holds what one of them
// brought, whole.
func TestSharedReplyMetadata(t *testing.T) {
	s := serveTwin(t, marked)
	c := s.client(t, rpcclient.V2)
	var back rpcclient.Metadata
	ctx := rpcclient.WithReplyMetadata(rpcclient.WithMetadata(t.Context(), rpcclient.Metadata{"a": "1", "b": "2"}), &back)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 200 {
				if _, err := rpcclient.Call[string](ctx, c, "meta", nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if back != nil && (back["a"] != "1" || back["b"] != "2") {
		t.Errorf("got %v, want a whole one", back)
	}
	if _, err := rpcclient.Call[string](ctx, c, "meta", nil); err != nil || back["a"] != "1" || back["b"] != "2" {
		t.Errorf("alone it gave %v, %v", back, err)
	}
}

// What a caller has been given is not written to again, and grows to hold what
// comes at the end.
func TestReplyMetadataOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked, func(s *twin) {
			s.handle = func(s *twin, st *mux.Stream) {
				s.first(st)
				head, _ := wire.AppendField(nil, "head", "1")
				_ = st.Send(context.Background(), []byte("1"), head, false)
				time.Sleep(time.Second)
				tail, _ := wire.AppendField(nil, "tail", "2")
				_ = st.Finish(nil, tail, true)
			}
		})
		c := s.client(t, rpcclient.V2)
		var back, held rpcclient.Metadata
		for _, err := range rpcclient.Stream[int](rpcclient.WithReplyMetadata(t.Context(), &back), c, "x", nil) {
			if err != nil {
				t.Fatal(err)
			}
			held = back
		}
		if len(held) != 1 || held["head"] != "1" || len(back) != 2 || back["head"] != "1" || back["tail"] != "2" {
			t.Errorf("with the item %v, at the end %v", held, back)
		}
	})
}

// The second attempt of a race leaves no metadata behind either.
func TestHedgeWithMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen, bare atomic.Int64
		w := build(t, 2, turnstile(&seen, time.Millisecond), func(c *peer.Conn, m peer.Message) {
			bare.Add(1)
			marked(c, m)
		})
		c := w.client(hedged, func(cfg *rpcclient.Config) { cfg.Protocol = rpcclient.Auto })
		ctx := rpcclient.WithMetadata(within(t, time.Second), rpcclient.Metadata{"tenant": "a"})
		_, _ = rpcclient.Call[int](ctx, c, "echo", 7, rpcclient.Idempotent())
		if seen.Load() != 1 || bare.Load() != 0 {
			t.Errorf("%d attempts came whole and %d without metadata, want 1 and 0", seen.Load(), bare.Load())
		}
	})
}

// An option that is nil changes nothing.
func TestNilOption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveTwin(t, marked).client(t, rpcclient.V2)
		if got, err := rpcclient.Call[int](t.Context(), c, "echo", 7, nil, rpcclient.Idempotent(), nil); got != 7 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
	})
}

// An empty type name is the caller's mistake, and no reply.
func TestEmptyTypeName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2)
		_, err := rpcclient.Call[int](t.Context(), c, "", 1)
		kind(t, err, rpcclient.ErrPayload, rpcclient.InvalidArgument)
		if err := rpcclient.Cast(t.Context(), c, "", 1); !errors.Is(err, rpcclient.ErrPayload) || len(s.calls()) != 0 {
			t.Errorf("a cast gave %v, the server saw %q", err, s.calls())
		}
	})
}

// Who has left before the call began is told so, whatever would have come first.
func TestCanceledBeforehand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveTwin(t, marked).client(t, rpcclient.Auto)
		if err := rpcclient.Cast(t.Context(), c, "log", 1); err != nil { // connected, and nothing known about version 2
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, call := rpcclient.Call[int](ctx, c, "echo", 1)
		_, upload := rpcclient.Upload[int](ctx, c, "sum", rpcclient.Values(func(func(int) bool) {}))
		var stream error
		for _, stream = range rpcclient.Stream[int](ctx, c, "items", 1) {
		}
		for _, err := range []error{call, upload, stream} {
			if e := kind(t, err, rpcclient.ErrContext, rpcclient.Canceled); e.Message != "canceled before anything was sent" {
				t.Errorf("message %q", e.Message)
			}
		}
	})
}
