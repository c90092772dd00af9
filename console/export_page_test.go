package console

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// nasty is text that a peer might send to break out of where it is shown.
var nasty = []string{
	`</script><script>alert(1)</script>`, `</style><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onclick='alert(1)`, `]]><!--`, `--><svg onload=alert(1)>`, `<!-- `, `&lt;script&gt;`, `{{.Script}}`,
	`</pre></details></div>`, `javascript:alert(1)`, "\x1b[31m\x1b]52;c;aGk=\x07", "\u202egnp.exe", "\u2066\u2067\u200f", "a\x00b", "\u0085\u2028\u2029", "\xff\xfe", "```\n# heading\n```", "`|`|`", `\|`, "a\r\nb\n\n# c", "[x](javascript:alert(1))",
	"\ufeff", "\U000e0041", strings.Repeat("\u0301", 300), "https://example.com", "@someone #1",
}

// hostile is a session with a server that sends all of it in every place.
func hostile(t testing.TB, texts []string) *Session {
	s := NewSession(Config{Version: "1.2.3"})
	t.Cleanup(func() { s.Close() })
	for i, text := range texts {
		quoted, _ := json.Marshal(text)
		ok := past(i, text, string(quoted), text, `{"k":`+string(quoted)+`,`+string(quoted)+`:1}`)
		ok.Trace.RequestID, ok.Trace.Server, ok.Trace.Protocol = text, text, []string{"v1", "v2"}[i%2]
		tell(s, ok)
		raw := past(i, text, text, text, text) // no JSON
		tell(s, raw)
		tell(s, flowing(i, string(quoted), string(quoted), text))
		bad := past(i, text, string(quoted), "", "")
		bad.State, bad.Err = Failed, explain(&Error{Exit: ExitServer, Code: text, Message: text, Likely: text, Hint: text, Details: quoted})
		tell(s, bad)
	}
	return s
}

func TestExportHostile(t *testing.T) {
	s := hostile(t, nasty)
	page := exported(t, s, "a.html", "")
	intact(t, page)
	for _, want := range []string{"&lt;script&gt;alert(1)", `\u001b[31m`, `\u202e`, `a\u0000b`, `\xff`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %s", want)
		}
	}
	text := exported(t, s, "a.md", "")
	tidy(t, text)
	fenced(t, text, len(s.journal.Tail(journalKeep, 0)))
	object := exported(t, s, "a.json", "")
	tidy(t, object)
	check(t, sessionShape, []byte(object))
}

func FuzzExport(f *testing.F) {
	for _, text := range nasty {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4<<10 {
			return
		}
		s := hostile(t, []string{text})
		x := s.newExport()
		x.entries, x.limit = s.journal.Tail(journalKeep, 0), 1<<10
		for i, d := range documents {
			b := bounded{most: x.most}
			if err := d.write(x, &b); err != nil {
				t.Fatal(err)
			}
			switch out := b.text.String(); i {
			case 0:
				intact(t, out)
			case 1:
				tidy(t, out)
				fenced(t, out, len(x.entries))
			default:
				tidy(t, out)
				check(t, sessionShape, []byte(out))
			}
		}
	})
}

// tidy says that a text holds nothing that a terminal or an editor would obey.
func tidy(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); !clean(line) {
			t.Errorf("not clean: %.200q", line)
		}
	}
}

// pageNames are the elements and attributes that the template has. What a peer sent adds none.
var pageNames = regexp.MustCompile(`^(html|head|meta|title|style|body|header|h[1-4]|p|span|b|i|em|a|dl|dt|dd|section|div|table|thead|tbody|tr|t[hd]|figure|figcaption|small|svg|path|circle|rect|text|polygon|polyline|form|input|label|button|details|summary|pre|footer|script|` +
	`class|id|lang|xmlns|charset|http-equiv|content|name|href|hidden|type|placeholder|autocomplete|spellcheck|viewBox|preserveAspectRatio|role|aria-hidden|aria-label|d|x|y|dx|dy|cx|cy|r|width|height|points|transform)$`)

