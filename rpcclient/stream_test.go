package rpcclient_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// collect ranges to the end; an error fails the test.
func collect[T any](t *testing.T, seq iter.Seq2[T, error]) (all []T) {
	t.Helper()
	for v, err := range seq {
		if err != nil {
			t.Fatalf("after %d items: %v", len(all), err)
		}
		all = append(all, v)
	}
	return all
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2)
		var trace rpcclient.Trace
		var meta rpcclient.Metadata
		ctx := rpcclient.WithReplyMetadata(rpcclient.WithTrace(t.Context(), &trace), &meta)
		numbers := rpcclient.Stream[int](ctx, c, "items", 1000)
		for range 2 { // each range is a call of its own
			got := collect(t, numbers)
			if len(got) != 1000 || got[999] != 999 || !slices.IsSorted(got) {
				t.Errorf("%d items, want 0 to 999", len(got))
			}
			if meta["count"] != "1000" {
				t.Errorf("trailers %v, want count 1000", meta)
			}
		}
		if got := s.calls(); len(got) != 2 {
			t.Errorf("calls %q, want two", got)
		}
		if trace.BytesIn < 5000 || trace.BytesIn > 6000+20 || trace.ReplyType != "items_res" || trace.Out == nil || trace.Received.IsZero() {
			t.Errorf("trace: %d bytes in, %s, %+v; want under 6 KB", trace.BytesIn, trace.ReplyType, trace.Received)
		}
		if got := collect(t, rpcclient.Stream[int](t.Context(), c, "items", 0)); len(got) != 0 {
			t.Errorf("got %v, want nothing", got)
		}
		if got := collect(t, rpcclient.Stream[int](t.Context(), c, "echo", 7)); len(got) != 1 || got[0] != 7 {
			t.Errorf("a service that answers once gave %v, want [7]", got)
		}
		if got := c.Stats(); got.Streams != 0 || got.Pending != 0 || got.Received != 2001 {
			t.Errorf("stats %+v, want no streams, 2001 received", got)
		}
	})
}

// Whoever leaves the loop cancels on the server, in whichever way.
func TestLeavingAStream(t *testing.T) {
	type broken struct{}
	for name, leave := range map[string]func(t *testing.T, c *rpcclient.Client){
		"break": func(t *testing.T, c *rpcclient.Client) {
			for v, err := range rpcclient.Stream[int](t.Context(), c, "endless", nil) {
				if err != nil {
					t.Error(err)
				}
				if v == 10 {
					break
				}
			}
		},
		"pull": func(t *testing.T, c *rpcclient.Client) {
			next, stop := iter.Pull2(rpcclient.Stream[int](t.Context(), c, "endless", nil))
			if v, err, ok := next(); v != 0 || err != nil || !ok {
				t.Errorf("pulled %d, %v, %v", v, err, ok)
			}
			stop()
		},
		"panic": func(t *testing.T, c *rpcclient.Client) {
			defer func() {
				if got := recover(); got != (broken{}) {
					t.Errorf("recovered %v", got)
				}
			}()
			for range rpcclient.Stream[int](t.Context(), c, "endless", nil) {
				panic(broken{})
			}
		},
		"context": func(t *testing.T, c *rpcclient.Client) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var last error
			n := 0
			for _, err := range rpcclient.Stream[int](ctx, c, "endless", nil) {
				if n++; n == 10 {
					cancel()
				}
				last = err
			}
			if !errors.Is(last, context.Canceled) || !errors.Is(last, rpcclient.ErrContext) {
				t.Errorf("the last is %v, want canceled", last)
			}
		},
		"an item that does not fit": func(t *testing.T, c *rpcclient.Client) {
			var errs []error
			for _, err := range rpcclient.Stream[string](t.Context(), c, "endless", nil) {
				errs = append(errs, err)
			}
			if len(errs) != 1 || !errors.Is(errs[0], rpcclient.ErrReply) || !strings.Contains(errs[0].Error(), "endless_res") {
				t.Errorf("got %v, want one unusable reply", errs)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serveTwin(t, marked)
				c := s.client(t, rpcclient.V2)
				leave(t, c)
				synctest.Wait()
				if got := s.cancels(); len(got) != 1 {
					t.Fatalf("the server saw %v, want one cancel", got)
				}
				if f, ok := errors.AsType[*mux.Failure](s.cancels()[0]); !ok || f.Status.Code != wire.Canceled {
					t.Errorf("the server saw %v, want canceled", s.cancels()[0])
				}
				if got := s.last().Stats(); got.Streams != 0 || got.Running != 0 || c.Stats().Streams != 0 {
					t.Errorf("%+v and %d streams are left, want none", got, c.Stats().Streams)
				}
				if got := echoOver(t, c, 1); got != "v2" || s.dialed() != 1 {
					t.Errorf("a call after it: %s, %d connections", got, s.dialed())
				}
			})
		})
	}
}

