package rpcclient_test

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// The figures say what a client withstands of a server. Each is printed as
//
//	name value limit PASS|FAIL
//
// Their short forms run with all tests. The long ones, of some minutes, with
//
//	go test ./rpcclient -run Figures -long -v
var long = flag.Bool("long", false, "the long forms of the figures")

// of returns the size of a figure's short form or of its long one.
func of(short, itsLong int) int {
	switch {
	case *long:
		return itsLong
	case raceEnabled || testing.Short():
		return max(short/10, 1)
	}
	return short
}

// figure prints a measured figure, which must not be above its limit.
func figure(t *testing.T, name string, value, limit float64) {
	t.Helper()
	judge(t, name, value, limit, value <= limit)
}

// atLeast prints a measured figure, which must not be below its limit.
func atLeast(t *testing.T, name string, value, limit float64) {
	t.Helper()
	judge(t, name, value, limit, value >= limit)
}

func judge(t *testing.T, name string, value, limit float64, ok bool) {
	t.Helper()
	verdict := "PASS"
	if !ok {
		verdict = "FAIL"
		t.Fail()
	}
	t.Logf("%s %s %s %s", name, plain(value), plain(limit), verdict)
}

// plain writes a number without an exponent.
func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func heap() int64 {
	runtime.GC()
	runtime.GC() // twice: what lay in pools goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// allocated is how much memory the program has taken since it began, garbage included: what lies between two looks bounds any peak.
func allocated() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}

// TestFigures02DeclaredLength has many clients whose servers begin a long reply and stop there. What that costs is what they hold beyond the
// same number of clients that wait for servers which say nothing at all. Both are with all that belongs to a client, and the test's own end.
func TestFigures02DeclaredLength(t *testing.T) {
	type reply struct {
		name string
		text func(a ask) string
	}
	for _, test := range []struct {
		version string
		v2      bool
		silence string
		waiting float64 // the most that a waiting client may hold
		replies []reply
	}{
		{"v1", false, "", 16 << 10, []reply{{"reply_of_1_MiB", func(a ask) string {
			frame := peer.Frame(a.id, "r", strings.Repeat("x", 1<<20))
			return string(frame[:len(frame)-1<<20+1])
		}}}},
		{"v2", true, hello, 32 << 10, []reply{
			{"frame_of_64_KiB", func(ask) string { return hello + "\x21\x01\xff\xff\x03x" }},
			{"message_in_fragments", func(ask) string { return hello + "\x28\x01\x01x" }},
		}},
	} {
		waiting, _ := holding(t, test.v2, context.DeadlineExceeded, func(ask) string { return test.silence })
		figure(t, test.version+"_heap_of_a_client_that_waits", waiting, test.waiting)
		for _, r := range test.replies {
			each, took := holding(t, test.v2, rpcclient.ErrProtocol, r.text)
			name := test.version + "_" + r.name
			figure(t, name+"_heap_beyond_that", each-waiting, 16<<10)
			figure(t, name+"_seconds_until_given_up", took.Seconds(), 11)
			atLeast(t, name+"_seconds_it_had", took.Seconds(), 10)
		}
	}
}

// holding has many clients make a call each to a server that says text and no more. It returns how much heap a client holds meanwhile, and after
// how long all of them gave up, with the error want: at 12 s at the latest.
func holding(t *testing.T, v2 bool, want error, text func(a ask) string) (each float64, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		clients := of(500, 2000)
		r := &rogue{v2: v2, buffer: 1 << 10, script: func(sock net.Conn, a ask) { say(sock, text(a)) }}
		var wg sync.WaitGroup
		before := heap()
		start := time.Now()
		for range clients {
			c := r.client(t)
			wg.Go(func() {
				defer c.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
				defer cancel()
				if _, err := c.Invoke(ctx, "x", nil); !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			})
		}
		synctest.Wait()
		each = float64((heap() - before) / int64(clients))
		wg.Wait()
		took = time.Since(start)
		r.wg.Wait()
	})
	return each, took
}

