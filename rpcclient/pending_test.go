package rpcclient

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/rpckids/rpckids/internal/wire"
)

func ringOf(prefix string) *pending {
	p := &pending{}
	copy(p.prefix[:], prefix)
	return p
}

func TestFind(t *testing.T) {
	p := ringOf("0123abcd")
	k := &call{mark: wire.Mark{Idempotent: true}}
	if err := p.add(k, false); err != nil {
		t.Fatal(err)
	}
	if got, want := string(k.id), "0123abcd00000000;rk2;i"; got != want {
		t.Fatalf("id %s, want %s", got, want)
	}
	for _, test := range []struct {
		id      string
		found   bool
		version byte
		failed  bool
	}{
		{"0123abcd00000000;rk2;i", true, 0, false},
		{"0123abcd00000000!1", true, 1, false},
		{"0123abcd00000000!2", true, 2, false},
		{"0123abcd00000000;rk2;i;e", true, 0, true},
		{"0123abcd00000000", false, 0, false},
		{"0123abcd00000000;rk2", false, 0, false},
		{"0123abcd00000000!3", false, 0, false},
		{"0123abcd00000000!1;e", false, 0, false},
		{"0123abcd00000000;rk2;i;e;e", false, 0, false},
		{"0123ABCD00000000!1", false, 0, false},
		{"0123abcd00000001!1", false, 0, false},
		{"ffffffff00000000!1", false, 0, false},
		{"0123abcd", false, 0, false},
		{";e", false, 0, false},
		{"", false, 0, false},
	} {
		a := p.find([]byte(test.id))
		if (a.call == k) != test.found || test.found && (a.version != test.version || a.failed != test.failed) {
			t.Errorf("find(%q) = %+v, want found %v, version %d, failed %v", test.id, a, test.found, test.version, test.failed)
		}
	}
	p.end(k, answered)
	if a := p.find([]byte("0123abcd00000000!1")); a.call != nil || a.fate != answered {
		t.Errorf("after the answer: %+v, want fate answered", a)
	}
}

// Calls that end in any order, in a ring that grows, near the counter's end: the
// ring always knows exactly those that wait. The model is a map.
func TestPendingAgainstAModel(t *testing.T) {
	for _, custom := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(3, 4))
		p := ringOf("0123abcd")
		p.next = 1<<32 - 2000
		model := map[string]*call{}
		var ids []string
		for step := range 20_000 {
			if len(ids) == 0 || rng.IntN(100) < 52 && len(ids) < 512 {
				k := &call{id: []byte("id " + strconv.Itoa(step))}
				if err := p.add(k, custom); err != nil {
					t.Fatal(err)
				}
				model[string(k.id)] = k
				ids = append(ids, string(k.id))
				continue
			}
			i := rng.IntN(len(ids))
			id := ids[i]
			if got := p.find([]byte(id)); got.call != model[id] {
				t.Fatalf("step %d: find(%s) found another call", step, id)
			}
			p.end(model[id], answered)
			if got := p.find([]byte(id)); got.call != nil || got.fate != answered {
				t.Fatalf("step %d: find(%s) after its end: %+v", step, id, got)
			}
			delete(model, id)
			ids[i] = ids[len(ids)-1]
			ids = ids[:len(ids)-1]
		}
		if p.waiting != len(model) || len(p.slots) > 1024 || len(p.custom) > len(p.slots) {
			t.Errorf("%d waiting, want %d; %d slots, %d names", p.waiting, len(model), len(p.slots), len(p.custom))
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add([]byte("0123abcd00000000!1"), []byte("12"))
	f.Add([]byte("0123abcd00000000;rk2;e"), []byte(`{"code":"x"}`))
	f.Fuzz(func(t *testing.T, id, raw []byte) {
		p := ringOf("0123abcd")
		k := &call{}
		if err := p.add(k, false); err != nil {
			t.Fatal(err)
		}
		if a := p.find(id); a.call != nil && !bytes.HasPrefix(id, []byte("0123abcd00000000")) {
			t.Errorf("id %q found a call", id)
		}
		n, err := decode[int64](raw)
		var want int64
		if wantErr := json.Unmarshal(raw, &want); err == nil && (wantErr != nil || n != want) {
			t.Errorf("decode(%q) = %d, encoding/json says %d, %v", raw, n, want, wantErr)
		} else if err != nil && wantErr == nil && string(bytes.TrimSpace(raw)) != "null" {
			t.Errorf("decode(%q) fails with %v, encoding/json reads %d", raw, err, want)
		}
		s, err := decode[string](raw)
		var text string
		if json.Unmarshal(raw, &text) == nil && err == nil && s != text {
			t.Errorf("decode(%q) = %q, want %q", raw, s, text)
		}
	})
}

func TestFastPathsAgreeWithEncodingJSON(t *testing.T) {
	for _, v := range []any{0, -1, 1 << 40, int64(-1 << 63), "", "plain", "<&>", "\"", "\\", "\x00", "\x7f", "é", "\u2028", "a\xffb", 1.5, []int{1}, nil, json.RawMessage(nil), json.RawMessage(" [1]")} {
		got, err := appendJSON([]byte("x"), v)
		if err != nil {
			t.Errorf("%#v: %v", v, err)
			continue
		}
		var a, b any
		want, _ := json.Marshal(v)
		json.Unmarshal(got[1:], &a)
		json.Unmarshal(want, &b)
		if x, y := toJSON(a), toJSON(b); x != y || got[0] != 'x' || bytes.HasSuffix(got, []byte("\n")) {
			t.Errorf("%#v: %s, want %s", v, got[1:], want)
		}
	}
}

func toJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestPrintable(t *testing.T) {
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{
		{"plain 你好", 20, "plain 你好"},
		{"\x1b[2J\r\n\u202e\u0085\x7f", 20, `\x1b[2J\r\n\u202e\u0085\x7f`},
		{"0123456789x", 10, "0123456789..."},
		{"012345678你", 10, "012345678..."},
	} {
		if got := printable(test.text, test.limit); got != test.want {
			t.Errorf("printable(%q, %d) = %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}
