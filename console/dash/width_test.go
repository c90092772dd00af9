package dash

import (
	"context"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
)

// A first step that is too long for its row is not cut in the middle of a word: it is spoken of.
func TestWelcomeFits(t *testing.T) {
	first := "bench fib 20 -d 10m -c 4 --rate 200 --idempotent"
	for _, tt := range []struct {
		w    int
		want string
	}{
		{160, "press space to type " + first + " and enter to run it"},
		{100, "press space to type " + first + " and enter to run it"},
		{80, "press space to type the first step and enter to run it"},
		{66, "press space to type the first step and enter to run it"},
		{65, "space types " + first},
		{60, "space types bench fib 20 -d 10m -c 4 --rate 200 --idempot…"},
		{40, "space types bench fib 20 -d 10m -c 4 …"},
	} {
		s := scene{theme: mono()}
		row := strings.TrimRight(ansi.Strip(s.hero(tt.w, first)[0]), " ")
		if !strings.Contains(row, tt.want) || width(row) > tt.w {
			t.Errorf("%d wide: %q", tt.w, row)
		}
	}
}

// lister is a server that lists one service.
type lister struct{ *fake }

func (lister) Services(context.Context) ([]console.Service, error) {
	return []console.Service{{Name: "exp", ReplyType: "exp_res", Pattern: "call", Doc: "base to the power of exp, and what the loop cost; overflow wraps around"}}, nil
}

// The table of services is as wide as the pane that it stands in, and no line of it is wrapped there.
func TestServicesFillThePane(t *testing.T) {
	for _, tt := range []struct {
		w, h int
		want string
	}{
		{160, 48, "any → any        base to the power of exp, and what the loop cost; overflow wraps around"},
		{120, 40, "any → any        base to the power of exp, and what the loop cost; overflow wraps around"},
		{100, 30, "any → any        base to the power of exp, and what the loop cost; ov"},
		{80, 24, "any → any        base to the power of"},
	} {
		s := console.NewSession(console.Config{Dial: func(context.Context, string, console.DialOptions) (console.Backend, error) {
			return lister{&fake{stats: console.Stats{Target: "localhost:8888", State: console.Connected, Protocol: "v2", Ours: true, Servers: 1, Up: 1}}}, nil
		}})
		t.Cleanup(func() { _ = s.Close() })
		if _, err := s.Exec(t.Context(), "connect"); err != nil {
			t.Fatal(err)
		}
		m := open(t, s, tt.w, tt.h, Config{Theme: looks("mono", false)})
		enter(t, m, "services")
		screen := text(m)
		if !strings.Contains(screen, tt.want) || strings.Contains(screen, "│ wraps") || strings.Contains(screen, "│ around") {
			t.Errorf("%dx%d: no %q in\n%s", tt.w, tt.h, tt.want, screen)
		}
	}
}