// A consumer that takes its time is not run over: the server waits, others go on.
func TestSlowConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2)
		n := 0
		for v, err := range rpcclient.Stream[int](t.Context(), c, "endless", nil) {
			if v != n || err != nil {
				t.Fatalf("item %d is %d, %v", n, v, err)
			}
			if n++; n == 5000 {
				break
			}
			if n%1000 == 1 {
				time.Sleep(time.Hour)
				echoOver(t, c, n)
			}
		}
	})
}

// A stream that breaks after some items says so at its end, and is not begun again.
func TestStreamIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2)
		n, errs := 0, 0
		for _, err := range rpcclient.Stream[int](t.Context(), c, "endless", nil, rpcclient.Idempotent()) {
			if err == nil {
				if n++; n == 3 {
					s.hangUp()
				}
				continue
			}
			errs++
			kind(t, err, rpcclient.ErrConnectionLost, rpcclient.Unavailable)
		}
		if errs != 1 || len(s.calls()) != 1 {
			t.Errorf("%d errors, calls %q; want one and one", errs, s.calls())
		}
	})
}

func TestUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2)
		ended := 0
		count := rpcclient.OnEnd(func() { ended++ })
		got, err := rpcclient.Upload[int](t.Context(), c, "sum", rpcclient.Values(slices.Values([]int{1, 2, 3})), count)
		if got != 6 || err != nil || ended != 1 {
			t.Errorf("sum gave %d, %v; OnEnd ran %d times", got, err, ended)
		}
		got, err = rpcclient.Upload[int](t.Context(), c, "sum", rpcclient.Values(slices.Values([]int{})), count)
		if got != 0 || err != nil || ended != 2 {
			t.Errorf("the sum of nothing gave %d, %v; OnEnd ran %d times", got, err, ended)
		}
		// The server answers early, while the items wait for a person.
		over := make(chan struct{})
		taken := 0
		items := func(yield func(int, error) bool) {
			for range 3 {
				taken++
				if !yield(600, nil) {
					return
				}
			}
			<-over
			if yield(1, errors.New("woken")) {
				t.Error("the items are asked for more")
			}
		}
		got, err = rpcclient.Upload[int](t.Context(), c, "sum", items, rpcclient.OnEnd(func() { close(over) }))
		if got != -1 || err != nil || taken != 3 {
			t.Errorf("the early answer is %d, %v after %d items", got, err, taken)
		}
		oops := errors.New("the file has gone")
		_, err = rpcclient.Upload[int](t.Context(), c, "sum", func(yield func(int, error) bool) {
			_ = yield(1, nil) && yield(0, oops)
		})
		if e := kind(t, err, rpcclient.ErrPayload, rpcclient.Canceled); !errors.Is(e, oops) || e.Attempts != 1 {
			t.Errorf("got %v, want the items' own error", err)
		}
		synctest.Wait()
		if got := s.last().Stats(); got.Running != 0 || got.Streams != 0 {
			t.Errorf("%+v is left", got)
		}
		_, err = rpcclient.Upload[int](t.Context(), c, "sum", rpcclient.Values(slices.Values([]string{"x"})))
		kind(t, err, rpcclient.ErrServer, rpcclient.InvalidArgument)
		_, err = rpcclient.Upload[int](t.Context(), c, "sum", rpcclient.Values(slices.Values([]any{1, func() {}})))
		kind(t, err, rpcclient.ErrPayload, rpcclient.InvalidArgument)
		_, err = rpcclient.Upload[int](t.Context(), c, "sum", rpcclient.Values(slices.Values([]string{strings.Repeat("x", 1<<20)})))
		kind(t, err, rpcclient.ErrTooLarge, rpcclient.ResourceExhausted)
		if got := c.Stats(); got.Streams != 0 || s.dialed() != 1 {
			t.Errorf("stats %+v, %d connections; want no streams and one", got, s.dialed())
		}
	})
}

