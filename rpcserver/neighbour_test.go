package rpcserver_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// attack makes this program one that does to a server what it can: which attack, and where.
const attack = "RPCKIDS_ATTACK"

type assault struct {
	name  string
	every time.Duration
	conns int
	do    func(a *attacker)
}

// attacks are what one hostile process does, over and over, at the pace that is said, until its input ends. Each gets a new connection when its own is cut.
var attacks = []assault{
	{"rapid reset", 50 * time.Microsecond, 4, func(a *attacker) {
		a.greet()
		a.id++
		a.write(wire.AppendFrame(a.opening(wire.FlagEnd, "slow", "10000"), wire.KindError, 0, a.id, []byte{byte(wire.Canceled)}))
	}},
	{"pings", 100 * time.Microsecond, 4, func(a *attacker) {
		a.greet()
		a.write(wire.AppendFrame(nil, wire.KindPing, 0, 0, []byte("12345678")))
	}},
	{"replies left unread", time.Millisecond, 16, func(a *attacker) {
		if a.deaf = true; a.sent < 1<<20 {
			a.write(wire.AppendMessage(nil, ours, "echo", `"`+strings.Repeat("x", 100_000)+`"`))
		}
	}},
	{"dials", 500 * time.Microsecond, 4, func(a *attacker) { a.hangUp() }},
	{"malformed", 200 * time.Microsecond, 4, func(a *attacker) {
		in := wire.AppendMessage(nil, ours, "echo", `"`+strings.Repeat("x", rand.IntN(100))+`"`)
		in[rand.IntN(len(in))] ^= byte(1 + rand.IntN(255))
		a.write(in)
		a.hangUp()
	}},
	{"declared lengths", 500 * time.Microsecond, 1000, func(a *attacker) {
		if a.sent == 0 {
			head, _ := wire.Begin(nil, "1", "fib")
			head[len(head)-3] = 0x10
			a.write(append(head, 'x'))
		}
	}},
	{"deflate bombs", 20 * time.Millisecond, 2, func(a *attacker) {
		a.greet()
		a.id++
		a.write(a.opening(wire.FlagEnd|wire.FlagCompressed, "echo", string(bombOf(4<<20))))
	}},
}

var bombOf = func() func(int) []byte {
	var once sync.Once
	var b []byte
	return func(size int) []byte {
		once.Do(func() {
			deflate, _ := wire.AlgorithmOf(wire.Deflate)
			b = deflate.Compress([]byte{byte(wire.Deflate)}, make([]byte, size))
		})
		return b
	}
}()

// attacker is one connection of a hostile process.
type attacker struct {
	addr    string
	nc      net.Conn
	id      uint32
	sent    int
	greeted bool
	deaf    bool // it never reads
}

func (a *attacker) write(b []byte) {
	if a.nc == nil {
		nc, err := net.Dial("tcp", a.addr)
		if err != nil {
			return
		}
		a.nc = nc
		if !a.deaf {
			go io.Copy(io.Discard, nc) // ends with the connection, at the latest with the process
		}
	}
	a.nc.SetWriteDeadline(time.Now().Add(time.Second))
	n, err := a.nc.Write(b)
	if a.sent += n; err != nil {
		a.hangUp()
	}
}

func (a *attacker) greet() {
	if !a.greeted || a.nc == nil {
		a.greeted = true
		a.write([]byte(wire.Magic + "\x00\x00\x00"))
	}
}

func (a *attacker) hangUp() {
	if a.nc == nil {
		a.write(nil)
	}
	if a.nc != nil {
		a.nc.Close()
	}
	*a = attacker{addr: a.addr}
}

func (a *attacker) opening(f wire.Flags, name, payload string) []byte {
	head := wire.OpenHead{Name: []byte(name)}
	return wire.AppendFrame(nil, wire.KindOpen, f, a.id, append(wire.AppendOpen(nil, &head), payload...))
}

// attackFrom is the life of a hostile process.
func attackFrom(name, addr string) {
	i := slices.IndexFunc(attacks, func(a assault) bool { return a.name == name })
	over := make(chan struct{})
	go func() { // ends with the input
		io.Copy(io.Discard, os.Stdin)
		close(over)
	}()
	all := make([]attacker, attacks[i].conns)
	for n := range all {
		all[n].addr = addr
	}
	start := time.Now()
	for n := 0; ; n++ {
		attacks[i].do(&all[n%len(all)])
		wait := time.Duration(n)*attacks[i].every - time.Since(start)
		if wait < time.Millisecond {
			wait = 0
		}
		select {
		case <-over:
			return
		case <-time.After(wait):
		}
	}
}

