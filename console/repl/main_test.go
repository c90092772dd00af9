//go:build unix

package repl_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/term"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/repl"
)

// TestMain is also the program that the tests type into.
func TestMain(m *testing.M) {
	if os.Getenv("REPL_PROGRAM") == "" {
		goleak.VerifyTestMain(m)
		return
	}
	os.Exit(program())
}

// program is a console with one face and a stand-in for the other, over a server that is not there.
func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	var history []string
	if h := os.Getenv("REPL_HISTORY"); h != "" {
		if err := json.Unmarshal([]byte(h), &history); err != nil {
			panic(err)
		}
	}
	s := console.NewSession(console.Config{
		Dial:    func(context.Context, string, console.DialOptions) (console.Backend, error) { return fake{}, nil },
		History: console.NewHistory(history, nil),
	})
	for _, line := range []string{"connect kids:8888", "rpc fib_res int64 --of fib", "rpc exp {base:int,exp:int}"} {
		if _, err := s.Exec(ctx, line); err != nil {
			fmt.Println(line, err)
			return 1
		}
	}
	code := faces(ctx, s, repl.New(s, repl.Config{}))
	if err := s.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	stop()
	if err := goleak.Find(goleak.IgnoreTopFunction("os/signal.signal_recv")); err != nil {
		fmt.Println("leak:", err)
		return 9
	}
	return code
}

// faces lets the faces take turns until one ends the program.
func faces(ctx context.Context, s *console.Session, r *repl.REPL) int {
	defer func() {
		if err := r.Close(); err != nil {
			fmt.Println("close:", err)
		}
	}()
	for {
		next, err := r.Run(ctx)
		switch {
		case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
			return 143
		case err != nil:
			fmt.Println("error:", err)
			return 1
		case next != console.OpenDashboard:
			fmt.Printf("end after %d calls\n", s.Journal().Last())
			return 0
		}
		other(s)
	}
}

// other stands for the dashboard: it takes five keys, each read by itself.
func other(s *console.Session) {
	old, err := term.MakeRaw(0)
	if err != nil {
		panic(err)
	}
	defer func() { _ = term.Restore(0, old) }()
	fmt.Print("other face\r\n")
	s.History().Add("added by the other face")
	var got []byte
	buf := make([]byte, 1)
	for len(got) < 5 {
		if n, err := os.Stdin.Read(buf); n == 0 || err != nil {
			return
		}
		got = append(got, buf[0])
	}
	fmt.Printf("got %s\r\n", got)
}

// fake is a server's other end.
type fake struct{}

func (fake) Call(ctx context.Context, r console.Request) (console.Reply, error) {
	reply := console.Reply{Type: r.Type + "_res", Payload: r.Payload, Trace: console.Trace{
		RequestID: "1", Server: "kids:8888", Attempts: 1, RTT: 398 * time.Microsecond, Client: 21 * time.Microsecond, Wait: 377 * time.Microsecond,
		Out: make([]byte, 70), In: make([]byte, 89),
	}}
	switch r.Type {
	case "fib":
		n, err := strconv.Atoi(string(r.Payload))
		if err != nil {
			return reply, err
		}
		a, b := 1, 1
		for range n {
			a, b = b, a+b
		}
		reply.Payload = json.RawMessage(strconv.Itoa(a))
	case "slow":
		fmt.Println("slow call runs")
		<-ctx.Done()
		return console.Reply{Trace: console.Trace{RTT: time.Millisecond, Client: time.Millisecond}}, ctx.Err()
	case "evil":
		reply.Payload = json.RawMessage("\"red\u009b2J\u202eabc\"")
	case "lost":
		return console.Reply{}, net.ErrClosed
	}
	return reply, nil
}

func (fake) Cast(_ context.Context, r console.Request) (console.Reply, error) {
	return console.Reply{Trace: console.Trace{RequestID: "1", Attempts: 1, RTT: 18 * time.Microsecond, Client: 18 * time.Microsecond, Out: make([]byte, 65)}}, nil
}

func (fake) Stats() console.Stats {
	return console.Stats{Target: "kids:8888", Server: "kids:8888", State: console.Connected, Protocol: "v1"}
}

func (fake) Close() error { return nil }
