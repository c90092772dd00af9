package console

import (
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// DiffKind says where a line of a comparison stands.
type DiffKind int

const (
	DiffHead    DiffKind = iota // the name of what follows: request, state, reply
	DiffSame                    // in both
	DiffRemoved                 // in the first only
	DiffAdded                   // in the second only
	DiffSkipped                 // stands for lines that are the same in both
)

// DiffLine is a line of a comparison. Text is safe for a terminal and has no sign before it.
type DiffLine struct {
	Kind DiffKind
	Text string
}

// String is the line with its sign: "- ", "+ ", or two spaces.
func (l DiffLine) String() string {
	switch l.Kind {
	case DiffHead:
		return l.Text
	case DiffRemoved:
		return strings.TrimRight("- "+l.Text, " ")
	case DiffAdded:
		return strings.TrimRight("+ "+l.Text, " ")
	}
	return strings.TrimRight("  "+l.Text, " ")
}

const (
	diffContext = 3       // equal lines around a difference
	diffMost    = 4 << 20 // bytes of both texts together; beyond them only their beginnings are compared
	diffLines   = 2000    // of one part
)

// diffSection is one thing that two entries are compared by.
type diffSection struct {
	name  string
	equal bool
	cut   bool // only the beginnings were compared
	lines []DiffLine
}

// DiffEntries compares two calls, from a to b: what was sent and how it ended where that differs, and what came back. Payloads are compared line by line as `show` writes
// them, so it is their text that counts: the order of fields, too. It takes time in proportion to the payloads; a face does it beside its own work.
func DiffEntries(a, b Entry) []DiffLine {
	var lines []DiffLine
	for _, s := range diffSections(&a, &b) {
		if s.equal && s.name != "reply" {
			continue
		}
		head := s.name
		if s.equal {
			head += " equal"
		}
		if s.cut {
			head += ", compared up to " + Bytes(diffMost/2)
		}
		lines = append(append(lines, DiffLine{DiffHead, head}), s.lines...)
	}
	return lines
}

func diffSections(a, b *Entry) []diffSection {
	state := compare("state", stateText(a), stateText(b))
	request := compare("request", requestLines(a), requestLines(b))
	reply := compare("reply", replyLines(a), replyLines(b))
	request.cut = len(a.Payload) > diffMost/2 || len(b.Payload) > diffMost/2
	reply.cut = len(a.Result) > diffMost/2 || len(b.Result) > diffMost/2
	return []diffSection{request, state, reply}
}

// requestLines is what was sent, to be compared line by line.
func requestLines(e *Entry) string {
	return e.Kind.String() + " " + Printable(e.Type) + "\n" + comparable(e.Payload)
}

// replyLines is what came back, likewise.
func replyLines(e *Entry) string {
	if e.State != OK {
		return ""
	}
	return shorten(Printable(e.ReplyType), maxType) + "\n" + comparable(e.Result)
}

// stateText is how a call ended.
func stateText(e *Entry) string {
	text := e.Word()
	if e.Err != nil {
		text += "\n" + e.Err.Message
	}
	return text
}

// comparable is a payload over several lines, of which too many are left out before they take time.
func comparable(payload []byte) string {
	if len(payload) > diffMost/2 {
		return Printable(string(payload[:diffMost/2]))
	}
	return indented(payload)
}

// compare compares two texts. Each hunk of differences has its context; what lies between is counted.
func compare(name, a, b string) diffSection {
	s := diffSection{name: name, equal: a == b}
	if s.equal {
		return s
	}
	a, b = strings.TrimSuffix(a, "\n")+"\n", strings.TrimSuffix(b, "\n")+"\n"
	if a == "\n" {
		a = ""
	}
	if b == "\n" {
		b = ""
	}
	u, err := udiff.ToUnifiedDiff("", "", a, udiff.Lines(a, b), diffContext)
	if err != nil { // edits of its own making: cannot fail
		return s
	}
	at := 1
	for _, h := range u.Hunks {
		s.skip(h.FromLine - at)
		at = h.FromLine
		for _, l := range h.Lines {
			if len(s.lines) == diffLines {
				s.lines = append(s.lines, DiffLine{DiffSkipped, "... more differences"})
				return s
			}
			kind := map[udiff.OpKind]DiffKind{udiff.Delete: DiffRemoved, udiff.Insert: DiffAdded, udiff.Equal: DiffSame}[l.Kind]
			s.lines = append(s.lines, DiffLine{kind, strings.TrimSuffix(l.Content, "\n")})
			if l.Kind != udiff.Insert {
				at++
			}
		}
	}
	s.skip(strings.Count(a, "\n") + 1 - at)
	return s
}

func (s *diffSection) skip(lines int) {
	if lines > 0 {
		s.lines = append(s.lines, DiffLine{DiffSkipped, "... " + countOf(lines, "equal line")})
	}
}

// diffJSON is a comparison as -o json prints it.
type diffJSON struct {
	Kind    string   `json:"kind"`
	From    int      `json:"from"`
	To      int      `json:"to"`
	Equal   bool     `json:"equal"`
	Request []string `json:"request,omitempty"`
	State   []string `json:"state,omitempty"`
	Reply   []string `json:"reply,omitempty"`
	RTT     []int64  `json:"rtt_ns"`
}