// TestFigures12Neighbours has a client that makes calls beside each attacker, and counts how many go well in the same time. The long form alone.
func TestFigures12Neighbours(t *testing.T) {
	if !*long {
		t.Skip("the long form alone: -long")
	}
	h := onTCP(t, &rpcserver.Config{MaxConnsPerAddr: 1 << 20})
	calm, calmP99 := neighbour(t, h, 3*time.Second)
	for _, a := range attacks {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), attack+"="+a.name+"|"+h.s.Addr().String())
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		accepted := h.s.Stats().Accepted
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		await(t, func() bool { return h.s.Stats().Accepted > accepted })
		n, p99 := neighbour(t, h, 3*time.Second)
		atLeast(t, "neighbour of "+a.name+", % of its calls", 100*n/calm, 80)
		t.Logf("neighbour of %s: p99 %v, without %v", a.name, p99, calmP99)
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		await(t, func() bool { return h.s.Stats().Open == 0 })
	}
	t.Logf("closed %v, refusals %v", h.s.Stats().Closed, h.s.Stats().Refusals)
}

// neighbour makes calls for a while and returns how many went well.
func neighbour(t *testing.T, h *house, d time.Duration) (calls int, p99 time.Duration) {
	t.Helper()
	var n atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	for range 8 {
		p := h.visit()
		wg.Go(func() {
			defer p.nc.Close()
			for start := time.Now(); time.Since(start) < d; {
				began := time.Now()
				p.nc.Write(wire.AppendMessage(nil, ours, "slow", "5"))
				if got, err := p.next(); err != nil || !strings.HasPrefix(got, answered+" slow_res ") {
					t.Errorf("a call beside the attacker: %q, %v", got, err)
					return
				}
				n.Add(1)
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	return int(n.Load()), took[len(took)*99/100]
}

// TestFigures20RealOverload is TestFigures20Overload in real time, over a real socket: handlers that wait, and handlers that compute, which have as many
// workers as there are processors. Its callers run on the same processors, so the figures mean something on a machine that has nothing else to do, and
// how soon a refusal comes beside handlers that compute says how soon anything gets a processor: that one is printed alone. The long form alone.
func TestFigures20RealOverload(t *testing.T) {
	if !*long {
		t.Skip("the long form alone: -long")
	}
	for _, test := range []struct {
		name          string
		workers, once int // calls that can go on at once
		work          func() int
	}{
		{"waiting", 16, 16, func() int { time.Sleep(10 * time.Millisecond); return 1 }},
		{"computing", runtime.GOMAXPROCS(0), runtime.GOMAXPROCS(0), func() int {
			n := uint32(1)
			for range 1_000_000 {
				n = n*1664525 + 1013904223
			}
			return int(n & 1)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := onTCP(t, &rpcserver.Config{Workers: test.workers, Adaptive: true})
			rpcserver.Handle(h.s, "work", func(context.Context, int) (int, error) { return test.work(), nil })
			capacity := capacity(t, h, test.once)
			calm, _ := times(offer(t, h, capacity/4, 3*time.Second), 0)
			const seconds = 30
			good, refused := times(offer(t, h, 5*capacity, seconds*time.Second), time.Second)
			atLeast(t, fmt.Sprintf("real overload, %s, goodput in %% of %.0f calls/s", test.name, capacity), int(100*float64(len(good))/(capacity*(seconds-1))), 80)
			verdict(t, "real overload, p99 in % of p99 without load", int(100*most(good, 99)/most(calm, 99)), 300)
			if test.name == "waiting" {
				verdict(t, "real overload, µs until 99 in 100 refusals", int(most(refused, 99).Microseconds()), 5000)
			}
			st := h.s.Stats()
			t.Logf("p99 %v, without load %v; refusals: half within %v, 99 in 100 within %v; limit %d, refusals %v",
				most(good, 99), most(calm, 99), most(refused, 50), most(refused, 99), st.Limit, st.Refusals)
			after, _ := times(offer(t, h, capacity/4, 2*time.Second), 0)
			verdict(t, "after the overload, p99 in % of p99 without load", int(100*most(after, 99)/most(calm, 99)), 200)
		})
	}
}

// capacity is how many calls a second come back when so many are made at once.
func capacity(t *testing.T, h *house, once int) float64 {
	t.Helper()
	p := h.visit2(nil)
	defer p.nc.Close()
	for range once {
		p.call("work", "1")
	}
	began, n := time.Now(), 0
	for ; time.Since(began) < 3*time.Second; p.call("work", "1") {
		got, err := p.next()
		switch {
		case err != nil:
			t.Fatal(err)
		case strings.HasPrefix(got, "DATA"):
			n++
		case !strings.Contains(got, "REFUSED"): // a reply may overtake the place that its call gives back
			t.Fatal(got)
		}
	}
	return float64(n) / time.Since(began).Seconds()
}
