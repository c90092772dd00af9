//go:build unix

package repl_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rpckids/rpckids/internal/rpctest/screen"
)

const prompt = "kids:8888> "

// start runs the program and waits for its first prompt.
func start(t *testing.T, size screen.Size, env ...string) *screen.Screen {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := screen.Start(t, size, append([]string{"REPL_PROGRAM=1"}, env...), exe)
	ready(s, "")
	return s
}

// ready waits until the prompt stands on the cursor's row with that text after it.
func ready(s *screen.Screen, text string) { onRow(s, prompt+text) }

// more is ready for a command that goes on.
func more(s *screen.Screen, text string) { onRow(s, "  ... "+text) }

func onRow(s *screen.Screen, want string) {
	s.Until(fmt.Sprintf("%q on the cursor's row", want), func() bool {
		_, y := s.Cursor()
		return s.Row(y) == strings.TrimRight(want, " ")
	})
}

// quit leaves by ctrl+d and checks that the program tidied up.
func quit(t *testing.T, s *screen.Screen) {
	t.Helper()
	s.Type("<ctrl+d>")
	if code := s.Exit(); code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, s.Picture())
	}
	s.CheckStty()
}

func TestCall(t *testing.T) {
	s := start(t, screen.Size{})
	s.Wait("connected to kids:8888")
	s.Type("call fib 10<enter>")
	s.Wait("#1 fib_res ok")
	want := "89\n#1 fib_res ok"
	if got := s.Text(); !strings.Contains(got, want) {
		t.Errorf("want %q on the screen:\n%s", want, s.Picture())
	}
	ready(s, "")
	s.Type(`cast log "hi"<enter>`)
	s.Wait("#2 log sent")
	ready(s, "")
	s.Type("cal fib 1<enter>")
	s.Wait("error: ")
	s.Wait("hint: ")
	ready(s, "")
	s.Type("call evil<enter>")
	s.Wait(`"red\u009b2J\u202eabc"`)
	for _, bad := range []string{"\u009b", "\u202e"} {
		if strings.Contains(string(s.Raw()), bad) {
			t.Errorf("%q of a server reached the terminal", bad)
		}
	}
	ready(s, "")
	s.Type("call lost<enter>")
	s.Wait("#4 ")
	ready(s, "")
	quit(t, s)
}

func TestLineEditing(t *testing.T) {
	s := start(t, screen.Size{})
	s.Type("<delete>ca fib 1<ctrl+a><right><right>ll<end><left><delete>7<ctrl+left><alt+f>") // delete on an empty line does not quit
	ready(s, "call fib 7")
	s.Type("<ctrl+x><ctrl+z><ctrl+o><ctrl+space><enter>")
	s.Wait("\n21\n")
	ready(s, "")
	quit(t, s)
}

func TestHistory(t *testing.T) {
	old, _ := json.Marshal([]string{"call fib 1", `call exp {"base":2,"exp":1}`, "call fib 30"})
	s := start(t, screen.Size{}, "REPL_HISTORY="+string(old))
	s.Type("<up><up>")
	ready(s, `call exp {"base":2,"exp":1}`)
	s.Type("<down>")
	ready(s, "call fib 30")
	s.Type("<enter>")
	s.Wait("1346269")
	ready(s, "")
	s.Type("<up>") // goes on from the newest, not from the line recalled last
	ready(s, "call fib 30")
	s.Type("<backspace>1<up><down><enter>") // an edited line of the past runs as it was edited
	s.Wait("2178309")
	ready(s, "")
	s.Type("<ctrl+r>EXP")
	ready(s, `call exp {"base":2,"exp":1}`)
	s.Wait("search: EXP")
	s.Type("<ctrl+g>")
	ready(s, "")
	s.Gone("search:")
	s.Type("<ctrl+r>fib<ctrl+c>")
	s.Gone("search:")
	ready(s, "")
	s.Type("status of<ctrl+r>nowhere")
	s.Wait("nothing more found")
	s.Type("<ctrl+g>")
	ready(s, "status of")
	s.Type("<ctrl+u>")
	ready(s, "")
	quit(t, s)
}

func TestSearchFirst(t *testing.T) {
	s := start(t, screen.Size{})
	s.Type("<ctrl+r><ctrl+g><ctrl+r>a<ctrl+r><enter>")
	s.Gone("search:")
	s.Type("call fib 10<enter>")
	s.Wait("89")
	ready(s, "")
	quit(t, s)
}

