package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// said is what Dissect says about b, a part per line.
func said(t *testing.T, p Protocol, b []byte) string {
	t.Helper()
	var text strings.Builder
	at := 0
	for _, part := range Dissect(p, b) {
		if part.At != at || part.Len <= 0 {
			t.Fatalf("part %+v, want it to begin at %d", part, at)
		}
		at += part.Len
		fmt.Fprintf(&text, "%d %s: %s\n", part.Len, part.Name, part.Note)
	}
	if at != len(b) {
		t.Fatalf("the parts are %d bytes of %d", at, len(b))
	}
	return strings.TrimSpace(text.String())
}

func TestDissectV1(t *testing.T) {
	mark := AppendMark(nil, []byte("00c0ffee00000001"), Mark{Timeout: 5 * time.Second, Idempotent: true})
	request, at := Begin(nil, mark, []byte("fib"))
	request = End(append(request, "10"...), at)
	got := said(t, V1, request)
	want := strings.Join([]string{
		"4 length: 29", "29 requestId: speaks version 2, 5s left, idempotent", "4 length: 3", "3 type: fib", "4 length: 2", "2 payload: json",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	java := []byte("\x00\x00\x00\x011\x00\x00\x00\x08echo_res\x00\x00\x00\x05\"你😀\"")
	if got := said(t, V1, java); !strings.HasSuffix(got, "4 length: 5, counted in UTF-16 units\n9 payload: json") {
		t.Errorf("got\n%s", got)
	}
	if got := said(t, V1, append(request, 0, 0, 0, 9, 'x')); !strings.HasSuffix(got, "5 unreadable: half a message") {
		t.Errorf("got\n%s", got)
	}
}

func TestDissectV2(t *testing.T) {
	var b []byte
	b = append(b, Magic...)
	b = AppendFrame(b, KindSettings, 0, 0, AppendSettings(nil, &Settings{MaxMessage: 1 << 20, Window: 128 << 10, MaxStreams: 512, MaxMetadata: 8 << 10, MinPing: 5 * time.Second}))
	b = AppendFrame(b, KindOpen, FlagEnd, 1, append(AppendOpen(nil, &OpenHead{Timeout: 5 * time.Second, Number: 1, Name: []byte("fib")}), "10"...))
	b = AppendFrame(b, KindOpen, FlagEnd, 2, append(AppendOpen(nil, &OpenHead{Number: 1, Idempotent: true}), "10"...))
	b = AppendFrame(b, KindData, FlagEnd|FlagMeta, 1, append(AppendBlock(nil, AppendTiming(nil, 300, 500)), "89"...))
	b = AppendFrame(b, KindError, FlagRefused, 2, AppendFailure(nil, &Error{Code: NotFound, Message: "no"}))
	b = AppendFrame(b, KindCredit, 0, 3, AppendCredit(nil, 32<<10))
	want := strings.Join([]string{
		"4 magic: version 2",
		"1 kind: SETTINGS", "1 stream: the connection", "1 length: 5", "1 setting: window", "1 length: 3", "3 value: 131072",
		"1 kind: OPEN END", "1 stream: 1", "1 length: 11", "1 call: json", "2 timeout: 5s", "1 method: named", "1 number: 1 from now on", "1 length: 3", "3 type: fib", "2 payload: json",
		"1 kind: OPEN END", "1 stream: 2", "1 length: 5", "1 call: json, idempotent", "1 timeout: none", "1 method: 1", "2 payload: json",
		"1 kind: DATA END META", "1 stream: 1", "1 length: 9", "1 metadata: 6", "1 key: server-timing", "1 length: 4", "2 queue ns: 300", "2 handler ns: 500", "2 payload: ",
		"1 kind: ERROR REFUSED", "1 stream: 2", "1 length: 5", "1 code: not_found", "1 retry after ms: 0", "1 length: 2", "2 message: ",
		"1 kind: CREDIT", "1 stream: 3", "1 length: 3", "3 credit: 32768",
	}, "\n")
	if got := said(t, V2, b); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := said(t, V2, b[:len(b)-1]); !strings.Contains(got, "unreadable: 2 of 3 bytes") {
		t.Errorf("got\n%s", got)
	}
}

// Whatever the bytes are, the parts are all of them.
func TestDissectAnything(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(r, "bytes")
		for _, p := range []Protocol{V1, V2} {
			at := 0
			for _, part := range Dissect(p, b) {
				if part.At != at || part.Len <= 0 {
					r.Fatalf("part %+v, want it to begin at %d", part, at)
				}
				at += part.Len
			}
			if at != len(b) {
				r.Fatalf("the parts are %d bytes of %d", at, len(b))
			}
		}
	})
}

// Time grows with the bytes, not with their square: a trace may hold thousands of frames.
func BenchmarkDissect(b *testing.B) {
	frame, at := Begin(nil, []byte("1"), []byte("fib"))
	v1 := bytes.Repeat(End(append(frame, "10"...), at), 10_000)
	v2 := bytes.Repeat(AppendFrame(nil, KindData, 0, 1, []byte("89")), 10_000)
	for _, tt := range []struct {
		p     Protocol
		bytes []byte
	}{{V1, v1}, {V2, v2}} {
		b.Run(tt.p.String(), func(b *testing.B) {
			for b.Loop() {
				Dissect(tt.p, tt.bytes)
			}
		})
	}
}

func FuzzDissect(f *testing.F) {
	f.Add([]byte(Magic + "\x00\x00\x00\x11\x01\x0b\x00\x88\x27\x00\x01\x03fib10"))
	f.Fuzz(func(t *testing.T, b []byte) {
		said(t, V1, b)
		said(t, V2, b)
	})
}
