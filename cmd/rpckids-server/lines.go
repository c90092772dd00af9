package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

func newLogger(out io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level is %q, want debug, info, warn or error", level)
	}
	switch format {
	case "text":
		return slog.New(&lines{out: out, level: l, mu: new(sync.Mutex)}), nil
	case "json":
		return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: l})), nil
	}
	return nil, fmt.Errorf("--log-format is %q, want text or json", format)
}

// lines is a slog.Handler for people: the message first, as the original prints it, then what there is to say about it.
//
//	connection comes peer=127.0.0.1:52114 at=15:04:05.000
type lines struct {
	out   io.Writer
	level slog.Level
	fixed string // attributes of With
	group string // prefix of WithGroup

	mu *sync.Mutex // protects out; one for all that come from the same lines
}

func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	if r.Level >= slog.LevelWarn {
		b.WriteString(strings.ToLower(r.Level.String()) + ": ")
	}
	b.WriteString(r.Message)
	b.WriteString(l.fixed)
	r.Attrs(func(a slog.Attr) bool {
		writeAttr(&b, l.group, a)
		return true
	})
	if !r.Time.IsZero() {
		writeAttr(&b, "", slog.String("at", r.Time.Format("15:04:05.000")))
	}
	b.WriteByte('\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := io.WriteString(l.out, b.String())
	return err
}

func (l *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	for _, a := range attrs {
		writeAttr(&b, l.group, a)
	}
	next := *l
	next.fixed += b.String()
	return &next
}

func (l *lines) WithGroup(name string) slog.Handler {
	next := *l
	if name != "" {
		next.group += name + "."
	}
	return &next
}

func writeAttr(b *strings.Builder, group string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			writeAttr(b, group, inner)
		}
		return
	}
	if a.Equal(slog.Attr{}) || a.Key == "event" { // which the message says in words
		return
	}
	text := v.String()
	if v.Kind() == slog.KindTime {
		text = v.Time().Format(time.RFC3339Nano)
	}
	b.WriteString(" " + group + a.Key + "=" + quoted(text))
}

// quoted puts quotes around what would not read as one word, and escapes around what would not print. A backslash stays as it is: the
// server has put its own escapes into what a peer sent.
func quoted(s string) string {
	printable := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
	switch {
	case !printable:
		return strconv.Quote(s)
	case s == "" || strings.ContainsAny(s, " \"="):
		return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
	}
	return s
}

// mostLine is how much of a line that was cast to log is shown.
const mostLine = 200

// printable makes a peer's text safe for a terminal, whatever the handler of the log does with it.
func printable(s string) string {
	if len(s) > mostLine {
		s = strings.ToValidUTF8(s[:mostLine], "") + "..."
	}
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