// intact reads a page as strict XML: every element is closed in its place, no name stands in it that is not the template's own, and the only script and the only
// style are those whose hashes the policy names.
func intact(t *testing.T, page string) {
	t.Helper()
	tidy(t, page)
	scripts, policy := map[string][]string{}, ""
	inside := ""
	d := xml.NewDecoder(strings.NewReader(page))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%.3000s", err, page[max(int(d.InputOffset())-300, 0):])
		}
		switch v := token.(type) {
		case xml.StartElement:
			inside = v.Name.Local
			names := []string{v.Name.Local}
			for _, a := range v.Attr {
				names = append(names, a.Name.Local)
				if a.Name.Local == "href" && !regexp.MustCompile(`^#call-\d+$`).MatchString(a.Value) {
					t.Errorf("a link to %q", a.Value)
				}
				if a.Name.Local == "content" && strings.HasPrefix(a.Value, "default-src") {
					policy = a.Value
				}
			}
			for _, n := range names {
				if !pageNames.MatchString(n) {
					t.Errorf("<%s> has %q", v.Name.Local, n)
				}
			}
		case xml.EndElement:
			inside = ""
		case xml.CharData:
			if inside == "script" || inside == "style" {
				scripts[inside] = append(scripts[inside], string(v))
			}
		case xml.Comment, xml.ProcInst:
			t.Errorf("a comment: %q", v)
		}
	}
	hash := func(text []string) string {
		sum := sha256.Sum256([]byte(strings.Join(text, "")))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	want := fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; base-uri 'none'; form-action 'none'", hash(scripts["style"]), hash(scripts["script"]))
	if policy != want || len(scripts["style"]) != 1 || len(scripts["script"]) != 1 {
		t.Errorf("%d styles, %d scripts, policy %q, want %q", len(scripts["style"]), len(scripts["script"]), policy, want)
	}
}

// fenced says that a Markdown text has as many calls as it should, that every fence is closed, and that no row of a table has more cells than its head.
func fenced(t *testing.T, text string, calls int) {
	t.Helper()
	var fence string
	var headings, cells int
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence != "":
			if line == fence {
				fence = ""
			}
		case len(ticks) >= 3 && (strings.HasSuffix(line, "json") || strings.HasSuffix(line, "text")):
			fence = ticks
		case strings.HasPrefix(line, "### Call "):
			headings++
		case strings.HasPrefix(line, "| # ") || strings.HasPrefix(line, "| type "):
			cells = bars(line)
		case strings.HasPrefix(line, "|") && bars(line) != cells:
			t.Errorf("%d cells, want %d: %s", bars(line)-1, cells-1, line)
		case strings.HasPrefix(line, "#") && !slices.Contains([]string{"# rpckids session", "## Timing", "## Calls", "## Where the time goes"}, line):
			t.Errorf("a heading: %s", line)
		}
	}
	if fence != "" || headings != calls {
		t.Errorf("open fence %q, %d headings for %d calls", fence, headings, calls)
	}
}

// bars counts the bars of a row that end a cell, as code hosts do: one behind a backslash does not.
func bars(line string) (n int) {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '|':
			n++
		}
	}
	return n
}

func TestCharts(t *testing.T) {
	at := func(ms int, rtt time.Duration, failed bool) Point {
		return Point{At: exportStart.Add(time.Duration(ms) * time.Millisecond), RTT: rtt, Failed: failed}
	}
	same := make([]Point, 20)
	for i := range same {
		same[i] = at(0, 400*time.Microsecond, false)
	}
	odd := append(slices.Clone(same), at(5, time.Hour, false), at(6, 0, true), at(7, 0, false))
	for name, points := range map[string][]Point{"the same": same, "odd": odd, "all failed": {at(0, 1, true), at(1, 2, true)}, "two": {at(0, 1, false), at(1, 2, false)}} {
		tm := &Timing{Type: "fib", Calls: len(points), Points: points, Min: 1, P50: 400 * time.Microsecond, P99: time.Hour, Max: time.Hour}
		v := newTypeView(tm)
		if len(v.Latency.Marks) != len(points) {
			t.Errorf("%s: %d marks for %d calls", name, len(v.Latency.Marks), len(points))
		}
		for _, m := range v.Latency.Marks {
			if m.X < 0 || m.X > chartWidth || m.Y < 0 || m.Y > chartFloor {
				t.Errorf("%s: a mark at %g, %g", name, m.X, m.Y)
			}
		}
		if v.Histogram == nil {
			continue
		}
		var n int
		for _, b := range v.Histogram.Bins {
			var c int
			fmt.Sscan(strings.ReplaceAll(b.Count, " ", ""), &c)
			if n += c; b.Width > binWidth || b.Width < 0 {
				t.Errorf("%s: a bar of %g", name, b.Width)
			}
		}
		if want := len(goodTimes(points)); n != want {
			t.Errorf("%s: %d calls in the histogram of %d", name, n, want)
		}
	}
}

// The shares of a bar fill it, each can be seen, and the largest gives what the others take.
func TestBar(t *testing.T) {
	e := past(1, "exp", "1", "exp_res", "1")
	e.Trace.RTT, e.Trace.Client, e.Trace.Wait, e.Server, e.HasServer = 10*time.Second, 10, 10*time.Second-10, 1, true
	parts := bar(&e)
	var sum int
	for _, p := range parts {
		sum += p.Percent
		if p.Width < 2 {
			t.Errorf("%s is %g wide", p.Name, p.Width)
		}
	}
	last := parts[len(parts)-1]
	if len(parts) != 3 || sum != 100 || int(last.At+last.Width+0.5) != barWidth {
		t.Errorf("got %+v", parts)
	}
	late := lateCall(1)
	if got := bar(&late); got[len(got)-1].Class != "nothing" {
		t.Errorf("time in which nothing came: %+v", got)
	}
}
