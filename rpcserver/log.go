package rpcserver

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rpckids/rpckids/internal/wire"
)

// How much of a text that a peer chose, or may have chosen a part of, is shown to a person.
const (
	mostShown = 64
	mostError = 300
)

// shown makes a text safe for a log and a terminal: control characters and whatever else does not print become escapes, and it is
// cut short.
func shown[S ~string | ~[]byte](text S, most int) string {
	cut := len(text) > most
	if cut {
		for most > 0 && !utf8.RuneStart(text[most]) {
			most--
		}
		text = text[:most]
	}
	var b strings.Builder
	for s := string(text); s != ""; {
		r, size := utf8.DecodeRuneInString(s)
		if strconv.IsPrint(r) && (r != utf8.RuneError || size > 1) {
			b.WriteString(s[:size])
		} else {
			q := strconv.Quote(s[:size])
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[size:]
	}
	if cut {
		b.WriteString("...")
	}
	return b.String()
}

// quote is shown in quotes.
func quote[S ~string | ~[]byte](text S) string { return `"` + shown(text, mostShown) + `"` }

// The lines of the original are its words: server started @ ..., connection comes, read a message, connection leaves. Each line says in its attribute
// event what it is, for programs: one of these, "server_started", or "other".
var events = map[string]string{
	"connection comes":           "conn_opened",
	"connection leaves":          "conn_closed",
	"connection refused":         "conn_refused",
	"read a message":             "message",
	"a call failed":              "call_failed",
	"a call was refused":         "call_refused",
	"a handler panicked":         "panic",
	"an HTTP handler panicked":   "panic",
	"the authenticator panicked": "panic",
	"cannot tell who calls":      "auth_failed",
	"cannot accept":              "accept_failed",
	"repaired a length":          "repaired",
	"HTTP":                       "http",
}

const startedLine = "server started @ "

func eventOf(line string) slog.Attr {
	e, ok := events[line]
	switch {
	case !ok && strings.HasPrefix(line, startedLine):
		e = "server_started"
	case !ok:
		e = "other"
	}
	return slog.String("event", e)
}

func (s *Server) logs(level slog.Level) bool {
	return s.config.Logger != nil && s.config.Logger.Enabled(context.Background(), level)
}

func (s *Server) log(level slog.Level, line string, attrs ...slog.Attr) {
	if s.logs(level) {
		s.config.Logger.LogAttrs(context.Background(), level, line, append([]slog.Attr{eventOf(line)}, attrs...)...)
	}
}

func (c *conn) log(level slog.Level, line string, attrs ...slog.Attr) {
	if c.s.logs(level) {
		c.s.log(level, line, append([]slog.Attr{slog.String("peer", shown(c.nc.RemoteAddr().String(), mostError))}, attrs...)...)
	}
}

// logFailure logs a call that failed, at most once a second for each address: a peer must not fill a disk.
func (c *conn) logFailure(call *Call, e *Error) {
	if !c.s.logs(slog.LevelInfo) {
		return
	}
	left, ok := c.s.failures.pass(addressOf(c.nc.RemoteAddr()), time.Now())
	if !ok {
		return
	}
	attrs := []slog.Attr{call.logID()}
	if call.service != nil { // else the error says which service there is not
		attrs = append(attrs, slog.String("service", call.service.name))
	}
	attrs = append(attrs, slog.String("code", e.Code.String()), slog.String("error", shown(e.Message, mostError)),
		slog.String("protocol", call.Protocol()), slog.Duration("took", time.Since(call.arrived)))
	if trace := call.Trace(); len(trace) >= traceEnd {
		attrs = append(attrs, slog.String("trace", shown(trace[traceStart:traceEnd], mostShown)))
	}
	c.log(slog.LevelInfo, "a call failed", withLeft(attrs, left)...)
}

// logRefused logs a call that package mux refused.
func (c *conn) logRefused(text string) {
	if !c.s.logs(slog.LevelInfo) {
		return
	}
	if left, ok := c.s.rejections.pass(addressOf(c.nc.RemoteAddr()), time.Now()); ok {
		c.log(slog.LevelInfo, "a call was refused", withLeft([]slog.Attr{slog.String("error", text)}, left)...)
	}
}

// Where in a traceparent the trace's id stands.
const traceStart, traceEnd = 3, 35

// logID is what the lines about one call have in common: the caller's own request id, and where there is none, on version 2, the number of the stream.
func (c *Call) logID() slog.Attr {
	const key = "request_id"
	if c.stream == nil {
		id := c.id
		if c.marked { // the rest is not the same in request and reply
			id = id[:min(len(id), wire.PrefixLen)]
		}
		return slog.String(key, shown(id, mostShown))
	}
	for name, value := range wire.Fields(c.stream.Meta()) {
		if name == wire.FieldRequestID {
			return slog.String(key, shown(value, mostShown))
		}
	}
	return slog.String(key, strconv.FormatUint(uint64(c.stream.ID()), 10))
}
