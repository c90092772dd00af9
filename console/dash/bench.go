package dash

import (
	"slices"
	"strings"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// measured says whether the result is a bench: one that runs, or the one that was the last command.
func (r *result) measured() bool { return r.output != nil && r.output.bench }

// watchBench makes the result a bench that has begun.
func (m *model) watchBench() {
	if m.bench.Running && !m.benching {
		m.result.say(m.running())
	}
	m.benching = m.bench.Running
}

// running is the bench that runs, as a result; nil where none does.
func (m *model) running() *output {
	if !m.bench.Running {
		return nil
	}
	return &output{command: m.bench.Typed, bench: true}
}

// failedHalf is the share of failed calls from which on a bench has the mark of a failure; below it, with any, it has that of a warning.
const failedHalf = 0.5

// heroBench is how far a bench is, or what it came to, in the place of a call.
func (s *scene) heroBench(p *page) {
	t, b := s.theme, &s.bench
	l := (&line{}).put(&t.Text, " ")
	switch {
	case b.Running:
		l.put(&t.Accent, s.spinner()).put(&t.Text, " ").put(&t.Focus, "bench")
	case b.Interrupted:
		l.put(&t.Warn, t.Mark.Late).put(&t.Text, " stopped")
	case b.Good() == 0:
		l.put(&t.Fail, t.Mark.Fail).put(&t.Text, " ").put(&t.Alarm, "failed")
	case b.FailedShare() >= failedHalf:
		l.put(&t.Fail, t.Mark.Fail).put(&t.Text, " bench")
	case b.Failed > 0:
		l.put(&t.Warn, t.Mark.Late).put(&t.Text, " bench")
	default:
		l.put(&t.OK, t.Mark.OK).put(&t.Text, " bench")
	}
	rate := console.Rate(b.Rate()) + "/s"
	if b.Running {
		rate = console.Rate(b.Now) + "/s"
	}
	if b.Failed > 0 {
		rate += " ok"
	}
	if b.Running {
		rate += " now"
	}
	if b.Failed > 0 {
		rate += ", " + b.FailedText() + " failed"
	}
	items := []item{{&t.Strong, b.Title(60), 2, 4}, {&t.Muted, b.Words(), 2, 12}}
	s.headline(p, l, items, "", rate, &t.Strong)
	s.benchBar(p)
	s.benchCounts(p)
}

// benchBar is how much of a bench is done.
func (s *scene) benchBar(p *page) {
	t, b := s.theme, &s.bench
	style := &t.Fill
	if b.Running {
		style = &t.Accent
	}
	done, rest := console.BenchBar(b.Share, p.w-2, t.ASCII)
	if !t.Letters {
		rest = strings.ReplaceAll(rest, "┄", "━")
	}
	p.add((&line{}).put(&t.Text, " ").put(style, done).put(&t.Border, rest))
}

// benchCounts is the line below the bar.
func (s *scene) benchCounts(p *page) {
	t, b := s.theme, &s.bench
	l := (&line{}).put(&t.Text, " ")
	if b.Warmup {
		l.put(&t.Muted, "warming up")
	} else {
		l.put(&t.Text, console.Count(b.Calls)).put(&t.Muted, unit(b.Calls, " call")).put(&t.Text, "  ")
		if b.Failed == 0 {
			l.put(&t.Text, "0").put(&t.Muted, " failed")
		} else {
			l.put(&t.Fail, console.Count(b.Failed)+" failed")
		}
	}
	right := short(b.Elapsed, t.ASCII)
	if b.Running {
		right = "ctrl+c stops"
		if left := b.Left(); left > 0 {
			right = console.LeftText(left) + " left  " + right
		}
	}
	if f := b.Felt(); b.Good() > 0 && !b.Warmup {
		for _, it := range []named{{"p50", console.Duration(f.P50, t.ASCII)}, {"p99", console.Duration(f.P99, t.ASCII)}} {
			if l.w+6+width(it.value)+2+width(right) < p.w-1 {
				l.put(&t.Text, "  ").put(&t.Muted, it.name+" ").put(&t.Text, it.value)
			}
		}
	}
	if l.w+2+width(right) < p.w {
		l.right(&t.Muted, right, p.w-1)
	}
	p.add(l)
}

// measurement draws a bench in the pane, as much of it as there is room for: counts and percentiles first, then the histogram, then calls over time.
func (r *result) measurement(p *page) {
	b := &r.bench
	if b.Warmup || b.Calls == 0 && b.Running {
		p.text(&r.theme.Muted, " figures stand here as they come")
		return
	}
	airy := p.h >= 14
	gap := func() {
		if airy {
			p.gap()
		}
	}
	if e := r.output.err; e != nil && e.Exit == console.ExitBench {
		t := r.theme
		l := (&line{}).put(&t.Text, " ").put(&t.Fail, t.Mark.Fail).put(&t.Text, " ")
		p.add(l.put(&t.Text, cut(console.Printable(e.Message), p.w-4, t.Mark.Cut)))
	}
	if p.left() != 2 || b.Good() == 0 { // where two lines are left the figures need both; the facts are above in the hero, too
		r.benchFacts(p)
	}
	if b.Good() == 0 || p.left() < 2 {
		return
	}
	gap()
	r.benchTable(p)
	gap()
	if airy && p.left() >= 10 {
		r.benchRows(p, min(p.left()-5, 12))
	} else {
		r.benchRows(p, min(p.left(), 9))
	}
	if airy && p.left() >= 3 && len(b.Paces) > 1 {
		p.gap()
		r.benchPaces(p, min(p.left(), 20))
	}
}

// benchFacts say how many calls there were, what each cost here, and how those failed that did.
func (r *result) benchFacts(p *page) {
	t, b := r.theme, &r.bench
	l := (&line{}).put(&t.Text, " ").put(&t.Strong, console.Rate(b.Rate())).put(&t.Muted, map[bool]string{true: "/s ok over ", false: "/s over "}[b.Failed > 0]).put(&t.Text, short(b.Elapsed, t.ASCII))
	l.put(&t.Text, "  "+console.Count(b.Calls)).put(&t.Muted, unit(b.Calls, " call"))
	for _, it := range []struct {
		show  bool
		style *theme.Style
		n     int
		what  string
	}{{b.Failed > 0, &t.Fail, b.Failed, " failed  " + b.FailedText()}, {b.Unmade > 0, &t.Warn, b.Unmade, " due and not made"}, {b.Abandoned > 0, &t.Warn, b.Abandoned, " cut off"}} {
		if text := console.Count(it.n) + it.what; it.show && l.w+2+len(text) < p.w {
			l.put(&t.Text, "  ").put(it.style, text)
		}
	}
	if cpu := "client CPU " + strings.TrimSpace(b.CPUText(t.ASCII)) + " a call"; b.HasCPU && l.w+2+width(cpu) < p.w {
		l.right(&t.Muted, cpu, p.w-1)
	}
	p.add(l)
	for i, f := range b.Failures {
		if i == 3 || p.left() < 4 && b.Good() > 0 {
			break
		}
		r.benchFailure(p, f)
	}
}

// benchFailure says how often calls failed in one way and why, in two lines where that leaves enough for the figures of the good ones.
func (r *result) benchFailure(p *page, f console.BenchFailure) {
	t := r.theme
	l := (&line{}).put(&t.Text, " ").put(&t.Fail, t.Mark.Fail+" "+console.Count(f.Count)).put(&t.Text, " "+f.Words()+"  ")
	first, more := fold(console.Printable(f.First), p.w-l.w-1)
	if r.bench.Good() > 0 && p.left() < 8 {
		first, more = cut(console.Printable(f.First), p.w-l.w-1, t.Mark.Cut), ""
	}
	if p.add(l.put(&t.Muted, first)); more != "" {
		p.text(&t.Muted, "   "+cut(more, p.w-4, t.Mark.Cut))
	}
}

const benchColumn = 9 // cells of a figure

// benchWorth are the figures by what they are worth, as their places in console.BenchHeads: p50, p99, p95, p90, max, min, p99.9.
var benchWorth = [...]int{1, 4, 3, 2, 6, 0, 5}

// benchTable is the percentiles; where it is narrow those worth least go.
func (r *result) benchTable(p *page) {
	t, b := r.theme, &r.bench
	label := 0
	if b.Limits.Rate > 0 {
		label = len("corrected")
	}
	n := min(max((p.w-2-label)/benchColumn, 1), len(benchWorth))
	shown := slices.Sorted(slices.Values(benchWorth[:n]))
	l := (&line{}).until(&t.Text, 1+label)
	for _, i := range shown {
		head := console.BenchHeads[i]
		l.put(&t.Muted, blanks(6-len(head))+head+"   ")
	}
	p.add(l)
	row := func(name string, f console.BenchFigures) {
		l := (&line{}).put(&t.Text, " ").put(&t.Muted, name).until(&t.Text, 1+label)
		all := f.List()
		for _, i := range shown {
			style := &t.Text
			if i == benchWorth[0] {
				style = &t.Strong
			}
			l.put(&t.Text, "  ").put(style, durationCell(all[i], t.ASCII))
		}
		p.add(l)
	}
	switch {
	case label == 0:
		row("", b.Latency)
	case !b.Running:
		row("latency", b.Latency)
		fallthrough
	default:
		row("corrected", b.Corrected)
	}
}

// benchRows is the histogram, in so many lines at most.
func (r *result) benchRows(p *page, most int) {
	if of := (barsOf{r.bench.Felt(), r.bench.Running, most}); r.bars.of != of { // they take a millisecond to make
		r.bars = bars{of, console.Bars(r.bench.Spectrum(), most)}
	}
	if len(r.bars.rows) < 2 || p.w < 24 {
		return
	}
	for _, row := range histogram(r.theme, r.bars.rows, p.w-2) {
		p.add(&line{b: append([]byte{' '}, row.b...), w: row.w + 1})
	}
}

// bars are a histogram, and what it was made of.
type bars struct {
	of   barsOf
	rows []console.Bar
}

type barsOf struct {
	figures console.BenchFigures
	running bool
	most    int
}

// benchPaces is how many calls ended in a second from the first to the last. The whole width is the whole bench, so nothing moves that is drawn.
func (r *result) benchPaces(p *page, lines int) {
	t, all := r.theme, r.bench.Paces
	w := p.w - 2
	if lines < 2 || w < 24 {
		return
	}
	var most float64
	for _, v := range all {
		most = max(most, v)
	}
	top := console.Step125(int64(most + 1))
	cols := make([]pillar, w)
	done := min(max(int(r.bench.Share*float64(w)), 1), w)
	for i := range done {
		cols[i] = pillar{high: all[i*len(all)/done] / float64(top), lit: i == done-1}
	}
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, "calls in a second")
	p.add(l.right(&t.Muted, "0 "+t.Mark.Range+" "+console.Count(int(top))+"/s", p.w-1))
	p.chart(sparkline(t, cols, w, lines-1))
}

// failureOf is why a bench that has a report failed all the same; nil for one that was only interrupted.
func failureOf(err error) *console.Error {
	if err == nil {
		return nil
	}
	if e := asError(err); e.Exit != console.ExitInterrupted {
		return e
	}
	return nil
}
