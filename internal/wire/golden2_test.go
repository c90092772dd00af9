package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// goldens2 are the frames of version 2, the magic taken off.
func goldens2(t testing.TB) map[string][]byte {
	t.Helper()
	frames := make(map[string][]byte)
	for _, g := range readGoldens(t, "testdata/v2.txt", 30) {
		frames[g.name] = bytes.TrimPrefix(g.frame, []byte(Magic))
	}
	return frames
}

const traceText55 = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// written2 makes each golden frame again with what this package writes.
func written2(t testing.TB) map[string][]byte {
	t.Helper()
	frame := func(k Kind, f Flags, stream uint32, payload []byte) []byte {
		return AppendFrame(nil, k, f, stream, payload)
	}
	open := func(h OpenHead, rest string) []byte { return append(AppendOpen(nil, &h), rest...) }
	block := func(pairs ...string) (b []byte) {
		for i := 0; i < len(pairs); i += 2 {
			var err error
			if b, err = AppendField(b, pairs[i], pairs[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		return AppendBlock(nil, b)
	}
	all := DefaultSettings()
	defaults := AppendSettings(nil, &all)
	all = Settings{MaxMessage: 16 << 10, Window: 128 << 10, MaxStreams: 64, Codecs: []CodecID{CodecJSON, CodecRaw}, Algorithms: []AlgorithmID{Deflate},
		MinPing: time.Second, Authorization: "abc", Name: "rpckids 1.0", MaxMetadata: 4 << 10, WantTiming: true}
	fib, exact := []byte("fib"), 5*time.Second
	timing := AppendBlock(nil, AppendTiming(nil, 1200, 40))
	return map[string][]byte{
		"connect":           frame(KindSettings, 0, 0, defaults),
		"connect-answer":    frame(KindSettings, 0, 0, nil),
		"settings-all":      frame(KindSettings, 0, 0, AppendSettings(nil, &all)),
		"fib-first":         frame(KindOpen, FlagEnd, 1, open(OpenHead{Timeout: exact, Number: 1, Name: fib}, "10")),
		"fib-second":        frame(KindOpen, FlagEnd, 2, open(OpenHead{Timeout: exact - time.Microsecond, Number: 1}, "10")),
		"fib-reply":         frame(KindData, FlagEnd, 2, []byte("89")),
		"fib-reply-timing":  frame(KindData, FlagEnd|FlagMeta, 2, append(timing, "89"...)),
		"fib-unnumbered":    frame(KindOpen, FlagEnd, 128, open(OpenHead{Timeout: exact, Name: fib}, "10")),
		"cast":              frame(KindOpen, FlagEnd, 3, open(OpenHead{OneWay: true, Number: 2}, "true")),
		"open-metadata":     frame(KindOpen, FlagEnd|FlagMeta, 4, open(OpenHead{Idempotent: true, Number: 1}, string(block(FieldTraceparent, traceText55, "tenant", "t1"))+"10")),
		"open-upload":       frame(KindOpen, 0, 5, open(OpenHead{NoMessage: true, Number: 3, Name: []byte("sum")}, "")),
		"upload-item":       frame(KindData, 0, 5, []byte("7")),
		"upload-end":        frame(KindData, FlagEnd, 5, nil),
		"stream-item":       frame(KindData, 0, 7, []byte("89")),
		"stream-item-next":  frame(KindData, 0, 7, []byte("144")),
		"stream-end":        frame(KindData, FlagEnd, 7, nil),
		"stream-trailers":   frame(KindData, FlagEnd|FlagMeta, 7, block("sum", "9")),
		"fragment-first":    frame(KindData, FlagMore, 9, []byte(`"ab`)),
		"fragment-last":     frame(KindData, FlagEnd, 9, []byte(`c"`)),
		"error":             frame(KindError, 0, 2, AppendFailure(nil, &Error{Code: NotFound, Message: "no such service"})),
		"error-details":     frame(KindError, 0, 2, AppendFailure(nil, &Error{Code: InvalidArgument, Details: json.RawMessage(`{"pattern":"stream"}`)})),
		"error-refused":     frame(KindError, FlagRefused, 6, AppendFailure(nil, &Error{Code: ResourceExhausted, Message: "queue!", RetryAfter: 250 * time.Millisecond})),
		"cancel":            frame(KindError, 0, 2, AppendFailure(nil, &Error{Code: Canceled})),
		"credit":            frame(KindCredit, 0, 2, AppendCredit(nil, MinWindow/2)),
		"ping":              frame(KindPing, 0, 0, nil),
		"ping-answer":       frame(KindPing, FlagEnd, 0, nil),
		"ping-bytes":        frame(KindPing, 0, 0, []byte{1, 2, 3, 4, 5, 6, 7, 8}),
		"ping-bytes-answer": frame(KindPing, FlagEnd, 0, []byte{1, 2, 3, 4, 5, 6, 7, 8}),
		"goaway":            frame(KindGoAway, 0, 0, AppendGoAway(nil, &Farewell{Last: 41, Left: 10 * time.Second})),
		"goaway-text":       frame(KindGoAway, 0, 0, AppendGoAway(nil, &Farewell{Last: 128, Code: ResourceExhausted, Text: "rapid reset"})),
		"unknown-on-0":      frame(9, 15, 0, []byte{1, 2, 3}),
	}
}

func TestGoldenFramesOfVersion2AreWritten(t *testing.T) {
	written := written2(t)
	for name, frame := range goldens2(t) {
		if name == "compressed" { // any deflate that inflates to the same will do: see TestGoldenCompressedMessage
			continue
		}
		if got := written[name]; !bytes.Equal(got, frame) {
			t.Errorf("%s: writes\n%x, want\n%x", name, got, frame)
		}
		delete(written, name)
	}
	for name := range written {
		t.Errorf("%s is not in testdata/v2.txt", name)
	}
}

// meaning2 is what a reader makes of each golden frame, written down by hand.
var meaning2 = map[string]string{
	"connect":           `SETTINGS 0 0: {1048576 65536 512 8192 [0] [] 5s   false}`,
	"connect-answer":    `SETTINGS 0 0: {1048576 65536 512 8192 [0] [] 5s   false}`,
	"settings-all":      `SETTINGS 0 0: {16384 131072 64 4096 [0 4] [1] 1s abc rpckids 1.0 true}`,
	"fib-first":         `OPEN 1 1: {0 false false false 5s 1 fib}: "10"`,
	"fib-second":        `OPEN 1 2: {0 false false false 5s 1 }: "10"`,
	"fib-reply":         `DATA 1 2: "89"`,
	"fib-reply-timing":  `DATA 3 2: server-timing=1200 40: "89"`,
	"fib-unnumbered":    `OPEN 1 128: {0 false false false 5s 0 fib}: "10"`,
	"cast":              `OPEN 1 3: {0 true false false 0s 2 }: "true"`,
	"open-metadata":     `OPEN 3 4: {0 false true false 0s 1 }: traceparent=` + traceText55 + ` tenant=t1: "10"`,
	"open-upload":       `OPEN 0 5: {0 false false true 0s 3 sum}: ""`,
	"upload-item":       `DATA 0 5: "7"`,
	"upload-end":        `DATA 1 5: ""`,
	"stream-item":       `DATA 0 7: "89"`,
	"stream-item-next":  `DATA 0 7: "144"`,
	"stream-end":        `DATA 1 7: ""`,
	"stream-trailers":   `DATA 3 7: sum=9: ""`,
	"fragment-first":    `DATA 8 9: "\"ab"`,
	"fragment-last":     `DATA 1 9: "c\""`,
	"compressed":        `DATA 5 11: "\x01SJ$\x12(\x01\x00"`,
	"error":             `ERROR 0 2: not_found: no such service 0s `,
	"error-details":     `ERROR 0 2: invalid_argument:  0s {"pattern":"stream"}`,
	"error-refused":     `ERROR 8 6: resource_exhausted: queue! 250ms `,
	"cancel":            `ERROR 0 2: canceled:  0s `,
	"credit":            `CREDIT 0 2: 32768`,
	"ping":              `PING 0 0: ""`,
	"ping-answer":       `PING 1 0: ""`,
	"ping-bytes":        `PING 0 0: "\x01\x02\x03\x04\x05\x06\a\b"`,
	"ping-bytes-answer": `PING 1 0: "\x01\x02\x03\x04\x05\x06\a\b"`,
	"goaway":            `GOAWAY 0 0: {41 ok 10s }`,
	"goaway-text":       `GOAWAY 0 0: {128 resource_exhausted 0s rapid reset}`,
	"unknown-on-0":      `UNKNOWN 15 0: "\x01\x02\x03"`,
}

// tell reads a frame to the end and says what it means.
func tell(t testing.TB, f Frame) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%v %d %d: ", f.Kind, f.Flags, f.Stream)
	rest, err := f.Payload, error(nil)
	must := func(v any, err error) {
		if t.Helper(); err != nil {
			t.Fatalf("%v: %v", f.Kind, err)
		}
		fmt.Fprintf(&b, "%v", v)
	}
	switch f.Kind {
	case KindSettings:
		must(ParseSettings(rest))
		return b.String()
	case KindCredit:
		must(ParseCredit(rest))
		return b.String()
	case KindGoAway:
		must(ParseGoAway(rest))
		return b.String()
	case KindError:
		e, err := ParseFailure(rest)
		must(e, err)
		fmt.Fprintf(&b, " %v %s", e.RetryAfter, e.Details)
		return b.String()
	case KindOpen:
		var h OpenHead
		h, rest, err = ParseOpen(rest)
		must("", err)
		fmt.Fprintf(&b, "{%d %v %v %v %v %d %s}: ", h.Codec, h.OneWay, h.Idempotent, h.NoMessage, h.Timeout, h.Number, h.Name)
	}
	if f.Flags&FlagMeta != 0 && f.Kind < kindIgnored {
		var block []byte
		block, rest, err = CutBlock(rest, 8<<10)
		must("", err)
		var pairs []string
		for name, value := range Fields(block) {
			pairs = append(pairs, name+"="+value)
		}
		b.WriteString(strings.Join(pairs, " ") + ": ")
	}
	fmt.Fprintf(&b, "%q", rest)
	return b.String()
}

func TestGoldenFramesOfVersion2AreRead(t *testing.T) {
	frames := goldens2(t)
	if len(frames) != len(meaning2) {
		t.Errorf("%d frames, %d meanings", len(frames), len(meaning2))
	}
	for name, frame := range frames {
		for _, chunk := range []int{len(frame), 1, 3} {
			got, err := readFrames(frame, chunk)
			if err != nil || len(got) != 1 {
				t.Fatalf("%s in chunks of %d: %d frames, %v", name, chunk, len(got), err)
			}
			if text := tell(t, got[0]); text != meaning2[name] {
				t.Errorf("%s in chunks of %d: reads\n%s, want\n%s", name, chunk, text, meaning2[name])
			}
			if got[0].Size != len(frame) {
				t.Errorf("%s: size %d, want %d", name, got[0].Size, len(frame))
			}
		}
	}
}

// What the specification promises to those who count bytes.
func TestSizesOnTheWire(t *testing.T) {
	frames := goldens2(t)
	for name, want := range map[string]int{"connect": 3, "fib-first": 14, "fib-second": 9, "fib-reply": 5, "cancel": 4, "credit": 6, "ping": 3} {
		if got := len(frames[name]); got != want {
			t.Errorf("%s takes %d bytes, want %d", name, got, want)
		}
	}
	var items []byte
	for i := range 1000 {
		items = AppendFrame(items, KindData, 0, 7, fmt.Append(nil, i))
	}
	if items = AppendFrame(items, KindData, FlagEnd, 7, nil); len(items) >= 6000 {
		t.Errorf("1000 small items take %d bytes, want fewer than 6000", len(items))
	}
}

func TestGoldenCompressedMessage(t *testing.T) {
	frames, err := readFrames(goldens2(t)["compressed"], 1)
	if err != nil || len(frames) != 1 {
		t.Fatal(frames, err)
	}
	message := frames[0].Payload
	a, ok := AlgorithmOf(AlgorithmID(message[0]))
	if !ok {
		t.Fatalf("no algorithm %d", message[0])
	}
	got, err := a.Decompress(message[1:], 1<<20)
	if want := `"` + strings.Repeat("a", 40) + `"`; err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// readFrames feeds b in chunks and returns copies of all frames up to the first error.
func readFrames(b []byte, chunk int) (all []Frame, err error) {
	var d FrameDecoder
	for len(b) > 0 && err == nil {
		n := copy(d.Space(), b[:min(chunk, len(b))])
		d.Fed(n)
		b = b[n:]
		for err == nil {
			var f Frame
			var ok bool
			if f, ok, err = d.Next(); !ok {
				break
			}
			f.Payload = bytes.Clone(f.Payload)
			all = append(all, f)
		}
	}
	return all, err
}

// The examples of the specification: in the code blocks of its section 3, all that is nothing but bytes is whole frames.
func TestExamplesOfTheSpecification(t *testing.T) {
	page, err := os.ReadFile("../../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(page), "\n## 3. Version 2\n")
	if !ok {
		t.Fatal("the page has no section on version 2")
	}
	bytesOnly := regexp.MustCompile(`^[0-9A-F]{2}( (\| )?[0-9A-F]{2})+$`)
	seen, inBlock := 0, false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			inBlock = !inBlock
			continue
		}
		for example := range strings.SplitSeq(strings.TrimSpace(line), "   ") {
			example = strings.TrimSpace(example)
			if !inBlock || !bytesOnly.MatchString(example) {
				continue
			}
			b, err := hex.DecodeString(strings.NewReplacer(" ", "", "|", "").Replace(example))
			if err != nil {
				t.Fatal(err)
			}
			b = bytes.TrimPrefix(b, []byte(Magic))
			frames, err := readFrames(b, len(b))
			if err != nil || len(frames) != 1 || frames[0].Size != len(b) {
				t.Errorf("%s: %d frames, %v; want one", example, len(frames), err)
				continue
			}
			if err := readAll(frames[0]); err != nil {
				t.Errorf("%s: %v", example, err)
			}
			seen++
		}
	}
	if seen < 17 {
		t.Errorf("%d examples found, want 17 or more", seen)
	}
}

// Every breach has its row in the specification, under the name that counters show.
func TestBreachesOfTheSpecification(t *testing.T) {
	page, err := os.ReadFile("../../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("breach.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^\t[A-Z]\w+ += "(.+?)"`).FindAllSubmatch(source, -1)
	for _, m := range names {
		if row := fmt.Sprintf("\n| `%s` | ", m[1]); !strings.Contains(string(page), row) {
			t.Errorf("the specification does not list %q", m[1])
		}
	}
	if rows := strings.Count(string(page[bytes.Index(page, []byte("### 3.14")):bytes.Index(page, []byte("### 3.15"))]), "\n| `"); rows != len(names) {
		t.Errorf("%d breaches in the specification, %d here", rows, len(names))
	}
}
