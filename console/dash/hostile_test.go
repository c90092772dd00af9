package dash

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"

	"github.com/rpckids/rpckids/console"
)

// hostile are texts that a peer may send to take over a terminal, to deceive its reader or to push what stands on other rows.
var hostile = func() map[string]string {
	var c0, c1, raw strings.Builder
	for r := range rune(0x20) {
		c0.WriteString("a" + string(r))
	}
	for r := rune(0x7f); r < 0xa0; r++ {
		c1.WriteString("a" + string(r))
		raw.WriteByte(byte(r))
	}
	return map[string]string{
		"c0":        c0.String(),
		"c1":        c1.String(),
		"bytes":     raw.String() + "\xff\xc3",
		"csi":       "a\x1b[2J\x1b[H\x1b[31mb\x1b[?1049l\u009b2Jc",
		"osc":       "a\x1b]52;c;aGk=\x07\x1b]8;;http://x.example\x1b\\b\x1b]0;title\x07\x1bPq\x1b\\",
		"bidi":      "a\u202eb\u2066c\u200fd\u061ce\ufefff\u2028g\u00adh\U000e0041",
		"marks":     "a" + strings.Repeat("\u0301\u0332\u20dd", 700) + "b",
		"bare":      strings.Repeat("\u0301\ufe0f\u200d", 300),
		"emoji":     strings.Repeat("👩\u200d👩\u200d👧\u200d👦", 40) + strings.Repeat("👍\U0001f3fd❤\ufe0f1\ufe0f\u20e3🇩🇪", 40),
		"wide":      strings.Repeat("二\u3099ｱ", 200),
		"one line":  strings.Repeat("x", 1<<20),
		"many rows": strings.Repeat("y\r\n", 1<<9),
		"deep":      strings.Repeat(`[`, 5000),
	}
}()

// rude answers everything with one text.
type rude struct {
	fake
	text string
}

func (r *rude) quoted() json.RawMessage {
	b, _ := json.Marshal(r.text)
	return json.RawMessage(`{"` + strings.Trim(string(b), `"`) + `":` + string(b) + `,"n":7}`)
}

func (r *rude) Stats() console.Stats {
	return console.Stats{Target: "localhost:8888", Server: r.text, State: console.Reconnecting, Protocol: "v2", Ours: true, LastError: r.text}
}

func (r *rude) Call(_ context.Context, q console.Request) (console.Reply, error) {
	rep := console.Reply{Type: r.text, Trace: r.trace(q)}
	rep.Trace.RequestID, rep.Trace.Server, rep.Trace.In = r.text, r.text, message(r.text, r.text, r.text)
	switch q.Type {
	case "fails":
		return rep, &console.Error{Exit: console.ExitServer, Code: r.text, Message: r.text, Hint: r.text, Details: json.RawMessage(r.text)}
	case "bare":
		rep.Payload = json.RawMessage(r.text) // no JSON at all
	default:
		rep.Payload = r.quoted()
	}
	return rep, nil
}

func (r *rude) Stream(_ context.Context, q console.Request, item func(json.RawMessage) error) (console.Reply, error) {
	rep := console.Reply{Type: r.text, Trace: r.trace(q)}
	for range 3 {
		if err := item(r.quoted()); err != nil {
			return rep, err
		}
	}
	return rep, &console.Error{Exit: console.ExitServer, Code: r.text, Message: r.text}
}

func (r *rude) Upload(ctx context.Context, q console.Request, _ iter.Seq2[json.RawMessage, error]) (console.Reply, error) {
	return r.Call(ctx, q)
}

func (r *rude) Services(context.Context) ([]console.Service, error) {
	return []console.Service{{Name: r.text, ReplyType: r.text, Pattern: "upload", Request: r.quoted(), Reply: json.RawMessage(`{}`)}}, nil
}

func (r *rude) Health(context.Context) (console.Health, error) {
	return console.Health{Server: r.text, Status: r.text, Name: r.text, Go: r.text, Protocols: []string{r.text}, Refusals: map[string]uint64{r.text: 1 << 63, "x": 2}, Connections: -1 << 63,
		InFlight: 1 << 62, Limit: -1, Running: 7, Workers: 3, Calls: 1<<64 - 1, BytesIn: 1<<64 - 1, Heap: 1 << 63, Uptime: 1<<63 - 1}, nil
}

// rudeSession has had such a text in every answer that a server gives.
func rudeSession(t *testing.T, text string) *console.Session {
	t.Helper()
	s := console.NewSession(console.Config{Dial: func(context.Context, string, console.DialOptions) (console.Backend, error) {
		return &rude{text: text}, nil
	}})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for _, line := range []string{"connect localhost:8888", "services", "watch .n", "call fib 10 --no-check", "call bare 1 --no-check", "call fails 1 --no-check", "stream fib 3 --no-check", "call fib 11 --no-check"} {
		_, _ = s.Exec(t.Context(), line) // many fail, and that is shown too
	}
	e := s.Journal().Start(console.Entry{Type: text, Payload: json.RawMessage(text), Started: noon})
	e.State, e.ReplyType, e.Result, e.Hint = console.OK, text, json.RawMessage(text), text
	e.Trace = console.Trace{RequestID: text, Server: text, RTT: 400 * micro, Client: micro, Wait: 399 * micro, Protocol: "v1", In: message(text, text, text), Out: []byte(text)}
	s.Journal().Finish(e)
	return s
}

