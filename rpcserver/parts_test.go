package rpcserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
)

func TestDefaults(t *testing.T) {
	var none *Config
	want := Config{Workers: 16, Queue: 1000, Idle: time.Minute, HalfMessage: 10 * time.Second, WriteStall: 10 * time.Second, MaxMessage: 1 << 20, MaxConnMemory: 16 << 20, MaxStreams: 512, Window: 64 << 10,
		MaxMetadata: 8 << 10, MaxConns: 10_000, MaxConnsPerAddr: 256, MaxInFlight: 1024, MaxConnInFlight: 512}
	for name, cfg := range map[string]*Config{"nil": none, "zero": {}, "below": {Workers: -1, HalfMessage: -1, WriteStall: -1, MaxMessage: -1, MaxConnMemory: -1, MaxStreams: -1, Window: 1,
		MaxMetadata: -1, MaxConns: -1, MaxConnsPerAddr: -1, MaxInFlight: -1, MaxConnInFlight: -1, Rate: Rate{PerSecond: math.NaN(), Burst: 5}}} {
		if got := cfg.withDefaults(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	got := (&Config{Queue: -5, Idle: -1, MaxMessage: math.MaxInt, MaxConnMemory: 1, MaxStreams: math.MaxInt, Window: math.MaxInt}).withDefaults()
	if got.Queue != 0 || got.Idle != -1 || got.MaxMessage != 1<<30 || got.MaxConnMemory != 1<<30 {
		t.Errorf("got %+v, want no queue, no idle limit and 1 GiB", got)
	}
	if got.MaxStreams != 1_000_000 || got.Window != 1<<30 {
		t.Errorf("got %+v, want a million streams and 1 GiB", got)
	}
	got = (&Config{MaxStreams: 600, MaxConnInFlight: 100, MaxMetadata: 1 << 20, Rate: Rate{PerSecond: 0.1}}).withDefaults()
	if got.MaxStreams != 100 || got.MaxMetadata != 32<<10 || got.Rate != (Rate{0.1, 1}) {
		t.Errorf("got %+v, want 100 streams, 32 KiB of metadata and a burst of 1", got)
	}
}

// The largest numbers are brought to where sums of them fit, and a server with any of them answers.
func TestLargestNumbers(t *testing.T) {
	v := reflect.ValueOf(new(Config)).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i).Name
		for _, version := range []byte{1, 2} {
			cfg := new(Config)
			switch f := reflect.ValueOf(cfg).Elem().Field(i); {
			case f.CanInt():
				f.SetInt(math.MaxInt64)
			case field == "Rate":
				cfg.Rate = Rate{math.Inf(1), math.MaxInt}
			default:
				continue
			}
			d := cfg.withDefaults()
			for name, n := range map[string]int{"Workers and Queue": d.Workers + d.Queue, "MaxInFlight": d.MaxInFlight, "maxUnsent": d.maxUnsent(), "ample": d.ample()} {
				if n <= 0 {
					t.Errorf("%s: %s is %d", field, name, n)
				}
			}
			if longest := max(d.Idle, d.HalfMessage, d.WriteStall); longest > mostTime {
				t.Errorf("%s: a time is %v", field, longest)
			}
			if got, err := answerOf(t, cfg, version); err != nil || got != "7" {
				t.Errorf("%s, version %d: got %q, %v", field, version, got, err)
			}
		}
	}
}

// answerOf makes one call to a server with this Config.
func answerOf(t *testing.T, cfg *Config, version byte) (reply string, err error) {
	t.Helper()
	s := New(cfg)
	Handle(s, "same", func(_ context.Context, n int) (int, error) { return n, nil })
	ln := memnet.Listen()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }() // received below
	defer func() {
		s.Close()
		<-served
	}()
	nc, err := ln.Dial(t.Context(), "", "")
	if err != nil {
		return "", err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(time.Minute)) // ends a test that would hang otherwise
	if version == 1 {
		nc.Write(wire.AppendMessage(nil, "0123456789abcdef;rk2", "same", "7"))
		var dec wire.Decoder
		for {
			if m, ok, err := dec.Next(); ok || err != nil {
				return string(m.Payload), err
			}
			n, err := nc.Read(dec.Space())
			if dec.Fed(n); err != nil {
				return "", err
			}
		}
	}
	c := mux.New(nc, &mux.Config{Role: mux.Client})
	c.Start(true)
	read := make(chan error, 1)
	go func() { read <- c.Serve(nil) }() // received below
	defer func() {
		c.Close(io.EOF)
		<-read
	}()
	stream, err := c.Open(t.Context(), &mux.Request{Method: "same", Payload: []byte("7"), End: true})
	if err != nil {
		return "", err
	}
	defer stream.Release()
	m, err := stream.Recv(t.Context())
	return string(m.Payload), err
}

