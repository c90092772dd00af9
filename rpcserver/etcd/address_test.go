package etcd_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rpckids/rpckids/rpcserver/etcd"
)

func TestAddress(t *testing.T) {
	tcp := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 8888} }
	for _, test := range []struct {
		listener         net.Addr
		advertised, want string
		cause            string
	}{
		{tcp("127.0.0.1"), "", "127.0.0.1:8888", ""},
		{tcp("fd00::1"), "", "[fd00::1]:8888", ""},
		{tcp("0.0.0.0"), "", "", "means every address of this machine: say which one to advertise, as in web1.example.org:8888"},
		{tcp("::"), "", "", "means every address of this machine"},
		{&net.TCPAddr{Port: 1}, "", "", "means every address of this machine"},
		{&net.UnixAddr{Name: "/run/x", Net: "unix"}, "", "", "is no address of TCP"},
		{tcp("0.0.0.0"), "web1:9", "web1:9", ""},
		{tcp("0.0.0.0"), "web1", "web1:8888", ""},
		{tcp("0.0.0.0"), "10.0.0.7", "10.0.0.7:8888", ""},
		{tcp("::"), "fd00::7", "[fd00::7]:8888", ""},
		{tcp("::"), "[fd00::7]", "[fd00::7]:8888", ""},
		{tcp("::"), "[fd00::7]:1", "[fd00::7]:1", ""},
		{tcp("0.0.0.0"), "0.0.0.0:9", "", "no host that clients could connect to"},
		{tcp("0.0.0.0"), ":9", "", "no host that clients could connect to"},
		{tcp("0.0.0.0"), "web1:0", "", "a port is a number"},
		{tcp("0.0.0.0"), "web1:http", "", "a port is a number"},
		{tcp("0.0.0.0"), "web 1:9", "", "neither an address nor a name"},
		{tcp("0.0.0.0"), "a/b:9", "", "neither an address nor a name"},
		{&net.UnixAddr{Name: "/run/x", Net: "unix"}, "web1", "", "it is not written host:port"},
	} {
		got, err := etcd.Address(test.listener, test.advertised)
		if test.cause == "" {
			if err != nil || got != test.want {
				t.Errorf("%v, %q gave %q, %v; want %q", test.listener, test.advertised, got, err, test.want)
			}
			continue
		}
		if e, ok := errors.AsType[*etcd.Error](err); !ok || e.Kind != etcd.ErrConfig || !strings.Contains(err.Error(), test.cause) {
			t.Errorf("%v, %q gave %q, %v; want %s", test.listener, test.advertised, got, err, test.cause)
		}
	}
}

// What makes no sense, and an etcd that is not there, are told at once and leave nothing behind.
func TestRegisterRefuses(t *testing.T) {
	defer goleak.VerifyNone(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, test := range []struct {
		name, address string
		config        etcd.Config
		kind          error
		cause         string
	}{
		{"", "a:1", etcd.Config{}, etcd.ErrConfig, `"" is no name`},
		{"a/b", "a:1", etcd.Config{}, etcd.ErrConfig, `"a/b" is no name`},
		{"demo", "a", etcd.Config{}, etcd.ErrConfig, "it is not written host:port"},
		{"demo", "a:1", etcd.Config{TTL: time.Second}, etcd.ErrConfig, "a TTL of 1s makes no sense"},
		{"demo", "a:1", etcd.Config{TTL: 2500 * time.Millisecond}, etcd.ErrConfig, "a TTL of 2.5s makes no sense"},
		{"demo", "a:1", etcd.Config{Endpoints: []string{"http://" + closed.Addr().String()}}, etcd.ErrEtcd,
			`"demo" at "a:1": etcd cannot be reached: dial tcp ` + closed.Addr().String() + ": connect: connection refused"},
	} {
		_, err := etcd.Register(t.Context(), test.name, test.address, &test.config)
		if e, ok := errors.AsType[*etcd.Error](err); !ok || !errors.Is(err, test.kind) || !strings.Contains(e.Error(), test.cause) {
			t.Errorf("%q at %q gave %v; want %s", test.name, test.address, err, test.cause)
		}
	}
}
