package wire

import (
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

// The metadata that has a number of its own on the wire. Any other name travels as itself.
const (
	FieldTraceparent    = "traceparent"     // W3C trace context, 55 characters; 26 bytes on the wire
	FieldTracestate     = "tracestate"      // the vendors' part of it
	FieldAuthorization  = "authorization"   // who is calling, for this call alone. Never logged
	FieldRequestID      = "request-id"      // the caller's own name for the call
	FieldIdempotencyKey = "idempotency-key" // two calls with the same key are the same call
	FieldAttempt        = "attempt"         // how many times this call has been sent before, and once more
	FieldLoad           = "server-load"     // how busy the server is, 0 to 255; one byte on the wire
	FieldUserAgent      = "user-agent"      // the calling program
	FieldTiming         = "server-timing"   // nanoseconds in the queue and in the handler, as in "1200 45000"; two varints on the wire
)

// FieldReplyType names the type of a reply where it is not the method's name and "_res". It has no number: it travels as itself.
const FieldReplyType = "reply-type"

// fieldNames is the static table: the key byte of a name is its place. 0 says that the name itself follows.
var fieldNames = [...]string{1: FieldTraceparent, FieldTracestate, FieldAuthorization, FieldRequestID, FieldIdempotencyKey, FieldAttempt,
	FieldLoad, FieldUserAgent, FieldTiming}

const (
	keyLiteral     = 0
	keyTraceparent = 1
	keyLoad        = 7
	keyTiming      = 9

	traceBytes   = 26 // version, trace id, span id, flags
	maxFieldName = 64
)

// AppendBlock appends a block of pairs as it stands in a frame with META: its total length, then the pairs.
func AppendBlock(dst, block []byte) []byte {
	return append(AppendVarint(dst, uint64(len(block))), block...)
}

// CutBlock reads the block at the start of b and checks every pair; rest is the message. The total is held against limit before
// anything is decoded. block points into b; the error is a [*Breach].
func CutBlock(b []byte, limit int) (block, rest []byte, err error) {
	total, n := Varint(b)
	if n <= 0 {
		return nil, nil, breachf(BadMetadata, "no total")
	}
	if limit < 0 || total > uint64(limit) {
		return nil, nil, breachf(MetadataTooLarge, "%d bytes, at most %d", total, limit)
	}
	if b = b[n:]; total > uint64(len(b)) {
		return nil, nil, breachf(BadMetadata, "%d bytes of %d", len(b), total)
	}
	block, rest = b[:total:total], b[total:]
	var seen uint64
	for pairs := block; len(pairs) > 0; {
		p, after, err := cutPair(pairs)
		if err != nil {
			return nil, nil, err
		}
		if p.key != keyLiteral && p.key < 64 {
			if seen&(1<<p.key) != 0 {
				return nil, nil, breachf(BadMetadata, "key %d comes twice", p.key)
			}
			seen |= 1 << p.key
		}
		pairs = after
	}
	return block, rest, nil
}

// pair is one entry of a block.
type pair struct {
	key         byte
	name, value []byte // name: of a literal key only
}

// cutPair reads and checks the pair at the start of b.
func cutPair(b []byte) (p pair, rest []byte, err error) {
	p.key, rest = b[0], b[1:]
	var ok bool
	if p.key == keyLiteral {
		if p.name, rest, ok = prefixed(rest); !ok || !isFieldName(p.name) || keyOf(string(p.name)) > 0 {
			return p, nil, breachf(BadMetadata, "a literal key is no name, or has a number")
		}
	}
	if p.value, rest, ok = prefixed(rest); !ok {
		return p, nil, breachf(BadMetadata, "a value is not as long as declared")
	}
	switch p.key {
	case keyTraceparent:
		ok = len(p.value) == traceBytes
	case keyLoad:
		ok = len(p.value) == 1
	case keyTiming:
		_, _, ok = parseTiming(p.value)
	}
	if !ok {
		return p, nil, breachf(BadMetadata, "the value of %s has the wrong form", fieldNames[p.key])
	}
	return p, rest, nil
}

// keyOf returns the key byte of a name in the static table, or 0.
func keyOf(name string) byte {
	for i, n := range fieldNames {
		if n == name && i > 0 {
			return byte(i)
		}
	}
	return keyLiteral
}

func isFieldName[S ~string | ~[]byte](name S) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return 0 < len(name) && len(name) <= maxFieldName
}

