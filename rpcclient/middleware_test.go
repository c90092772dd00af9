package rpcclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// The first middleware is the outermost, and sees calls and streams of every pattern whole.
func TestMiddlewareOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		var log []string
		trail := func(name string) rpcclient.Middleware {
			return func(next rpcclient.Doer) rpcclient.Doer {
				return func(ctx context.Context, r *rpcclient.Request) error {
					log = append(log, fmt.Sprintf("%s>%s %s", name, r.Pattern, r.Type))
					err := next(ctx, r)
					log = append(log, fmt.Sprintf("%s<%v", name, err != nil))
					return err
				}
			}
		}
		c := s.client(t, rpcclient.V2, func(c *rpcclient.Config) { c.Use = []rpcclient.Middleware{trail("a"), trail("b")} })
		c.Register("echo_res", 0)
		numbers := rpcclient.Values(slices.Values([]int{1, 2}))
		words := rpcclient.Values(slices.Values([]string{"x"}))
		for _, test := range []struct {
			want string
			do   func() error
		}{
			{"call echo", func() error { _, err := rpcclient.Call[int](t.Context(), c, "echo", 1); return err }},
			{"call nope", func() error { _, err := rpcclient.Call[int](t.Context(), c, "nope", 1); return err }},
			{"call echo", func() error { _, err := c.Invoke(t.Context(), "echo", json.RawMessage("1")); return err }},
			{"call echo", func() error { _, err := c.Send(t.Context(), "echo", 1); return err }},
			{"cast log", func() error { return rpcclient.Cast(t.Context(), c, "log", 1) }},
			{"upload sum", func() error { _, err := rpcclient.Upload[int](t.Context(), c, "sum", numbers); return err }},
			{"stream items", func() error {
				for _, err := range rpcclient.Stream[int](t.Context(), c, "items", 2) {
					log = append(log, "item")
					if err != nil {
						return err
					}
				}
				return nil
			}},
			{"bidi chat", func() error {
				for range rpcclient.Bidi[string](t.Context(), c, "chat", words) {
					log = append(log, "item")
					break
				}
				return nil
			}},
		} {
			log = nil
			err := test.do()
			items := slices.Repeat([]string{"item"}, map[string]int{"stream items": 2, "bidi chat": 1}[test.want])
			failed := test.want == "call nope"
			want := slices.Concat([]string{"a>" + test.want, "b>" + test.want}, items, []string{fmt.Sprintf("b<%v", failed), fmt.Sprintf("a<%v", failed)})
			if !slices.Equal(log, want) || (err != nil) != failed {
				t.Errorf("%s: %q (%v), want %q", test.want, log, err, want)
			}
		}
	})
}

