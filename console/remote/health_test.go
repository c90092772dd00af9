package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/rpctest"
	"github.com/rpckids/rpckids/internal/rpctest/peer"
	"github.com/rpckids/rpckids/rpcserver"
)

// A server that has no worker left says so, and what it refused, while it refuses.
func TestTopOfBusyServer(t *testing.T) {
	rpctest.Leaks(t)
	begun, end := make(chan struct{}), make(chan struct{})
	s := rpcserver.New(&rpcserver.Config{Workers: 1, Queue: -1})
	rpcserver.Handle(s, "hold", func(context.Context, int) (int, error) {
		begun <- struct{}{}
		<-end
		return 1, nil
	})
	ln := listen(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		<-served
	})
	session := console.NewSession(console.Config{Dial: Dial, Protocol: "v2"})
	defer session.Close()
	exec := func(line string) console.Result {
		t.Helper()
		r, err := session.Exec(t.Context(), line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return r
	}
	exec("connect " + ln.Addr().String())
	held := make(chan error, 1)
	go func() { // ends when end is closed
		_, err := session.Exec(t.Context(), "call hold 1 --no-check --timeout off")
		held <- err
	}()
	<-begun
	for range 3 {
		_, err := session.Exec(t.Context(), "call hold 1 --no-check")
		if e, _ := errors.AsType[*console.Error](err); e == nil || e.Code != "resource_exhausted" {
			t.Errorf("got %v", err)
		}
	}
	top := exec("top").Top
	refused := top.Refused // more than the three calls: each is tried again
	if top.Status != "serving" || top.Server != ln.Addr().String() || top.Name != "rpckids" || top.Running != 1 || top.Workers != 1 || top.InFlight != 1 || top.Limit < 1 || top.V2 != 1 ||
		top.Connections != 1 || refused < 3 || top.Failed != refused || top.Calls < refused+2 || top.BytesIn == 0 || top.Heap == 0 || top.Goroutines == 0 || !strings.HasPrefix(top.Go, "go") {
		t.Errorf("got %+v", top.Health)
	}
	if len(top.Reasons) != 1 || top.Reasons[0].Name != rpcserver.RefusedQueue || top.Reasons[0].Count != refused {
		t.Errorf("got %+v", top.Reasons)
	}
	close(end)
	if err := <-held; err != nil {
		t.Error(err)
	}
	top = exec("top -n 2 --every 100ms").Top
	if top.Running != 0 || top.InFlight != 0 || top.Refused != refused || top.Over <= 0 || top.Rates.Calls <= 0 || top.Rates.Refused != 0 || top.Rates.BytesOut <= 0 {
		t.Errorf("later: %+v", top)
	}
	v, err := json.Marshal(exec("top").Value)
	if err != nil || !strings.Contains(string(v), fmt.Sprintf(`"refusals":{"queue full":%d}`, refused)) {
		t.Errorf("error %v, got %s", err, v)
	}
}

// The words for reasons are about those of rpcserver.
func TestEveryReasonHasWords(t *testing.T) {
	rpctest.Leaks(t)
	reasons := []string{rpcserver.RefusedConns, rpcserver.RefusedConnsPerAddr, rpcserver.RefusedInFlight, rpcserver.RefusedConnInFlight, rpcserver.RefusedQueue, rpcserver.RefusedAdaptive,
		rpcserver.RefusedRate, rpcserver.RefusedLate, rpcserver.RefusedDraining, rpcserver.RefusedUnknown, rpcserver.RefusedForbidden, rpcserver.RefusedPlain}
	for _, name := range reasons {
		if text := console.RefusalText(name); text == name {
			t.Errorf("no words for %q", name)
		} else if len(text) > 39 {
			t.Errorf("%q does not fit beside the table", text)
		}
	}
}

// Another kind of server is told in one line, with a cure, and is asked nothing that it would not know.
func TestTopOfPlainServer(t *testing.T) {
	rpctest.Leaks(t)
	asked := make(chan string, 10)
	ln := listen(t)
	peer.Serve(t, ln, func(c *peer.Conn, m peer.Message) {
		asked <- m.Type
		c.Reply(m.ID, m.Type+"_res", "1")
	})
	session := console.NewSession(console.Config{Dial: Dial, Protocol: "v1", Script: true})
	defer session.Close()
	for _, line := range []string{"connect " + ln.Addr().String(), "call fib 1"} {
		if _, err := session.Exec(t.Context(), line); err != nil {
			t.Fatal(err)
		}
	}
	_, err := session.Exec(t.Context(), "top")
	e, _ := errors.AsType[*console.Error](err)
	if e == nil || e.Code != "unimplemented" || e.Exit != console.ExitServer || !strings.Contains(e.Message, "only rpckids servers") || e.Hint == "" {
		t.Errorf("got %+v", e)
	}
	if got := len(asked); got != 1 {
		t.Errorf("it was asked %d times", got)
	}
}
