package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
)

func TestNamesAndKeys(t *testing.T) {
	for name, good := range map[string]bool{
		"demo": true, "a.B-c_9": true, strings.Repeat("x", 128): true,
		"": false, "a/b": false, "a b": false, "ä": false, "a\x1b": false, strings.Repeat("x", 129): false,
	} {
		if err := CheckName(name); (err == nil) != good {
			t.Errorf("%q gave %v", name, err)
		}
	}
	if got, want := Key("", "demo", "[fd00::1]:8888"), "/rpckids/demo/[fd00::1]:8888"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := Key("/mine/", "demo", ""), "/mine/demo/"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEndpoints(t *testing.T) {
	for _, test := range []struct {
		given []string
		want  string // "": refused
	}{
		{nil, "http://127.0.0.1:2379"},
		{[]string{"a:1", " http://b:2", "https://c:3/", "[::1]:4"}, "a:1 http://b:2 https://c:3/ [::1]:4"},
		{[]string{""}, ""},
		{[]string{"a"}, ""},
		{[]string{"a:1", "b"}, ""},
		{[]string{"a:"}, ""},
		{[]string{":1"}, ""},
		{[]string{"ftp://a:1"}, ""},
		{[]string{"http://a:1/path"}, ""},
		{[]string{"http://user:secret@a:1"}, ""},
		{[]string{"http://a:1\x1b"}, ""},
		{[]string{"unix:///run/etcd"}, ""},
	} {
		before := slices.Clone(test.given)
		got, err := Endpoints(test.given)
		if strings.Join(got, " ") != test.want || (err == nil) != (test.want != "") || !slices.Equal(before, test.given) {
			t.Errorf("%q gave %q, %v; want %q", test.given, got, err, test.want)
		}
	}
}

// An error names the cause in words that help, whatever etcd's client made of it.
func TestExplain(t *testing.T) {
	defer goleak.VerifyNone(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	refused := "dial tcp " + closed.Addr().String() + ": connect: connection refused"
	for _, test := range []struct {
		endpoint string
		err      error
		want     string
	}{
		{"http://" + closed.Addr().String(), context.DeadlineExceeded, "etcd cannot be reached: " + refused},
		{closed.Addr().String(), context.DeadlineExceeded, "etcd cannot be reached: " + refused},
		{"http://" + silent.Addr().String(), context.DeadlineExceeded,
			"etcd cannot be reached: http://" + silent.Addr().String() + " takes connections, but gives no answer; is it an etcd, and does it speak http without TLS?"},
		{"https://" + silent.Addr().String(), context.DeadlineExceeded,
			"etcd cannot be reached: https://" + silent.Addr().String() + " takes connections, but gives no answer; is it an etcd, and does it speak https?"},
		{"unix:///none", context.DeadlineExceeded, "etcd cannot be reached: no answer from unix:///none"},
		{"a:1", context.Canceled, "etcd cannot be reached: it was not waited for"},
		{"a:1", errors.New(`rpc error: code = Unavailable desc = connection error: desc = "broken"`), "etcd cannot be reached: broken"},
		{"a:1", errors.New("burnt down"), "etcd cannot be reached: burnt down"},
		{"a:1", rpctypes.ErrPermissionDenied, "etcd cannot answer: permission denied"},
		{"a:1", fmt.Errorf("wrapped: %w", rpctypes.ErrNoLeader), "etcd cannot answer: no leader"},
	} {
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{test.endpoint}})
		if err != nil {
			t.Fatal(err)
		}
		trouble := Explain(client, test.err)
		if trouble.Error() != test.want || !errors.Is(trouble, test.err) {
			t.Errorf("%v at %s gave %q; want %q", test.err, test.endpoint, trouble, test.want)
		}
		client.Close()
	}
}

// A client that was given nothing is silent, and bounded in what it takes.
func TestConnect(t *testing.T) {
	if _, err := Connect(clientv3.Config{Endpoints: []string{"nowhere"}}); err == nil || !strings.Contains(err.Error(), `"nowhere" is no address of etcd`) {
		t.Errorf("gave %v", err)
	}
	client, err := Connect(clientv3.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got := client.Endpoints(); !slices.Equal(got, []string{Endpoint}) {
		t.Errorf("endpoints %q", got)
	}
	if client.GetLogger().Core().Enabled(5) { // fatal
		t.Error("its logger writes")
	}
	if Stands(client) {
		t.Error("a connection stands before there was one")
	}
}
