package console

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rpckids/rpckids/internal/load"
	"github.com/rpckids/rpckids/internal/shape"
)

// What a bench does that says nothing: as long as wrk and bombardier measure, with as many workers as hey, oha and ghz have.
const (
	benchDuration = 10 * time.Second
	benchWorkers  = 50
	benchTick     = 100 * time.Millisecond // between two looks at one that runs
)

func benchCommands() []*command {
	return []*command{{
		name: "bench", group: "Calls", args: "TYPE [PAYLOAD]", pipe: true,
		help: "make many calls and measure how long they take",
		long: "Without -n and -d it takes 10 s; with both, what comes first ends it. There\n" +
			"are 50 calls at a time, and each is followed by the next when it was answered:\n" +
			"a server that stalls is asked less, and the figures look better than what\n" +
			"users feel. With --rate calls are due at an even pace, whatever becomes of\n" +
			"those before. Then -c is how many may be in flight, and corrected figures\n" +
			"count from when a call was due.\n\n" +
			"ctrl+c stops it and reports. Calls in flight when the time is over are waited\n" +
			"for and counted, those that ctrl+c ends are not. Percentiles are of good\n" +
			"calls, and so is the rate that comes first: it is what got done. With\n" +
			"--max-p99 it ends with exit code 9 unless 99 of 100 calls went well in that\n" +
			"time; where there is a rate, corrected. Without, it ends with 0 where at least\n" +
			"one call went well, else with the code of the most frequent failure. CPU is\n" +
			"that of this process: in the demo the server is a part of it.\n\n" +
			"A busy server asks to wait, and such calls are sent again before they fail:\n" +
			"attempts tells how often, which is what the server counts in `top`.\n\n" +
			"Its calls are not in the journal, and Timing knows nothing of them; the log\n" +
			"gets a line. -o json prints one object: see docs/COMMANDS.md. Only calls can\n" +
			"be measured as yet, no streams and no casts.",
		examples: []string{"bench fib 20", "bench fib 20 -n 100000 -c 16", `bench exp {"base":2,"exp":10} -d 30s --rate 2000 --max-p99 5ms`, "bench fib 20 -n 1000 | .latency_ns.p99"},
		flags: []flag{{"n", "N", "end after so many calls"}, {"d", "D", "end after so long, as 30s"}, {"c", "C", "calls in flight at once, 50 unless given"},
			{"rate", "R", "calls that are due in a second"}, {"warmup", "D", "do the same for so long before, uncounted"},
			{"timeout", "D", "how long each call may take, as 50ms; off for no limit"}, {"max-p99", "D", "fail unless 99 of 100 calls take no longer"},
			{"idempotent", "", "calls may run twice: sent again when the connection is lost"}, {"no-check", "", "send what does not fit its shape"}},
		min: 1, max: 2, rest: true,
		run: runBench, check: checkBench, complete: completeCall,
	}}
}

// runBench prints its object whatever happens.
func runBench(ctx context.Context, s *Session, a *args) (Result, error) {
	b := Bench{Typed: a.line, Type: a.word(0).text}
	backend, req, err := s.benchOf(ctx, a, &b)
	if err == nil && !s.benching.CompareAndSwap(false, true) {
		err = a.fault(ExitUsage, 0, "a bench is running already", "two at once would measure each other; ctrl+c ends the other one")
	}
	if err != nil {
		return Result{Value: newBenchJSON(&b)}, err
	}
	defer s.benching.Store(false)
	b, report, wrong := s.bear(ctx, backend, req, b, a.talk)
	b.take(&report)
	if wrong != nil {
		b.Interrupted = false
		s.show(b, a.talk)
		return Result{Value: newBenchJSON(&b)}, wrong
	}
	s.show(b, a.talk)
	s.log.add(EventNotice, time.Now(), "bench "+b.summary(s.ascii()))
	r := Result{Bench: &b, Text: b.Text(s.ascii()), Value: newBenchJSON(&b)}
	if err := b.verdict(&report); err != nil {
		return r, err
	}
	return r, nil
}

// benchOf reads the line and checks all of it before anything is sent.
func (s *Session) benchOf(ctx context.Context, a *args, b *Bench) (Backend, Request, error) {
	var none Request
	if err := s.benchable(a); err != nil {
		return nil, none, err
	}
	var err error
	if b.Limits, err = s.benchLimits(a); err != nil {
		return nil, none, err
	}
	o := order{kind: KindCall, req: Request{Type: b.Type, Idempotent: a.has("idempotent")}, terms: terms{noCheck: a.has("no-check")}}
	if err := s.fill(ctx, a, &o); err != nil {
		return nil, none, err
	}
	b.Payload = o.req.Payload
	backend, err := s.need(ctx)
	return backend, o.req, err
}

