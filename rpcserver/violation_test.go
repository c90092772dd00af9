package rpcserver

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rpckids/rpckids/internal/wire"
)

type booking struct {
	Guests []struct {
		Name string `json:"name"`
		Age  int    `json:"age"`
	} `json:"guests"`
	Odd int `json:"odd key"`
}

func (b booking) Validate() error {
	var wrong []Violation
	for i, g := range b.Guests {
		if g.Age < 0 {
			wrong = append(wrong, Violation{Field: fmt.Sprintf("guests[%d].age", i), Problem: fmt.Sprintf("is %d, want 0 or more", g.Age)})
		}
	}
	if b.Odd == 7 {
		wrong = append(wrong, Violation{Field: `["odd key"]`, Problem: "is 7"})
	}
	if b.Odd == 8 {
		wrong = append(wrong, Violation{Field: "nowhere", Problem: "is missing"})
	}
	if len(wrong) > 0 {
		return Invalid(wrong...)
	}
	return nil
}

func violation(field string, at int, problem string) Violation {
	return Violation{Field: field, At: at, Problem: problem}
}

func TestViolations(t *testing.T) {
	d := newDecoder[booking]()
	for _, test := range []struct {
		payload, message string
		want             []Violation
	}{
		{
			`{"guests": [{"name":"a","age":1}, {"name":"b","age":-2}], "odd key":7}`,
			`invalid_argument: guests[1].age is -2, want 0 or more; ["odd key"] is 7`,
			[]Violation{violation("guests[1].age", 52, "is -2, want 0 or more"), violation(`["odd key"]`, 68, "is 7")},
		},
		{`{"odd key":8}`, "invalid_argument: nowhere is missing", []Violation{violation("nowhere", 0, "is missing")}},
		{`{"guests":[{"age":"x"}]}`, `invalid_argument: field "guests[0].age" at byte 18: want int, got string`, []Violation{violation("guests[0].age", 18, "want int, got string")}},
		{`{"odd key": 1.5}`, `invalid_argument: field "[\"odd key\"]" at byte 12: want int, got number 1.5`, []Violation{violation(`["odd key"]`, 12, "want int, got number 1.5")}},
		{`{"guests":[null]}`, `invalid_argument: field "guests[0]" at byte 11: want object, got null`, []Violation{violation("guests[0]", 11, "want object, got null")}},
	} {
		var b booking
		err := d.decode([]byte(test.payload), &b)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Error() != test.message {
			t.Errorf("%s: got %v, want %s", test.payload, err, test.message)
			continue
		}
		if got := wire.Violations(e.Details); fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", test.payload, got, test.want)
		}
		for _, v := range test.want {
			if v.At > 0 && v.At >= len(test.payload) {
				t.Errorf("%s: byte %d is not in it", test.payload, v.At)
			}
		}
	}
}

// Handlers hand the reasons of their contexts on.
func TestCauses(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{ErrCanceledByPeer, "canceled: the caller gave up"},
		{fmt.Errorf("reading: %w", ErrDraining), "unavailable: reading: the server stops"},
		{errEnded(PeerClosed), "canceled: the caller's connection has ended: peer closed"},
	} {
		if got := asError(test.err).Error(); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// What stops a call is found by everybody who asks, also through contexts that were derived before.
func TestStoppedContext(t *testing.T) {
	for name, asks := range map[string]bool{"lazy": false, "asked for Done": true} {
		parent, cancel := context.WithCancelCause(context.Background())
		d := &callContext{Context: parent}
		if asks {
			d.Done()
		}
		child, stop := context.WithCancel(d)
		if _, has := d.Deadline(); has || context.Cause(d) != nil {
			t.Errorf("%s: it begins with a deadline or a cause", name)
		}
		d.stop(ErrCanceledByPeer)
		<-child.Done()
		for _, ctx := range []context.Context{d, child} {
			if ctx.Err() != context.Canceled || context.Cause(ctx) != ErrCanceledByPeer {
				t.Errorf("%s: got %v because of %v", name, ctx.Err(), context.Cause(ctx))
			}
		}
		d.stop(ErrDraining) // the first cause stays
		d.end()
		cancel(nil)
		stop()
		if context.Cause(d) != ErrCanceledByPeer || !d.givenUp() {
			t.Errorf("%s: got %v, want the first cause", name, context.Cause(d))
		}
	}
}
