package dash

import (
	"strings"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// measured says whether the result is a bench: one that runs, or the one that was the last command.
func (r *result) measured() bool { return r.output != nil && r.output.bench }

// watchBench makes the result a bench that has begun.
func (m *model) watchBench() {
	if m.bench.Running && !m.benching {
		m.result.say(&output{command: m.bench.Typed, bench: true})
	}
	m.benching = m.bench.Running
}

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
	default:
		l.put(&t.OK, t.Mark.OK).put(&t.Text, " bench")
	}
	rate := b.Rate()
	if b.Running {
		rate = b.Now
	}
	items := []item{{&t.Strong, b.Title(60), 2, 4}, {&t.Muted, b.Words(), 2, 12}}
	s.headline(p, l, items, "", console.Rate(rate)+"/s", &t.Strong)
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
		style, word := &t.Text, &t.Muted
		if b.Failed > 0 {
			style, word = &t.Fail, &t.Fail
		}
		l.put(style, console.Count(b.Failed)).put(word, " failed")
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
	if airy && p.left() >= 10 && len(b.Paces) > 1 {
		r.benchRows(p, min(p.left()-5, 12))
		gap()
		r.benchPaces(p, min(p.left(), 20))
		return
	}
	r.benchRows(p, min(p.left(), 9))
}

// benchFacts say how many calls there were, what each cost here, and how those failed that did.
func (r *result) benchFacts(p *page) {
	t, b := r.theme, &r.bench
	l := (&line{}).put(&t.Text, " ").put(&t.Strong, console.Rate(b.Rate())).put(&t.Muted, "/s  ")
	l.put(&t.Text, console.Count(b.Calls)).put(&t.Muted, unit(b.Calls, " call")+" in ").put(&t.Text, short(b.Elapsed, t.ASCII))
	for _, it := range []struct {
		show  bool
		style *theme.Style
		n     int
		what  string
	}{{b.Failed > 0, &t.Fail, b.Failed, " failed"}, {b.Unmade > 0, &t.Warn, b.Unmade, " due and not made"}, {b.Abandoned > 0, &t.Warn, b.Abandoned, " cut off"}} {
		if text := console.Count(it.n) + it.what; it.show && l.w+2+len(text) < p.w {
			l.put(&t.Text, "  ").put(it.style, text)
		}
	}
	if cpu := "client CPU " + strings.TrimSpace(b.CPUText(t.ASCII)) + " a call"; b.HasCPU && l.w+2+width(cpu) < p.w {
		l.right(&t.Muted, cpu, p.w-1)
	}
	p.add(l)
	for i, f := range b.Failures {
		if i == 3 || p.left() < 4 {
			break
		}
		l := (&line{}).put(&t.Text, " ").put(&t.Fail, t.Mark.Fail+" "+console.Count(f.Count)).put(&t.Text, " "+strings.ReplaceAll(f.Code, "_", " "))
		p.add(l.put(&t.Muted, "  "+cut(f.First, p.w-l.w-3, t.Mark.Cut)))
	}
}

const benchColumn = 9 // cells of a figure

// benchTable is the percentiles; where it is narrow the outer ones go.
func (r *result) benchTable(p *page) {
	t, b := r.theme, &r.bench
	label := 0
	if b.Limits.Rate > 0 {
		label = len("corrected")
	}
	from, to := 0, len(console.BenchHeads)
	for 1+label+(to-from)*benchColumn > p.w && to-from > 1 {
		if to > 5 {
			to--
		} else if from++; from == to-1 {
			break
		}
	}
	l := (&line{}).until(&t.Text, 1+label)
	for _, head := range console.BenchHeads[from:to] {
		l.put(&t.Muted, blanks(6-len(head))+head+"   ")
	}
	p.add(l)
	row := func(name string, f console.BenchFigures) {
		l := (&line{}).put(&t.Text, " ").put(&t.Muted, name).until(&t.Text, 1+label)
		for i, d := range f.List()[from:to] {
			style := &t.Text
			if from+i == 1 {
				style = &t.Strong
			}
			l.put(&t.Text, "  ").put(style, durationCell(d, t.ASCII))
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
