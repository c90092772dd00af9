package examples_test

import (
	"os/exec"
	"testing"
)

func TestObserved(t *testing.T) {
	out, err := exec.Command(build(t, "observed")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "sum of squares: 25\n" +
		`rpckids_server_calls_total{code="ok",method="square",pattern="call",protocol="v2"} 2` + "\n" +
		`rpckids_server_calls_total{code="ok",method="sum of squares",pattern="call",protocol="v2"} 1` + "\n" +
		"sum of squares (client)\n" +
		"  sum of squares (server)\n" +
		"    square (client)\n" +
		"      square (server)\n" +
		"    square (client)\n" +
		"      square (server)\n"
	if string(out) != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}
