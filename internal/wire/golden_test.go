package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

type golden struct {
	name  string
	frame []byte
}

// goldens are the frames of version 1.
func goldens(t testing.TB) []golden { return readGoldens(t, "testdata/v1.txt", 14) }

// readGoldens reads a file of lines: name | direction | hex | meaning.
func readGoldens(t testing.TB, file string, least int) []golden {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []golden
	for s := bufio.NewScanner(f); s.Scan(); {
		cols := strings.Split(s.Text(), " | ")
		if strings.HasPrefix(s.Text(), "#") || len(cols) < 3 {
			continue
		}
		b, err := hex.DecodeString(cols[2])
		if err != nil {
			t.Fatalf("%s: %v", cols[0], err)
		}
		all = append(all, golden{cols[0], b})
	}
	if len(all) < least {
		t.Fatalf("only %d golden frames", len(all))
	}
	return all
}

// want is what the golden frames mean, written down by hand.
var want = map[string][3]string{
	"java-fib-0-request":        {"788366ce-4d9d-4ea4-a772-0a71bdb15055", "fib", "0"},
	"java-fib-0-reply":          {"788366ce-4d9d-4ea4-a772-0a71bdb15055", "fib_res", "1"},
	"java-fib-29-reply":         {"b257b1f5-7fc2-4e73-80d0-b217e2bab2d6", "fib_res", "832040"},
	"java-exp-2-0-request":      {"e48460ce-1687-4958-b233-bd0861336269", "exp", `{"base":2,"exp":0}`},
	"java-exp-2-0-reply":        {"e48460ce-1687-4958-b233-bd0861336269", "exp_res", `{"costInNanos":140,"value":1}`},
	"java-cast-fib-6-answer":    {"7745fcf8-d475-4830-8a1e-f10e224b3a7f", "fib_res", "13"},
	"short-fib-10":              {"1", "fib", "10"},
	"short-fib-10-reply":        {"1", "fib_res", "89"},
	"short-exp-2-10":            {"1", "exp", `{"base":2,"exp":10}`},
	"utf8-byte-lengths":         {"é", "t", `"你😀"`},
	"utf16-unit-lengths":        {"1", "echo_res", `"你😀"`},
	"utf16-unit-lengths-object": {"1", "echo_res", `{"问":"答案","n":1}`},
}

func TestGoldenFrames(t *testing.T) {
	seen := 0
	for _, g := range goldens(t) {
		for _, chunk := range []int{len(g.frame), 1, 3} {
			msgs := decodeAll(t, g.frame, chunk)
			if len(msgs) != 1 {
				t.Fatalf("%s in chunks of %d: %d messages, want 1", g.name, chunk, len(msgs))
			}
			m := msgs[0]
			if w, ok := want[g.name]; ok {
				seen++
				if got := [3]string{string(m.ID), string(m.Type), string(m.Payload)}; got != w {
					t.Errorf("%s in chunks of %d: got %q, want %q", g.name, chunk, got, w)
				}
			}
			java := strings.HasPrefix(g.name, "utf16-")
			if m.Repaired != java {
				t.Errorf("%s: repaired %v, want %v", g.name, m.Repaired, java)
			}
			if m.Size != len(g.frame) {
				t.Errorf("%s: size %d, want %d", g.name, m.Size, len(g.frame))
			}
			if back := AppendMessage(nil, m.ID, m.Type, m.Payload); !java && !bytes.Equal(back, g.frame) {
				t.Errorf("%s: encodes to\n%x, want\n%x", g.name, back, g.frame)
			}
		}
	}
	if seen != 3*len(want) {
		t.Errorf("%d of %d meanings compared", seen, 3*len(want))
	}
}

// decodeAll feeds b in chunks and returns copies of all messages.
func decodeAll(t testing.TB, b []byte, chunk int) []Message {
	t.Helper()
	var d Decoder
	var all []Message
	drain := func() {
		for {
			m, ok, err := d.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return
			}
			m.ID, m.Type, m.Payload = bytes.Clone(m.ID), bytes.Clone(m.Type), bytes.Clone(m.Payload)
			all = append(all, m)
		}
	}
	for len(b) > 0 {
		n := copy(d.Space(), b[:min(chunk, len(b))])
		d.Fed(n)
		b = b[n:]
		drain()
	}
	d.GiveUp()
	drain()
	if d.Buffered() > 0 {
		t.Fatalf("%d bytes left", d.Buffered())
	}
	return all
}