func TestParseInt(t *testing.T) {
	for _, text := range []string{"0", "-0", "1", "-1", "10", "9223372036854775807", "-9223372036854775808", "1234567890123456789",
		"9223372036854775808", "-9223372036854775809", "18446744073709551616", "99999999999999999999", "", "-", "01", "-01", "+1", "1.0", "1e3", " 1", "1 ", "0x1", "١", "--1", "1-"} {
		got, ok := parseInt([]byte(text))
		want, err := strconv.ParseInt(text, 10, 64)
		plain := err == nil && text[0] != '+' && (text == "0" || text == "-0" || !strings.HasPrefix(strings.TrimPrefix(text, "-"), "0"))
		if ok != plain || ok && got != want {
			t.Errorf("%q: got %d, %v, want %d, %v", text, got, ok, want, plain)
		}
	}
}

// Whatever a payload is, the short ways of reading it agree with encoding/json.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"10", `"x"`, `"\u00e9"`, "null", "", `{"a":1,"B":null}`, "[1,2", "\xff", "-9223372036854775808", `{"c":[null]}`, `{"a":"x"}`, `[[],{"a":{}}]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		agrees[int](t, payload)
		agrees[int64](t, payload)
		agrees[string](t, payload)
		agrees[any](t, payload)
		agrees[json.RawMessage](t, bytes.TrimSpace(payload)) // it keeps the space around it, which encoding/json drops
		agrees[struct {
			A int
			B *string
			C []int `json:"c"`
		}](t, payload)
	})
}

// plainly is json.Unmarshal for numbers of any size, where the type leaves them as they are.
func plainly(payload []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value")
	}
	return nil
}

func agrees[T any](t *testing.T, payload []byte) {
	t.Helper()
	var got, want T
	d := newDecoder[T]()
	err := d.decode(payload, &got)
	plain := plainly(payload, &want)
	if err == nil && plain != nil && len(strings.TrimSpace(string(payload))) > 0 {
		t.Fatalf("%q is no %T (%v) and was taken", payload, got, plain)
	}
	if e, ok := errors.AsType[*Error](err); err != nil && (!ok || e.Code != InvalidArgument || len(e.Message) > 1000) {
		t.Fatalf("%q: got %v, want a short invalid_argument", payload, err)
	}
	if err == nil && plain == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: got %#v, want %#v", payload, got, want)
	}
}

type onValue struct{ N int }

func (v onValue) Validate() error {
	if v.N < 0 {
		return errors.New("negative")
	}
	return nil
}

type own struct{ got string }

func (o *own) UnmarshalJSON(b []byte) error {
	if o.got = string(b); o.got == `"bad"` {
		return Errorf(OutOfRange, "its own words")
	}
	return nil
}

func TestDecodeKinds(t *testing.T) {
	check := func(name string, err error, want string) {
		t.Helper()
		if got := fmt.Sprint(err); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	pd := newDecoder[*onValue]()
	var p *onValue
	check("null for a pointer", pd.decode([]byte("null"), &p), "<nil>")
	check("negative behind a pointer", pd.decode([]byte(`{"N":-1}`), &p), "invalid_argument: negative")
	check("fits behind a pointer", pd.decode([]byte(`{"N":1}`), &p), "<nil>")
	od := newDecoder[own]()
	var o own
	check("own words", od.decode([]byte(`"bad"`), &o), "out_of_range: its own words")
	check("own reading", od.decode([]byte(`{"a":null}`), &o), "<nil>")
	type deep struct {
		M map[string]struct{ L []*onValue }
		O own
		A any
	}
	dd := newDecoder[deep]()
	var d deep
	check("nulls where there are some", dd.decode([]byte(`{"M":{"k":{"L":[null,{"N":1}]}},"O":null,"A":{"x":null},"unknown":{"y":[null]}}`), &d), "<nil>")
	check("null deep inside", dd.decode([]byte(`{"m":{"k":{"L":[null, {"n": null}]}}}`), &d), `invalid_argument: field "m.k.L[1].n" at byte 28: want int, got null`)
	check("wrong list", dd.decode([]byte(`{"M":[1]}`), &d), `invalid_argument: field "M" at byte 5: want object, got array`)
	var v onValue
	check("Decode", decodeAny([]byte(`{"N":-1}`), &v), "invalid_argument: negative")
	check("Decode of nonsense", decodeAny([]byte(`{`), &v), "invalid_argument: not JSON at byte 1: unexpected end of JSON input")
	check("Decode into nothing", decodeAny([]byte(`1`), nil), "internal: Decode wants a pointer, not <nil>")
	check("Decode into a value", decodeAny([]byte(`1`), 1), "internal: Decode wants a pointer, not int")
}

func TestAsError(t *testing.T) {
	shared := &Error{Code: OK, Message: "fine?"}
	long := strings.Repeat("é", maxErrorText)
	for _, test := range []struct {
		err  error
		want string
	}{
		{errors.New("x"), "unknown: x"},
		{fmt.Errorf("reading: %w", context.DeadlineExceeded), "deadline_exceeded: reading: context deadline exceeded"},
		{context.Canceled, "canceled: context canceled"},
		{shared, "unknown: fine?"},
		{errors.New(long), "unknown: " + long[:maxErrorText] + "..."},
		{Errorf(Aborted, "a %d", 1), "aborted: a 1"},
	} {
		if got := asError(test.err); got.Error() != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
	if shared.Code != OK {
		t.Error("a handler's own error was changed")
	}
	if e := asError(&Error{Code: Aborted, Details: make([]byte, maxErrorDetails+1)}); e.Details != nil || e.Code != Aborted {
		t.Errorf("got %d bytes of details, want none", len(e.Details))
	}
	if asError(nil) != nil {
		t.Error("nil became an error")
	}
}

func TestShown(t *testing.T) {
	for text, want := range map[string]string{
		"fib":                       "fib",
		`a "b" \c`:                  `a "b" \c`,
		"é你😀":                       "é你😀",
		"\x1b[2J\r\n\x00\x7f\u009b": `\x1b[2J\r\n\x00\x7f\u009b`,
		"\xff\xc3":                  `\xff\xc3`,
		"\u202e\u200b\ufffd":        `\u202e\u200b` + "\ufffd",
		strings.Repeat("你", 30):     strings.Repeat("你", 21) + "...",
	} {
		if got := shown(text, mostShown); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"fib", "fib", 0}, {"fob", "fib", 1}, {"fbi", "fib", 2}, {"fi", "fib", 1}, {"fibs", "fib", 1}, {"", "ab", 2}, {"", "abc", 3}, {"abcdef", "fib", 3}, {"echo", "fib", 3}} {
		for _, pair := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
			if got := distance(pair[0], pair[1], 3); got != test.want {
				t.Errorf("%q and %q: got %d, want %d", pair[0], pair[1], got, test.want)
			}
		}
	}
}

