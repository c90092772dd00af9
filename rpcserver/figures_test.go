package rpcserver_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/rpckids/rpckids/internal/rpctest/certs"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// The figures say what a server withstands. Each is printed as
//
//	name value limit PASS|FAIL
//
// Their short forms run with all tests. The long ones, of some minutes, with
//
//	go test ./rpcserver -run Figures -long -v
var long = flag.Bool("long", false, "the long forms of the figures")

// of returns the size of a figure's short form or of its long one.
func of(short, itsLong int) int {
	if *long {
		return itsLong
	}
	if raceEnabled {
		return max(short/10, 1)
	}
	return short
}

// verdict prints a figure, which must not be above its limit.
func verdict(t *testing.T, name string, value, limit int) {
	t.Helper()
	judge(t, name, value, limit, value <= limit)
}

// atLeast prints a figure, which must not be below its limit.
func atLeast(t *testing.T, name string, value, limit int) {
	t.Helper()
	judge(t, name, value, limit, value >= limit)
}

func judge(t *testing.T, name string, value, limit int, ok bool) {
	t.Helper()
	word := "PASS"
	if !ok {
		word = "FAIL"
		t.Fail()
	}
	t.Logf("%s %d %d %s", name, value, limit, word)
}

// crowd makes this program one that opens connections: how many, to where and with which words.
const crowd = "RPCKIDS_CROWD"

// tlsTo stands before the address where they speak TLS.
const tlsTo = "tls:"

func TestMain(m *testing.M) {
	if what := os.Getenv(crowd); what != "" {
		if err := visitMany(strings.SplitN(what, "|", 4)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if what := os.Getenv(attack); what != "" {
		name, addr, _ := strings.Cut(what, "|")
		attackFrom(name, addr)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// visitMany opens connections, says the same on each, waits for the end of the answer, and keeps them until its input ends.
func visitMany(what []string) error {
	n, err := strconv.Atoi(what[0])
	if err != nil {
		return err
	}
	words, _ := strconv.Unquote(what[2])
	end, _ := strconv.Unquote(what[3])
	addr, inTLS := strings.CutPrefix(what[1], tlsTo)
	got := make([]byte, 512)
	for range n {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer nc.Close()
		if inTLS {
			nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
			defer nc.Close()
		}
		if _, err := io.WriteString(nc, words); err != nil {
			return err
		}
		for n := 0; !strings.HasSuffix(string(got[:n]), end); {
			k, err := nc.Read(got[n:])
			if n += k; err != nil {
				return fmt.Errorf("%q: %w", got[:n], err)
			}
		}
	}
	fmt.Println("here")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// TestFigures01IdleConnections has connections of another process that have made a call each, and are idle.
func TestFigures01IdleConnections(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has memory of its own")
	}
	const plain, secure = 6 << 10, 16 << 10
	v2 := [2]string{wire.Magic + "\x00\x00\x00\x11\x01\x0a\x00\x00\x00\x01\x03fib10", "\x21\x01\x0289"}
	v1 := [2]string{string(wire.AppendMessage(nil, "1", "fib", "10")), string(wire.AppendMessage(nil, "1", "fib_res", "89"))}
	conns := of(500, 10_000)
	for _, test := range []struct {
		name  string
		words [2]string
		to    string
		most  int
	}{
		{"idle connection of v2", v2, "", plain}, // first: the runtime's own bytes for a goroutine are used again
		{"idle connection of v1", v1, "", plain},
		{"idle TLS connection of v2", v2, tlsTo, secure},
		{"idle TLS connection of v1", v1, tlsTo, secure},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := onTCP(t, &rpcserver.Config{TLS: &tls.Config{Certificates: []tls.Certificate{certs.New(t, "ours").Server(t, nil)}}})
			before, goroutines := use(), runtime.NumGoroutine()
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d|%s%s|%q|%q", crowd, conns, test.to, h.s.Addr(), test.words[0], test.words[1]))
			cmd.Stderr = os.Stderr
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
				t.Fatalf("%q, %v", line, err)
			}
			await(t, func() bool { return h.s.Stats().InFlight == 0 })
			took, was := (use()-before)/conns, 1<<30
			for over := time.Now().Add(10 * time.Second); was-took > took/100 || took > test.most && time.Now().Before(over); took = (use() - before) / conns {
				was = took
				time.Sleep(500 * time.Millisecond) // they are idle, and rest after a second
			}
			verdict(t, test.name+", heap and stack", took, test.most)
			verdict(t, test.name+", goroutines", (runtime.NumGoroutine()-goroutines+conns/2)/conns, 1)
			if st := h.s.Stats(); st.Open != conns {
				t.Errorf("%d connections are open, want %d", st.Open, conns)
			}
			in.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			await(t, func() bool { return h.s.Stats().Open == 0 })
		})
	}
}

// await waits for what other goroutines bring about.
func await(t *testing.T, ok func() bool) {
	t.Helper()
	for over := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(over) {
			t.Fatal("it did not happen within a minute")
		}
	}
}

