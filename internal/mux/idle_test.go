package mux

import (
	"io"
	"net"
	"runtime"
	"sync"
	"testing"

	"github.com/rpckids/rpckids/internal/socket"
	"github.com/rpckids/rpckids/internal/wire"
)

// TestIdleConnectionMemory holds connections that have had one call each: their heap and stacks together stay below 6 KiB.
func TestIdleConnectionMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	leaks(t)
	least := idleMemory(t)
	for range 2 { // the first round finds the runtime's own tables not grown yet
		least = min(least, idleMemory(t))
	}
	t.Logf("%d bytes each", least)
	if least > 6<<10 {
		t.Errorf("an idle connection holds %d bytes, want at most 6 KiB", least)
	}
}

// idleMemory returns what one of 300 idle connections of a server holds.
func idleMemory(t *testing.T) int {
	const n = 300
	var peers, socks []net.Conn
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() {
		for _, nc := range peers {
			nc.Close()
		}
	}()
	for range n {
		x, y := sockets(t)
		peers, socks = append(peers, x), append(socks, y)
	}
	before := memory()
	var conns []*Conn
	for _, nc := range socks {
		cfg := inline()
		cfg.Role, cfg.TryWrite = Server, socket.NewWriter(nc).TryWrite
		c := New(nc, cfg)
		conns = append(conns, c)
		wg.Go(func() { c.Serve(nil) })
	}
	want := append(bytesOf(t, hello), bytesOf(t, "21 01 02 32 30")...)
	for _, nc := range peers {
		nc.Write(append(bytesOf(t, hello), open(1, wire.FlagEnd, "echo", "20")...))
		got := make([]byte, len(want))
		if _, err := io.ReadFull(nc, got); err != nil || string(got) != string(want) {
			t.Fatalf("got % x, %v", got, err)
		}
	}
	got := (memory()-before)/n - 150 // what the socket's writer takes
	runtime.KeepAlive(conns)
	return got
}

// memory is what heap and stacks hold once all that is garbage is gone.
func memory() int {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
