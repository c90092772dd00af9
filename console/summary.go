package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Part is one share of a call's round trip.
type Part struct {
	Name string // "client", "network", "wait" or "server"
	Time time.Duration
	Text string // Time as it is shown beside its name
}

// Parts splits the round trip of an entry: client, network and server where the server told its time, client and wait where it did not. Client is encoding, decoding and
// queueing in our process; wait is from the first byte written to the last byte read; network is wait without the server's own time. Texts are rounded so that
// they add up to the round trip as [Duration] shows it. There are none for a cast and for what is still running.
func Parts(e Entry, ascii bool) []Part {
	if e.State == Running || e.Trace.RTT <= 0 || e.Kind == KindCast {
		return nil
	}
	parts := []Part{{Name: "client", Time: e.Trace.Client}}
	if e.HasServer {
		parts = append(parts, Part{Name: "network", Time: e.Network()}, Part{Name: "server", Time: e.Server})
	} else {
		parts = append(parts, Part{Name: "wait", Time: e.Trace.Wait})
	}
	largest, rest := 0, rounded(e.Trace.RTT, 3)
	for i, p := range parts {
		if p.Time > parts[largest].Time {
			largest = i
		}
	}
	for i, p := range parts {
		if i != largest {
			short := rounded(p.Time, 2)
			parts[i].Text = partText(short, ascii)
			rest -= short
		}
	}
	parts[largest].Text = partText(max(rest, 0), ascii)
	return parts
}

// rounded cuts d to what is shown of it: digits of them, but no less than whole units of the unit it is shown in.
func rounded(d time.Duration, digits int) time.Duration {
	if d < 1000 {
		return d
	}
	unit := time.Duration(1)
	for d >= 1000*unit {
		unit *= 1000
	}
	step := unit
	for least := 10 * unit; digits > 1 && d < least*tenTo(digits-2); digits-- {
		step /= 10
	}
	return d.Round(step)
}

func tenTo(n int) time.Duration {
	if n <= 0 {
		return 1
	}
	return 10 * tenTo(n-1)
}

// partText is [Duration] without decimals from ten units up.
func partText(d time.Duration, ascii bool) string {
	text := Duration(d, ascii)
	number, unit, _ := strings.Cut(text, " ")
	if v, err := strconv.ParseFloat(number, 64); err == nil && v >= 10 {
		return strconv.FormatFloat(v, 'f', 0, 64) + " " + unit
	}
	return text
}

// timeText is the round trip of an entry and its parts.
func timeText(e *Entry, ascii bool) string {
	fields := []string{Duration(e.Trace.RTT, ascii)}
	for _, p := range Parts(*e, ascii) {
		fields = append(fields, p.Name+" "+p.Text)
	}
	return strings.Join(fields, "  ")
}

func bytesText(e *Entry) string {
	in := "nothing"
	if len(e.Trace.In) > 0 {
		in = Bytes(len(e.Trace.In))
	}
	return Bytes(len(e.Trace.Out)) + " > " + in
}

// Summary is the line below a result: "#128 exp_res ok  398 µs  client 21 µs  network 349 µs  server 28 µs  70 B > 89 B". It is safe for a terminal.
func Summary(e Entry, ascii bool) string {
	name := e.Type
	if e.State == OK {
		name = e.ReplyType
	}
	head := fmt.Sprintf("#%d %s %s", e.Number, shorten(Printable(name), 60), e.Word())
	switch e.State {
	case Running:
		return head
	case Sent:
		return fmt.Sprintf("%s  %s  %s, no reply expected", head, Duration(e.Trace.RTT, ascii), Bytes(len(e.Trace.Out)))
	}
	if e.Trace.RTT > 0 {
		head += "  " + timeText(&e, ascii)
	}
	if len(e.Trace.Out) > 0 {
		head += "  " + bytesText(&e)
	}
	return head
}
