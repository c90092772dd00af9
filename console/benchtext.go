package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// words say what is asked: "for 10s, 50 at a time".
func (l *BenchLimits) words() string {
	var parts []string
	switch {
	case l.Calls > 0 && l.Duration > 0:
		parts = append(parts, "with "+countOf(l.Calls, "call")+" or for "+benchTime(l.Duration))
	case l.Calls > 0:
		parts = append(parts, "with "+countOf(l.Calls, "call"))
	default:
		parts = append(parts, "for "+benchTime(l.Duration))
	}
	if l.Rate > 0 {
		rate := strconv.FormatFloat(l.Rate, 'f', -1, 64)
		if l.Rate >= 1000 {
			rate = Rate(l.Rate)
		}
		parts = append(parts, rate+"/s", "at most "+Count(l.Workers)+" at a time")
	} else {
		parts = append(parts, Count(l.Workers)+" at a time")
	}
	return strings.Join(parts, ", ")
}

// benchTime is a duration as it would be typed: "10s", "1m30s", "2m" and not "2m0s".
func benchTime(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = strings.TrimSuffix(text, zero[1:])
		}
	}
	return text
}

// Words say what is asked of the bench: "for 10s, 50 at a time".
func (b *Bench) Words() string { return b.Limits.words() }

// Title is the call that is measured; safe for a terminal.
func (b *Bench) Title(cells int) string {
	title := Printable(b.Type)
	if b.Payload != nil {
		title += " " + glimpse(b.Payload, cells)
	}
	return shorten(title, cells)
}

// summary is the bench in one line.
func (b *Bench) summary(ascii bool) string {
	text := fmt.Sprintf("%s: %s, %s/s", b.Title(60), countOf(b.Calls, "call"), Rate(b.Rate()))
	if b.Failed > 0 {
		text = fmt.Sprintf("%s: %s of %s ok, %s/s", b.Title(60), Count(b.Good()), countOf(b.Calls, "call"), Rate(b.Rate()))
	}
	if b.Good() > 0 {
		text += ", p50 " + Duration(b.Felt().P50, ascii) + ", p99 " + Duration(b.Felt().P99, ascii)
	}
	if b.Failed > 0 {
		text += ", " + b.FailedText() + " failed" + b.reason(80)
	}
	if b.Interrupted {
		text += ", interrupted"
	}
	return text
}

const benchRows = 9 // of the histogram

// Text is the report of a bench that is done, at most 80 cells wide; safe for a terminal.
func (b *Bench) Text(ascii bool) string {
	lines := []string{b.Title(79)}
	lines = append(lines, "  "+shorten(b.Words(), 65)+map[bool]string{true: "; interrupted"}[b.Interrupted], "")
	lines = append(lines, b.countLines(ascii)...)
	if b.Good() > 0 {
		lines = append(lines, "")
		lines = append(lines, b.latencyLines(ascii)...)
		lines = append(lines, b.histogramLines(ascii)...)
	}
	return strings.Join(lines, "\n")
}

// reason is why most of the failed calls failed: the code and what the server said, or what of them there is room for; "" while nothing is known.
func (b *Bench) reason(cells int) string {
	if len(b.Failures) == 0 {
		return ""
	}
	f := &b.Failures[0]
	for _, text := range []string{f.Text(), f.First} {
		if text != "" && ansi.StringWidth(text)+2 <= cells {
			return ": " + text
		}
	}
	return ansi.Truncate(": "+f.Words(), max(cells, 0), "...")
}

// countLines say how many calls there were and what became of them.
func (b *Bench) countLines(ascii bool) []string {
	var lines []string
	row := func(label, value, more string) {
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%-11s%13s  %s", label, value, more), " "))
	}
	pace := Rate(b.Rate()) + "/s for " + Duration(b.Elapsed, ascii)
	if b.Failed == 0 {
		row("calls", Count(b.Calls), pace)
		row("failed", "0", "")
	} else {
		row("ok", Count(b.Good()), pace)
		row("failed", Count(b.Failed), b.FailedText()+" of "+countOf(b.Calls, "call"))
	}
	for _, f := range b.Failures {
		text := strings.Split(ansi.Wrap(f.Text(), 80-26, ""), "\n")
		lines = append(lines, fmt.Sprintf("%24s  %s", Count(f.Count), text[0]))
		for _, more := range text[1:] { // a cause that is cut says nothing
			lines = append(lines, strings.Repeat(" ", 26)+more)
		}
	}
	if b.Retries > 0 {
		row("attempts", Count(b.Attempts()), "with those sent again; top counts each at the server")
	}
	if b.Unmade > 0 {
		row("not made", Count(b.Unmade), "were due while "+countOf(b.Limits.Workers, "call")+" had no answer yet")
	}
	if b.Abandoned > 0 {
		row("cut off", Count(b.Abandoned), "were in flight at the interruption")
	}
	if b.HasCPU && b.Calls > 0 && b.Elapsed > 0 {
		row("client CPU", b.CPUText(ascii), "a call, "+percent(b.CPU.Seconds()/b.Elapsed.Seconds())+" of a core")
	}
	return lines
}

// CPUText is what a call took of this process's processors.
func (b *Bench) CPUText(ascii bool) string {
	return DurationCell(b.CPU/time.Duration(max(b.Calls, 1)), ascii)
}