func TestCompletion(t *testing.T) {
	s := start(t, screen.Size{Cols: 80, Rows: 30})
	s.Type("conn<tab>")
	ready(s, "connect ")
	s.Type("<ctrl+u>c<tab><tab>")
	s.Wait("call ")
	s.Wait("cast ")
	ready(s, "c")
	s.Type("all fi<tab>")
	s.Gone("cast ")
	s.Until("fib completed", func() bool { return strings.Contains(s.Text(), prompt+"call fib") })
	s.Type("<ctrl+u>call ex<tab>") // registered while the program runs
	s.Until("exp completed", func() bool { return strings.Contains(s.Text(), prompt+"call exp") })
	s.Type("<ctrl+u>")
	ready(s, "")
	quit(t, s)
}

func TestHelp(t *testing.T) {
	s := start(t, screen.Size{Cols: 100, Rows: 60})
	s.Type("call fib<f1>")
	s.Wait("call TYPE")
	ready(s, "call fib")
	s.Type("<ctrl+u>?")
	s.Wait("dashboard")
	ready(s, "")
	s.Type("<ctrl+l>")
	s.Gone("call TYPE")
	ready(s, "")
	quit(t, s)
}

func TestSeveralLines(t *testing.T) {
	s := start(t, screen.Size{})
	s.Type("call exp {<enter>")
	more(s, "")
	s.Type(`"base":2,<enter>`)
	more(s, "")
	s.Type(`"exp":3}<enter>`)
	s.Wait(`{"base":2,"exp":3}`)
	s.Wait("#1 exp_res ok")
	ready(s, "")
	s.Type("<up>")
	ready(s, `call exp { "base":2, "exp":3}`)
	s.Type("<ctrl+c>")
	ready(s, "")
	s.Type("call exp {<enter>")
	more(s, "")
	s.Type(`"base":2,`)
	more(s, `"base":2,`)
	s.Type("<ctrl+c>")
	ready(s, "")
	s.Type("call fib 10<enter>")
	s.Wait("#2 fib_res ok")
	ready(s, "")
	quit(t, s)
}

func TestInterrupt(t *testing.T) {
	s := start(t, screen.Size{})
	s.Type("call slow<enter>")
	s.Wait("slow call runs")
	if !s.Cooked() {
		t.Error("the terminal is raw while a call runs")
	}
	s.Type("<ctrl+c>")
	s.Wait("error: ")
	ready(s, "")
	s.Type("call fib 10<enter>")
	s.Wait("89")
	ready(s, "")
	s.Type("some text")
	ready(s, "some text")
	s.Type("<ctrl+c>")
	s.Wait("some text^C")
	ready(s, "")
	s.Type("<ctrl+c>")
	s.Wait("ctrl+c again or ctrl+d to quit")
	ready(s, "")
	s.Type("<ctrl+c>")
	if code := s.Exit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	s.Wait("end after 2 calls")
	s.CheckStty()
}

func TestPasteLines(t *testing.T) {
	s := start(t, screen.Size{})
	s.Paste(strings.Repeat("call fib 10\n", 199) + "call exp {\n\"base\": 2,\n\"exp\": 3\n}\n")
	ready(s, "[paste-1 203 lines]")
	s.Type("<enter>")
	s.Wait("#200 exp_res ok")
	ready(s, "")
	s.Paste("call fib 1\ncall slow\ncall fib 2\ncall fib 3")
	ready(s, "[paste-2 4 lines]")
	s.Type("<enter>")
	s.Wait("#201 fib_res ok")
	s.Wait(prompt + "call slow\nslow call runs")
	s.Type("<ctrl+c>")
	s.Wait("2 more pasted lines do not run")
	ready(s, "")
	s.Paste("call fib 1\nx")
	ready(s, "[paste-3 2 lines]")
	s.Type("<backspace>") // takes the whole paste away
	ready(s, "")
	quit(t, s)
}

func TestPasteLongLine(t *testing.T) {
	s := start(t, screen.Size{})
	text := strings.Repeat("x", 20<<10)
	s.Type("call echo ")
	s.Paste(`"` + text + `"`)
	ready(s, "call echo [paste-1 20 KiB]")
	s.Type("<enter>")
	s.Wait("#1 echo_res ok")
	ready(s, "")
	if n := len(s.Raw()); n > 3*len(text) {
		t.Errorf("%d bytes were written for a paste of %d", n, len(text))
	}
	s.Type("<up>") // a line longer than the screen is shown in part
	s.Wait("…" + strings.Repeat("x", 40))
	s.Type("<ctrl+c>")
	ready(s, "")
	quit(t, s)
}

