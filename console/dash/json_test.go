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
	p := newPage(200, len(d.lines)+1)
	for n := range d.lines {
		d.draw(p, mono(), n, 0, 200, 0)
	}
	var out []string
	for _, l := range p.lines {
		out = append(out, strings.TrimRight(ansi.Strip(l), " "))
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

func TestLongLineWrapsAndIsCapped(t *testing.T) {
	d := newDocument(json.RawMessage(`{"a":"` + strings.Repeat("二的", 1<<19) + `"}`))
	p := newPage(40, 10)
	for n := 0; n < len(d.lines) && !p.full(); n++ {
		d.draw(p, mono(), n, 1, 39, 0)
	}
	for i, l := range p.done() {
		if w := ansi.StringWidth(l); w != 40 {
			t.Errorf("row %d has %d cells", i, w)
		}
	}
	depth, tokens := d.tokens(mono(), 1)
	size := 0
	for _, tok := range tokens {
		size += len(tok.text)
	}
	if depth != 1 || size > 2*lineCap {
		t.Errorf("a line of megabytes became %d bytes at depth %d", size, depth)
	}
}

// TestDeepJSON sees that nesting costs no memory and leaves room for the values.
func TestDeepJSON(t *testing.T) {
	d := newDocument(json.RawMessage(strings.Repeat("[", 9000) + "1" + strings.Repeat("]", 9000)))
	if len(d.lines) != 18_001 {
		t.Fatalf("got %d lines", len(d.lines))
	}
	p := newPage(30, 1)
	d.draw(p, mono(), 9000, 1, 29, 0)
	if !strings.Contains(p.lines[0], "1") {
		t.Errorf("the value is out of sight: %q", p.lines[0])
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
		p := newPage(20, 50)
		for n := 0; n < len(d.lines) && !p.full(); n++ {
			d.draw(p, mono(), n, 1, 19, 0)
		}
		for _, l := range p.done() {
			if ansi.StringWidth(l) != 20 {
				t.Fatalf("%q: row %q has %d cells", s, l, ansi.StringWidth(l))
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
