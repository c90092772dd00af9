package main

import (
	"bytes"
	"net"
	"strings"
	"testing"
)

// What the flags for etcd lack, and an etcd that is not there, end the command with a cause and a cure, and free the port.
func TestEtcdFlags(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, test := range []struct {
		args  string
		code  int
		cause string
		cure  string
	}{
		{"--etcd http://127.0.0.1:2379", exitUsage, "--etcd needs --name, as in --name demo", "--help"},
		{"--name demo", exitUsage, "--name and --advertise are for --etcd, which is missing", "--help"},
		{"--advertise web1:8888", exitUsage, "--name and --advertise are for --etcd, which is missing", "--help"},
		{"--etcd nowhere --name demo", exitUsage, `"nowhere" is no address of etcd`, "--advertise host:port"},
		{"--etcd http://127.0.0.1:1 --name a/b", exitUsage, `"a/b" is no name`, "--name"},
		{"--etcd http://127.0.0.1:1 --name demo --addr :0", exitUsage, "means every address of this machine: say which one to advertise", "--advertise host:port"},
		{"--etcd http://127.0.0.1:1 --name demo --advertise 0.0.0.0:1", exitUsage, `"0.0.0.0:1" cannot be advertised`, "--advertise host:port"},
		{"--etcd http://" + closed.Addr().String() + " --name demo", exitError, "etcd cannot be reached: dial tcp " + closed.Addr().String() + ": connect: connection refused", "--etcd says where it is"},
	} {
		args := strings.Fields(test.args)
		if !strings.Contains(test.args, "--addr ") {
			args = append(args, "--addr", "localhost:0")
		}
		var out, problems bytes.Buffer
		code := run(args, &out, &problems, stopped())
		cause, cure, _ := strings.Cut(problems.String(), "\nhint: ")
		if code != test.code || !strings.Contains(cause, test.cause) || !strings.Contains(cure, test.cure) {
			t.Errorf("%s: exit code %d, want %d; got %q, want %s and %s", test.args, code, test.code, problems.String(), test.cause, test.cure)
		}
		if out.Len() > 0 { // it has not started
			t.Errorf("%s: printed %q", test.args, out.String())
		}
	}
}
