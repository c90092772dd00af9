package dash

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/rpckids/rpckids/console"
)

// Only a bench whose calls all went well is ticked off. The headline of another one is what got done, with the share that failed beside it.
func TestTickedOff(t *testing.T) {
	for _, c := range []struct {
		failed int
		mark   func(*scene) string
		want   string
	}{
		{0, func(s *scene) string { return s.theme.Mark.OK }, "200/s"},
		{1, func(s *scene) string { return s.theme.Mark.Late }, "199/s ok, 0.50 % failed"},
		{150, func(s *scene) string { return s.theme.Mark.Fail }, "50.0/s ok, 75 % failed"},
	} {
		m := open(t, newSession(t), 80, 24, Config{})
		m.bench = console.Bench{Type: "fib", Calls: 200, Failed: c.failed, Elapsed: time.Second, Share: 1}
		p := newPage(80, 4)
		m.scene.heroBench(p)
		head, mark := strings.TrimSpace(ansi.Strip(p.lines[0])), c.mark(&m.scene)
		if !strings.HasPrefix(head, mark+" bench") || !strings.HasSuffix(head, "  "+c.want) {
			t.Errorf("%d failed: got %q, want %s and %s", c.failed, head, mark, c.want)
		}
	}
}
