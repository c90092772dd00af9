// Package demo holds the teaching services: small, true to the original where it had them, and safe for any number of callers.
//
//	s := rpcserver.New(nil)
//	demo.Register(s)
package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rpckids/rpckids/rpcserver"
)

// Register adds fib, exp, echo, slow, fail and log to s, and with items fibs, sum, chat and ticks. What is cast to log is dropped; see
// [RegisterLogging].
func Register(s *rpcserver.Server) { RegisterLogging(s, nil) }

// RegisterLogging is Register with a place for the lines that are cast to log; nil drops them. A line is untrusted text of any
// length up to a message's, or JSON that is no string, as it came. write is called from many goroutines at once.
func RegisterLogging(s *rpcserver.Server, write func(line string)) {
	register(s, write, rpcserver.Quick())
}

// RegisterPatient is [Register] for a server whose middleware may take its time: none of its services is [rpcserver.Quick].
func RegisterPatient(s *rpcserver.Server) {
	register(s, nil)
}

// register adds the services; how says how the fast ones are run.
func register(s *rpcserver.Server, write func(line string), how ...rpcserver.Option) {
	rpcserver.Handle(s, "fib", fib, append(how, rpcserver.Doc("the n-th Fibonacci number, n from 0 to 91; fib(0) = fib(1) = 1"),
		rpcserver.Example(10), rpcserver.Idempotent())...)
	rpcserver.Handle(s, "exp", exp, rpcserver.Doc("base to the power of exp, and what the loop cost; overflow wraps around"),
		rpcserver.Example(ExpRequest{Base: 2, Exp: 10}), rpcserver.Idempotent())
	rpcserver.Handle(s, "echo", echo, rpcserver.Doc("any JSON, back as it came"),
		rpcserver.Example("hello"), rpcserver.Idempotent())
	rpcserver.Handle(s, "slow", slow, rpcserver.Doc("answers after so many milliseconds, at most a minute, with how long it took"),
		rpcserver.Example(500), rpcserver.Idempotent())
	rpcserver.Handle(s, "fail", fail, rpcserver.Doc("fails with the code and the message that you ask for"),
		rpcserver.Example(FailRequest{Code: "unavailable", Message: "as you wish"}), rpcserver.Idempotent())
	rpcserver.HandleCast(s, "log", func(_ context.Context, line json.RawMessage) error {
		if write != nil {
			write(text(line))
		}
		return nil
	}, rpcserver.Doc("takes a line and answers nothing"), rpcserver.Example("hi"))
	registerStreams(s)
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil && string(raw) != "null" {
		return s
	}
	return string(raw)
}

// numbers holds fib(0) to fib(91), all that fit an int64. It is never written again: the original's list, which grew while it was
// read, is corrupted by the first burst of callers.
var numbers = func() (f [92]int64) {
	f[0], f[1] = 1, 1
	for n := 2; n < len(f); n++ {
		f[n] = f[n-1] + f[n-2]
	}
	return f
}()

func fib(_ context.Context, n int) (int64, error) {
	if n < 0 || n >= len(numbers) {
		return 0, rpcserver.Errorf(rpcserver.InvalidArgument, "n is %d, want 0 to %d", n, len(numbers)-1)
	}
	return numbers[n], nil
}

// ExpRequest asks exp for Base to the power of Exp.
type ExpRequest struct {
	Base int `json:"base"`
	Exp  int `json:"exp"`
}

// mostExp keeps a loop under a millisecond or so.
const mostExp = 1_000_000

// Validate refuses what the loop would take too long for.
func (r ExpRequest) Validate() error {
	if r.Exp < 0 || r.Exp > mostExp {
		return rpcserver.Invalid(rpcserver.Violation{Field: "exp", Problem: fmt.Sprintf("is %d, want 0 to %d", r.Exp, mostExp)})
	}
	return nil
}

// ExpResponse is exp's answer: the value, which wraps around at 64 bits as a Java long does, and the nanoseconds that the
// multiplications took.
type ExpResponse struct {
	Value       int64 `json:"value"`
	CostInNanos int64 `json:"costInNanos"`
}

func exp(_ context.Context, r ExpRequest) (ExpResponse, error) {
	base, value := int64(r.Base), int64(1)
	start := time.Now()
	for range r.Exp {
		value *= base
	}
	cost := time.Since(start)
	return ExpResponse{Value: value, CostInNanos: cost.Nanoseconds()}, nil
}

func echo(_ context.Context, v json.RawMessage) (json.RawMessage, error) { return v, nil }

// mostSlow bounds how long a worker is taken.
const mostSlow = 60_000

func slow(ctx context.Context, ms int) (int64, error) {
	if ms < 0 || ms > mostSlow {
		return 0, rpcserver.Errorf(rpcserver.InvalidArgument, "milliseconds are %d, want 0 to %d", ms, mostSlow)
	}
	start := time.Now()
	t := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return time.Since(start).Milliseconds(), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// FailRequest asks fail for an error.
type FailRequest struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Validate refuses a code that there is not, and ok, which is no failure.
func (r FailRequest) Validate() error {
	if code, ok := rpcserver.ParseCode(r.Code); !ok || code == rpcserver.OK {
		return rpcserver.Invalid(rpcserver.Violation{Field: "code", Problem: fmt.Sprintf("is %q, want the name of an error such as not_found or unavailable", r.Code)})
	}
	return nil
}

func fail(_ context.Context, r FailRequest) (struct{}, error) {
	code, _ := rpcserver.ParseCode(r.Code)
	return struct{}{}, rpcserver.Errorf(code, "%s", r.Message)
}
