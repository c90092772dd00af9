package rpcserver

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
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

// The lines of the original are its words: server started @ ..., connection comes, read a message, connection leaves.

func (s *Server) logs(level slog.Level) bool {
	return s.config.Logger != nil && s.config.Logger.Enabled(context.Background(), level)
}

func (s *Server) log(level slog.Level, line string, attrs ...slog.Attr) {
	if s.logs(level) {
		s.config.Logger.LogAttrs(context.Background(), level, line, attrs...)
	}
}

func (c *conn) log(level slog.Level, line string, attrs ...slog.Attr) {
	if c.s.logs(level) {
		c.s.log(level, line, append([]slog.Attr{slog.String("peer", c.nc.RemoteAddr().String())}, attrs...)...)
	}
}

// logFailure logs a call that failed, at most once a second per connection: a peer must not fill a disk.
func (c *conn) logFailure(call *Call, e *Error) {
	if !c.s.logs(slog.LevelInfo) {
		return
	}
	now := time.Now()
	c.mu.Lock()
	quiet := now.Sub(c.failureLogged) < time.Second
	if !quiet {
		c.failureLogged = now
	}
	c.mu.Unlock()
	if quiet {
		return
	}
	attrs := []slog.Attr{slog.String("code", e.Code.String()), slog.String("error", shown(e.Message, mostError))}
	if call.stream != nil {
		attrs = append(attrs, slog.Uint64("stream", uint64(call.stream.ID())))
	}
	if call.service != nil { // else the error says which service there is not
		attrs = append(attrs, slog.String("type", call.service.name))
	}
	c.log(slog.LevelInfo, "a call failed", attrs...)
}
