package dash

import (
	"strconv"
	"strings"
	"time"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// hero draws the three rows that everyone looks at first: the newest result, a bar of where its time went, and the bar's legend. It never
// moves. first is the line that a newcomer should try.
func (s *scene) hero(w int, first string) []string {
	p := newPage(w, heroRows)
	switch e := s.shown; {
	case s.onBench:
		s.heroBench(p)
	case e.Number == 0:
		s.heroEmpty(p, first)
	case e.State == console.Running:
		s.heroRunning(p, e)
	case e.State == console.Failed:
		s.heroFailed(p, e)
	default:
		s.heroDone(p, e)
	}
	return p.done()
}

// headline puts what fits between the mark at the left and the total at the right: first what stands at the right, then the items.
func (s *scene) headline(p *page, l *line, items []item, bytes, total string, bold *theme.Style) {
	t := s.theme
	end := p.w - 1 - width(total)
	if bytes != "" && p.w >= 60 && end-width(bytes)-3-l.w > 24 {
		end -= width(bytes) + 3
	} else {
		bytes = ""
	}
	for _, it := range items {
		room := end - l.w - it.gap - 2
		if room < min(width(it.text), it.least) {
			break
		}
		l.put(&t.Text, blanks(it.gap)).put(it.style, cut(it.text, room, t.Mark.Cut))
	}
	if bytes != "" {
		l.until(&t.Text, end).put(&t.Muted, bytes)
	}
	p.add(l.right(bold, total, p.w-1))
}

// item is a piece of a headline; it is left out when less than least cells are left for it.
type item struct {
	style *theme.Style
	text  string
	gap   int
	least int
}

func (s *scene) heroDone(p *page, e console.Entry) {
	t := s.theme
	sign, mark, _ := s.markOf(e)
	l := (&line{}).put(&t.Text, " ").put(mark, sign).put(&t.Text, " "+e.State.String())
	items := []item{{&t.Text, console.Printable(e.ReplyType), 2, 1}, {&t.Strong, reply(e), 2, 8}}
	if p.w < 60 && !e.Dropped {
		items[1] = item{&t.Strong, onlyValue(e.Result), 1, 1}
	}
	bytes, right := sizes(t, e), ""
	if e.Kind.Streams() {
		items = []item{{&t.Text, console.Printable(e.Type), 2, 1}, {&t.Text, e.ItemsText(), 2, 4}}
		if e.Items > 0 {
			items = append(items, item{&t.Strong, reply(e), 2, 8})
		}
		right = rateOfItems(e)
	}
	if e.Kind == console.KindCast {
		items = []item{{&t.Text, console.Printable(e.Type), 2, 1}, {&t.Strong, sizeSent(e) + "no reply expected", 2, 8}}
		bytes = ""
	}
	if p.w >= 100 {
		items = append(items,
			item{&t.Muted, "#" + strconv.Itoa(e.Number), 2, 1},
			item{&t.Muted, commandLine(e), 2, 12})
	}
	if p.w >= wideWidth {
		items = append(items, item{&t.Muted, clock(e.Started), 2, 12})
	}
	s.headline(p, l, items, bytes, console.Duration(e.Trace.RTT, t.ASCII), &t.Strong)
	ps := parts(e)
	label(ps, e.Trace.RTT, t.ASCII)
	s.bar(p, ps)
	s.legend(p, ps, e.Trace.RTT, right)
}

// rateOfItems is how fast the items of a stream came; "" where there are too few to tell.
func rateOfItems(e console.Entry) string {
	if rate := e.ItemRate(); rate > 0 {
		return console.Rate(rate) + "/s"
	}
	return ""
}

func (s *scene) heroFailed(p *page, e console.Entry) {
	t := s.theme
	sign, mark, _ := s.markOf(e)
	headline := &t.Alarm
	if e.Stopped() {
		headline = &t.Strong
	}
	l := (&line{}).put(&t.Text, " ").put(mark, sign).put(&t.Text, " ").put(headline, e.Word())
	reason := ""
	if e.Err != nil {
		reason = console.Printable(e.Err.Message)
	}
	items := []item{{&t.Strong, console.Printable(e.Type), 2, 1}, {&t.Text, reason, 2, 8}}
	total := e.Trace.RTT
	s.headline(p, l, items, "", console.Duration(total, t.ASCII), headline)
	ps := parts(e)
	label(ps, total, t.ASCII)
	s.bar(p, ps)
	right := "#" + strconv.Itoa(e.Number) + "  " + sizes(t, e)
	if some := e.ItemsText(); some != "" {
		right = some + "  " + right
	}
	s.legend(p, ps, total, right)
}

func (s *scene) heroRunning(p *page, e console.Entry) {
	if e.Kind.Streams() && e.Items > 0 {
		s.heroStreaming(p, e)
		return
	}
	t, took := s.theme, s.elapsed(e)
	l := (&line{}).put(&t.Text, " ").put(&t.Accent, s.spinner()).put(&t.Text, " ").put(&t.Focus, "running")
	items := []item{{&t.Strong, console.Printable(e.Type), 2, 1}, {&t.Text, oneLine(e.Payload), 2, 8}}
	if some := e.ItemsText(); some != "" {
		items = []item{{&t.Strong, console.Printable(e.Type), 2, 1}, {&t.Text, some, 2, 4}}
	}
	s.headline(p, l, items, "", console.Duration(took, t.ASCII), &t.Strong)
	full, of := 0, ", no deadline"
	if e.Timeout > 0 {
		full = int(float64(p.w-2) * min(float64(took)/float64(e.Timeout), 1))
		of = " of " + short(e.Timeout, t.ASCII)
	}
	bar := (&line{}).put(&t.Text, " ").put(&t.Accent, strings.Repeat(t.Mark.Full, full))
	p.add(bar.put(&t.Border, strings.Repeat(t.Mark.Empty, p.w-2-full)))
	l = (&line{}).put(&t.Text, " ").put(&t.Accent, t.Mark.Part)
	l.put(&t.Muted, " waiting ").put(&t.Text, console.Duration(took, t.ASCII)+of)
	if cancel := "ctrl+c cancels"; l.w+2+len(cancel) < p.w {
		l.right(&t.Muted, cancel, p.w-1)
	}
	p.add(l)
}

// heroStreaming shows a stream whose items come: how many, the newest one, and how fast.
func (s *scene) heroStreaming(p *page, e console.Entry) {
	t, took := s.theme, s.elapsed(e)
	l := (&line{}).put(&t.Text, " ").put(&t.Accent, s.spinner()).put(&t.Text, " ").put(&t.Focus, "running")
	items := []item{{&t.Strong, console.Printable(e.Type), 2, 1}, {&t.Text, e.ItemsText(), 2, 4}, {&t.Strong, reply(e), 2, 8}}
	s.headline(p, l, items, "", console.Duration(took, t.ASCII), &t.Strong)
	ps := soFar(e, took)
	label(ps, took, t.ASCII)
	s.bar(p, ps)
	right := rateOfItems(e)
	if p.w >= 70 {
		right = strings.TrimSpace(right + "   ctrl+c cancels")
	}
	s.legend(p, ps, took, right)
}

// heroEmpty invites: what to type first, and what the bar will mean.
func (s *scene) heroEmpty(p *page, first string) {
	t := s.theme
	l := (&line{}).put(&t.Text, " ")
	switch {
	case first != "" && p.w >= 66:
		if welcome := " Welcome  press space to type  and enter to run it "; width(welcome)+width(first) > p.w {
			first = "the first step"
		}
		l.put(&t.Strong, "Welcome").put(&t.Text, "  press ").put(&t.Focus, "space").put(&t.Text, " to type ")
		l.put(&t.Focus, console.Printable(first)).put(&t.Text, " and ").put(&t.Focus, "enter").put(&t.Text, " to run it")
	case first != "":
		l.put(&t.Focus, "space").put(&t.Text, " types ").put(&t.Focus, cut(console.Printable(first), p.w-14, t.Mark.Cut))
	case s.stats.Target == "":
		l.put(&t.Strong, "Not connected").put(&t.Text, "  ").put(&t.Focus, "connect localhost:8888").put(&t.Text, " connects")
	default:
		l.put(&t.Strong, "Ready").put(&t.Text, "  ").put(&t.Focus, "call TYPE JSON").put(&t.Text, " calls")
		if p.w >= 70 {
			l.put(&t.Text, ", ").put(&t.Focus, "services").put(&t.Text, " lists what is known")
		}
	}
	p.add(l)
	p.add((&line{}).put(&t.Text, " ").put(&t.Border, strings.Repeat(t.Mark.Empty, p.w-2)))
	l = (&line{}).put(&t.Text, " ")
	names := []string{"client", "network", "server"}
	if s.stats.Protocol == "v2" {
		names = []string{"client", "network", "queue", "handler"}
	}
	for _, name := range names {
		k := partKinds[name]
		l.put(s.partStyle(k), s.partSign(k)).put(&t.Muted, " "+name+"   ")
	}
	if p.w >= 70 {
		l.put(&t.Muted, "where the time of each call goes")
	}
	p.add(l)
}

func (s *scene) partStyle(k partKind) *theme.Style {
	t := s.theme
	return [...]*theme.Style{partClient: &t.Client, partWait: &t.Accent, partNetwork: &t.Accent, partServer: &t.Second, partQueue: &t.Queue, partHandler: &t.Second,
		partFirst: &t.Accent, partItems: &t.Second, partSending: &t.Client, partReply: &t.Accent, partNothing: &t.Fail}[k]
}

// letters and textures tell parts apart without colour.
var (
	letters  = [...]string{"c", "w", "n", "s", "q", "h", "f", "i", "s", "r", "w"}
	textures = [...]string{"▒", "█", "█", "▓", "░", "▓", "█", "▓", "▒", "█", "░"}
)

func (s *scene) partSign(k partKind) string {
	if s.theme.Letters {
		return letters[k]
	}
	return s.theme.Mark.Part
}

func (s *scene) bar(p *page, ps []part) {
	t := s.theme
	l := (&line{}).put(&t.Text, " ")
	for i, n := range cells(ps, p.w-2) {
		if n > 0 {
			l.put(s.partStyle(ps[i].kind), s.segment(ps[i].kind, n, i == len(ps)-1))
		}
	}
	p.add(l)
}

// segment is one part of the bar: without colour it begins with its letter, with colour its last cell ends in a hairline.
func (s *scene) segment(k partKind, n int, last bool) string {
	t := s.theme
	switch {
	case t.ASCII && k == partNothing:
		return letters[k] + strings.Repeat(t.Mark.Empty, n-1)
	case t.ASCII:
		return strings.Repeat(letters[k], n)
	case t.Letters:
		return letters[k] + strings.Repeat(textures[k], n-1)
	case k == partNothing:
		return strings.Repeat(t.Mark.Empty, n)
	case last:
		return strings.Repeat(t.Mark.Full, n)
	}
	return strings.Repeat(t.Mark.Full, n-1) + t.Mark.Gap
}

// legend names the parts of the bar in their order, each in a slot of its own so that nothing jumps from call to call.
func (s *scene) legend(p *page, ps []part, total time.Duration, right string) {
	t := s.theme
	percent := p.w >= 100 && len(ps) > 1 && total > 0
	shown := ps
	if p.w < 60 {
		shown = fitting(ps, p.w-2)
	}
	l := (&line{}).put(&t.Text, " ")
	for _, part := range shown {
		if part.text == "" {
			continue
		}
		slot := l.w + 2 + len(part.name) + 1 + durationWidth + 4
		l.put(s.partStyle(part.kind), s.partSign(part.kind)).put(&t.Muted, " "+part.name+" ").put(&t.Text, part.text)
		if percent {
			slot += 6
			l.put(&t.Muted, "  "+strconv.Itoa(part.percent)+" %")
		}
		if p.w < 60 {
			slot = l.w + 3
		}
		l.until(&t.Text, slot)
	}
	if right != "" && l.w+width(right) < p.w {
		l.right(&t.Muted, right, p.w-1)
	}
	p.add(l)
}

// fitting drops the smallest parts until the others fit.
func fitting(ps []part, w int) []part {
	for {
		need, least := 0, 0
		for i, p := range ps {
			need += 2 + len(p.name) + 1 + width(p.text) + 3
			if p.time < ps[least].time {
				least = i
			}
		}
		if need-3 <= w || len(ps) == 1 {
			return ps
		}
		ps = append(append([]part(nil), ps[:least]...), ps[least+1:]...)
	}
}

func sizeSent(e console.Entry) string {
	if e.Dropped {
		return ""
	}
	return console.Bytes(len(e.Trace.Out)) + ", "
}

// sizes says how many bytes went and came.
func sizes(t *theme.Theme, e console.Entry) string {
	sent, came := e.Trace.Sizes()
	in, out := "nothing", "nothing sent"
	switch {
	case e.Dropped:
		return ""
	case came > 0:
		in = console.Bytes(came)
	}
	if sent > 0 {
		out = console.Bytes(sent) + " " + t.Mark.To + " " + in
	}
	return out
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
