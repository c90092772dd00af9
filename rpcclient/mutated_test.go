package rpcclient_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcclient"
)

// outcomes counts how calls ended, by kind; nil is success.
type outcomes map[error]int

// note takes the end of a call. Every call has to end by itself, on a connection that was made.
func (o outcomes) note(t *testing.T, err error) {
	t.Helper()
	e, failed := errors.AsType[*rpcclient.Error](err)
	switch {
	case !failed && err != nil:
		t.Fatalf("an error of no kind: %v", err)
	case !failed:
		o[nil]++
	case e.Kind == rpcclient.ErrConnect:
		t.Fatalf("unexpected failure: %v", err)
	default:
		o[e.Kind]++
	}
}

// judge prints what inputs have done to c, once it is closed. A panic would have ended the whole program before this.
func (o outcomes) judge(t *testing.T, version string, inputs, least int, c *rpcclient.Client, r *rogue, before int64, goroutines int) {
	t.Helper()
	c.Close()
	r.wg.Wait()
	synctest.Wait()
	kept := heap() - before
	s := c.Stats()
	figure(t, fmt.Sprintf("%d_malformed_inputs_of_%s_calls_that_hung", inputs, version), float64(o[rpcclient.ErrContext]), 0)
	figure(t, "malformed_inputs_of_"+version+"_calls_pending", float64(s.Pending+s.Streams), 0)
	figure(t, "malformed_inputs_of_"+version+"_heap_kept", float64(kept), 1<<20)
	figure(t, "malformed_inputs_of_"+version+"_goroutines_kept", float64(runtime.NumGoroutine()-goroutines), 0)
	t.Logf("outcomes: %v; %+v", o, s.Dropped)
	if len(o) < least {
		t.Errorf("only these outcomes: %v; the mutations test too little", o)
	}
}

// TestFigures04MutatedReplies answers calls with replies that were damaged at random; an input is what one connection brings, a few of them.
// The clock is fake, so the pauses between useless connections cost nothing.
func TestFigures04MutatedReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const replies = 4 // the first that is whole answers the call; what follows it is read all the same
		inputs := of(30_000, 500_000)
		random := rand.New(rand.NewPCG(1, 2))
		r := &rogue{script: func(sock net.Conn, a ask) {
			var out []byte
			for range replies {
				out = append(out, mutate(random, peer.Frame(a.id, "r_res", `{"n":"你好"}`))...)
			}
			_, _ = sock.Write(out)
			sock.Close()
		}}
		before, goroutines := heap(), runtime.NumGoroutine()
		c := r.client(t)
		o := outcomes{}
		for range inputs {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			_, err := c.Invoke(ctx, "r", nil)
			cancel()
			o.note(t, err)
		}
		o.judge(t, "v1", inputs, 3, c, r, before, goroutines)
	})
}

// mutate breaks a frame in one of the ways frames break.
func mutate(random *rand.Rand, frame []byte) []byte {
	at := random.IntN(len(frame))
	switch random.IntN(6) {
	case 0:
		frame[at] ^= 1 << random.IntN(8)
	case 1:
		frame = append(frame[:at], frame[at+1:]...)
	case 2:
		frame = frame[:at]
	case 3:
		frame = append(frame[:at:at], append([]byte{byte(random.Uint32())}, frame[at:]...)...)
	case 4:
		n := int(binary.BigEndian.Uint32(frame))
		binary.BigEndian.PutUint32(frame[4+n:], uint32(random.IntN(30)))
	}
	return frame
}

// conversations are what a server of version 2 may say to a client's first stream.
func conversations() [][]byte {
	frame := wire.AppendFrame
	meta := wire.AppendBlock(nil, wire.AppendTiming(nil, 1000, 2000))
	return [][]byte{
		slices.Concat(frame(nil, wire.KindSettings, 0, 0, wire.AppendSettings(nil, &wire.Settings{Window: 1 << 17, MaxMessage: 1 << 16, MaxStreams: 10, Codecs: []wire.CodecID{0, 4}})),
			frame(nil, wire.KindData, wire.FlagMeta|wire.FlagEnd, 1, append(meta, "12"...))),
		slices.Concat(frame(nil, wire.KindSettings, 0, 0, nil), frame(nil, wire.KindPing, 0, 0, []byte("ping")), frame(nil, wire.KindCredit, 0, 1, wire.AppendCredit(nil, 32<<10)),
			frame(nil, wire.KindData, 0, 1, []byte("1")), frame(nil, wire.KindData, wire.FlagMore, 1, []byte("2")), frame(nil, wire.KindData, 0, 1, []byte("3")),
			frame(nil, wire.KindData, wire.FlagEnd|wire.FlagMeta, 1, meta)),
		slices.Concat(frame(nil, wire.KindSettings, 0, 0, nil), frame(nil, wire.KindError, wire.FlagRefused, 1, wire.AppendFailure(nil, &wire.Error{Code: wire.Unavailable, Message: "no"})),
			frame(nil, wire.KindGoAway, 0, 0, wire.AppendGoAway(nil, &wire.Farewell{Last: 1, Code: wire.Unavailable, Text: "bye"}))),
	}
}

// TestFigures04MutatedFrames has conversations that were tampered with: every call and stream ends with a reply or a typed error, nothing
// hangs, and nothing is left.
func TestFigures04MutatedFrames(t *testing.T) {
	inputs := of(30_000, 500_000)
	scripts := conversations()
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		script := make(chan []byte, 1)
		r := &rogue{v2: true, script: func(sock net.Conn, _ ask) {
			defer sock.Close()
			select {
			case says := <-script:
				_, _ = sock.Write(append([]byte(wire.Magic), says...))
			default: // an attempt after the first one
			}
		}}
		before, goroutines := heap(), runtime.NumGoroutine()
		c := r.client(t)
		o := outcomes{}
		for i := range inputs {
			script <- tamper(random, slices.Clone(scripts[random.IntN(len(scripts))]))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			var err error
			switch i % 3 {
			case 0:
				_, err = rpcclient.Call[int](ctx, c, "x", i)
			case 1:
				for _, err = range rpcclient.Stream[int](ctx, c, "x", i) {
				}
			case 2:
				_, err = rpcclient.Upload[int](ctx, c, "x", rpcclient.Values(slices.Values([]int{1, 2, 3})))
			}
			cancel()
			o.note(t, err)
			synctest.Wait()
			select {
			case <-script: // the connection before was still good enough
			default:
			}
		}
		o.judge(t, "v2", inputs, 4, c, r, before, goroutines)
	})
}

// tamper damages a conversation in up to two places.
func tamper(random *rand.Rand, says []byte) []byte {
	for range random.IntN(3) {
		at := random.IntN(len(says))
		switch random.IntN(4) {
		case 0:
			says[at] ^= 1 << random.IntN(8)
		case 1:
			says = slices.Delete(says, at, at+1)
		case 2:
			says = says[:at+1]
		case 3:
			says = slices.Insert(says, at, byte(random.Uint32()))
		}
	}
	return says
}
