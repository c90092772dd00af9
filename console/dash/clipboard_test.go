package dash

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rpckids/rpckids/console"
)

// A copy goes to the terminal as one sequence and leaves the screen alone; the prompt says what was copied. A filter's values are shown as a text.
func TestClipboard(t *testing.T) {
	t.Setenv("TMUX", "")
	t.Setenv("TERM", "xterm-256color")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	m := filled(t)
	m.caret.File = w
	enter(t, m, "copy 34 --as payload")
	w.Close()
	got, err := io.ReadAll(r)
	e, _ := m.session.Journal().Entry(34)
	want := console.ClipboardSequence(console.PrintableJSON(e.Payload), os.Getenv)
	if string(got) != want || err != nil {
		t.Errorf("the terminal got %q, %v; want %q", got, err, want)
	}
	if !strings.Contains(text(m), "copied the payload of #34") {
		t.Errorf("no word of it:\n%s", text(m))
	}
	m.caret.File = nil
	enter(t, m, "show 34 | .type, .number")
	if !strings.Contains(text(m), "34") || !strings.Contains(text(m), `"exp"`) && !strings.Contains(text(m), `"fib"`) {
		t.Errorf("no values:\n%s", text(m))
	}
}