// TestFigures03Drip has servers that send a byte of a reply now and then, so that it never looks dead.
func TestFigures03Drip(t *testing.T) {
	const text = `"a reply that takes its time to come, a byte now and a byte then"`
	for _, test := range []struct {
		name string
		v2   bool
		text func(a ask) string
		head string // what goes before each byte of it
	}{
		{"v1_reply", false, func(a ask) string { return string(peer.Frame(a.id, "r", text)) }, ""},
		{"v2_frame", true, func(ask) string { return "\x21\x01\x40" + text }, ""},
		{"v2_fragments", true, func(ask) string { return text }, "\x28\x01\x01"},
	} {
		for _, pause := range []time.Duration{time.Second, 4 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				var begun, over time.Time
				r := &rogue{v2: test.v2, script: func(sock net.Conn, a ask) {
					if test.v2 {
						say(sock, hello)
					}
					time.Sleep(5 * time.Second) // before the first byte there is no hurry
					begun = time.Now()
					for _, b := range []byte(test.text(a)) {
						if _, err := sock.Write(append([]byte(test.head), b)); err != nil {
							return
						}
						time.Sleep(pause)
					}
				}}
				c := r.client(t)
				_, err := rpcclient.Call[string](t.Context(), c, "x", 1)
				over = time.Now()
				if e := kind(t, err, rpcclient.ErrProtocol, rpcclient.Unavailable); !strings.Contains(e.Message, "half a reply") || e.Attempts != 1 {
					t.Errorf("%s: got %v after %d attempts", test.name, err, e.Attempts)
				}
				c.Close()
				r.wg.Wait()
				figure(t, fmt.Sprintf("%s_a_byte_each_%v_seconds_until_closed", test.name, pause), over.Sub(begun).Seconds(), 11)
				atLeast(t, fmt.Sprintf("%s_a_byte_each_%v_seconds_it_had", test.name, pause), over.Sub(begun).Seconds(), 9)
			})
		}
	}
}

// TestFigures07Metadata has replies with more metadata than the client said that it takes. Version 1 has none.
func TestFigures07Metadata(t *testing.T) {
	block := func(fields int) (b []byte) {
		for i := range fields {
			b, _ = wire.AppendField(b, fmt.Sprintf("f%04d", i), "")
		}
		return b
	}
	for _, test := range []struct {
		name   string
		block  []byte
		passes bool
	}{
		{"of 8 KiB", block(8 << 10 / 8), true},
		{"of 8 KiB and a field", block(8<<10/8 + 1), false},
		{"of 60 KiB", block(60 << 10 / 8), false},
	} {
		synctest.Test(t, func(t *testing.T) {
			reply := string(wire.AppendFrame([]byte(hello), wire.KindData, wire.FlagMeta|wire.FlagEnd, 1, append(wire.AppendBlock(nil, test.block), "1"...)))
			r := &rogue{v2: true, buffer: 4 << 10, script: func(sock net.Conn, _ ask) { say(sock, reply) }}
			c := r.client(t)
			var meta rpcclient.Metadata
			start := time.Now()
			before := allocated()
			_, err := rpcclient.Call[int](rpcclient.WithReplyMetadata(t.Context(), &meta), c, "x", 1)
			took := allocated() - before
			figure(t, "metadata_seconds_until_it_was_judged", time.Since(start).Seconds(), 0)
			if test.passes {
				if err != nil || len(meta) != len(test.block)/8 {
					t.Errorf("%s: got %d fields, %v; want %d", test.name, len(meta), err, len(test.block)/8)
				}
			} else {
				if e := kind(t, err, rpcclient.ErrProtocol, rpcclient.Unavailable); !strings.Contains(e.Message, wire.MetadataTooLarge) || len(meta) > 0 {
					t.Errorf("%s: got %v and %d fields", test.name, err, len(meta))
				}
				// What 7680 pairs become would be some 600 KiB; the frame itself is read into buffers that double up to 64 KiB.
				figure(t, "metadata_too_large_all_that_is_allocated", float64(took), 256<<10)
				synctest.Wait()
				if s := c.Stats(); s.Conns != 0 {
					t.Errorf("%s: %d connections are left, want it closed", test.name, s.Conns)
				}
			}
			c.Close()
			r.wg.Wait()
		})
	}
}

