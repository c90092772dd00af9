package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Part is one share of a call's round trip.
type Part struct {
	Name string // "client", "network", "wait", "queue", "handler", "server"; of a stream "first item", "items", "sending", "reply"
	Time time.Duration
	Text string // Time as it is shown beside its name
}

// Parts splits the round trip of an entry. Of a call: client, network, queue and handler where the server measured itself; client, network and server where only a field of its
// reply tells; client and wait where it told nothing. Client is encoding, decoding and queueing in our process; wait is from the first byte written to the last byte read;
// network is wait without the server's own time. Of a stream: until the first item came, and the items; of an upload: until the last item had gone, and the wait for the reply.
// The times add up to the round trip, and the texts are rounded so that they add up to it as [Duration] shows it. There are none for a cast and for what is still running.
func Parts(e Entry, ascii bool) []Part {
	if e.State == Running || e.Trace.RTT <= 0 || e.Kind == KindCast {
		return nil
	}
	parts := []Part{{Name: "client", Time: e.Trace.Client}}
	first, rtt := min(e.FirstAfter(), e.Trace.RTT), e.Trace.RTT
	switch {
	case e.Kind.Streams() && first > 0:
		parts = []Part{{Name: "first item", Time: first}, {Name: "items", Time: rtt - first}}
	case e.Kind == KindUpload && !e.LastGiven.IsZero():
		sending := min(max(e.LastGiven.Sub(e.Started), 0), rtt)
		parts = []Part{{Name: "sending", Time: sending}, {Name: "reply", Time: rtt - sending}}
	case e.Trace.Timed:
		parts = append(parts, Part{Name: "network", Time: e.Network()}, Part{Name: "queue", Time: e.Trace.Queue}, Part{Name: "handler", Time: e.Trace.Handler})
	case e.HasServer && e.Server <= e.Trace.Wait: // a server cannot have taken longer than we waited
		parts = append(parts, Part{Name: "network", Time: e.Network()}, Part{Name: "server", Time: e.Server})
	default:
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

// partText is [Duration] without decimals from ten units up, and without those that say nothing.
func partText(d time.Duration, ascii bool) string {
	text := Duration(d, ascii)
	number, unit, _ := strings.Cut(text, " ")
	if v, err := strconv.ParseFloat(number, 64); err == nil && v >= 10 {
		return strconv.FormatFloat(v, 'f', 0, 64) + " " + unit
	}
	return strings.TrimSuffix(number, ".00") + " " + unit
}

// timeText is the round trip of an entry and its parts.
func timeText(e *Entry, ascii bool) string {
	fields := []string{Duration(e.Trace.RTT, ascii)}
	if text := itemsText(e); text != "" {
		fields = append(fields, text)
	}
	for _, p := range Parts(*e, ascii) {
		fields = append(fields, p.Name+" "+p.Text)
	}
	return strings.Join(fields, "  ")
}

// itemsText says how many items went and came, and how fast; "" for a call.
func itemsText(e *Entry) string {
	var parts []string
	if e.Kind.gives() {
		parts = append(parts, countOf(e.Given, "item")+" sent")
	}
	if e.Kind.Streams() {
		parts = append(parts, countOf(e.Items, "item"))
	}
	if rate := e.ItemRate(); rate > 0 {
		parts = append(parts, Rate(rate)+"/s")
	}
	return strings.Join(parts, "  ")
}

func bytesText(e *Entry) string {
	out, n := e.Trace.Sizes()
	in := "nothing"
	if n > 0 {
		in = Bytes(n)
	}
	return Bytes(out) + " > " + in
}

// Summary is the line below a result: "#128 exp_res ok  398 µs  client 21 µs  network 349 µs  server 28 µs  70 B > 89 B"; of a stream it also tells how many items
// came and how fast. It is safe for a terminal.
func Summary(e Entry, ascii bool) string {
	name := e.Type
	if e.State == OK && !e.Kind.Streams() {
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
	if out, _ := e.Trace.Sizes(); out > 0 {
		head += "  " + bytesText(&e)
	}
	return head
}
