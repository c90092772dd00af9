//go:build unix

package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/screen"
)

// TestThirtyKeys plays what a person does in a few minutes and reads the screen after each key.
func TestThirtyKeys(t *testing.T) {
	s := start(t, screen.Size{Cols: 120, Rows: 40}, "demo")
	s.Wait("step 1 of 4")
	shows(s, `connected 127.0.0.1:\d+`)
	type step struct{ keys, want string }
	for _, k := range []step{
		{`call exp {"base":2,"exp":10}<enter>`, `✓ ok +exp_res +{"value":1024`},
		{`call exp {"base":3,"exp":4}<enter>`, `✓ ok +exp_res +{"value":81,`},
		{`cast log "二的十次方"<enter>`, `→ sent +log`},
		{`call echo {"二":"的","list":[1,2,{"x":true}]}<enter>`, `✓ ok +echo_res`},
		{`call exp {"base":"x"} --no-check<enter>`, `✗ \w+ +exp`},
		{`<alt+1>`, `j k move .*r rerun.*d diff`},
		{`/`, `enter keep the filter`},
		{`failed`, `1 Calls /failed.* 1 of 5`},
		{`<enter>`, `j k move`},
		{`/<ctrl+u>exp<enter>`, `1 Calls /exp.* 3 of 5`},
		{`<home>`, `▌ +1 `},
		{`<down>`, `▌ +2 `},
		{`d`, `diff 1 2 .* of `},
		{`/<ctrl+u><enter>`, `1 Calls .*5`},
		{`<home>r`, `▌ +6 .*exp`},
		{`y`, `copied the reply of #6`},
		{`Y`, `copied #6 as a command for a shell`},
		{`<home><down><down><down>`, `▌ +4 .*echo`},
		{`<enter>`, `h l fold`},
		{`J`, `"list": \[…\]  3 values`},
		{`J`, `"x": true`},
		{`/x<enter>`, `/x 1 of 1`},
		{`|`, `\| *│|\| $`},
		{`.list[2]`, `"x": true`},
		{`<ctrl+u>."二"`, `│ "的" +│`},
		{`<enter>`, `\| filter`},
		{`f`, `f unzoom`},
		{`f`, `1 Calls`},
		{`|<ctrl+u><enter>`, `"list": \[`},
		{`<f2>`, `Commands`},
		{`histo`, `history`},
	} {
		s.Type(k.keys)
		shows(s, k.want)
	}
	s.Type("<esc>")
	s.Gone("Commands")
	s.Type("<esc>")
	s.Gone("ends the search")
	s.Type("<esc>")
	shows(s, `enter run .*f1 help`)
	for _, k := range []step{
		{`set theme light<enter>`, `theme`},
		{`theme mono<enter>`, `> +6 .*exp`},
		{`<f1>`, `esc closes`},
	} {
		s.Type(k.keys)
		shows(s, k.want)
	}
	s.Type("<esc>")
	s.Gone("esc closes")
	s.Resize(screen.Size{Cols: 160, Rows: 48})
	shows(s, `3 Result.*4 Wire.*7 Server`)
	s.Resize(screen.Size{Cols: 40, Rows: 10})
	s.Gone("4 Wire")
	s.Type("call echo \"二的十次方\"<enter>")
	shows(s, `✓ ok +echo_res +"二的十次方"`)
	s.Type("二的")
	shows(s, `^> 二的$`)
	x, _ := s.Cursor()
	if x != 7 { // " > " and two wide characters
		t.Errorf("the cursor stands in column %d, want 7:\n%s", x, s.Picture())
	}
	s.Type("<ctrl+u>")
	leave(t, s, "<ctrl+d>")
}

var moments = flag.Int("moments", 25, "how many random moments TestAnyMoment tries")

// TestAnyMoment ends the console, or makes it panic, at random moments: it survives or ends with the right code, and the terminal is as it was, every time.
func TestAnyMoment(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for i := range *moments {
		t.Run(fmt.Sprintf("%d-%d", seed, i), func(t *testing.T) {
			t.Parallel()
			anyMoment(t, rand.New(rand.NewPCG(seed, uint64(i))))
		})
	}
}