// AppendField appends one pair to a block. A name has 1 to 64 bytes of a-z, 0-9, "-", "_" and "."; some names of the static table
// want a value of their own form. On an error dst is returned as it was.
func AppendField(dst []byte, name, value string) ([]byte, error) {
	switch key := keyOf(name); key {
	case keyLiteral:
		if !isFieldName(name) {
			return dst, fmt.Errorf("metadata name %.80q: want 1 to %d of . - _ 0-9 a-z", name, maxFieldName)
		}
		dst = append(dst, keyLiteral)
		dst = append(AppendVarint(dst, uint64(len(name))), name...)
		return append(AppendVarint(dst, uint64(len(value))), value...), nil
	case keyTraceparent:
		return appendTrace(dst, value)
	case keyLoad:
		load, err := strconv.ParseUint(value, 10, 8)
		if err != nil || strconv.FormatUint(load, 10) != value {
			return dst, errors.New("metadata " + FieldLoad + ": want 0 to 255")
		}
		return append(dst, keyLoad, 1, byte(load)), nil
	case keyTiming:
		queue, handler, ok := parseTimingText(value)
		if !ok {
			return dst, errors.New("metadata " + FieldTiming + ": want two numbers of nanoseconds")
		}
		return AppendTiming(dst, queue, handler), nil
	default:
		dst = append(dst, key)
		return append(AppendVarint(dst, uint64(len(value))), value...), nil
	}
}

// appendTrace packs the 55 characters of a traceparent into 26 bytes.
func appendTrace(dst []byte, text string) ([]byte, error) {
	if len(text) != traceLen || !isTrace([]byte(text)) {
		return dst, errors.New("metadata " + FieldTraceparent + ": want 00-<32 hex>-<16 hex>-<2 hex>")
	}
	dst = append(dst, keyTraceparent, traceBytes)
	for i := 0; i < len(text); i += 2 {
		if text[i] == '-' {
			i++
		}
		var b [1]byte
		_, _ = hex.Decode(b[:], []byte(text[i:i+2])) // isTrace has looked
		dst = append(dst, b[0])
	}
	return dst, nil
}

func traceText(raw []byte) string {
	b := make([]byte, 0, traceLen)
	for i, c := range raw {
		if i == 1 || i == 17 || i == 25 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, []byte{c})
	}
	return string(b)
}

// AppendTiming appends the pair of the server's own times to a block.
func AppendTiming(dst []byte, queue, handler time.Duration) []byte {
	q, h := uint64(max(queue, 0)), uint64(max(handler, 0))
	dst = append(dst, keyTiming, byte(sizeVarint(q)+sizeVarint(h)))
	return AppendVarint(AppendVarint(dst, q), h)
}

// Timing returns the server's own times, if a block that CutBlock returned has them.
func Timing(block []byte) (queue, handler time.Duration, ok bool) {
	for len(block) > 0 {
		p, rest, err := cutPair(block)
		if err != nil {
			return 0, 0, false
		}
		if p.key == keyTiming {
			return parseTiming(p.value)
		}
		block = rest
	}
	return 0, 0, false
}

func parseTiming(value []byte) (queue, handler time.Duration, ok bool) {
	q, n := Varint(value)
	if n <= 0 {
		return 0, 0, false
	}
	h, m := Varint(value[n:])
	queue, handler = time.Duration(q), time.Duration(h)
	return queue, handler, m > 0 && n+m == len(value) && queue >= 0 && handler >= 0
}

func parseTimingText(text string) (queue, handler time.Duration, ok bool) {
	first, second, _ := strings.Cut(text, " ")
	q, err := strconv.ParseUint(first, 10, 63)
	h, err2 := strconv.ParseUint(second, 10, 63)
	return time.Duration(q), time.Duration(h), err == nil && err2 == nil
}

// Fields ranges over the pairs of a block that CutBlock returned, in their order, as a person reads them: the names of the
// constants above or the names as sent, and values as AppendField takes them. Keys without a meaning are left out.
func Fields(block []byte) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for len(block) > 0 {
			p, rest, err := cutPair(block)
			if err != nil {
				return
			}
			block = rest
			if name, value, known := p.text(); known && !yield(name, value) {
				return
			}
		}
	}
}

func (p pair) text() (name, value string, known bool) {
	switch {
	case p.key == keyLiteral:
		return string(p.name), string(p.value), true
	case int(p.key) >= len(fieldNames):
		return "", "", false
	case p.key == keyTraceparent:
		value = traceText(p.value)
	case p.key == keyLoad:
		value = strconv.Itoa(int(p.value[0]))
	case p.key == keyTiming:
		queue, handler, _ := parseTiming(p.value)
		value = fmt.Sprintf("%d %d", queue.Nanoseconds(), handler.Nanoseconds())
	default:
		value = string(p.value)
	}
	return fieldNames[p.key], value, true
}
