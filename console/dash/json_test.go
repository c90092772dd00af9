package dash

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// drawn is a document as it is shown in a wide window.
func drawn(d document) string {
	var out []string
	for n := range d.lines {
		for _, l := range d.rows(mono(), n, drawing{width: 200}) {
			out = append(out, strings.TrimRight(ansi.Strip(string(l.b)), " "))
		}
	}
	return strings.Join(out, "\n")
}

// documents are laid out as encoding/json indents them.
var documents = []string{
	`89`, `"text"`, `null`, `{}`, `[]`, `[[]]`, `[{}]`, `[1,2,3]`, `{"value":1024,"costInNanos":28113}`,
	`{"a":[],"b":{},"c":[[1],[2,[]]],"d":"x,y:{}[]\"\\"}`, ` { "a" : [ 1 , { } ] , "二": "的" } `, `[true,false,-1.5e3]`, `[[[[1]]],2]`,
}

func TestDocumentIsIndentedJSON(t *testing.T) {
	for _, src := range documents {
		var want bytes.Buffer
		if err := json.Indent(&want, []byte(src), "", "  "); err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		_ = json.Compact(&compact, []byte(src)) // it was just indented: it is valid
		for _, text := range []string{src, compact.String(), want.String()} {
			if got := drawn(newDocument(json.RawMessage(text))); got != strings.TrimSpace(want.String()) {
				t.Errorf("%s: got\n%s\nwant\n%s", text, got, want.String())
			}
		}
	}
}

func TestDocumentOfText(t *testing.T) {
	d := newDocument(json.RawMessage("no json\x1b[2J\n{oops\n"))
	if got, want := drawn(d), "no json\\x1b[2J\n{oops"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A line of megabytes is drawn piece by piece, and all of it can be read.
func TestLongLine(t *testing.T) {
	long := strings.Repeat("二的", 1<<17)
	d := newDocument(json.RawMessage(`{"a":"` + long + `"}`))
	if d.count() != 3 || len(d.lines) < 300 {
		t.Fatalf("got %d lines in %d pieces", d.count(), len(d.lines))
	}
	var all strings.Builder
	for n := 1; n < len(d.lines)-1; n++ {
		rows := d.rows(mono(), n, drawing{width: 38})
		if len(rows) > 2*pieceCap/30 {
			t.Fatalf("piece %d takes %d rows", n, len(rows))
		}
		for _, l := range rows {
			if l.w > 38 {
				t.Fatalf("piece %d: a row of %d cells", n, l.w)
			}
			all.WriteString(strings.TrimLeft(ansi.Strip(string(l.b)), " "))
		}
	}
	if got, want := all.String(), `"a": "`+long+`"`; got != want {
		t.Errorf("%d bytes can be read, want %d", len(got), len(want))
	}
}

// TestDeepJSON sees that nesting costs no memory and leaves room for the values.
func TestDeepJSON(t *testing.T) {
	d := newDocument(json.RawMessage(strings.Repeat("[", 9000) + "1" + strings.Repeat("]", 9000)))
	if len(d.lines) != 18_001 {
		t.Fatalf("got %d lines", len(d.lines))
	}
	rows := d.rows(mono(), 9000, drawing{width: 28})
	if len(rows) != 1 || !strings.Contains(string(rows[0].b), "1") {
		t.Errorf("the value is out of sight: %q", rows[0].b)
	}
}

func FuzzDocument(f *testing.F) {
	for _, s := range documents {
		f.Add(s)
	}
	f.Add("{\"a\":")
	f.Add("\xff\x1b[")
	f.Fuzz(func(t *testing.T, s string) {
		d := newDocument(json.RawMessage(s))
		sh := sheet{numbers: len(s)%2 == 0}
		sh.set(d)
		sh.fit(mono(), 20, 7)
		for i, key := range s + "jlhJkGg" { // any keys on any document
			switch key {
			case 'h':
				sh.fold()
			case 'l':
				sh.unfold()
			case 'J':
				sh.foldAll()
			case 'G':
				sh.page(1)
			case 'g':
				sh.page(-1)
			default:
				sh.move(1 - 2*(i%3/2))
			}
			p := newPage(20, 7)
			sh.draw(p, true)
			for _, l := range p.done() {
				if ansi.StringWidth(l) != 20 {
					t.Fatalf("%q: row %q has %d cells", s, l, ansi.StringWidth(l))
				}
			}
			if i > 40 {
				break
			}
		}
	})
}

// A row of a table that is too wide keeps its columns; prose is broken between words.
func TestRowsOf(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"fits", "a  b", "a  b"},
		{"prose", "one two three four five six", "one two three four\nfive six"},
		{"last column wraps below itself", "exp   takes base and exp", "exp   takes base and\n      exp"},
		{"last column too far right is cut", "exp   {base:int}   seen twice", "exp   {base:int}   …"},
	}
	for _, tt := range tests {
		if got := strings.Join(rowsOf(tt.text, 20, "…"), "\n"); got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}
