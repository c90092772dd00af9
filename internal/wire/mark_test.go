package wire

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	prefix = "0123456789abcdef"
	trace  = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

func TestParseMark(t *testing.T) {
	tests := []struct {
		tail string
		want Mark
		ok   bool
	}{
		{";rk2", Mark{}, true},
		{";rk2;d=50", Mark{Timeout: 50 * time.Millisecond}, true},
		{";rk2;t=" + trace, Mark{Trace: trace}, true},
		{";rk2;i", Mark{Idempotent: true}, true},
		{";rk2;1", Mark{OneWay: true}, true},
		{";rk2;d=5000;t=" + trace + ";i;1", Mark{5 * time.Second, trace, true, true}, true},
		{"", Mark{}, false},
		{";rk3", Mark{}, false},
		{";rk2;", Mark{}, false},
		{";rk2;d=", Mark{}, false},
		{";rk2;d=0", Mark{}, false},
		{";rk2;d=05", Mark{}, false},
		{";rk2;d=-5", Mark{}, false},
		{";rk2;d=5x", Mark{}, false},
		{";rk2;d=1234567890", Mark{}, false},
		{";rk2;d=1;d=2", Mark{}, false},
		{";rk2;i;d=5", Mark{}, false},
		{";rk2;1;i", Mark{}, false},
		{";rk2;t=" + strings.ToUpper(trace), Mark{}, false},
		{";rk2;t=" + trace[:40], Mark{}, false},
		{";rk2;t=" + strings.Replace(trace, "-", "_", 1), Mark{}, false},
		{";rk2;i;i", Mark{}, false},
		{";RK2", Mark{}, false},
		{";rk2;x", Mark{}, false},
	}
	for _, tt := range tests {
		p, m, ok := ParseMark([]byte(prefix + tt.tail))
		if ok != tt.ok || m != tt.want || ok && string(p) != prefix {
			t.Errorf("%q: got %q %+v %v, want %+v %v", tt.tail, p, m, ok, tt.want, tt.ok)
		}
	}
	for _, id := range []string{"", "1", "e48460ce-1687-4958-b233-bd0861336269", "0123456789ABCDEF;rk2", " 123456789abcdef;rk2"} {
		if _, _, ok := ParseMark([]byte(id)); ok {
			t.Errorf("%q was taken for a marked id", id)
		}
	}
}

func TestMarkRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := Mark{
			Timeout:    time.Duration(rapid.IntRange(0, 999_999_999).Draw(rt, "ms")) * time.Millisecond,
			Trace:      rapid.SampledFrom([]string{"", trace}).Draw(rt, "trace"),
			Idempotent: rapid.Bool().Draw(rt, "i"),
			OneWay:     rapid.Bool().Draw(rt, "1"),
		}
		_, got, ok := ParseMark(AppendMark(nil, []byte(prefix), m))
		if !ok || got != m {
			rt.Fatalf("got %+v %v, want %+v", got, ok, m)
		}
	})
}

// A deadline never becomes "none" by rounding, and one beyond the field is cut to what the field holds.
func TestMarkRounding(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1: ";rk2;d=1", 1500 * time.Microsecond: ";rk2;d=2", 1000 * time.Hour * 24: ";rk2;d=999999999", -5: ";rk2",
	} {
		if got := string(AppendMark(nil, nil, Mark{Timeout: d})); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestReplyID(t *testing.T) {
	for _, v := range []byte{1, 2} {
		p, got, ok := ParseReplyID(AppendReplyID(nil, []byte(prefix), v))
		if !ok || got != v || string(p) != prefix {
			t.Errorf("version %d: got %q %d %v", v, p, got, ok)
		}
	}
	for _, id := range []string{"", prefix, prefix + "!", prefix + "!3", prefix + "!1 ", prefix + ";1", "x" + prefix[1:] + "!1"} {
		if _, _, ok := ParseReplyID([]byte(id)); ok {
			t.Errorf("%q was taken for a reply id", id)
		}
	}
}

func FuzzParseMark(f *testing.F) {
	f.Add([]byte(prefix + ";rk2;d=5000;t=" + trace + ";i;1"))
	f.Add([]byte(prefix + ";rk2"))
	f.Fuzz(func(t *testing.T, id []byte) {
		p, m, ok := ParseMark(id)
		if !ok {
			return
		}
		if back := AppendMark(nil, p, m); !bytes.Equal(back, id) {
			t.Fatalf("%q reads as %+v, which is written %q", id, m, back)
		}
	})
}

func FuzzParseReplyID(f *testing.F) {
	f.Add([]byte(prefix + "!1"))
	f.Fuzz(func(t *testing.T, id []byte) {
		if p, v, ok := ParseReplyID(id); ok && !bytes.Equal(AppendReplyID(nil, p, v), id) {
			t.Fatalf("%q reads as %q %d", id, p, v)
		}
	})
}
