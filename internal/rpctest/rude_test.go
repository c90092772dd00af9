package rpctest_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/rpcclient"
	"github.com/rpckids/rpckids/rpcserver"
)

// Items that panic do so in the goroutine of their caller, who may recover; items that end their goroutine fail the call.
func TestItemsThatPanic(t *testing.T) {
	type oops struct{}
	synctest.Test(t, func(t *testing.T) {
		s := rpcserver.New(nil)
		c := rpctest.PairOf(t, s, &rpcclient.Config{Protocol: rpcclient.V2}, func(s *rpcserver.Server) {
			rpcserver.HandleUpload(s, "sum", func(_ context.Context, items iter.Seq2[int, error]) (sum int, err error) {
				for v, err := range items {
					if err != nil {
						return 0, err
					}
					sum += v
				}
				return sum, nil
			})
			rpcserver.HandleBidi(s, "echo", func(_ context.Context, items iter.Seq2[int, error]) iter.Seq2[int, error] { return items })
		})
		for name, run := range map[string]func(iter.Seq2[int, error]) error{
			"upload": func(items iter.Seq2[int, error]) error {
				_, err := rpcclient.Upload[int](t.Context(), c, "sum", items)
				return err
			},
			"bidi": func(items iter.Seq2[int, error]) (last error) {
				for _, err := range rpcclient.Bidi[int](t.Context(), c, "echo", items) {
					last = err
				}
				return last
			},
		} {
			thrown := func(items iter.Seq2[int, error]) (value any) {
				defer func() { value = recover() }()
				err := run(items)
				t.Errorf("%s returned %v", name, err)
				return nil
			}
			if got := thrown(func(yield func(int, error) bool) { yield(1, nil); panic(oops{}) }); got != (oops{}) {
				t.Errorf("%s: recovered %v, want what the items threw", name, got)
			}
			if thrown(nil) == nil {
				t.Errorf("%s: nil items do not panic", name)
			}
			err := run(func(yield func(int, error) bool) { yield(1, nil); runtime.Goexit() })
			if e, ok := errors.AsType[*rpcclient.Error](err); !ok || e.Kind != rpcclient.ErrPayload {
				t.Errorf("%s: items that end their goroutine gave %v", name, err)
			}
		}
		synctest.Wait()
		if got := s.Stats(); got.Streams != 0 || c.Stats().Streams != 0 || c.Stats().Reconnects != 0 {
			t.Errorf("left: %+v, %+v", got, c.Stats())
		}
	})
}

// registerRude adds streams whose handlers do what they must not.
func registerRude(t *testing.T, s *rpcserver.Server) {
	add := func(name string, seq iter.Seq2[int, error]) {
		rpcserver.HandleStream(s, name, func(context.Context, int) iter.Seq2[int, error] { return seq })
	}
	add("nil", nil)
	add("deaf", func(yield func(int, error) bool) {
		for i := range 1_000_000 {
			yield(i, nil)
		}
	})
	add("late panic", func(yield func(int, error) bool) { yield(1, nil); panic("at the second item") })
	add("goexit", func(yield func(int, error) bool) { yield(1, nil); runtime.Goexit() })
	add("error", func(yield func(int, error) bool) {
		yield(1, nil)
		if yield(0, rpcserver.Errorf(rpcserver.Aborted, "once")) {
			t.Error("an error does not end the stream")
		}
	})
}

// Handlers that do what they must not: the stream fails or ends, the server and its other streams go on.
func TestRudeHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rpcserver.New(nil)
		c := rpctest.PairOf(t, s, &rpcclient.Config{Protocol: rpcclient.V2}, func(s *rpcserver.Server) {
			registerRude(t, s)
			rpcserver.HandleBidi(s, "quits", func(_ context.Context, items iter.Seq2[int, error]) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) {
					for v, err := range items {
						if err != nil || !yield(v, nil) || v == 3 {
							return
						}
					}
				}
			})
		})
		for v, err := range rpcclient.Stream[int](t.Context(), c, "deaf", 0) {
			if v == 3 || err != nil {
				break
			}
		}
		for name, want := range map[string]rpcclient.Code{"nil": rpcclient.Internal, "late panic": rpcclient.Internal, "goexit": rpcclient.Internal, "error": rpcclient.Aborted} {
			n := 0
			var last error
			for _, err := range rpcclient.Stream[int](t.Context(), c, name, 0) {
				n++
				last = err
			}
			if e, ok := errors.AsType[*rpcclient.Error](last); !ok || e.Code != want || n > 2 {
				t.Errorf("%s: %d items, the last %v", name, n, last)
			}
		}
		endless := func(yield func(int, error) bool) {
			for i := 0; yield(i, nil); i++ {
			}
		}
		var got []int
		for v, err := range rpcclient.Bidi[int](t.Context(), c, "quits", endless) {
			if err != nil {
				t.Error(err)
			}
			got = append(got, v)
		}
		if !slices.Equal(got, []int{0, 1, 2, 3}) {
			t.Errorf("quits gave %v", got)
		}
		synctest.Wait()
		if st := s.Stats(); st.Streams != 0 || st.Panics != 4 || c.Stats().Streams != 0 || c.Stats().Reconnects != 0 {
			t.Errorf("left: %+v, %+v", st, c.Stats())
		}
	})
}

