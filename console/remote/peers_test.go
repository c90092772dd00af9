package remote

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/rpcclient"
)

// until waits for what a client comes to see by itself.
func until(t *testing.T, what string, b console.Backend, seen func([]console.Peer, console.Stats) bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		peers, st := b.Peers(), b.Stats()
		if seen(peers, st) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: got %+v, %+v", what, peers, st)
		}
	}
}

// One server is a row, too.
func TestOnePeer(t *testing.T) {
	rpctest.Leaks(t)
	addr, _ := serve(t)
	b := connect(t, addr)
	for range 5 {
		if _, err := b.Call(t.Context(), console.Request{Type: "fib", Payload: json.RawMessage("10"), Idempotent: true}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "one server", b, func(p []console.Peer, st console.Stats) bool {
		return len(p) == 1 && p[0].Address == addr && p[0].State == console.PeerUp && p[0].Calls >= 5 && p[0].Share == 1 && p[0].Latency > 0 && st.Servers == 1 && st.Up == 1
	})
}

// Of three servers one goes away: it is seen to be down with its reason, and the others are not.
func TestSeveralPeers(t *testing.T) {
	rpctest.Leaks(t)
	first, _ := serve(t)
	second, server := serve(t)
	third, _ := serve(t)
	b := connect(t, strings.Join([]string{first, second, third}, ","))
	call := func() {
		t.Helper()
		if _, err := b.Call(t.Context(), console.Request{Type: "fib", Payload: json.RawMessage("10"), Idempotent: true}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "all up", b, func(p []console.Peer, st console.Stats) bool {
		call()
		return len(p) == 3 && p[0].Address == first && p[1].Address == second && p[2].Address == third && console.CountUp(p) == 3 && st.Servers == 3 && st.Up == 3
	})
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "one down", b, func(p []console.Peer, st console.Stats) bool {
		call()
		return p[1].State == console.PeerDown && p[1].LastError != "" && !strings.Contains(p[1].LastError, second+": ") && console.CountUp(p) == 2 && st.Servers == 3 && st.Up == 2
	})
}

func TestPeerStates(t *testing.T) {
	for s := rpcclient.PeerIdle; s <= rpcclient.PeerDraining; s++ {
		if peerStates[s] != s.String() {
			t.Errorf("%s is called %q", s, peerStates[s])
		}
	}
	if got := because(errors.New("a:1: no\x1b"), "a:1"); got != `no\x1b` {
		t.Errorf("got %q", got)
	}
}
