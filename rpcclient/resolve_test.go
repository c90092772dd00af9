package rpcclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// resolved watches a target of one answer, and returns what became of it.
func resolved(t *testing.T, r Resolver, log *bytes.Buffer) (servers []string, told, final error) {
	t.Helper()
	to, err := parseTarget("x:///name", &Config{Resolvers: map[string]Resolver{"x": r}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	final = to.watch(t.Context(), func(list []string, err error) {
		if (len(list) == 0) == (err == nil) {
			t.Errorf("update got %q and %v", list, err)
		}
		servers, told = list, err
	})
	return servers, told, final
}

// Whatever a resolver says is checked: servers that cannot be reached, doubles and control characters go no further.
func TestResolversAreNotTrusted(t *testing.T) {
	many := make([]string, maxServers+5)
	for i := range many {
		many[i] = fmt.Sprintf("h%04d:1", i)
	}
	for _, test := range []struct {
		given       []string
		want, cause string
	}{
		{[]string{"a:1", "a:1", "A:1", "b:2"}, "a:1 b:2", ""},
		{[]string{"[::1]:1", "10.0.0.7:65535", "a_b-c.d:1", "unix:///run/x"}, "[::1]:1 10.0.0.7:65535 a_b-c.d:1 unix:///run/x", ""},
		{[]string{"a:1", "b"}, "a:1", "it is not written host:port"},
		{[]string{"a:1", ":2"}, "a:1", "neither an address nor a name"},
		{[]string{"a:1", "b:0"}, "a:1", "a port is a number"},
		{[]string{"a:1", "b:65536"}, "a:1", "a port is a number"},
		{[]string{"a:1", "b:http"}, "a:1", "a port is a number"},
		{[]string{"a:1", "0.0.0.0:2"}, "a:1", "nobody can be reached"},
		{[]string{"a:1", "[::]:2"}, "a:1", "nobody can be reached"},
		{[]string{"a:1", "[ff02::1]:2"}, "a:1", "nobody can be reached"},
		{[]string{"a:1", "b\x1b[31m:2", "c d:3"}, "a:1", "and 1 more"},
		{[]string{"a:1", "unix://b"}, "a:1", "a socket is written unix:///path"},
		{[]string{"a:1", strings.Repeat("x", 300) + ":1"}, "a:1", "neither an address nor a name"},
		{[]string{"-:1"}, "", "neither an address nor a name"},
		{many, strings.Join(many[:maxServers], " "), "1005 servers are too many"},
	} {
		var log bytes.Buffer
		servers, told, final := resolved(t, &standing{servers: test.given}, &log)
		heard := log.String()
		if test.want == "" {
			heard = fmt.Sprint(told)
		}
		if got := strings.Join(servers, " "); got != test.want || final != nil || !strings.Contains(heard, test.cause) || test.cause == "" && heard != "" {
			t.Errorf("%.100q gave %.100q, %v, %v and the log %q; want %.100q, %s", test.given, got, told, final, log.String(), test.want, test.cause)
		}
		if strings.ContainsRune(log.String(), '\x1b') {
			t.Errorf("%q came raw into the log", test.given)
		}
	}
}

// final is a resolver that ends at once.
type final struct{ err error }

func (f final) Watch(context.Context, string, func([]string, error)) error { return f.err }

func TestDiscoveryErrors(t *testing.T) {
	cause := errors.New("the registry burnt\x07 down")
	for _, test := range []struct {
		resolver Resolver
		final    bool
		want     string
	}{
		{&standing{}, false, "nobody is there"},
		{&standing{err: cause}, false, `the registry burnt\a down`},
		{&standing{err: cause, servers: []string{"a:1"}}, false, `the registry burnt\a down`},
		{final{cause}, true, `the registry burnt\a down`},
		{final{}, true, "its resolver has ended without a list"},
	} {
		_, err, last := resolved(t, test.resolver, new(bytes.Buffer))
		if test.final {
			err = last
		} else if last != nil {
			t.Errorf("%v ended with %v", test.resolver, last)
		}
		f, ok := errors.AsType[*failure](err)
		if !ok || f.kind != ErrDiscovery || f.status.Code != Unavailable || f.Error() != test.want {
			t.Errorf("%v gave %v; want %s", test.resolver, err, test.want)
		}
	}
}
