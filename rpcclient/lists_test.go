package rpcclient_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/rpcclient"
)

// A list that changes: new servers get calls, those that leave finish theirs.
func TestListChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 4, func(s *twin, st *mux.Stream) {
			if st.MethodName() == "slow" {
				payload := slices.Clone(s.first(st))
				time.Sleep(30 * time.Second)
				_ = st.Finish(payload, nil, false)
				return
			}
			standard(s, st)
		})
		r := &lists{news: make(chan []string, 10)}
		c := r.client(t, w)
		r.news <- []string{"a:1", "b:1"}
		load(t, c, time.Second, 10*time.Millisecond)
		var wg sync.WaitGroup
		for i := range 20 { // on both
			wg.Go(func() {
				if got, err := rpcclient.Call[int](t.Context(), c, "slow", i); got != i || err != nil {
					t.Errorf("a call on a server that left gave %d, %v", got, err)
				}
			})
		}
		synctest.Wait()
		r.news <- []string{"c:1", "b:1", "d:1"}
		time.Sleep(time.Second)
		left := peerOf(t, c, "a:1")
		if left.State != rpcclient.PeerDraining || left.Pending == 0 || c.Stats().Servers != 3 {
			t.Errorf("the one that left: %+v; stats %+v", left, c.Stats())
		}
		if failed, err := load(t, c, 2*time.Second, 10*time.Millisecond); failed > 0 {
			t.Errorf("%d calls failed, the last with %v", failed, err)
		}
		if now := peerOf(t, c, "a:1"); now.Calls != left.Calls {
			t.Errorf("the one that left got %d more calls", now.Calls-left.Calls)
		}
		for _, name := range []string{"c:1", "d:1"} {
			if p := peerOf(t, c, name); p.State != rpcclient.PeerUp || p.Calls < 20 {
				t.Errorf("a new one: %+v", p)
			}
		}
		wg.Wait()
		time.Sleep(2 * time.Second)
		if got := len(c.Peers()); got != 3 {
			t.Errorf("%d peers, want the one that left to be forgotten", got)
		}
		r.news <- nil // never to zero
		r.fail <- errors.New("the directory is on fire")
		time.Sleep(time.Second)
		if failed, _ := load(t, c, time.Second, 10*time.Millisecond); failed > 0 {
			t.Errorf("%d calls failed while the list could not be had", failed)
		}
		if s := c.Stats(); s.Servers != 3 || !strings.Contains(s.Discovery, "on fire") || !strings.Contains(s.Discovery, "keeping the last list of 3") {
			t.Errorf("stats %+v", s)
		}
		r.news <- []string{"d:1"}
		time.Sleep(time.Second)
		if failed, _ := load(t, c, time.Second, 10*time.Millisecond); failed > 0 || c.Stats().Discovery != "" || c.Stats().Servers != 1 {
			t.Errorf("with one server left %d calls failed; stats %+v", failed, c.Stats())
		}
	})
}

// lists is a resolver that says what the test wants.
type lists struct {
	news chan []string
	fail chan error
}

func (l *lists) Watch(ctx context.Context, name string, update func([]string, error)) error {
	for {
		select {
		case servers := <-l.news:
			update(servers, nil)
		case err := <-l.fail:
			update(nil, err)
		case <-ctx.Done():
			return nil
		}
	}
}

func (l *lists) client(t testing.TB, w *town) *rpcclient.Client {
	t.Helper()
	if l.fail == nil {
		l.fail = make(chan error, 1)
	}
	c, err := rpcclient.New("lists:///x", &rpcclient.Config{Dialer: w.dial, Protocol: rpcclient.V2, Resolvers: map[string]rpcclient.Resolver{"lists": l}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A caller waits for the first list as long as it likes, and hears what is wrong with it.
func TestFirstList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 1, nil)
		l := &lists{news: make(chan []string, 1), fail: make(chan error, 1)}
		c := l.client(t, w)
		if _, err := rpcclient.Call[int](within(t, time.Second), c, "echo", 1); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no servers are known yet") {
			t.Errorf("without a list: %v", err)
		}
		l.fail <- errors.New("no such name")
		_, err := rpcclient.Call[int](t.Context(), c, "echo", 1)
		if e := kind(t, err, rpcclient.ErrDiscovery, rpcclient.Unavailable); e.Server != "lists:///x" || !strings.Contains(e.Message, "no such name") {
			t.Errorf("a list that fails: %v at %q", err, e.Server)
		}
		time.AfterFunc(time.Second, func() { l.news <- []string{"a:1"} })
		time.Sleep(2 * time.Second)
		if got, err := rpcclient.Call[int](t.Context(), c, "echo", 1); got != 1 || err != nil {
			t.Errorf("with a list: %d, %v", got, err)
		}
	})
}

// Lists that nobody should send: too long, double, flapping, and gone before the
// client is.
func TestHostileLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, 3, nil)
		l := &lists{news: make(chan []string)}
		c := l.client(t, w)
		many := []string{"a:1", "A:1", "a:1", "", "nonsense", "x\x1b[2J:1", "b:0", "unix://relative"}
		for i := range 10_000 {
			many = append(many, fmt.Sprintf("10.%d.%d.%d:7", i>>16, i>>8&255, i&255))
		}
		go func() { l.news <- many }() // ends when the resolver takes it
		if failed, err := load(t, c, 2*time.Second, 10*time.Millisecond); failed > 0 {
			t.Errorf("%d calls failed, the last with %v", failed, err)
		}
		if got := c.Stats().Servers; got != 1000 {
			t.Errorf("%d servers, want no more than 1000", got)
		}
		for i := range 1000 { // a:1 stays, the others come and go
			l.news <- []string{"a:1", []string{"b:1", "c:1"}[i%2]}
			if i%10 == 0 {
				if got, err := rpcclient.Call[int](t.Context(), c, "echo", i); got != i || err != nil {
					t.Errorf("call %d gave %d, %v", i, got, err)
				}
			}
			time.Sleep(time.Millisecond)
		}
		if b, c := w.dialed("b:1"), w.dialed("c:1"); b+c > 30 {
			t.Errorf("a second of flapping made %d dials", b+c)
		}
		if got := w.dialed("a:1"); got != 1 {
			t.Errorf("the one that stayed was dialed %d times", got)
		}
		if got := len(c.Peers()); got > 3 {
			t.Errorf("%d peers", got)
		}
	})
}

// The record of a server that is back before its last call has ended goes on.
func TestServerThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := slowTown(t, 2)
		l := &lists{news: make(chan []string, 1)}
		c := l.client(t, w)
		l.news <- []string{"a:1", "b:1"}
		wave(t, c, 20)
		before := peerOf(t, c, "a:1").Calls
		var wg sync.WaitGroup
		wg.Go(func() { wave(t, c, 20) })
		time.Sleep(500 * time.Millisecond)
		l.news <- []string{"b:1"}
		time.Sleep(200 * time.Millisecond)
		l.news <- []string{"a:1", "b:1"}
		wg.Wait()
		if got := peerOf(t, c, "a:1"); before == 0 || got.Calls <= before || got.State == rpcclient.PeerDraining {
			t.Errorf("it had %d calls, and then %+v", before, got)
		}
	})
}