// use is what the program holds of the heap and of stacks.
func use() (bytes int) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// TestFigures02DeclaredLengthV2 is TestFigures02DeclaredLength for version 2: an OPEN of 64 KiB, the largest frame, of which one byte comes, and a
// message in fragments that might become 1 MiB.
func TestFigures02DeclaredLengthV2(t *testing.T) {
	const conns, most = 1000, 16 << 10
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, conns)
		h := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0)
		head := wire.Magic + "\x00\x00\x00" + "\x11\x01\xff\xff\x03\x00"
		before := heap()
		start := time.Now()
		for range conns {
			p := h.stranger()
			p.write([]byte(head))
		}
		synctest.Wait()
		verdict(t, "declared frame of 64 KiB, heap per connection", (heap()-before)/conns, most)
		for range conns {
			e.want(t, wire.SlowMessage)
		}
		verdict(t, "declared frame of 64 KiB, ms until closed", int(time.Since(start).Milliseconds()), 11_000) // half a second is for the peer to close first
	})
}

// TestFigures06RapidReset opens streams and cancels them at once; their handlers take no notice. Whoever is cut comes again.
func TestFigures06RapidReset(t *testing.T) {
	const most = 50
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 1000)
		h := inMemory(t, &rpcserver.Config{Workers: 200, MaxInFlight: most, Observer: e.observer()}, 0)
		g := gate(h.s)
		resets := of(20_000, 100_000)
		cuts, late := 0, time.Duration(0)
		for done := 0; done < resets; {
			p := h.visit2(nil)
			told := make(chan struct{})
			go awaitGoAway(p, told) // ends with the connection
			began := time.Now()
			var in []byte
			for cut := false; done < resets && !cut; done++ {
				in = p.opening(in[:0], wire.FlagEnd, wire.OpenHead{}, "wait", "1")
				if done%20 == 0 { // this one gets to its handler, if there is room
					p.nc.Write(in)
					in = in[:0]
					synctest.Wait()
				}
				p.nc.Write(wire.AppendFrame(in, wire.KindError, 0, p.last, []byte{byte(wire.Canceled)}))
				select {
				case <-told:
					cuts++
					cut = true
					late = max(late, time.Since(began))
				default:
				}
			}
			p.nc.Close()
			why := <-e
			if why != wire.RapidReset && done < resets {
				t.Errorf("cut because of %q", why)
			}
		}
		atLeast(t, "rapid reset, connections cut", cuts, resets/5000)
		verdict(t, "rapid reset, ms until GOAWAY", int(late.Milliseconds()), 1000)
		verdict(t, "rapid reset, handlers at once", int(g.most.Load()), most)
		close(g.gate)
		synctest.Wait()
		verdict(t, "rapid reset, handlers left", h.s.Stats().InFlight, 0)
	})
}

// awaitGoAway reads until the connection ends, and closes told if a GOAWAY comes.
func awaitGoAway(p *peer2, told chan<- struct{}) {
	for {
		f, err := p.nextFrame()
		if err != nil {
			return
		}
		if f.Kind == wire.KindGoAway {
			close(told)
		}
	}
}

// TestFigures07Metadata has a block that is too large, which is not decoded, and fragments without an end.
func TestFigures07Metadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := make(ends, 9)
		h := inMemory(t, &rpcserver.Config{Observer: e.observer()}, 0)
		p := h.stranger()
		go io.Copy(io.Discard, p.nc) // ends when the server has closed
		p.write([]byte(wire.Magic + "\x00\x00\x00"))
		p.nc.Write([]byte("\x13\x01\x8a\x80\x02\x00\x00\x00\x00\x03fib\x80\x40")) // 8192 bytes would be taken
		p.nc.Write([]byte("\x02\x02"))                                            // fails when the server has not waited for the rest
		time.Sleep(time.Second)
		if len(e) != 0 {
			t.Errorf("cut for 8 KiB of metadata: %s", <-e)
		}
		p.nc.Close()
		<-e

		p = h.stranger()
		go io.Copy(io.Discard, p.nc) // ends when the server has closed
		p.write([]byte(wire.Magic + "\x00\x00\x00"))
		p.open(wire.FlagMore, wire.OpenHead{}, "echo", `"`)
		piece := wire.AppendFrame(nil, wire.KindData, wire.FlagMore, p.last, bytes.Repeat([]byte("x"), 60<<10))
		before, sent, peak := heap(), 0, 0
		for sent < 1<<30 {
			if _, err := p.nc.Write(piece); err != nil {
				break
			}
			if sent += len(piece); sent%(10*len(piece)) == 0 {
				peak = max(peak, heap()-before)
			}
		}
		e.want(t, wire.MessageTooLarge)
		verdict(t, "fragments without end, bytes taken", sent, 2<<20+256<<10) // of which 1 MiB is read and dropped after the GOAWAY
		verdict(t, "fragments without end, heap", peak, 2<<20)
	})
}