// benchable refuses what is known not to be a unary service.
func (s *Session) benchable(a *args) error {
	typ := a.word(0)
	if err := checkType(a, typ); err != nil {
		return err
	}
	if k := s.kindOf(typ.text); k != KindCall {
		return a.fault(ExitUsage, typ.at, fmt.Sprintf("%s is %s; bench measures calls alone as yet", Printable(typ.text), kindWords[k]), "as in: "+a.command.examples[0])
	}
	_, known := s.requestType(typ.text)
	if services := s.servicesNow(); services != nil && !known && !a.has("no-check") {
		e := a.fault(ExitUsage, typ.at, fmt.Sprintf("the server has no service %q", shorten(Printable(typ.text), 40)), "`services` asks it again, --no-check sends it all the same")
		if near := shape.Nearest(typ.text, slices.Sorted(maps.Keys(services))); near != "" {
			e.Hint = "nearest is " + near
		}
		return e
	}
	return nil
}

var kindWords = [...]string{KindCall: "a call", KindCast: "a cast", KindStream: "a stream", KindUpload: "an upload", KindChat: "a chat"}

// benchLimits reads the flags.
func (s *Session) benchLimits(a *args) (BenchLimits, error) {
	l := BenchLimits{Workers: benchWorkers, Timeout: s.timeout()}
	whole := func(name string, most int, to *int) error {
		w, ok := a.flags[name]
		if !ok {
			return nil
		}
		n, err := strconv.Atoi(strings.ReplaceAll(w.text, "_", ""))
		switch {
		case err != nil:
			return a.fault(ExitUsage, w.at, fmt.Sprintf("%q is not a whole number", shorten(Printable(w.text), 40)), a.command.flag(name).usage()+"  "+a.command.flag(name).help)
		case n < 1 || n > most:
			return a.fault(ExitUsage, w.at, fmt.Sprintf("-%s is a number from 1 to %s", name, Count(most)), a.command.flag(name).usage()+"  "+a.command.flag(name).help)
		}
		*to = n
		return nil
	}
	span := func(name string, to *time.Duration) error {
		w, ok := a.flags[name]
		if !ok {
			return nil
		}
		d, err := parseTimeout(w.text)
		if err != nil {
			return a.at(w, err)
		}
		if d == 0 && name != "timeout" {
			return a.fault(ExitUsage, w.at, a.command.flag(name).dashed()+" needs a time above zero", "as 500ms, 10s, 1m30s")
		}
		*to = d
		return nil
	}
	if err := errors.Join(whole("n", 1<<40, &l.Calls), whole("c", load.MaxWorkers, &l.Workers), span("d", &l.Duration), span("warmup", &l.Warmup),
		span("timeout", &l.Timeout), span("max-p99", &l.MaxP99)); err != nil {
		first, _ := errors.AsType[*Error](err)
		return l, first
	}
	if w, ok := a.flags["rate"]; ok {
		var err error
		if l.Rate, err = strconv.ParseFloat(strings.TrimSuffix(strings.ReplaceAll(w.text, "_", ""), "/s"), 64); err != nil || !(l.Rate > 0 && l.Rate <= load.MaxRate) {
			return l, a.fault(ExitUsage, w.at, "--rate is calls in a second, above 0 and up to "+Count(load.MaxRate), "as in: --rate 2000")
		}
	}
	if l.Calls == 0 && l.Duration == 0 {
		l.Duration = benchDuration
	}
	return l, nil
}

// bear makes the load and shows how far it is. wrong is what ended it because no such call can go well.
func (s *Session) bear(ctx context.Context, backend Backend, req Request, b Bench, talk Talk) (last Bench, r load.Report, wrong *Error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var before atomic.Uint64 // retries, when what counts begins
	l, err := load.New(load.Config{Calls: b.Limits.Calls, Duration: b.Limits.Duration, Workers: b.Limits.Workers, Rate: b.Limits.Rate, Warmup: b.Limits.Warmup,
		Timeout: b.Limits.Timeout, Begin: func() { before.Store(backend.Stats().Retries) },
		Code: func(err error) string { return shorten(Printable(explain(err).Status()), 40) }}, firing(backend, req, stop))
	if err != nil {
		return b, load.Report{}, explain(err) // cannot be: the flags were checked
	}
	done := make(chan load.Report, 1)
	go func() { done <- l.Run(ctx) }() // ends with ctx at the latest; waited for below
	tick := time.NewTicker(benchTick)
	defer tick.Stop()
	g := gauge{base: b}
	retries := func() int { return int(backend.Stats().Retries - before.Load()) }
	last = g.next(load.Progress{Warmup: b.Limits.Warmup > 0}, l.Latency)
	s.show(last, talk)
	for {
		select {
		case r = <-done:
			wrong, _ = errors.AsType[*Error](context.Cause(ctx))
			last.Running, last.Warmup, last.Retries = false, false, retries()
			return last, r, wrong
		case <-tick.C:
			last = g.next(l.Progress(), l.Latency)
			last.Failures = failuresOf(l.Failures())
			s.show(last, talk)
		}
	}
}

