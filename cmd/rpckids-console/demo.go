package main

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/rpcserver"
)

// demoTypes are the lines that the console does not learn from the server itself; anybody could type them.
var demoTypes = []string{
	"rpc exp_res {value:int64, costInNanos:int64} --of exp --server-time .costInNanos",
}

// demoServers are the servers of a demo, and what it opens with.
type demoServers struct {
	target string
	tour   *console.Tour
	stop   func()
}

// serve starts one server in this program, or several as processes of their own.
func (p *program) serve(ctx context.Context, n int) (d demoServers, err error) {
	switch {
	case n < 1 || n > mostServers:
		return d, usage(fmt.Sprintf("from 1 to %d are enough to see what happens", mostServers), "there cannot be %d servers", n)
	case n == 1:
		d.target, d.stop, err = startDemo()
		d.tour = demoTour
		return d, err
	}
	return p.startLab(ctx, n)
}

// startDemo serves the demo services on a free loopback port. stop closes the server and waits for it.
func startDemo() (addr string, stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, &console.Error{Exit: console.ExitInternal, Message: "cannot open a port on the loopback interface: " + err.Error(),
			Hint: "check that 127.0.0.1 is up", Cause: err}
	}
	s := rpcserver.New(nil)
	demo.Register(s)
	served := make(chan struct{})
	go func() { // ends when stop closes the server
		defer close(served)
		_ = s.Serve(ln) // always ErrServerClosed: nothing but stop ends a loopback listener
	}()
	return ln.Addr().String(), func() {
		_ = s.Close()
		<-served
	}, nil
}

// demoSession connects a session to the demo server and teaches it what the server does not tell.
func demoSession(ctx context.Context, s *console.Session, addr string) error {
	for _, line := range append([]string{"connect " + addr}, demoTypes...) {
		if _, err := s.Exec(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

// demoTour is what the demo opens with.
var demoTour = &console.Tour{
	Title: "Your first calls",
	Steps: []console.Step{
		{
			Title:  "call fib 10",
			Do:     "call fib 10",
			Before: "A server runs inside this program, behind a real TCP connection. Ask it for a Fibonacci number.",
			After:  "89. The bar above shows where the time went: here, on the way there and back, and on the server.",
			Done:   answered("fib", "89"),
		},
		{
			Title:  `call exp {"base":2,"exp":10}`,
			Do:     `call exp {"base":2,"exp":10}`,
			Before: "exp takes JSON and measures itself: costInNanos is what its loop took on the server, in nanoseconds.",
			After:  "1024. costInNanos is the loop alone. The bar has all that the server told, and the way there and back.",
			Done:   answered("exp", `{"value":1024,`),
		},
		{
			Title:  `cast log "hi"`,
			Do:     `cast log "hi"`,
			Before: "A cast expects no reply: its bytes leave, and the caller goes on.",
			After:  "Sent. Nothing comes back, so nobody knows what the server made of it.",
			Done:   func(e console.Entry) bool { return e.Type == "log" && e.State == console.Sent },
		},
		{
			Title:  "call fibs 10",
			Do:     "call fibs 10",
			Before: "fibs answers with a stream: its items come one by one, and each is shown as soon as it is there.",
			After:  "Ten items over one stream. ctrl+c would have ended it, on the server too: try call ticks 500.",
			Done:   func(e console.Entry) bool { return e.Type == "fibs" && e.State == console.OK && e.Items == 10 },
		},
	},
}

// answered is done by the answer that the step talks about, however it was asked for.
func answered(typ, reply string) func(console.Entry) bool {
	return func(e console.Entry) bool {
		return e.Type == typ && e.State == console.OK && strings.HasPrefix(string(e.Result), reply)
	}
}