// TestFigures08DeflateBomb has messages that would become a thousand times as long.
func TestFigures08DeflateBomb(t *testing.T) {
	h := onTCP(t, nil)
	p := h.visit2(nil)
	becomes := of(1<<28, 1<<30)
	bomb := deflateBomb(t, becomes)
	var frames [][]byte
	const bombs = 8
	for range bombs {
		p.last++
		open := append(wire.AppendOpen(nil, &wire.OpenHead{Name: []byte("echo")}), bomb[:16<<10]...)
		frames = append(frames, wire.AppendFrame(nil, wire.KindOpen, wire.FlagMore|wire.FlagCompressed, p.last, open))
		for rest := bomb[16<<10:]; len(rest) > 0; {
			n := min(len(rest), 60<<10)
			flags := wire.FlagMore
			if n == len(rest) {
				flags = wire.FlagEnd
			}
			frames = append(frames, wire.AppendFrame(nil, wire.KindData, flags, p.last, rest[:n]))
			rest = rest[n:]
		}
	}
	var took []int
	for i := range bombs {
		before := allocated()
		for _, f := range frames[i*len(frames)/bombs : (i+1)*len(frames)/bombs] {
			p.write(f)
		}
		got, err := p.next()
		if want := fmt.Sprintf("ERROR %d resource_exhausted: ", i+1); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("got %.200s, %v; want %s", got, err, want)
		}
		took = append(took, allocated()-before)
	}
	slices.Sort(took)
	// Each takes the same; whatever else the program does meanwhile can only add to that.
	verdict(t, fmt.Sprintf("deflate bomb of %d KiB that becomes %d MiB, all that is allocated", len(bomb)>>10, becomes>>20), took[bombs/2], 2<<20+256<<10)
	p.call("fib", "10")
	p.want(fmt.Sprintf("DATA %d END 89", p.last))
}

// deflateBomb is a compressed message of so many zeros, which are never there at once.
func deflateBomb(t *testing.T, zeros int) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteByte(byte(wire.Deflate))
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	for some := make([]byte, 1<<20); zeros > 0; {
		n, err := w.Write(some[:min(len(some), zeros)])
		if zeros -= n; err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// allocated is how much memory the program has taken since it began, garbage included: what lies between two looks bounds any peak.
func allocated() int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.TotalAlloc)
}

// TestFigures10Dials has more dials than there is room for, beside connections that work.
func TestFigures10Dials(t *testing.T) {
	dials, most := of(2000, 20_000), of(100, 1000)
	var open, peak atomic.Int32
	o := &rpcserver.Observer{
		ConnOpened: func(net.Addr) {
			for now, was := open.Add(1), peak.Load(); now > was && !peak.CompareAndSwap(was, now); was = peak.Load() {
				continue
			}
		},
		ConnClosed: func(net.Addr, rpcserver.Reason) { open.Add(-1) },
	}
	h := onTCP(t, &rpcserver.Config{MaxConns: most, Observer: o})
	workers := most/20 + 1
	over := make(chan struct{})
	var calls, failed atomic.Int64
	var wg, at sync.WaitGroup
	for range workers {
		p := h.visit()
		p.send("1", "fib", "10")
		p.want("1 fib_res 89")
		wg.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				_, err := p.nc.Write(wire.AppendMessage(nil, "1", "fib", "10"))
				got, readErr := p.next()
				if calls.Add(1); err != nil || readErr != nil || got != "1 fib_res 89" {
					failed.Add(1)
					return
				}
			}
		})
	}
	queue := make(chan struct{}, dials)
	for range dials {
		queue <- struct{}{}
	}
	close(queue)
	visitors := make(chan net.Conn, dials)
	for range 16 {
		at.Go(func() {
			for range queue {
				nc, err := h.dial()
				if err != nil {
					t.Error(err)
					return
				}
				visitors <- nc
				wg.Go(func() { // ends with the connection
					io.Copy(io.Discard, nc)
					nc.Close()
				})
			}
		})
	}
	at.Wait()
	close(visitors)
	await(t, func() bool {
		st := h.s.Stats()
		return st.Accepted+st.Refusals[rpcserver.RefusedConns] == uint64(dials+workers)
	})
	st := h.s.Stats()
	verdict(t, fmt.Sprintf("%d dials, connections at once", dials), int(peak.Load()), most)
	atLeast(t, "dials, refused", int(st.Refusals[rpcserver.RefusedConns]), dials-most)
	began := time.Now()
	for nc := range visitors {
		nc.Close()
	}
	await(t, func() bool { return h.s.Stats().Open == workers })
	p := h.visit()
	p.send("1", "fib", "10")
	p.want("1 fib_res 89")
	t.Logf("after the dials: a new connection is served %v after the others were closed, limit 1s", time.Since(began))
	close(over)
	wg.Wait()
	verdict(t, fmt.Sprintf("dials, failed of %d calls beside them", calls.Load()), int(failed.Load()), 0)
}

