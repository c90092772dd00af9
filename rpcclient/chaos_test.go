package rpcclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
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

// Servers that die, hang, drain, refuse, are slow, leave the list and come back,
// while calls of all kinds are hedged, sent again and given up: every call returns,
// with what belongs to it, nothing runs twice that may not, and Close leaves
// nothing behind (the bubble would not end).
func TestFleetChaos(t *testing.T) {
	seeds, calls := uint64(4), 150
	if raceEnabled || testing.Short() {
		seeds, calls = 2, 50
	}
	for _, protocol := range []rpcclient.Protocol{rpcclient.V2, rpcclient.Auto, rpcclient.V1} {
		for seed := range seeds {
			t.Run(fmt.Sprintf("%v/%d", protocol, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { fleetChaos(t, protocol, seed, calls) })
			})
		}
	}
}

// ledger counts what ran.
type ledger struct {
	mu  sync.Mutex // protects the fields below
	ran map[string]int
	rnd *rand.Rand
}

// note counts one run and says how the server behaves this time.
func (l *ledger) note(what string) (mood int, nap time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if mood = l.rnd.IntN(20); mood != refuses {
		l.ran[what]++
	}
	return mood, time.Duration(l.rnd.IntN(l.rnd.IntN(30)+1)) * time.Millisecond
}

// The moods of a server; all others answer.
const (
	refuses = iota
	isBusy
	hangsUp
	hangs
)

func (l *ledger) serve(s *twin, st *mux.Stream) {
	payload := slices.Clone(s.first(st))
	if len(payload) == 0 { // the connection has ended meanwhile
		return
	}
	mood, nap := l.note(st.MethodName() + " " + string(payload))
	time.Sleep(nap)
	meta, _ := wire.AppendField(nil, "who", string(payload))
	switch mood {
	case refuses:
		st.Fail(fails(wire.Unavailable, "not now"), true)
	case isBusy:
		st.Fail(fails(wire.ResourceExhausted, "busy"), false)
	case hangsUp:
		s.hangUp()
	case hangs:
		s.hang(st)
	default:
		if st.MethodName() == "stream" {
			for range 3 {
				_ = st.Send(context.Background(), payload, meta, false)
			}
		}
		_ = st.Finish(payload, meta, false)
	}
}

// script is the same over version 1, where nothing can be refused.
func (l *ledger) script(c *peer.Conn, m peer.Message) {
	if strings.HasPrefix(m.Type, "!") {
		marked(c, peer.Message{ID: m.ID, Type: m.Type, Payload: `{"status":"serving"}`})
		return
	}
	what := m.Type + " " + m.Payload
	mood, nap := l.note(what)
	if mood == refuses {
		l.mu.Lock()
		l.ran[what]++
		l.mu.Unlock()
	}
	time.Sleep(nap / 8) // one after the other
	switch mood {
	case hangsUp:
		c.Close()
	case hangs: // this one is never answered
	default:
		marked(c, m)
	}
}

func fleetChaos(t *testing.T, protocol rpcclient.Protocol, seed uint64, calls int) {
	l := &ledger{ran: map[string]int{}, rnd: rand.New(rand.NewPCG(seed, 1))}
	w := build(t, 5, l.serve, l.script)
	r := &lists{news: make(chan []string, 1), fail: make(chan error)}
	c, err := rpcclient.New("lists:///x", &rpcclient.Config{
		Dialer:    w.dial,
		Protocol:  protocol,
		Resolvers: map[string]rpcclient.Resolver{"lists": r},
		Hedge:     rpcclient.Hedge{After: 15 * time.Millisecond, Percentile: float64(seed%2) / 2},
		Pool:      rpcclient.Pool{Min: int(seed % 2), Max: 3, PerConn: 4, MaxAge: time.Second, MaxIdle: 200 * time.Millisecond},
		Keepalive: rpcclient.Keepalive{Idle: time.Second, Silence: 500 * time.Millisecond, Timeout: 200 * time.Millisecond},
		Retry:     rpcclient.Retry{PerSecond: 1000, Attempts: 3 + int(seed%3)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, stop := context.WithCancel(t.Context())
	var unrest, callers sync.WaitGroup
	unrest.Go(func() { riot(ctx, w, r, rand.New(rand.NewPCG(seed, 2))) })
	var mu sync.Mutex
	done, failed := 0, map[error]int{}
	for i := range 24 {
		callers.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(100+i)))
			for j := range calls {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(20+rnd.IntN(2000))*time.Millisecond)
				err := oneOfAll(ctx, t, c, rnd.IntN(8), i*1000+j, protocol)
				cancel()
				e, ok := errors.AsType[*rpcclient.Error](err)
				mu.Lock()
				switch {
				case err == nil:
					done++
				case ok:
					failed[e.Kind]++
				default:
					t.Errorf("call %d: %v is no Error", i*1000+j, err)
				}
				mu.Unlock()
				time.Sleep(time.Duration(rnd.IntN(10)) * time.Millisecond)
			}
		})
	}
	closes := seed%2 == 1 // in the midst of it
	if closes {
		time.AfterFunc(time.Second, func() { c.Close() })
		time.AfterFunc(time.Second, stop)
	}
	callers.Wait()
	stop()
	unrest.Wait()
	c.Close()
	if got := c.Stats(); got.Pending != 0 || got.Streams != 0 || got.Conns != 0 || got.State != rpcclient.Closed {
		t.Errorf("left behind: %+v", got)
	}
	for _, p := range c.Peers() {
		if p.Pending != 0 || p.Conns != 0 {
			t.Errorf("left behind: %+v", p)
		}
	}
	time.Sleep(10 * time.Second) // what was on its way arrives
	l.mu.Lock()
	defer l.mu.Unlock()
	for what, n := range l.ran {
		if n > 1 && !strings.HasPrefix(what, "echo ") {
			t.Errorf("%s ran %d times", what, n)
		}
	}
	if !closes && done < 24*calls/2 {
		t.Errorf("%d calls succeeded, want most; failed: %v", done, failed)
	}
	if got := c.Stats(); got.Hedges < 10 || got.Retries < 50 {
		t.Errorf("%d hedges and %d retries, want more unrest", got.Hedges, got.Retries)
	}
}

