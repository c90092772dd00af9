package rpcclient_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/rpcclient"
)

// narrow makes a client of one server that takes so many calls at once on a
// connection. A call takes a second, a "hold" as long as the test.
func narrow(t *testing.T, most, conns int) (*town, *rpcclient.Client) {
	held := make(chan struct{})
	w := build(t, 0, nil)
	w.names = []string{"a:1"}
	w.at["a:1"] = serveTwin(t, marked, func(s *twin) {
		s.config.Settings.MaxStreams = most
		s.handle = func(s *twin, st *mux.Stream) {
			payload := slices.Clone(s.first(st))
			if st.MethodName() == "hold" {
				<-held
			} else {
				time.Sleep(time.Second)
			}
			_ = st.Finish(payload, nil, false)
		}
	})
	t.Cleanup(func() { close(held) }) // before the server is waited for
	return w, w.client(func(cfg *rpcclient.Config) { cfg.Pool.Max = conns })
}

// A server that takes few calls at once on a connection gets more connections, and
// nobody waits on one while another has room: not those that came before it had
// said so either.
func TestServerThatTakesFewCalls(t *testing.T) {
	for _, test := range []struct {
		name  string
		most  int
		max   int // of the pool
		calls int
		conns int
		takes time.Duration
	}{
		{"room on one", 4, 4, 4, 1, time.Second},
		{"one more", 4, 4, 5, 2, time.Second},
		{"as many as fit", 2, 4, 8, 4, time.Second},
		{"more than fit", 2, 4, 16, 4, 7 * time.Second}, // two in the best case; calls of one moment are not shared quite evenly
		{"one at a time", 1, 3, 6, 3, 5 * time.Second},
		{"a pool of one", 2, 1, 8, 1, 4 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, c := narrow(t, test.most, test.max)
				for _, excess := range []time.Duration{300 * time.Millisecond, 0} { // the first ones come before it has said so, and some are sent back for a while
					begun := time.Now()
					var wg sync.WaitGroup
					for i := range test.calls {
						wg.Go(func() {
							if got, err := rpcclient.Call[int](t.Context(), c, "slow", i); got != i || err != nil {
								t.Errorf("call %d gave %d, %v", i, got, err)
							}
						})
					}
					wg.Wait()
					if took, st := time.Since(begun), c.Stats(); st.Conns != test.conns || took > test.takes+excess || w.dialed("a:1") != test.conns {
						t.Errorf("%d calls took %v over %d connections, %d dials; want %v over %d", test.calls, took, st.Conns, w.dialed("a:1"), test.takes, test.conns)
					}
				}
			})
		})
	}
}

// A call behind one that never ends gets a connection of its own.
func TestCallBehindALongOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := narrow(t, 1, 2)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { // ends with ctx
			_, err := rpcclient.Call[int](ctx, c, "hold", 1)
			over <- err
		}()
		synctest.Wait()
		begun := time.Now()
		if _, err := rpcclient.Call[int](within(t, 10*time.Second), c, "slow", 1); err != nil || time.Since(begun) != time.Second {
			t.Errorf("got %v after %v, want an answer after 1s", err, time.Since(begun))
		}
		cancel()
		if err := <-over; err == nil {
			t.Error("the long call ended well")
		}
	})
}

// shy is a connection whose other end takes its time before it says the first word.
type shy struct {
	net.Conn
	once sync.Once
}

func (s *shy) Read(p []byte) (int, error) {
	s.once.Do(func() { time.Sleep(200 * time.Millisecond) })
	return s.Conn.Read(p)
}

// How few calls a server takes on a connection is remembered: a new one gets no
// more than that before it has said so itself, and sends none back.
func TestNewConnectionsGetWhatFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := narrow(t, 2, 4)
		c := w.client(func(cfg *rpcclient.Config) {
			cfg.Pool = rpcclient.Pool{Max: 4, MaxIdle: time.Second}
			cfg.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
				sock, err := w.dial(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return &shy{Conn: sock}, nil
			}
		})
		for round := range 3 {
			calls := 1 // says how many it takes
			if round > 0 {
				calls = 12
			}
			begun := time.Now()
			var wg sync.WaitGroup
			for i := range calls {
				wg.Go(func() {
					if got, err := rpcclient.Call[int](t.Context(), c, "slow", i); got != i || err != nil {
						t.Errorf("call %d gave %d, %v", i, got, err)
					}
				})
			}
			wg.Wait()
			if took, st := time.Since(begun), c.Stats(); st.Retries != 0 || took > 3*time.Second {
				t.Errorf("round %d: %v over %d connections, %d calls were sent back", round, took, st.Conns, st.Retries)
			}
			time.Sleep(time.Minute)
			if got := c.Stats().Conns; got != 1 {
				t.Errorf("%d connections after a quiet time", got)
			}
		}
	})
}
