package console

import (
	"bytes"
	goflag "flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = goflag.Bool("update", false, "write the expected texts anew")

// What a stream took is measured here, not by the fake.
var (
	rateText  = regexp.MustCompile(`(items?)  [\d .]+/s`)
	firstText = regexp.MustCompile(`(first item|sending) [\d.]+ [nµu]?s  (items|reply) [\d.]+ [nµu]?s`)
	firstJSON = regexp.MustCompile(`"first_item_ns":\d+`)
)

var clockText = regexp.MustCompile(`\d\d:\d\d:\d\d\.\d\d\d`)

// Each transcript is what a person types, after "> " or continued after "... ", and what comes back.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.transcript")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".transcript"), func(t *testing.T) { transcript(t, file) })
	}
}

func transcript(t *testing.T, file string) {
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	s := NewSession(Config{Dial: fakeDial, Version: "1.2.3", Topics: map[string]string{"keys": "enter runs"}, Settings: map[string]Setting{"motion": {"off", "env"}}})
	defer s.Close()
	p := &Printer{Out: &got, Err: &got}
	command := ""
	for line := range strings.Lines(string(want)) {
		line = strings.TrimSuffix(line, "\n")
		more, continues := strings.CutPrefix(line, "... ")
		text, starts := strings.CutPrefix(line, "> ")
		switch {
		case starts:
			command = text
		case continues && command != "":
			command += "\n" + more
		case strings.HasPrefix(line, "# "):
			got.WriteString(line + "\n")
			continue
		default:
			continue
		}
		got.WriteString(line + "\n")
		if Incomplete(command) {
			continue
		}
		if f, ok := strings.CutPrefix(command, "%format "); ok { // not a command: the printer's format from here on
			p.Format, _ = ParseFormat(f)
			continue
		}
		typed(s, p, &got, command)
	}
	out := got.Bytes()
	out = rateText.ReplaceAll(out, []byte("$1  2 933/s"))
	out = firstText.ReplaceAll(out, []byte("$1 120 µs  $2 278 µs"))
	out = firstJSON.ReplaceAll(out, []byte(`"first_item_ns":120000`))
	out = clockText.ReplaceAll(out, []byte("14:02:44.902"))
	if *update {
		if err := os.WriteFile(file, out, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(out, want) {
		t.Errorf("%s:\n--- got ---\n%s\n--- want ---\n%s", file, out, want)
	}
}