// riot upsets the servers and the list until ctx ends.
func riot(ctx context.Context, w *town, r *lists, rnd *rand.Rand) {
	list := slices.Clone(w.names)
	tell := func(servers []string, err error) { // unless nobody listens any more
		select {
		case r.news <- servers:
		case r.fail <- err:
		case <-ctx.Done():
		}
	}
	r.news <- slices.Clone(list)
	for ctx.Err() == nil {
		name := w.names[rnd.IntN(len(w.names))]
		while := time.Duration(rnd.IntN(400)) * time.Millisecond
		switch rnd.IntN(7) {
		case 0:
			w.kill(name)
			time.AfterFunc(while, func() { w.start(name) })
		case 1:
			w.freeze(name, true)
			time.AfterFunc(while, func() { w.freeze(name, false) })
		case 2:
			w.at[name].goAway()
		case 3:
			w.at[name].hangUp()
		default:
			rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			tell(slices.Clone(list[:1+rnd.IntN(len(list))]), errors.New("nobody knows"))
		}
		time.Sleep(time.Duration(rnd.IntN(120)) * time.Millisecond)
	}
}

// oneOfAll makes a call of some kind and checks that all it brings is its own.
func oneOfAll(ctx context.Context, t *testing.T, c *rpcclient.Client, sort, n int, protocol rpcclient.Protocol) error {
	text := strconv.Itoa(n)
	switch sort {
	case 0:
		return rpcclient.Cast(ctx, c, "cast", n)
	case 1:
		got, err := rpcclient.Call[int](ctx, c, "inc", n)
		if err == nil && got != n {
			t.Errorf("increment %d gave %d", n, got)
		}
		return err
	case 2:
		if protocol == rpcclient.V1 {
			break
		}
		for got, err := range rpcclient.Stream[int](ctx, c, "stream", n) {
			if err != nil {
				return err
			}
			if got != n {
				t.Errorf("stream %d brought %d", n, got)
			}
		}
		return nil
	case 3:
		raw, err := c.Invoke(ctx, "echo", []byte(text), rpcclient.Idempotent())
		if err == nil && string(raw) != text {
			t.Errorf("invocation %d gave %s", n, raw)
		}
		return err
	}
	var trace rpcclient.Trace
	var meta rpcclient.Metadata
	got, err := rpcclient.Call[int](rpcclient.WithReplyMetadata(rpcclient.WithTrace(ctx, &trace), &meta), c, "echo", n, rpcclient.Idempotent())
	if err != nil {
		return err
	}
	if got != n || trace.Protocol == "v2" && meta["who"] != text {
		t.Errorf("call %d gave %d and the metadata %v", n, got, meta)
	}
	for what, frames := range map[string][]byte{"out": trace.Out, "in": trace.In} {
		if !bytes.Contains(frames, []byte(text)) {
			t.Errorf("trace of call %d over %s has another's bytes %s: %q", n, trace.Protocol, what, frames)
		}
	}
	if trace.Server == "" || trace.Attempts < 1 || trace.Received.IsZero() || trace.ReplyType != "echo_res" {
		t.Errorf("trace of call %d: %+v", n, trace)
	}
	return nil
}
