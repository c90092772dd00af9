package console

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rpckids/rpckids/internal/wire"
)

// v1 is a message of version 1.
func v1(texts ...string) (b []byte) {
	for _, t := range texts {
		b = append(b, 0, 0, byte(len(t)>>8), byte(len(t)))
		b = append(b, t...)
	}
	return b
}

func TestWireRows(t *testing.T) {
	message := v1("3f9c51ab-34cd-4a29-9f71-6e0b3f9c51ab", "exp", `{"base":2,"exp":10}`)
	want := strings.TrimPrefix(`
0000  00 00 00 24                            ...$          ╭ length 36
0004  33 66 39 63 35 31 61 62 2d 33 34 63 …  3f9c51ab-34c  ╰ requestId
0028  00 00 00 03                            ....          ╭ length 3
002c  65 78 70                               exp           ╰ type exp
002f  00 00 00 13                            ....          ╭ length 19
0033  7b 22 62 61 73 65 22 3a 32 2c 22 65    {"base":2,"e  │ payload json
003f  78 70 22 3a 31 30 7d                   xp":10}       ╰`, "\n")
	if got := wireText(WireRows("v1", message, 12), 12, false); got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
	ascii := wireText(WireRows("v1", message, 12), 12, true)
	if strings.IndexFunc(ascii, func(r rune) bool { return r > 0x7e }) >= 0 || !strings.Contains(ascii, "63 ~ ") || !strings.Contains(ascii, `\ type exp`) {
		t.Errorf("\n%s", ascii)
	}
	long := WireRows("v1", v1("id", "t\x1b[2J", strings.Repeat("x", 1000)), 16)
	var gap WireRow
	shown := 0
	for _, r := range long {
		shown += len(r.Bytes)
		if len(r.Bytes) == 0 {
			gap = r
		}
	}
	if len(long) > 25 || gap.More == 0 || shown+gap.More != 3*4+2+5+1000 {
		t.Errorf("%d rows, %d bytes and %d more", len(long), shown, gap.More)
	}
	if last := long[len(long)-1]; last.Tie != TieEnd || last.At+len(last.Bytes) != 1019 || gap.Hex(false) != "…" || gap.Label() != "768 B" {
		t.Errorf("%+v, %q %q", last, gap.Hex(false), gap.Label())
	}
	if text := wireText(long, 16, false); strings.Contains(text, "\x1b") || !strings.Contains(text, `t\x1b[2J`) {
		t.Errorf("%q", text)
	}
	if got := WireRows("v2", nil, 0); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

// Whatever the bytes are, the rows go through them without a gap, are few, and hold no more than their width.
func TestWireRowsOfAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	head := wire.Magic
	for i := range 400 {
		b := make([]byte, r.IntN(400))
		for k := range b {
			b[k] = byte(r.IntN(1 + i%256))
		}
		if i%3 == 0 {
			b = append([]byte(head), b...)
		}
		for _, protocol := range []string{"v1", "v2", ""} {
			width := 1 + r.IntN(20)
			at := 0
			for _, row := range WireRows(protocol, b, width) {
				if row.At != at || len(row.Bytes) > width || !bytes.Equal(row.Bytes, b[at:at+len(row.Bytes)]) || !clean(row.Label()) {
					t.Fatalf("%s of % x: %+v at %d", protocol, b, row, at)
				}
				at += len(row.Bytes) + row.More
			}
			if at != len(b) {
				t.Fatalf("%s of % x: %d of %d bytes", protocol, b, at, len(b))
			}
		}
	}
	if rows := WireRows("v2", bytes.Repeat([]byte{0x50, 0, 1, 7}, 100_000), 16); len(rows) > 2*wireFields || rows[len(rows)-1].More == 0 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestWireCommand(t *testing.T) {
	s := connected(t)
	e := s.journal.Start(Entry{Type: "fib"})
	e.State, e.Trace = OK, Trace{Out: v1("id", "fib", "10"), In: v1("id", "fib_res", "89")[:20], BytesIn: 5000, Protocol: "v1"}
	s.journal.Finish(e)
	r, err := s.Exec(t.Context(), "wire --width 8")
	want := strings.TrimPrefix(`
→ request  19 B  v1
0000  00 00 00 02                ....      ╭ length 2
0004  69 64                      id        ╰ requestId
0006  00 00 00 03                ....      ╭ length 3
000a  66 69 62                   fib       ╰ type fib
000d  00 00 00 02                ....      ╭ length 2
0011  31 30                      10        ╰ payload json

← reply  4.9 KiB, the first 20 B are kept
0000  00 00 00 02 69 64 00 00    ....id..    unreadable half a message
0008  00 07 66 69 62 5f 72 65    ..fib_re
0010  73 00 00 00                s...`, "\n")
	if r.Text != want || err != nil {
		t.Errorf("%v\n%s\nwant\n%s", err, r.Text, want)
	}
	v := r.Value.(wireJSON)
	if got := fmt.Sprint(len(v.Request), v.Request[3], len(v.Reply)); got != "6 {10 3 type fib type 666962} 1" {
		t.Errorf("%s", got)
	}
}
