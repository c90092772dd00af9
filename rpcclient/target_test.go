package rpcclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// standing is a resolver that gives one list, or one error.
type standing struct {
	servers []string
	err     error
	asked   string
}

func (s *standing) Watch(_ context.Context, name string, update func([]string, error)) error {
	s.asked = name
	update(s.servers, s.err)
	return nil
}

func TestStandingTargets(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"localhost:8888", "localhost:8888"},
		{":8888", ":8888"},
		{"a:65535", "a:65535"},
		{"[::1]:8888", "[::1]:8888"},
		{"rpckids://host:1", "host:1"},
		{"host:http", "host:http"},
		{"unix:///run/a", "unix:///run/a"},
		{"a:1,b:2,c:3", "a:1 b:2 c:3"},
		{"  a:1 , b:2 ,c:3 ", "a:1 b:2 c:3"},
		{"b:2,a:1,b:2,B:2,rpckids://b:2", "b:2 a:1"},
		{"unix:///run/a,unix:///run/A,b:2", "unix:///run/a unix:///run/A b:2"},
		{"b:2,unix:///run/a", "b:2 unix:///run/a"},
		{"rpckids://a:1,b:2", "a:1 b:2"},
	} {
		to, err := parseTarget(test.text, nil)
		if got := strings.Join(to.servers, " "); err != nil || got != test.want || to.text != test.text {
			t.Errorf("%q gave %q, %v; want %q", test.text, got, err, test.want)
		}
		var told []string
		if err := to.watch(t.Context(), func(servers []string, err error) { told = append(told, servers...) }); err != nil || !slices.Equal(told, to.servers) {
			t.Errorf("%q watched gave %q, %v", test.text, told, err)
		}
		to.hurry()
	}
}

func TestBadTargets(t *testing.T) {
	many := make([]string, maxServers+1)
	for i := range many {
		many[i] = fmt.Sprintf("h%d:1", i)
	}
	for _, test := range []struct{ text, cause string }{
		{"", "it is empty; an address is written host:port, as in localhost:8888"},
		{"localhost", "missing port in address; an address is written host:port"},
		{"localhost:", "the port is missing, as in localhost:8888"},
		{"a:65536", "port 65536 is too high, 65535 is the highest"},
		{"a:1,b:99999999999999999999", `"b:99999999999999999999": port 99999999999999999999 is too high`},
		{"a b:1", "there is a space in it; an address is written host:port"},
		{"a:1\n2", "there is a space in it"},
		{"a:1,", `"": it is empty`},
		{"a:1,,b:2", `"": it is empty`},
		{"a:1,b,c:3", `"b": missing port in address; an address is written host:port`},
		{"a:1,unix://b", `"unix://b": a socket is written unix:///path`},
		{"a:1,dns:///b:2", `a list holds addresses alone; a target of the scheme "dns" stands by itself`},
		{"unix://relative", "a socket is written unix:///path"},
		{"http://x:80", `unknown scheme "http": use host:port, rpckids://, unix://, dns:/// or etcd:///`},
		{"etcd:///demo", `etcd targets need a resolver: set Config.Resolvers["etcd"] to one of package rpcclient/etcd`},
		{"dns:///", "there is no name in it; it is written dns:///NAME, with three slashes"},
		{"dns://x:1", "there is no name in it; it is written dns:///NAME, with three slashes"},
		{"dns:///a b:1", `"a b" is not a name; a dns target is written dns:///name:port`},
		{"dns:///a,b:1", `"a,b" is not a name`},
		{"dns:///a/b:1", `"a/b" is not a name`},
		{"dns:///x:0", "a port is a number from 1 to 65535"},
		{"dns:///x:70000", "a port is a number from 1 to 65535"},
		{"dns:///x:http", "a port is a number from 1 to 65535"},
		{"dns:///x:", "a port is a number from 1 to 65535"},
		{"dns:///10.0.0.7", "the port is missing"},
		{"dns:///_rpckids._tcp.x:1", "SRV records bring ports along: leave out :1"},
		{"dns://here there/x:1", `name server "here there:53": its host is neither an address nor a name`},
		{strings.Join(many, ","), "1001 addresses are too many, at most 1000 may be given"},
	} {
		_, err := parseTarget(test.text, new(Config))
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Kind != ErrTarget || !strings.Contains(e.Message, test.cause) || len(test.text) < 100 && !strings.Contains(e.Message, fmt.Sprintf("%q", test.text)) {
			t.Errorf("%q gave %v; want %s", test.text, err, test.cause)
		}
		if len(err.Error()) > 300 {
			t.Errorf("%q gave %d bytes of error", test.text, len(err.Error()))
		}
	}
}

func TestNamedTargets(t *testing.T) {
	for _, test := range []struct{ text, name string }{
		{"etcd:///demo", "demo"},
		{"etcd:///shop/demo", "shop/demo"},
		{"etcd://h1:2379,h2:2379/demo", "//h1:2379,h2:2379/demo"},
	} {
		s := &standing{servers: []string{"a:1"}}
		to, err := parseTarget(test.text, &Config{Resolvers: map[string]Resolver{"etcd": s}})
		if err != nil || to.servers != nil {
			t.Fatalf("%q gave %v, %v", test.text, to.servers, err)
		}
		if err := to.watch(t.Context(), func([]string, error) {}); err != nil || s.asked != test.name {
			t.Errorf("%q asked for %q, %v; want %q", test.text, s.asked, err, test.name)
		}
	}
}

// A resolver of the user's takes the place of the one that is built in.
func TestOwnDNS(t *testing.T) {
	s := &standing{servers: []string{"a:1"}}
	to, err := parseTarget("dns:///anything at all", &Config{Resolvers: map[string]Resolver{"dns": s}})
	if err != nil || to.resolver != Resolver(s) {
		t.Errorf("gave %v, %v", to.resolver, err)
	}
}