// The end of the context ends an upload whose items wait, if they are woken.
func TestUploadAndContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2)
		over := make(chan struct{})
		start := time.Now()
		_, err := rpcclient.Upload[int](within(t, 100*time.Millisecond), c, "sum", func(yield func(int, error) bool) {
			_ = yield(1, nil)
			<-over
		}, rpcclient.OnEnd(func() { close(over) }))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("got %v after %v, want the deadline", err, time.Since(start))
		}
		synctest.Wait()
		if len(s.cancels()) != 1 {
			t.Errorf("the server saw %v, want one cancel", s.cancels())
		}
	})
}

func TestBidi(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2)
		got := collect(t, rpcclient.Bidi[string](t.Context(), c, "chat", rpcclient.Values(slices.Values([]string{"a", "b"}))))
		if want := []string{"hello", "a", "b", "goodbye"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		// An answer to each before the next: neither end waits for the other's end.
		var asked sync.Mutex
		asked.Lock()
		var said []string
		lines := func(yield func(string, error) bool) {
			for _, line := range []string{"a", "bye", "never"} {
				asked.Lock()
				if !yield(line, nil) {
					return
				}
			}
			t.Error("the items were asked for more after the server's end")
		}
		over := rpcclient.OnEnd(func() { asked.Unlock() })
		for v, err := range rpcclient.Bidi[string](t.Context(), c, "chat", lines, over) {
			if err != nil {
				t.Error(err)
			}
			said = append(said, v)
			if v != "goodbye" {
				asked.Unlock()
			}
		}
		if want := []string{"hello", "a", "goodbye"}; !slices.Equal(said, want) {
			t.Errorf("got %q, want %q", said, want)
		}
		// The consumer leaves first.
		for range rpcclient.Bidi[string](t.Context(), c, "chat", rpcclient.Values(func(yield func(string) bool) {
			for yield("x") {
			}
		})) {
			break
		}
		oops := errors.New("oops")
		var last error
		for _, err := range rpcclient.Bidi[string](t.Context(), c, "chat", func(yield func(string, error) bool) { yield("", oops) }) {
			last = err
		}
		if !errors.Is(last, oops) || !errors.Is(last, rpcclient.ErrPayload) {
			t.Errorf("the items' error came back as %v", last)
		}
		synctest.Wait()
		if got := s.last().Stats(); got.Streams != 0 || got.Running != 0 || got.Canceled == 0 {
			t.Errorf("%+v; want nothing left, and a cancel for the consumer that left", got)
		}
	})
}

// A call of a service that streams is told so and leaves nothing running.
func TestCallOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, marked)
		c := s.client(t, rpcclient.V2)
		for _, typ := range []string{"endless", "items", "chat"} {
			payload := 3
			if typ == "items" {
				payload = 0
			}
			_, err := rpcclient.Call[int](t.Context(), c, typ, payload)
			e := kind(t, err, rpcclient.ErrServer, rpcclient.Unimplemented)
			if string(e.Details) != `{"pattern":"stream"}` {
				t.Errorf("%s: details %s", typ, e.Details)
			}
		}
		synctest.Wait()
		if got := s.last().Stats(); got.Streams != 0 || got.Running != 0 {
			t.Errorf("%+v is left", got)
		}
	})
}

// 10 000 streams left midway leave nothing behind on either side.
func TestManyStreamsLeftMidway(t *testing.T) {
	n := 10_000
	if testing.Short() || raceEnabled {
		n = 1000
	}
	synctest.Test(t, func(t *testing.T) {
		s := serveTwin(t, peer.Silent)
		c := s.client(t, rpcclient.V2)
		for i := range n {
			for range rpcclient.Stream[int](t.Context(), c, "endless", nil) {
				break
			}
			if i%100 == 99 {
				time.Sleep(time.Second) // below a rapid reset
			}
		}
		synctest.Wait()
		if got := s.last().Stats(); got.Streams != 0 || got.Running != 0 || c.Stats().Streams != 0 || s.dialed() != 1 {
			t.Errorf("%+v, %+v, %d connections; want nothing left and one", got, c.Stats(), s.dialed())
		}
	})
}
