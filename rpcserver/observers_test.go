package rpcserver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"testing"

	"github.com/rpckids/rpckids/rpcserver"
)

// recording returns an observer whose every hook notes name, the hook's own name and whether its arguments are those that were sent.
func recording(name string, log *[]string, sent map[string][]reflect.Value) *rpcserver.Observer {
	o := new(rpcserver.Observer)
	v := reflect.ValueOf(o).Elem()
	for i := range v.NumField() {
		hook := v.Type().Field(i)
		v.Field(i).Set(reflect.MakeFunc(hook.Type, func(args []reflect.Value) []reflect.Value {
			for j, arg := range args {
				if !reflect.DeepEqual(arg.Interface(), sent[hook.Name][j].Interface()) {
					*log = append(*log, "wrong argument")
				}
			}
			*log = append(*log, name+" "+hook.Name)
			return nil
		}))
	}
	return o
}

// Every hook that there is reaches every observer, in order, with its arguments: this finds out when a new hook is not joined.
func TestObserversJoinEveryHook(t *testing.T) {
	values := []any{rpcserver.CallInfo{Service: "fib", Code: rpcserver.NotFound}, rpcserver.Lost, "why", []byte("stack")}
	pick := func(want reflect.Type) reflect.Value {
		for _, v := range values {
			if reflect.TypeOf(v) == want {
				return reflect.ValueOf(v)
			}
		}
		v := reflect.New(want).Elem()
		switch want {
		case reflect.TypeFor[net.Addr]():
			v.Set(reflect.ValueOf(&net.TCPAddr{Port: 7}))
		case reflect.TypeFor[any]():
			v.Set(reflect.ValueOf("thrown"))
		default:
			t.Fatalf("no value of type %v for a hook", want)
		}
		return v
	}
	sent := map[string][]reflect.Value{}
	var log []string
	a, b, c := recording("a", &log, sent), recording("b", &log, sent), recording("c", &log, sent)
	joined := reflect.ValueOf(rpcserver.Observers(nil, a, new(rpcserver.Observer), b, nil, c)).Elem()
	for i := range joined.NumField() {
		name, hook := joined.Type().Field(i).Name, joined.Field(i)
		if hook.IsNil() {
			t.Errorf("%s: the joined observer has no such hook", name)
			continue
		}
		log = nil
		for j := range hook.Type().NumIn() {
			sent[name] = append(sent[name], pick(hook.Type().In(j)))
		}
		hook.Call(sent[name])
		if want := []string{"a " + name, "b " + name, "c " + name}; !slices.Equal(log, want) {
			t.Errorf("%s: got %q, want %q", name, log, want)
		}
	}
}

func TestObserversOfNobody(t *testing.T) {
	if got := rpcserver.Observers(); got != nil {
		t.Errorf("none: got %v, want nil", got)
	}
	if got := rpcserver.Observers(nil, nil); got != nil {
		t.Errorf("nil ones: got %v, want nil", got)
	}
	got := rpcserver.Observers(&rpcserver.Observer{Repaired: func(net.Addr) {}}, &rpcserver.Observer{})
	if got.Repaired == nil || got.CallDone != nil || got.ConnOpened != nil {
		t.Errorf("got %+v, want the one hook that somebody has", got)
	}
}

func TestCodeOf(t *testing.T) {
	var none *rpcserver.Error
	for _, test := range []struct {
		err  error
		want rpcserver.Code
	}{
		{nil, rpcserver.OK},
		{rpcserver.Errorf(rpcserver.NotFound, "x"), rpcserver.NotFound},
		{fmt.Errorf("read: %w", rpcserver.Errorf(rpcserver.Aborted, "x")), rpcserver.Aborted},
		{none, rpcserver.Unknown},
		{rpcserver.Errorf(rpcserver.OK, "x"), rpcserver.Unknown},
		{errors.New("x"), rpcserver.Unknown},
		{context.DeadlineExceeded, rpcserver.DeadlineExceeded},
		{context.Canceled, rpcserver.Canceled},
		{rpcserver.ErrCanceledByPeer, rpcserver.Canceled},
		{rpcserver.ErrDraining, rpcserver.Unavailable},
	} {
		if got := rpcserver.CodeOf(test.err); got != test.want {
			t.Errorf("%v: got %v, want %v", test.err, got, test.want)
		}
	}
}
