package examples_test

import (
	"os/exec"
	"testing"
)

func TestStreams(t *testing.T) {
	addr := start(t, build(t, "streams/server"), "localhost:0")
	out, err := exec.Command(build(t, "streams/client"), addr).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "prime: 2\nprime: 3\nprime: 5\nprime: 7\nprime: 11\nprime: 13\nprime: 17\nprime: 19\n" +
		"longest: three\n" +
		"shouted: ONE\nshouted: THREE\nshouted: FIVE\n"
	if string(out) != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}