func TestNearestName(t *testing.T) {
	s := New(nil)
	for _, name := range []string{"fib", "fab", "echo", "x"} {
		HandleCast(s, name, func(context.Context, int) error { return nil })
	}
	for name, want := range map[string]string{
		"fob":  `no service "fob", did you mean "fab"?`, // of two as near the first by name
		"fibb": `no service "fibb", did you mean "fib"?`,
		"ehco": `no service "ehco", did you mean "echo"?`,
		"y":    `no service "y"`, // all of "x" would have to be replaced
		"long": `no service "long"`,
		"!fib": `no service "!fib"`,
	} {
		if got := s.unknown([]byte(name)).Message; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestDeadlineContext(t *testing.T) {
	type key struct{}
	start := func() (*callContext, context.CancelFunc) {
		parent, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "v"))
		return &callContext{Context: parent, deadline: time.Now().Add(time.Second)}, cancel
	}
	for name, asks := range map[string]bool{"lazy": false, "asked for Done": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				expect := func(c context.Context, want error) {
					t.Helper()
					if got := c.Err(); got != want {
						t.Errorf("got %v, want %v", got, want)
					}
				}
				begin := func() (*callContext, context.Context, context.CancelFunc) {
					d, cancel := start()
					if asks {
						d.Done()
					}
					child, stop := context.WithCancel(d)
					t.Cleanup(stop)
					expect(d, nil)
					expect(child, nil)
					if d.Value(key{}) != "v" || child.Value(key{}) != "v" {
						t.Error("the parent's value is lost")
					}
					return d, child, cancel
				}
				d, child, cancel := begin()
				<-child.Done()
				expect(d, context.DeadlineExceeded)
				expect(child, context.DeadlineExceeded)
				cancel()
				d.end()
				expect(d, context.DeadlineExceeded)

				d, child, cancel = begin()
				cancel()
				<-d.Done()
				expect(d, context.Canceled)
				expect(child, context.Canceled)
				d.end()

				d, child, cancel = begin()
				d.end()
				<-d.Done()
				<-child.Done()
				expect(d, context.Canceled)
				cancel()

				d, cancel = start()
				time.Sleep(2 * time.Second)
				expect(d, context.DeadlineExceeded)
				<-d.Done()
				cancel()

				d, cancel = start()
				d.end()
				time.Sleep(2 * time.Second)
				expect(d, context.Canceled)
				<-d.Done()
				cancel()
			})
		})
	}
}

func TestNameOf(t *testing.T) {
	for _, test := range []struct{ asked, got, want string }{
		{"localhost:0", "127.0.0.1:4711", "localhost:4711"},
		{":8888", "[::]:8888", "[::]:8888"},
		{"[::1]:0", "[::1]:1", "[::1]:1"},
		{"x", "127.0.0.1:1", "127.0.0.1:1"},
	} {
		if got := nameOf(test.asked, addr(test.got)); got != test.want {
			t.Errorf("%s: got %s, want %s", test.asked, got, test.want)
		}
	}
}

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }

// What both versions have is counted under one name.
func TestReasons(t *testing.T) {
	for ours, theirs := range map[Reason]string{PeerClosed: mux.PeerClosed, Lost: mux.Broken, Stalled: mux.Stalled, IdleTooLong: mux.IdleTooLong} {
		if string(ours) != theirs {
			t.Errorf("got %q, want %q", theirs, ours)
		}
	}
}