func TestChineseCaret(t *testing.T) {
	s := start(t, screen.Size{Cols: 30, Rows: 12})
	_, y := s.Cursor()
	s.Type(`call echo "二的，ab十🙂次方！" `) // ab ends the first row
	s.Wait("次方")
	s.WaitCursor(12, y+1)
	s.Type("<left><left><left><left>")
	s.WaitCursor(6, y+1) // before 方
	s.Type("<backspace>两")
	s.Wait("两方")
	s.WaitCursor(6, y+1)
	s.Type("<ctrl+a>")
	s.WaitCursor(len(prompt), y)
	s.Type("<ctrl+e><backspace><enter>")
	s.Wait("#1 echo_res ok")
	if got, want := s.Text(), "\n\"二的，ab十🙂两方！\"\n"; !strings.Contains(got, want) {
		t.Errorf("want %s on the screen:\n%s", want, s.Picture())
	}
	ready(s, "")
	quit(t, s)
}

func TestSwitching(t *testing.T) {
	s := start(t, screen.Size{})
	for i := range 20 {
		s.Type("dashboard<enter>")
		s.WaitRaw("other face", i+1)
		s.Type("abcde")
		s.WaitRaw("got abcde", i+1)
		ready(s, "")
		s.Type(fmt.Sprintf("call fib %d<enter>", i))
		s.WaitRaw(fmt.Sprintf("#%d fib_res ok", i+1), 1)
		ready(s, "")
	}
	s.Type("<up><up><up>")
	ready(s, "dashboard")
	s.Type("<down>")
	ready(s, "added by the other face")
	s.Type("<ctrl+c>")
	ready(s, "")
	quit(t, s)
}

func TestTerminated(t *testing.T) {
	for _, during := range []string{"prompt", "text", "call"} {
		t.Run(during, func(t *testing.T) {
			s := start(t, screen.Size{})
			switch during {
			case "text":
				s.Type("call fib 10")
				ready(s, "call fib 10")
			case "call":
				s.Type("call slow<enter>")
				s.Wait("slow call runs")
			}
			s.Signal(syscall.SIGTERM)
			if code := s.Exit(); code != 143 {
				t.Errorf("exit code %d, want 143\n%s", code, s.Picture())
			}
			s.CheckStty()
			if strings.Contains(s.Text(), "fib_res") {
				t.Error("the line ran though nobody entered it")
			}
		})
	}
}

func TestResize(t *testing.T) {
	s := start(t, screen.Size{Cols: 60, Rows: 12})
	s.Type(`call echo "0123456789012345678901234567890123456789`)
	onRow(s, "89") // the rest of it
	s.Resize(screen.Size{Cols: 100, Rows: 20})
	s.Type(`0123456789"`)
	s.Until("the line on one row", func() bool { return strings.Contains(s.Text(), `789012345678901234567890123456789"`) })
	s.Type("<enter>")
	s.Wait("#1 echo_res ok")
	ready(s, "")
	quit(t, s)
}

func TestExternalEditor(t *testing.T) {
	editor := filepath.Join(t.TempDir(), "editor")
	if err := os.WriteFile(editor, []byte("#!/bin/sh\ngrep -q 'call fib 1$' \"$1\" && printf 'call exp {\\n  \"base\": 2,\\n  \"exp\": 3\\n}\\n' > \"$1\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := start(t, screen.Size{}, "EDITOR="+editor)
	s.Type("call fib 1<ctrl+x><ctrl+e>")
	ready(s, `call exp { "base": 2, "exp": 3 }`)
	s.Type("<enter>")
	s.Wait("#1 exp_res ok")
	ready(s, "")
	quit(t, s)
}

func TestPlainTerminal(t *testing.T) {
	s := start(t, screen.Size{}, "TERM=dumb")
	s.Type("call fib 10<enter>")
	s.Wait("#1 fib_res ok")
	s.Type("call slow<enter>")
	s.Wait("slow call runs")
	s.Type("<ctrl+c>")
	s.Wait("error: ")
	ready(s, "")
	s.Type("half a line<ctrl+c>")
	s.Wait("ctrl+c again or ctrl+d to quit")
	ready(s, "")
	quit(t, s)
	if strings.Contains(string(s.Raw()), "\x1b") {
		t.Errorf("escapes on a terminal that understands none: %q", s.Raw())
	}
}

func TestNoColor(t *testing.T) {
	s := start(t, screen.Size{}, "NO_COLOR=1")
	s.Type("call fib 10<enter>")
	s.Wait("#1 fib_res ok")
	ready(s, "")
	quit(t, s)
	for _, sgr := range []string{"\x1b[0m", "\x1b[1;", "\x1b[2m"} {
		if strings.Contains(string(s.Raw()), sgr) {
			t.Errorf("%q in spite of NO_COLOR", sgr)
		}
	}
}
