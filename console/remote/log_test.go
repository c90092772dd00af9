package remote

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/rpcserver"
)

// One of three servers is cut off and comes back: the log of the session says which one, why and when, each once, and says nothing of the others.
func TestLogTellsWhichServerWasLost(t *testing.T) {
	rpctest.Leaks(t)
	var addrs []string
	first, _ := serve(t)
	second, server := serve(t)
	third, _ := serve(t)
	addrs = append(addrs, first, second, third)
	s := console.NewSession(console.Config{Dial: Dial, Protocol: "v2", Script: true})
	defer s.Close()
	exec := func(line string) {
		t.Helper()
		if _, err := s.Exec(t.Context(), line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	// lines waits for so many lines about servers, with calls as somebody makes them.
	lines := func(n int) (list []console.Event) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			exec("call fib 10 --idempotent")
			s.Stats() // as the dashboard does
			list = nil
			for _, e := range s.Log().Tail(100, 0) {
				if strings.HasPrefix(e.Text, "server ") || e.Kind == console.EventLost {
					list = append(list, e)
				}
			}
			if len(list) >= n {
				return list
			}
			if time.Now().After(deadline) {
				t.Fatalf("got %+v; servers %+v", s.Log().Tail(100, 0), s.Peers())
			}
		}
	}
	exec("connect " + strings.Join(addrs, ","))
	until := func(what string, seen func(console.Peer) bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); slices.ContainsFunc(s.Peers(), func(p console.Peer) bool { return !seen(p) }); {
			exec("call fib 10 --idempotent")
			if time.Now().After(deadline) {
				t.Fatalf("%s: got %+v", what, s.Peers())
			}
		}
	}
	until("all are up", func(p console.Peer) bool { return p.State == console.PeerUp })
	if got := lines(0); len(got) > 0 {
		t.Fatalf("all are well: %+v", got)
	}
	at := time.Now()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	lost := lines(1)[0]
	if name := "server 2 (" + second + ") is lost: "; lost.Kind != console.EventLost || !strings.HasPrefix(lost.Text, name) || len(lost.Text) == len(name) || lost.At.Before(at.Add(-time.Second)) {
		t.Errorf("lost after %v: got %+v", at, lost)
	}
	until("one is down", func(p console.Peer) bool { return (p.State == console.PeerDown) == (p.Number == 2) })
	if r, err := s.Exec(t.Context(), "status"); err != nil || !strings.Contains(r.Text, " server 2 ("+second+") is lost: ") {
		t.Errorf("error %v, got\n%s", err, r.Text)
	}
	ln, err := net.Listen("tcp", second)
	if err != nil {
		t.Fatal(err)
	}
	again := rpcserver.New(nil)
	demo.Register(again)
	served := make(chan error, 1)
	go func() { served <- again.Serve(ln) }() // ends with Close below
	t.Cleanup(func() {
		again.Close()
		<-served
	})
	if list := lines(2); list[1].Kind != console.EventUp || list[1].Text != "server 2 ("+second+") is connected again" || list[1].At.Before(lost.At) {
		t.Errorf("back: got %+v", list)
	}
	if list := lines(0); len(list) != 2 {
		t.Errorf("%d lines: %+v", len(list), list)
	}
}