// TestFigures07Fragments has a reply in fragments of which each says that there is more.
func TestFigures07Fragments(t *testing.T) {
	const message = 1 << 20
	synctest.Test(t, func(t *testing.T) {
		var sent, peak int64
		r := &rogue{v2: true, script: func(sock net.Conn, a ask) {
			say(sock, hello)
			piece := wire.AppendFrame(nil, wire.KindData, wire.FlagMore, a.stream, bytes.Repeat([]byte("x"), 60<<10))
			before := heap()
			for sent < 1<<30 {
				if _, err := sock.Write(piece); err != nil {
					return
				}
				if sent += int64(len(piece)); sent/int64(len(piece))%4 == 0 {
					peak = max(peak, heap()-before)
				}
			}
		}}
		c := r.client(t)
		_, err := rpcclient.Call[int](t.Context(), c, "x", 1)
		if e := kind(t, err, rpcclient.ErrProtocol, rpcclient.Unavailable); !strings.Contains(e.Message, wire.MessageTooLarge) {
			t.Errorf("got %v", err)
		}
		c.Close()
		r.wg.Wait()
		figure(t, "fragments_without_end_bytes_taken", float64(sent), 2*message+256<<10) // of which 1 MiB may be read and dropped after the end
		figure(t, "fragments_without_end_heap", float64(peak), 2*message)
		atLeast(t, "fragments_without_end_heap_seen", float64(peak), message/2) // else this measures nothing
	})
}

// TestFigures08DeflateBomb has replies that would become a thousand times as long. Version 1 does not compress. How much is held at most is not
// seen but bounded: what is held between two pieces of the reply, and all that is allocated until the next one has been taken.
func TestFigures08DeflateBomb(t *testing.T) {
	const message = 1 << 20
	mib := 256
	if *long {
		mib = 1024
	}
	bomb := bombOf(mib)
	synctest.Test(t, func(t *testing.T) {
		var good atomic.Bool
		var before, held, taken, peak int64
		look := func() { // when the client has nothing left to do
			peak = max(peak, held-before+allocated()-taken)
			held, taken = heap(), allocated()
		}
		r := &rogue{v2: true, script: func(sock net.Conn, a ask) {
			if a.stream == 1 {
				say(sock, hello)
			}
			if good.Load() {
				_, _ = sock.Write(wire.AppendFrame(nil, wire.KindData, wire.FlagEnd, a.stream, []byte("1")))
				return
			}
			synctest.Wait()
			held, taken = heap(), allocated()
			if a.stream == 1 {
				before = held
			}
			flags := wire.FlagCompressed | wire.FlagMore
			for rest := bomb; len(rest) > 0; flags = wire.FlagMore {
				n := min(len(rest), 16<<10)
				if n == len(rest) {
					flags = wire.FlagEnd
				}
				_, _ = sock.Write(wire.AppendFrame(nil, wire.KindData, flags, a.stream, rest[:n]))
				rest = rest[n:]
				if len(rest) > 0 {
					synctest.Wait()
					look()
				}
			}
		}}
		c := r.client(t, func(cfg *rpcclient.Config) { cfg.Compress = true })
		for range 3 {
			_, err := rpcclient.Call[string](t.Context(), c, "x", 1)
			look()
			kind(t, err, rpcclient.ErrTooLarge, rpcclient.ResourceExhausted)
		}
		figure(t, fmt.Sprintf("deflate_bomb_of_%d_KiB_that_becomes_%d_MiB_peak", len(bomb)>>10, mib), float64(peak), 2*message+256<<10)
		atLeast(t, "deflate_bomb_peak_seen", float64(peak), float64(len(bomb))) // else this measures nothing
		good.Store(true)
		if got, err := rpcclient.Call[int](t.Context(), c, "x", 1); got != 1 || err != nil {
			t.Errorf("the call after them gave %d, %v", got, err)
		}
		if s := c.Stats(); s.Conns != 1 || s.Reconnects != 0 {
			t.Errorf("%d connections and %d reconnects, want the first one still", s.Conns, s.Reconnects)
		}
		c.Close()
		r.wg.Wait()
	})
}

// bombOf is a compressed message that inflates to so many MiB: what 16 of them are, again and again.
func bombOf(mib int) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	_, _ = w.Write(make([]byte, 16<<20))
	_ = w.Flush()
	part := slices.Clone(b.Bytes())
	b.Reset()
	_ = w.Close()
	bomb := append([]byte{byte(wire.Deflate)}, bytes.Repeat(part, max(mib/16, 1))...)
	return append(bomb, b.Bytes()...)
}