// hopeless are the codes that all further calls would get, too.
var hopeless = []string{"not_found", "unimplemented", "invalid_argument", "unauthenticated", "permission_denied"}

// firing is one call of a bench. Where the first answer is that such a call can never go well it stops the bench.
func firing(backend Backend, req Request, stop context.CancelCauseFunc) func(context.Context) error {
	var answered atomic.Bool
	return func(ctx context.Context) (err error) {
		defer func() { // a panic here would be outside of the command, and leave the terminal as it is
			if p := recover(); p != nil {
				err = &Error{Exit: ExitInternal, Message: shorten(Printable(fmt.Sprintf("internal error: %v", p)), maxMessage)}
			}
		}()
		err = backend.Fire(ctx, req)
		if answered.Load() {
			return err
		}
		e, _ := errors.AsType[*Error](err)
		if e != nil && slices.Contains(hopeless, e.Code) {
			told := *e
			if k, ok := patternIn(e); ok {
				told.Message, told.Hint = req.Type+" is "+kindWords[k]+"; bench measures calls alone as yet", "as in: bench fib 20"
			}
			stop(&told)
		} else if err == nil {
			answered.Store(true)
		}
		return err
	}
}

// show publishes a snapshot.
func (s *Session) show(b Bench, talk Talk) {
	s.bench.Store(&b)
	s.journal.Note()
	if talk.Bench != nil {
		talk.Bench(b)
	}
}

// take fills in what came of it.
func (b *Bench) take(r *load.Report) {
	b.Calls, b.Failed, b.Elapsed, b.Unmade, b.Abandoned = r.Calls, r.Failed, r.Elapsed, r.Unmade, r.Abandoned
	b.Latency, b.Corrected, b.spread = figuresOf(&r.Latency), figuresOf(&r.Corrected), r.Latency
	if b.Limits.Rate > 0 {
		b.spread = r.Corrected
	}
	b.CPU, b.HasCPU, b.Interrupted = r.CPU, r.HasCPU, r.Interrupted
	b.Share = 1
	b.Failures = failuresOf(r.Failures)
}

// verdict is why the command fails, nil where it does not: it was interrupted, no call went well, or the limit was missed.
func (b *Bench) verdict(r *load.Report) *Error {
	switch {
	case b.Interrupted:
		return &Error{Exit: ExitInterrupted, Message: "interrupted after " + countOf(b.Calls, "call")}
	case b.Good() == 0 && b.Failed > 0:
		return explain(r.Failures[b.Failures[0].Code].First)
	case b.Good() == 0:
		return &Error{Exit: ExitInternal, Message: "no call was made in that time", Hint: "give it longer with -d, or a higher --rate"}
	case b.Limits.MaxP99 > 0 && !r.Kept(99, b.Limits.MaxP99):
		return b.missed()
	}
	return nil
}

// missed is the error of a bench with --max-p99.
func (b *Bench) missed() *Error {
	p99, what := b.Felt().P99, "p99"
	if b.Limits.Rate > 0 {
		what = "corrected p99"
	}
	text := fmt.Sprintf("%s is %s, the limit is %s", what, Duration(p99, true), Duration(b.Limits.MaxP99, true))
	if p99 <= b.Limits.MaxP99 {
		text = fmt.Sprintf("more than 1 %% of the calls failed, were not made or took longer than %s", Duration(b.Limits.MaxP99, true))
	}
	return &Error{Exit: ExitBench, Message: text}
}

// checkBench is the live hint: that of call, then the flags.
func checkBench(s *Session, a *args, typing bool) Hint {
	if err := s.benchable(a); err != nil {
		if typing && len(a.pos) < 2 && a.word(0).end() == len(a.line) {
			return Hint{Text: a.command.usage()}
		}
		return badHint(err)
	}
	h := checkCall(s, a, typing)
	if h.State == HintBad {
		return h
	}
	l, err := s.benchLimits(a)
	if err != nil {
		if e := explain(err); typing && e.At >= strings.LastIndexByte(a.line, ' ') {
			return Hint{Text: h.Text}
		}
		return badHint(err)
	}
	if h.State == HintGood {
		h.Text = "measure " + Printable(a.word(0).text) + " " + l.words()
	}
	return h
}
