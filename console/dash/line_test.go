package dash

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// What is measured fast comes out as what is measured in full.
func TestMeasureAgrees(t *testing.T) {
	some := []rune("aZ ~0的十二日本語한글がガ，：。、～é…→█👍\u0301\u200d\u3099ﾊ")
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var text []rune
		for range r.IntN(12) {
			text = append(text, some[r.IntN(len(some))])
		}
		s, w := string(text), 1+r.IntN(14)
		if got, want := width(s), ansi.StringWidth(s); got != want {
			t.Fatalf("width(%q) = %d, want %d", s, got, want)
		}
		for _, mark := range []string{"", "…"} {
			if got, want := cut(s, w, mark), ansi.Truncate(s, w, mark); got != want && !plainASCII(s) {
				t.Fatalf("cut(%q, %d, %q) = %q, want %q", s, w, mark, got, want)
			}
		}
	}
}

// The cursor goes from one character to the next as they are seen, and each key takes a whole one.
func TestEditorStepsOverCharacters(t *testing.T) {
	text := "a二e\u0301👩\u200d🚀b\u0301\u0302한"
	var e editor
	for range 3 {
		e.set(text)
		for _, want := range []string{"a二e\u0301👩\u200d🚀b\u0301\u0302", "a二e\u0301👩\u200d🚀", "a二e\u0301", "a二", "a", "", ""} {
			e.key(keyMsg("backspace"))
			if e.String() != want {
				t.Fatalf("backspace leaves %q, want %q", e.String(), want)
			}
		}
	}
	e.set(text)
	e.key(keyMsg("home"))
	var cells []int
	for range 7 {
		_, at, _ := e.window(40)
		cells = append(cells, at)
		e.key(keyMsg("right"))
	}
	if got, want := fmt.Sprint(cells), "[0 1 3 4 6 7 9]"; got != want {
		t.Errorf("the cursor stands at %v, want %v", got, want)
	}
	for range 20 {
		e.key(keyMsg("left"))
	}
	e.key(keyMsg("right"))
	e.key(keyMsg("delete"))
	if !strings.HasPrefix(e.String(), "ae\u0301") {
		t.Errorf("delete leaves %q", e.String())
	}
}
