package arch

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// deps returns every package that a program compiles which imports p, the standard library left out.
func deps(t *testing.T, p string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", module+p).Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", p, err)
	}
	return strings.Fields(string(out))
}

// A program compiles what it imports, and not what another face of rpckids needs: the libraries alone are small, and each of etcd, Prometheus and OpenTelemetry
// comes with its own package.
func TestLibrariesStayLight(t *testing.T) {
	etcd, prometheus, otel, screen := "go.etcd.io/", "github.com/prometheus/", "go.opentelemetry.io/", "github.com/charmbracelet/"
	for _, test := range []struct {
		name  string
		only  []string // other people's packages that it may compile; nil: any but those of never
		needs string   // what shows that the test would notice; ""
		never []string
	}{
		{name: "rpcclient", only: []string{}},
		{name: "rpcserver", only: []string{"github.com/google/jsonschema-go/", "golang.org/x/time/rate"}},
		{name: "rpcclient/etcd", needs: etcd, never: []string{module + "rpcserver", screen, etcd + "etcd/server"}},
		{name: "rpcserver/etcd", needs: etcd, never: []string{module + "rpcclient", screen, etcd + "etcd/server"}},
		{name: "rpcclient/prom", needs: prometheus, never: []string{etcd, screen}},
		{name: "rpcserver/prom", needs: prometheus, never: []string{etcd, screen}},
		{name: "rpcclient/otel", needs: otel, never: []string{etcd, prometheus, screen}},
		{name: "rpcserver/otel", needs: otel, never: []string{etcd, prometheus, screen}},
	} {
		compiled := deps(t, test.name)
		for _, d := range compiled {
			below := func(prefix string) bool { return strings.HasPrefix(d+"/", prefix) || strings.HasPrefix(d, prefix) }
			if test.only != nil && !strings.HasPrefix(d, module) && !slices.ContainsFunc(test.only, below) || slices.ContainsFunc(test.never, below) {
				t.Errorf("%s compiles %s", test.name, d)
			}
		}
		if !slices.ContainsFunc(compiled, func(d string) bool { return strings.HasPrefix(d, test.needs) }) {
			t.Errorf("%s compiles nothing of %s: this test sees nothing", test.name, test.needs)
		}
	}
}