// One sequence is ranged over by many, who call others in its loop and leave it where they like.
func TestStreamsWithinStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rpcserver.New(nil)
		c := rpctest.PairOf(t, s, nil, func(s *rpcserver.Server) {
			rpcserver.HandleStream(s, "upto", func(_ context.Context, n int) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) {
					for i := range n {
						if !yield(i, nil) {
							return
						}
					}
				}
			})
			rpcserver.Handle(s, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		})
		seq := rpcclient.Stream[int](t.Context(), c, "upto", 50)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				n := 0
				for v, err := range seq {
					if v != n || err != nil {
						t.Errorf("item %d is %d, %v", n, v, err)
						return
					}
					if d, err := rpcclient.Call[int](t.Context(), c, "double", v); d != 2*v || err != nil {
						t.Errorf("double gave %d, %v", d, err)
					}
					for w, err := range rpcclient.Stream[int](t.Context(), c, "upto", v+1) {
						if w > v || err != nil {
							t.Errorf("inner item %d, %v", w, err)
						}
						if w == v/2 {
							break
						}
					}
					if n++; n == 10+g {
						break
					}
				}
			})
		}
		wg.Wait()
		before := s.Stats().Calls
		_ = rpcclient.Stream[int](t.Context(), c, "upto", 50) // never ranged over: never called
		synctest.Wait()
		if st := s.Stats(); st.Calls != before || st.Streams != 0 || st.Running != 0 || c.Stats().Streams != 0 || c.Stats().Pending != 0 {
			t.Errorf("left: %+v, %+v", st, c.Stats())
		}
	})
}

// Bytes that are none are messages too.
func TestEmptyRawMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := over(t, rpcclient.V2, func(s *rpcserver.Server) {
			rpcserver.Handle(s, "same", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })
			rpcserver.HandleStream(s, "thrice", func(context.Context, []byte) iter.Seq2[[]byte, error] {
				return rpcclient.Values(slices.Values(make([][]byte, 3)))
			})
			rpcserver.HandleUpload(s, "count", func(_ context.Context, items iter.Seq2[[]byte, error]) ([]byte, error) {
				n := byte(0)
				for b, err := range items {
					if err != nil || len(b) > 0 {
						return nil, errors.New("not empty")
					}
					n++
				}
				return []byte{n}, nil
			})
			rpcserver.HandleBidi(s, "back", func(_ context.Context, items iter.Seq2[[]byte, error]) iter.Seq2[[]byte, error] { return items })
		})
		raw := rpcclient.Raw()
		if b, err := rpcclient.Call[[]byte](t.Context(), c, "same", []byte{}, raw); len(b) != 0 || err != nil {
			t.Errorf("same gave %v, %v", b, err)
		}
		count := func(name string, want int, seq iter.Seq2[[]byte, error]) {
			n := 0
			for b, err := range seq {
				if n++; len(b) != 0 || err != nil {
					t.Errorf("%s gave %v, %v", name, b, err)
				}
			}
			if n != want {
				t.Errorf("%s gave %d items, want %d", name, n, want)
			}
		}
		empty := rpcclient.Values(slices.Values([][]byte{nil, {}, nil, {}}))
		count("thrice", 3, rpcclient.Stream[[]byte](t.Context(), c, "thrice", nil, raw))
		count("back", 4, rpcclient.Bidi[[]byte](t.Context(), c, "back", empty, raw))
		if b, err := rpcclient.Upload[[]byte](t.Context(), c, "count", empty, raw); !slices.Equal(b, []byte{4}) || err != nil {
			t.Errorf("count gave %v, %v", b, err)
		}
	})
}