// A middleware may change what is sent, call again, and fail a call; whatever it
// returns arrives as an Error.
func TestMiddlewareActs(t *testing.T) {
	oops := errors.New("oops")
	for _, test := range []struct {
		name  string
		use   rpcclient.Middleware
		want  int
		kind  error
		calls string
	}{
		{"changes the request", func(next rpcclient.Doer) rpcclient.Doer {
			return func(ctx context.Context, r *rpcclient.Request) error {
				r.Type, r.Payload = "echo", r.Payload.(int)+1
				return next(ctx, r)
			}
		}, 8, nil, "echo 8"},
		{"tries again", func(next rpcclient.Doer) rpcclient.Doer {
			return func(ctx context.Context, r *rpcclient.Request) error {
				if err := next(ctx, r); !errors.Is(err, rpcclient.ErrServer) {
					return err
				}
				r.Type = "echo"
				return next(ctx, r)
			}
		}, 7, nil, "busy 7,echo 7"},
		{"fails it", func(rpcclient.Doer) rpcclient.Doer {
			return func(context.Context, *rpcclient.Request) error { return oops }
		}, 0, rpcclient.ErrMiddleware, ""},
		{"wraps the error", func(next rpcclient.Doer) rpcclient.Doer {
			return func(ctx context.Context, r *rpcclient.Request) error {
				return fmt.Errorf("%w: %w", oops, next(ctx, r))
			}
		}, 0, rpcclient.ErrMiddleware, "busy 7"},
		{"does nothing", func(rpcclient.Doer) rpcclient.Doer {
			return func(context.Context, *rpcclient.Request) error { return nil }
		}, 0, rpcclient.ErrMiddleware, ""},
		{"hands on a copy", func(next rpcclient.Doer) rpcclient.Doer {
			return func(ctx context.Context, r *rpcclient.Request) error {
				own := *r
				own.Type = "echo"
				return next(ctx, &own)
			}
		}, 7, nil, "echo 7"},
		{"no error as an *Error", func(next rpcclient.Doer) rpcclient.Doer {
			return func(ctx context.Context, r *rpcclient.Request) error {
				r.Type = "echo"
				var e *rpcclient.Error
				if err := next(ctx, r); err != nil {
					return err
				}
				return e
			}
		}, 7, nil, "echo 7"},
		{"no call and no error as an *Error", func(rpcclient.Doer) rpcclient.Doer {
			return func(context.Context, *rpcclient.Request) error { return (*rpcclient.Error)(nil) }
		}, 0, rpcclient.ErrMiddleware, ""},
		{"wraps no error", func(next rpcclient.Doer) rpcclient.Doer {
			return func(context.Context, *rpcclient.Request) error {
				return fmt.Errorf("%w: %w", oops, (*rpcclient.Error)(nil))
			}
		}, 0, rpcclient.ErrMiddleware, ""},
		{"makes up a request", func(next rpcclient.Doer) rpcclient.Doer {
			return func(ctx context.Context, _ *rpcclient.Request) error {
				return next(ctx, &rpcclient.Request{Type: "echo"})
			}
		}, 0, rpcclient.ErrMiddleware, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serveTwin(t, marked, func(s *twin) {
					s.handle = func(s *twin, st *mux.Stream) {
						if st.MethodName() == "busy" {
							s.first(st)
							st.Fail(fails(wire.ResourceExhausted, "busy"), false)
							return
						}
						standard(s, st)
					}
				})
				c := s.client(t, rpcclient.V2, func(c *rpcclient.Config) { c.Use = []rpcclient.Middleware{test.use} })
				got, err := rpcclient.Call[int](t.Context(), c, "busy", 7)
				e, _ := errors.AsType[*rpcclient.Error](err)
				if got != test.want || (err != nil) != (test.kind != nil) || err != nil && e.Kind != test.kind {
					t.Errorf("%d, %v; want %d, %v", got, err, test.want, test.kind)
				}
				if calls := strings.Join(s.calls(), ","); calls != test.calls {
					t.Errorf("the server saw %q, want %q", calls, test.calls)
				}
				if test.name == "wraps the error" && (e.Code != rpcclient.ResourceExhausted || !errors.Is(err, oops)) {
					t.Errorf("%+v has lost the code or the cause", e)
				}
			})
		})
	}
}

// Who answered is told to every middleware, also to one whose request was copied by
// those within; none sees an error that is none.
func TestMiddlewareHearsWhoAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		heard := 0
		layer := func(next rpcclient.Doer) rpcclient.Doer {
			return func(ctx context.Context, r *rpcclient.Request) error {
				own := *r
				err := next(ctx, &own)
				if !strings.HasPrefix(own.Server, "memory") || own.Protocol != "v2" || own.Attempts != 1 {
					t.Errorf("%s %s: told %q, %q, %d attempts", own.Pattern, own.Type, own.Server, own.Protocol, own.Attempts)
				}
				if heard++; err != nil {
					t.Errorf("an error that is none: %#v", err)
				}
				return (*rpcclient.Error)(nil)
			}
		}
		c := s.client(t, rpcclient.V2, func(c *rpcclient.Config) { c.Use = []rpcclient.Middleware{layer, layer, layer} })
		if got, err := rpcclient.Call[int](t.Context(), c, "echo", 7); got != 7 || err != nil {
			t.Errorf("the call gave %d, %v", got, err)
		}
		if got := collect(t, rpcclient.Stream[int](t.Context(), c, "items", 2)); len(got) != 2 {
			t.Errorf("the stream gave %v", got)
		}
		if got, err := rpcclient.Upload[int](t.Context(), c, "sum", rpcclient.Values(slices.Values([]int{1, 2}))); got != 3 || err != nil {
			t.Errorf("the upload gave %d, %v", got, err)
		}
		if heard != 9 {
			t.Errorf("%d layers came to their end, want 9", heard)
		}
	})
}

