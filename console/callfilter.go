package console

import (
	"strconv"
	"strings"
	"time"
)

// CallFilter chooses calls. Its zero value takes all of them.
type CallFilter struct {
	Failed  bool          // only those that failed
	Running bool          // only those that have not ended
	Slow    time.Duration // only those that took at least as long
	Texts   []string      // only those whose number, kind, type, payload, reply or error holds each of them; in small letters
}

// ParseCallFilter reads a filter as people type it: "failed", "running", "slow 10ms", and any other word as a text; a text of several words, or one of the
// words above, stands in quotes. All of it must hold. Its error is an *Error whose Line is text.
func ParseCallFilter(text string) (CallFilter, error) {
	var f CallFilter
	words := split(text)
	for i := 0; i < len(words); i++ {
		switch w := words[i]; w.text {
		case "failed":
			f.Failed = true
		case "running":
			f.Running = true
		case "slow":
			if i+1 == len(words) || words[i+1].text[0] < '0' || words[i+1].text[0] > '9' { // a service may be called so
				f.Texts = append(f.Texts, w.text)
				continue
			}
			i++
			d, err := time.ParseDuration(words[i].text)
			if err != nil {
				return f, &Error{Exit: ExitUsage, Message: "slow needs a time", Hint: "as 10ms, 2s, 1m30s", Line: text, At: words[i].at}
			}
			f.Slow = d
		default:
			if t := strings.ToLower(unquoted(w)); t != "" {
				f.Texts = append(f.Texts, t)
			}
		}
	}
	return f, nil
}

// split is scan for a text in which # begins no comment.
func split(text string) (words []word) {
	for at := 0; at < len(text); {
		if space(text[at]) {
			at++
			continue
		}
		w := nextWord(text, at)
		words, at = append(words, w), w.end()
	}
	return words
}

// unquoted is a word without the quotes around it.
func unquoted(w word) string {
	t := w.text
	if len(t) > 1 && t[0] == '"' && strings.IndexByte(t[1:], '"') == len(t)-2 {
		t = t[1 : len(t)-1]
	}
	return t
}

// All says whether the filter takes every call.
func (f CallFilter) All() bool { return !f.Failed && !f.Running && f.Slow == 0 && len(f.Texts) == 0 }

// String is the filter as ParseCallFilter reads it.
func (f CallFilter) String() string {
	var parts []string
	if f.Failed {
		parts = append(parts, "failed")
	}
	if f.Running {
		parts = append(parts, "running")
	}
	if f.Slow > 0 {
		parts = append(parts, "slow "+f.Slow.String())
	}
	for _, t := range f.Texts {
		if t == "failed" || t == "running" || strings.ContainsAny(t, " \t") {
			t = `"` + t + `"`
		}
		parts = append(parts, t)
	}
	return strings.Join(parts, " ")
}

// Match says whether an entry is one of those that the filter chooses. Of large payloads the first 64 KiB are looked at, so that a list of a thousand is
// chosen from at once.
func (f CallFilter) Match(e *Entry) bool {
	if f.Failed && (e.State != Failed || e.Stopped()) || f.Running && e.State != Running || e.Trace.RTT < f.Slow {
		return false
	}
	for _, t := range f.Texts {
		if !holds(e, t) {
			return false
		}
	}
	return true
}

// searched is how much of a payload a text is looked for in.
const searched = 64 << 10

func holds(e *Entry, text string) bool {
	in := func(s string) bool { return containsFold(s, text) }
	if in(e.Type) || in(e.ReplyType) || in(string(e.Payload[:min(len(e.Payload), searched)])) || in(string(e.Result[:min(len(e.Result), searched)])) {
		return true
	}
	return e.Err != nil && (in(e.Err.Message) || in(e.Err.Word())) || text == "#"+strconv.Itoa(e.Number) || text == e.Kind.String()
}

// containsFold is strings.Contains for a text in small letters, whatever the letters of s.
func containsFold(s, small string) bool {
	if len(s) < len(small) {
		return false
	}
	return strings.Contains(strings.ToLower(s), small)
}
