package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Text is the whole table, at most 80 cells wide.
func (t *Top) Text(ascii bool) string {
	done := *t
	done.Done = true
	return strings.Join(done.Lines(80, 100, ascii), "\n")
}

// Lines are the table in so many cells and rows. Where there are too few rows, the least of the reasons go first, then the air, then what stands at the end.
func (t *Top) Lines(cells, rows int, ascii bool) []string {
	head := t.headLines(ascii)
	now := t.stateLines(ascii)
	counts := t.countLines(cells, ascii)
	var foot []string
	if !t.Done {
		foot = []string{t.footLine(ascii)}
	}
	reasons := t.reasonLines(cells)
	if room := max(rows-len(head)-len(now)-len(counts)-len(foot), 0); len(reasons) > room {
		reasons = reasons[:room]
	}
	parts := [][]string{head, now, slices.Concat(counts, reasons), foot}
	lines := slices.Concat(parts...)
	if len(lines)+2 <= rows { // air
		lines = slices.Concat(head, []string{""}, now, []string{""}, parts[2])
		if len(foot) > 0 && len(lines)+2 <= rows {
			lines = append(lines, "")
		}
		lines = append(lines, foot...)
	}
	if len(lines) > rows { // what it did goes first, and how to end it stays
		body := lines[:len(lines)-len(foot)]
		lines = append(slices.Clip(body[:min(len(body), max(rows-len(foot), 1))]), foot...)
		lines = lines[:min(len(lines), max(rows, 1))]
	}
	for i, l := range lines {
		lines[i] = strings.TrimRight(ansi.Truncate(l, max(cells, 1), ""), " ")
	}
	return lines
}

// headLines say which server it is, and what it is.
func (t *Top) headLines(ascii bool) []string {
	mark := map[bool]string{true: "*", false: "●"}[ascii]
	if t.Draining() {
		mark = map[bool]string{true: "~", false: "◐"}[ascii]
	}
	which := t.Server
	if t.Of > 1 {
		which += fmt.Sprintf(", server %d of %d", t.Number, t.Of)
	}
	what := []string{"up " + Duration(t.Uptime, ascii)}
	for _, s := range []string{t.Name, strings.Join(t.Protocols, " "), t.Go} {
		if s != "" {
			what = append(what, s)
		}
	}
	if t.Heap > 0 {
		what = append(what, Bytes(whole(t.Heap))+" in use", countOf(whole(t.Goroutines), "goroutine"))
	}
	return []string{mark + " " + t.Status + "  " + which, "  " + strings.Join(what, "  ")}
}

// stateLines say what it is doing now.
func (t *Top) stateLines(ascii bool) []string {
	const bar = 20
	row := func(label string, n, of int, more string) string {
		line := fmt.Sprintf("%-11s%13s", label, Count(n))
		if of > 0 {
			done, rest := BenchBar(min(float64(n)/float64(of), 1), bar, ascii)
			line += fmt.Sprintf("  of %-10s%s%s", Count(of), done, rest)
		}
		if more != "" {
			line += "  " + more
		}
		return line
	}
	kinds := Count(t.V1) + " v1, " + Count(t.V2) + " v2"
	if t.Silent() > 0 {
		kinds += ", " + Count(t.Silent()) + " silent so far"
	}
	return []string{
		row("connections", t.Connections, 0, kinds),
		row("in flight", t.InFlight, t.Limit, ""),
		row("workers", t.Running, t.Workers, ""),
		row("queued", t.Queued, 0, ""),
		row("streams", t.Streams, 0, ""),
	}
}

// countLines say what it did in a second, and in all.
func (t *Top) countLines(cells int, ascii bool) []string {
	lines := []string{fmt.Sprintf("%24s%15s", "per second", "in all")}
	row := func(label, rate, all string) {
		lines = append(lines, fmt.Sprintf("%-15s%9s%15s", label, rate, all))
	}
	row("calls", t.RateText(t.Rates.Calls), Count(whole(t.Calls)))
	lines[1] += t.paceText(cells-ansi.StringWidth(lines[1])-2, ascii)
	row("canceled", t.RateText(t.Rates.Canceled), Count(whole(t.Canceled)))
	row("panics", t.RateText(t.Rates.Panics), Count(whole(t.Panics)))
	row("bytes in", t.BytesText(t.Rates.BytesIn), Bytes(whole(t.BytesIn)))
	row("bytes out", t.BytesText(t.Rates.BytesOut), Bytes(whole(t.BytesOut)))
	row("failed", t.RateText(t.Rates.Failed), Count(whole(t.Failed)))
	row("of them refused", t.RateText(t.Rates.Refused), Count(whole(t.Refused)))
	return lines
}

// RateText writes a rate of the server, "-" while it is not known and 0 for nothing.
func (t *Top) RateText(rate float64) string {
	switch {
	case t.Over == 0:
		return "-"
	case rate == 0:
		return "0"
	}
	return Rate(min(rate, mostNumber))
}

// BytesText writes a rate of bytes, as RateText does.
func (t *Top) BytesText(rate float64) string {
	if t.Over == 0 {
		return "-"
	}
	return Bytes(int(min(rate, mostNumber)))
}

// reasonLines are why calls and connections were refused.
func (t *Top) reasonLines(cells int) []string {
	lines := make([]string, len(t.Reasons))
	for i := range t.Reasons {
		r := &t.Reasons[i]
		figures := fmt.Sprintf("%24s%15s  ", t.RateText(r.Rate), Count(whole(r.Count)))
		if lines[i] = figures + RefusalText(r.Name); ansi.StringWidth(lines[i]) > cells {
			lines[i] = figures + r.Name
		}
	}
	return lines
}

// paceText is a chart of the calls in a second in so many cells, with its scale; "" where there is no room or nothing to draw.
func (t *Top) paceText(cells int, ascii bool) string {
	var most float64
	for _, v := range t.Paces {
		most = max(most, v)
	}
	if len(t.Paces) < 2 || most == 0 {
		return ""
	}
	top := Step125(int64(most + 1))
	levels, dash := []rune(" ▁▂▃▄▅▆▇█"), "–"
	if ascii {
		levels, dash = []rune(" .:-=+*##"), "-"
	}
	scale := "0 " + dash + " " + Count(int(top)) + "/s"
	room := min(cells-ansi.StringWidth(scale)-2, 40)
	if room < 6 {
		return ""
	}
	var b strings.Builder
	for _, v := range t.Paces[max(len(t.Paces)-room, 0):] {
		n := int(v / float64(top) * float64(len(levels)-1))
		if v > 0 {
			n = max(n, 1)
		}
		b.WriteRune(levels[min(n, len(levels)-1)])
	}
	return "  " + scale + "  " + b.String()
}

// footLine says what happens next.
func (t *Top) footLine(ascii bool) string {
	every := "asked every " + benchTime(t.Every)
	if t.Err != nil {
		mark := map[bool]string{true: "x", false: "✗"}[ascii]
		return mark + " " + t.Err.Message + "; " + every + ", ctrl+c ends"
	}
	return every + ", ctrl+c ends"
}