// A middleware that calls again after the consumer has left finds nobody.
func TestMiddlewareAfterBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		twice := func(next rpcclient.Doer) rpcclient.Doer {
			return func(ctx context.Context, r *rpcclient.Request) error {
				_ = next(ctx, r)
				_ = next(ctx, r)
				return errors.New("and a failure")
			}
		}
		c := s.client(t, rpcclient.V2, func(c *rpcclient.Config) { c.Use = []rpcclient.Middleware{twice} })
		n := 0
		for range rpcclient.Stream[int](t.Context(), c, "endless", nil) {
			n++
			break
		}
		if n != 1 || len(s.calls()) != 1 {
			t.Errorf("%d items, calls %q; want one and one", n, s.calls())
		}
	})
}

// Listing and health go to a server of ours over either version, and to no other.
func TestServicesAndHealth(t *testing.T) {
	const listing = `[{"name":"fib","reply_type":"fib_res","pattern":"call","request":{"type":"integer"},"reply":{"type":"integer"},"doc":"d","example":10,"idempotent":true}]`
	answer := func(typ string) string {
		return map[string]string{"!services": listing, "!health": `{"status":"serving","streams":3,"protocols":["v1","v2"]}`}[typ]
	}
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, func(c *peer.Conn, m peer.Message) {
			payload := m.Payload
			if a := answer(m.Type); a != "" {
				payload = a
			}
			c.Reply(m.ID[:wire.PrefixLen]+"!1", m.Type, payload)
		}, func(s *twin) {
			s.handle = func(s *twin, st *mux.Stream) {
				s.first(st)
				_ = st.Finish([]byte(answer(st.MethodName())), nil, false)
			}
		})
		v1 := s.client(t, rpcclient.V1)
		if _, err := v1.Services(t.Context()); !errors.Is(err, rpcclient.ErrNoStreams) || s.dialed() != 0 {
			t.Errorf("nothing is known: %v, %d connections", err, s.dialed())
		}
		if _, err := v1.Invoke(t.Context(), "!other", nil); !errors.Is(err, rpcclient.ErrNoStreams) {
			t.Errorf("a reserved name gave %v", err)
		}
		if _, err := rpcclient.Call[int](t.Context(), v1, "echo", 1); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*rpcclient.Client{v1, s.client(t, rpcclient.V2), s.client(t, rpcclient.Auto)} {
			list, err := c.Services(t.Context())
			if err != nil || len(list) != 1 || list[0].Name != "fib" || list[0].Pattern != rpcclient.PatternCall || string(list[0].Example) != "10" || !list[0].Idempotent {
				t.Errorf("services gave %+v, %v", list, err)
			}
			health, err := c.Health(t.Context())
			if err != nil || health.Status != "serving" || health.Streams != 3 {
				t.Errorf("health gave %+v, %v", health, err)
			}
		}
	})
}

func TestViolations(t *testing.T) {
	e := &rpcclient.Error{Status: rpcclient.Status{Details: []byte(`{"violations":[{"field":"a[2].b","at":17,"problem":"is no number"}]}`)}}
	if got := e.Violations(); len(got) != 1 || got[0] != (rpcclient.Violation{Field: "a[2].b", At: 17, Problem: "is no number"}) {
		t.Errorf("got %+v", got)
	}
	for _, details := range []string{"", "null", `{"pattern":"stream"}`, "[1]"} {
		if got := (&rpcclient.Error{Status: rpcclient.Status{Details: []byte(details)}}).Violations(); got != nil {
			t.Errorf("%q gave %+v", details, got)
		}
	}
}