// outcome is a call under overload.
type reaction struct {
	refused bool
	took    time.Duration
	at      time.Duration // since the beginning
}

// TestFigures20Overload offers five times what the server can do, in fake time.
func TestFigures20Overload(t *testing.T) {
	for _, test := range []struct {
		name    string
		places  int // handlers that can really go on at once; the others wait inside theirs
		workers int
	}{
		{"workers are few", 1000, 16},
		{"processors are few", 8, 64},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seconds := of(6, 30)
				if raceEnabled {
					seconds = 3
				}
				const each = 10 * time.Millisecond
				h := inMemory(t, &rpcserver.Config{Workers: test.workers, Adaptive: true}, 0)
				places := make(chan struct{}, test.places)
				random := rand.New(rand.NewPCG(1, 2))
				var mu sync.Mutex
				rpcserver.Handle(h.s, "work", func(context.Context, int) (int, error) {
					places <- struct{}{}
					defer func() { <-places }()
					mu.Lock()
					d := each/2 + time.Duration(random.Int64N(int64(each)))
					mu.Unlock()
					time.Sleep(d)
					return 1, nil
				})
				capacity := float64(min(test.places, test.workers)) / each.Seconds()
				quiet := offer(t, h, capacity/5, 2*time.Second)
				calm, _ := times(quiet, 0)
				loud := offer(t, h, 5*capacity, time.Duration(seconds)*time.Second)
				good, refused := times(loud, time.Second)
				atLeast(t, "overload, goodput in % of capacity", int(100*float64(len(good))/(capacity*float64(seconds-1))), 80)
				verdict(t, "overload, p99 in % of p99 without load", int(100*most(good, 99)/most(calm, 99)), 300)
				verdict(t, "overload, µs until a refusal", int(most(refused, 100).Microseconds()), 5000)
				st := h.s.Stats()
				t.Logf("limit %d, refusals %v", st.Limit, st.Refusals)
				after := offer(t, h, capacity/5, 2*time.Second)
				later, refusedLater := times(after, time.Second)
				verdict(t, "after the overload, p99 in % of p99 without load", int(100*most(later, 99)/most(calm, 99)), 200)
				verdict(t, "overload, refused of those that came after it", len(refusedLater), 0)
			})
		})
	}
}

// offer calls work so many times a second at even times, whatever comes back, and returns how the calls went.
func offer(t *testing.T, h *house, perSecond float64, d time.Duration) []reaction {
	t.Helper()
	p := h.visit2(nil)
	defer p.nc.Close()
	n := int(perSecond * d.Seconds())
	start := time.Now()
	sent := make([]time.Duration, n+1)
	all := make(chan []reaction, 1)
	go func() { // ends when all are answered; received below
		var got []reaction
		for len(got) < n {
			f, err := p.nextFrame()
			if err != nil {
				break
			}
			at := time.Since(start)
			got = append(got, reaction{f.Kind == wire.KindError, at - sent[f.Stream], sent[f.Stream]})
		}
		all <- got
	}()
	const step = 2 * time.Millisecond
	var in []byte
	for done := 0; done < n; {
		in = in[:0]
		at := time.Since(start)
		for due := min(int(perSecond*(at+step).Seconds()), n); done < due; done++ {
			in = p.opening(in, wire.FlagEnd, wire.OpenHead{}, "work", "1")
			sent[p.last] = at
		}
		p.write(in)
		time.Sleep(step)
	}
	got := <-all
	if len(got) != n {
		t.Fatalf("%d of %d calls were answered", len(got), n)
	}
	return got
}

// times are how long the calls took that were sent after a while and answered well, and all refusals, from the quickest on.
func times(all []reaction, from time.Duration) (good, refused []time.Duration) {
	for _, r := range all {
		switch {
		case r.refused:
			refused = append(refused, r.took)
		case r.at >= from:
			good = append(good, r.took)
		}
	}
	slices.Sort(good)
	slices.Sort(refused)
	return good, refused
}

// most is how long so many in a hundred took at most.
func most(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)*percent/100]
}
