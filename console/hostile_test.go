package console

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"strings"
	"testing"
)

// rude is a server that answers everything with one text, wherever one can stand.
type rude struct {
	fake
	text string
}

func (r *rude) quoted() json.RawMessage {
	b, _ := json.Marshal(r.text)
	return json.RawMessage(`{"` + strings.Trim(string(b), `"`) + `":"` + r.text + `","n":7}`)
}

func (r *rude) Stats() Stats {
	return Stats{Target: "rude:8888", Server: r.text, State: Reconnecting, Protocol: "v2", Ours: true, LastError: r.text}
}

func (r *rude) Call(_ context.Context, q Request) (Reply, error) {
	rep := Reply{Type: r.text, Trace: Trace{RequestID: r.text, Server: r.text, Protocol: "v1", Attempts: 1, Out: []byte(r.text), In: []byte(r.text)}}
	switch q.Type {
	case "fails":
		return rep, &Error{Exit: ExitServer, Code: r.text, Message: r.text, Hint: r.text, Likely: r.text, Details: json.RawMessage(r.text)}
	case "bare":
		rep.Payload = json.RawMessage(r.text) // most of them are no JSON
	default:
		rep.Payload = r.quoted()
	}
	return rep, nil
}

func (r *rude) Stream(ctx context.Context, q Request, item func(json.RawMessage) error) (Reply, error) {
	for range 2 {
		if err := item(r.quoted()); err != nil {
			return Reply{}, err
		}
	}
	rep, _ := r.Call(ctx, q)
	return rep, &Error{Exit: ExitServer, Code: r.text, Message: r.text}
}

func (r *rude) Upload(ctx context.Context, q Request, _ iter.Seq2[json.RawMessage, error]) (Reply, error) {
	return r.Call(ctx, q)
}

func (r *rude) Services(context.Context) ([]Service, error) {
	return []Service{{Name: r.text, ReplyType: r.text, Pattern: "upload", Request: r.quoted(), Reply: json.RawMessage(`{}`)}}, nil
}

func (r *rude) Health(context.Context) (Health, error) {
	return Health{Server: r.text, Status: r.text, Name: r.text, Go: r.text, Protocols: []string{r.text, r.text}, Refusals: map[string]uint64{r.text: 1 << 63}, Connections: -1 << 63,
		Limit: -1, InFlight: 1 << 62, Calls: 1<<64 - 1, BytesIn: 1<<64 - 1, Uptime: -1}, nil
}

// TestHostileServer sees what every command prints of a server that wants the terminal: lines of text, with every control character shown as an escape.
func TestHostileServer(t *testing.T) {
	var controls strings.Builder
	for r := range rune(0xa0) {
		if r < 0x20 || r > 0x7e {
			controls.WriteString("a" + string(r))
		}
	}
	for name, text := range map[string]string{
		"controls": controls.String(),
		"bytes":    "\x80\x9b2J\xff\xc3",
		"csi":      "a\x1b[2J\x1b[H\x1b[31mb\u009b2Jc",
		"osc":      "a\x1b]52;c;aGk=\x07\x1b]8;;http://x.example\x1b\\b\x1b]0;title\x07",
		"bidi":     "a\u202eb\u2066c\u200fd\u061ce\ufefff\u2028g\u00adh\U000e0041",
		"rows":     strings.Repeat("x\r\n", 50),
		"one line": strings.Repeat("x\x1b", 1<<13),
	} {
		for format, word := range formatNames {
			t.Run(name+"/"+word, func(t *testing.T) {
				s := NewSession(Config{Dial: func(context.Context, string, DialOptions) (Backend, error) { return &rude{text: text}, nil }})
				defer s.Close()
				var out bytes.Buffer
				p := &Printer{Out: &out, Err: &out, Format: Format(format), Terminal: true}
				for _, line := range []string{"connect rude:8888", "status", "services", "services a", "watch .n", "call fib 1 --no-check", "call bare 1 --no-check", "call fails 1 --no-check",
					"stream ticks 1 --no-check", "upload sum 1 2 --no-check", "diff 1 2", "wire 1", "wire 2", "show 1", "history", "rerun 3", "watch", "rpc", "timeouts", "top -n 2 --every 100ms", "top -n 1", "status"} {
					r, err := s.ExecTalk(t.Context(), line, p.Talk())
					if err := p.Print(r, err); err != nil {
						t.Fatalf("%s: %v", line, err)
					}
					for printed := range strings.Lines(out.String()) {
						if printed = strings.TrimSuffix(printed, "\n"); strings.ReplaceAll(printed, "\t", "") != Printable(strings.ReplaceAll(printed, "\t", "")) {
							t.Fatalf("%s printed %.300q", line, printed)
						}
					}
					out.Reset()
				}
			})
		}
	}
}