// latencyLines are the percentiles as a table.
func (b *Bench) latencyLines(ascii bool) []string {
	head := strings.Repeat(" ", 11)
	for _, name := range BenchHeads {
		head += fmt.Sprintf("%6s   ", name)
	}
	lines := []string{strings.TrimRight(head, " ")}
	row := func(label string, f BenchFigures) {
		line := fmt.Sprintf("%-11s", label)
		for _, d := range f.List() {
			line += "  " + DurationCell(d, ascii)
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	row("latency", b.Latency)
	if b.Limits.Rate > 0 {
		row("corrected", b.Corrected)
	}
	return lines
}

// histogramLines are how the latencies lie, one row for each step.
func (b *Bench) histogramLines(ascii bool) []string {
	rows := Bars(b.Spectrum(), benchRows)
	if len(rows) < 2 {
		return nil
	}
	bar, sliver := "▆", "▏"
	if ascii {
		bar, sliver = "#", "|"
	}
	most, notes := 1, 0
	for _, r := range rows {
		most, notes = max(most, r.Count), max(notes, len(r.Note))
	}
	counts := len(Count(most))
	wide := 80 - 10 - 2 - counts - 2 - notes
	lines := []string{""}
	if b.Limits.Rate > 0 {
		lines = append(lines, "corrected")
	}
	for _, r := range rows {
		from := DurationCell(r.From, ascii)
		if r.Open {
			from = strings.TrimRight(from, " ") + "+"
		}
		n := (2*r.Count*wide + most) / (2 * most)
		drawn := strings.Repeat(bar, n)
		if n == 0 && r.Count > 0 {
			drawn, n = sliver, 1
		}
		line := from + strings.Repeat(" ", 10-ansi.StringWidth(from)) + drawn + strings.Repeat(" ", wide-n)
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%s  %*s  %s", line, counts, Count(r.Count), r.Note), " "))
	}
	return lines
}

// BenchHeads are the names of figures, in the order of [BenchFigures.List].
var BenchHeads = [...]string{"min", "p50", "p90", "p95", "p99", "p99.9", "max"}

// List is the figures from the smallest to the largest.
func (f BenchFigures) List() []time.Duration {
	return []time.Duration{f.Min, f.P50, f.P90, f.P95, f.P99, f.P999, f.Max}
}

// percent writes a share with as many digits as say something: "0.04 %", "1.2 %", "62 %", "99.6 %". Only all is 100 %, and only nothing is 0 %.
func percent(share float64) string {
	v := 100 * share
	switch {
	case v > 99.99 && v < 100:
		return "over 99.99 %"
	case v >= 99.95 && v < 100:
		return strconv.FormatFloat(v, 'f', 2, 64) + " %"
	case v >= 99.5 && v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64) + " %"
	case v == 0 || v >= 9.95:
		return strconv.FormatFloat(v, 'f', 0, 64) + " %"
	case v >= 0.995:
		return strconv.FormatFloat(v, 'f', 1, 64) + " %"
	case v < 0.01:
		return "under 0.01 %"
	}
	return strconv.FormatFloat(v, 'f', 2, 64) + " %"
}

// Line is how far a bench is, in one line of at most so many cells; what does not fit is left out whole, and the bar takes what is over.
func (b *Bench) Line(cells int, ascii bool) string {
	if b.Warmup {
		return ansi.Truncate("warming up  "+b.leftText(), cells, "")
	}
	head := fmt.Sprintf("%3d %%", int(100*b.Share))
	items := []string{Rate(b.Now) + "/s", countOf(b.Calls, "call")}
	if b.Failed > 0 { // why is worth more than how fast the others were
		failed := b.FailedText() + " failed"
		items = []string{Rate(b.Now) + "/s ok", failed + b.reason(cells-44)}
	}
	if b.Good() > 0 {
		items = append(items, "p50 "+Duration(b.Felt().P50, ascii), "p99 "+Duration(b.Felt().P99, ascii))
	}
	if left := b.leftText(); left != "" {
		items = append(items, left)
	}
	const least = 6 // cells of the bar
	text, room := "", cells-len(head)-2-least
	for _, it := range items {
		if w := ansi.StringWidth(text) + 2 + ansi.StringWidth(it); w <= room {
			text += "  " + it
		}
	}
	bar := min(cells-len(head)-2-ansi.StringWidth(text), 40)
	if bar < least {
		return ansi.Truncate(head+text, cells, "")
	}
	done, rest := BenchBar(b.Share, bar, ascii)
	return head + "  " + done + rest + text
}

// BenchBar is a bar of progress: what is done, and what is not.
func BenchBar(share float64, cells int, ascii bool) (done, rest string) {
	n := min(max(int(share*float64(cells)), 0), cells)
	if ascii {
		return strings.Repeat("=", n), strings.Repeat(".", cells-n)
	}
	return strings.Repeat("━", n), strings.Repeat("┄", cells-n)
}

func (b *Bench) leftText() string {
	if left := b.Left(); left > 0 {
		return LeftText(left) + " left"
	}
	return ""
}

// LeftText is a time to come: with one decimal, so that it does not tremble.
func LeftText(d time.Duration) string {
	if d < 100*time.Second {
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	}
	return Duration(d, true)
}