// doings leave the dashboard in all kinds of states; none of them leaves it.
var doings = []string{
	"call fib 10<enter>", "call slow 60000<enter>", "stream ticks 5<enter>", "repeat 500 call fib 10<enter>", "<f1>", "<f2>", "<alt+1>jjk", "<alt+3>|.a", "<alt+1>/fai",
	"<alt+4>", "<ctrl+o>", "<tab>", "half a line", "<f6>", "<alt+2>", "f", "g", "<ctrl+r>", "call exp {", "upload sum<enter>1<enter>", "call fib 30<enter>",
}

// where a panic can be planted, and the code that the program then ends with.
var mines = map[string]int{"(*model).View": 1, "(*model).Update": 1, "dash.feed": 1, "call": 0}

func anyMoment(t *testing.T, r *rand.Rand) {
	repl := r.IntN(4) == 0
	args := []string{"demo"}
	if repl {
		args = append(args, "--repl")
	}
	event := []string{"leave", "interrupt and leave", "SIGTERM", "SIGHUP", "panic"}[r.IntN(5)]
	if event == "panic" {
		somePanic(t, r)
		return
	}
	s := start(t, screen.Size{Cols: 80, Rows: 24}, args...)
	starts := event[0] == 'S' && r.IntN(3) == 0 // a signal may come while it starts
	if event == "SIGHUP" && signal.Ignored(syscall.SIGHUP) {
		starts = false // as under nohup: until the program listens, the system drops it
	}
	if !starts {
		shows(s, `127.0.0.1:\d+>`)
		busy(s, r, repl)
	} else {
		time.Sleep(time.Duration(r.IntN(150)) * time.Millisecond) // a moment, not a wait: any will do
	}
	want := 0
	switch event {
	case "SIGTERM":
		s.Signal(syscall.SIGTERM)
		want = 143
	case "SIGHUP":
		s.Signal(syscall.SIGHUP)
		want = 143
	case "interrupt and leave":
		s.Type("<ctrl+c>")
		fallthrough
	default:
		comeOut(s)
	}
	code := s.Exit()
	switch {
	case event == "SIGHUP" && code == 129: // by the signal itself while nothing was begun
	case want == 0 && code == 130 && strings.Contains(s.Text(), "^C"): // the terminal echoed it: between two faces nobody has it, and a ctrl+c is a signal
	case code != want:
		t.Errorf("%s: exit code %d, want %d\n%s", event, code, want, s.Picture())
	}
	s.CheckStty()
}

// busy does a few things without looking what becomes of them.
func busy(s *screen.Screen, r *rand.Rand, repl bool) {
	for range r.IntN(6) {
		do := doings[r.IntN(len(doings))]
		if repl && (strings.HasPrefix(do, "<") || len(do) == 1) {
			continue
		}
		s.Type(do)
	}
}

// comeOut leaves as people do who do not know where they are: ctrl+c and ctrl+d until it is over.
func comeOut(s *screen.Screen) {
	for range 200 {
		if s.Ended(50 * time.Millisecond) {
			return
		}
		s.TryType("<ctrl+c>")
		if s.Ended(20 * time.Millisecond) {
			return
		}
		s.TryType("<ctrl+d>")
	}
}

// somePanic plants a panic in the dashboard and sets it off.
func somePanic(t *testing.T, r *rand.Rand) {
	at := []string{"(*model).View", "(*model).Update", "dash.feed", "call"}[r.IntN(4)]
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := screen.Start(t, screen.Size{Cols: 80, Rows: 24}, []string{plantedAt + "=" + at, "XDG_STATE_HOME=" + t.TempDir()}, exe)
	shows(s, `127.0.0.1:\d+>`)
	if at == "call" { // a command's panic is an error, and the session lives
		s.Type("call fib 10<enter>")
		s.Wait("internal error")
		s.Type("call fib 20<enter>")
		shows(s, `✓ ok +fib_res +10946`)
		comeOut(s)
	} else {
		busy(s, r, false)
		s.Signal(syscall.SIGUSR1)
	}
	if code := s.Exit(); code != mines[at] {
		t.Errorf("a panic in %s: exit code %d, want %d\n%s", at, code, mines[at], s.Picture())
	}
	s.CheckStty()
	if raw := string(s.Raw()); at != "call" && (!strings.Contains(raw, `planted\x1b[2J in `+at) || !strings.Contains(raw, "goroutine")) {
		t.Errorf("a panic in %s is not told:\n%s", at, s.Picture())
	}
}