// hostileViews are the places that a text can come to: keys that lead to each pane, page, overlay and box.
var hostileViews = map[string][]string{
	"prompt":    nil,
	"calls":     {"alt+1", "up"},
	"failed":    {"alt+1", "home", "down", "down"},
	"zoomed":    {"alt+1", "f"},
	"filter":    {"alt+1", "/", "a"},
	"timing":    {"alt+2", "f", "h"},
	"types":     {"alt+2", "right"},
	"charts":    {"alt+2", "g"},
	"result":    {"alt+1", "home", "alt+3", "f"},
	"items":     {"alt+1", "end", "up", "up", "alt+3", "f"},
	"search":    {"alt+1", "home", "alt+3", "/", "a", "enter"},
	"jq":        {"alt+1", "home", "alt+3", "|", ".", "enter"},
	"jq fails":  {"alt+1", "home", "alt+3", "|", "error", "enter"},
	"diff":      {"alt+1", "end", "d"},
	"wire":      {"alt+4", "f", "end"},
	"answer":    {"alt+1", "home", "alt+4", "f", "n", "end"},
	"log":       {"alt+5", "f"},
	"server":    {"top", "enter"},
	"all of it": {"top", "enter", "alt+7", "f"},
	"palette":   {"f2", "c"},
	"history":   {"ctrl+r"},
	"services":  {"services", "enter"},
	"status":    {"status", "enter"},
	"help":      {"alt+1", "f1"},
	"edit":      {"alt+1", "end", "e"},
	"complete":  {"call ", "tab"},
}

// TestHostileEverywhere shows hostile texts in every pane, overlay and box: lines keep their width, and only colours of the dashboard itself are between them.
func TestHostileEverywhere(t *testing.T) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := rudeSession(t, text)
			for view, keys := range hostileViews {
				if len(text) >= 1<<20 && !slices.Contains([]string{"prompt", "result"}, view) {
					continue // these lay out all of it
				}
				m := open(t, s, 100, 30, Config{Theme: looks("dark", false)})
				for _, k := range keys {
					settle(m, quietly(press(m, k)))
				}
				for _, size := range [][2]int{{40, 10}, {160, 48}} {
					m.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
					screen := m.View()
					checkScreen(t, screen, size[0], size[1])
					checkHarmless(t, screen)
					if size[0] == 160 {
						checkEmulated(t, screen, size[0], size[1])
					}
					if t.Failed() {
						t.Fatalf("in %s at %v", view, size)
					}
				}
			}
		})
	}
}

var colours = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// checkHarmless sees to it that a screen holds text and colours alone, and no heap of marks or joined emoji.
func checkHarmless(t *testing.T, screen string) {
	t.Helper()
	marks := 0
	for _, r := range colours.ReplaceAllString(screen, "") {
		if r != '\n' && console.Printable(string(r)) != string(r) || r == '\u200d' || r == '\ufe0f' || r >= 0x1f1e6 && r <= 0x1f1ff {
			t.Errorf("%q reached the screen", r)
			return
		}
		if marks++; !unicode.IsMark(r) {
			marks = 0
		}
		if marks > clusterMarks {
			t.Errorf("%d marks on one character", marks)
			return
		}
	}
}

// checkEmulated writes a screen to a terminal and reads it again: each line stands on its row, and nothing else happened.
func checkEmulated(t *testing.T, screen string, w, h int) {
	t.Helper()
	em := vt.NewEmulator(w, h)
	defer em.Close()
	event := func(what string) func(string) {
		return func(s string) { t.Errorf("the terminal was told a %s: %q", what, s) }
	}
	em.SetCallbacks(vt.Callbacks{Bell: func() { t.Error("the bell rang") }, Title: event("title"), IconName: event("icon name"), AltScreen: func(bool) { t.Error("the screen was switched") }})
	for y, l := range strings.Split(screen, "\n") {
		fmt.Fprintf(em, "\x1b[%d;1H%s", y+1, l)
	}
	for y, l := range strings.Split(ansi.Strip(screen), "\n") {
		var row strings.Builder
		for x := range w {
			if c := em.CellAt(x, y); c != nil && c.Width > 0 {
				row.WriteString(c.Content)
			}
		}
		if got, want := bare(row.String()), bare(l); got != want {
			t.Errorf("row %d is\n%s\nwant\n%s", y, got, want)
			return
		}
	}
}

// bare is a row without what has no cells of its own.
func bare(row string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if unicode.IsMark(r) {
			return -1
		}
		return r
	}, row), " ")
}

func TestSettled(t *testing.T) {
	for in, want := range map[string]string{
		"plain, 二, é, ✓ …":                 "plain, 二, é, ✓ …",
		"👩\u200d👩\u200d👧!":                 "👩!",
		"👍\U0001f3fd!":                     "👍!",
		"❤\ufe0f!":                         "❤ !",
		"🇩🇪!":                              "DE!",
		"e" + strings.Repeat("\u0301", 99): "e" + strings.Repeat("\u0301", clusterMarks),
		"\u0301x":                          "x",
		"\u1100\u1161\u11a8":               "\u1100\u1161\u11a8",
		"हिन्दी":                           "हिन्दी",
		"می\u200cخواهم":                    "می\u200cخواهم",
		"":                                 "",
	} {
		got := settled(in)
		if got != want {
			t.Errorf("settled(%q) = %q, want %q", in, got, want)
		}
		if got, want := ansi.StringWidth(got), ansi.StringWidth(in); got != want {
			t.Errorf("settled(%q) is %d cells wide, want %d", in, got, want)
		}
	}
}
