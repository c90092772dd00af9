package dash

import (
	"strconv"
	"strings"

	"github.com/rpckids/rpckids/console"
)

// watched draws the numbers that are watched in so many lines: three for each of them where that is enough for all, else one.
func (v *timing) watched(w, lines int) []string {
	n := len(v.watches)
	if n == 0 || lines < 1 || w < 12 {
		return nil
	}
	p := newPage(w, lines)
	if lines < 3*n {
		shown := min(n, lines)
		for _, x := range v.watches[n-shown:] { // the newest were asked for last
			v.watchLine(p, x)
		}
		return p.lines
	}
	for _, x := range v.watches {
		v.watchBlock(p, x)
	}
	return p.lines
}

// watchLine is a watch in one line: its name, its newest value and a chart.
func (v *timing) watchLine(p *page, x console.Watch) {
	t := v.theme
	name, value := x.Name, lastValue(x)
	half := max(p.w/2-1, 6)
	if width(name) > half {
		name = strings.TrimPrefix(x.Path, ".")
	}
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, cut(console.Printable(name), half, t.Mark.Cut)).put(&t.Text, "  ")
	l.put(&t.Text, cut(value, p.w-1-l.w, t.Mark.Cut))
	if room := p.w - 1 - l.w - 2; room >= 4 {
		row := sparkline(t, levels(x.Values), room, 1)[0]
		l.put(&t.Text, "  ")
		l.b, l.w = append(l.b, row...), l.w+room
	}
	p.add(l)
}

// watchBlock is a watch in three lines: the newest value beside its name, a chart, and the range below.
func (v *timing) watchBlock(p *page, x console.Watch) {
	t := v.theme
	value := lastValue(x)
	l := (&line{}).put(&t.Text, " ").put(&t.Muted, cut(x.Name, p.w-4-width(value), t.Mark.Cut))
	p.add(l.right(&t.Text, value, p.w-1))
	p.chart(sparkline(t, levels(x.Values), p.w-2, 1))
	l = (&line{}).put(&t.Text, " ")
	if len(x.Values) == 0 {
		p.add(l.put(&t.Muted, "no value yet"))
		return
	}
	for _, f := range []named{{"min", digitsOf(x.Min)}, {"median", digitsOf(x.Median)}, {"max", digitsOf(x.Max)}} {
		if l.w+len(f.name)+1+width(f.value) >= p.w {
			break
		}
		l.put(&t.Muted, f.name+" ").put(&t.Text, f.value+"   ")
	}
	p.add(l)
}

func lastValue(x console.Watch) string {
	if len(x.Values) == 0 {
		return "-"
	}
	return digitsOf(x.Values[len(x.Values)-1].Value)
}

// digitsOf writes a number in groups of three where it is whole, else with its first six digits.
func digitsOf(n console.Number) string {
	text := n.String()
	if whole, err := strconv.Atoi(text); err == nil {
		return console.Count(whole)
	}
	if len(text) > 9 {
		return strconv.FormatFloat(n.Float(), 'g', 6, 64)
	}
	return text
}

// levels are the pillars of values: from the smallest to the largest of them, whose numbers stand beside the chart, since what is watched need not begin at zero.
func levels(values []console.Sample) []pillar {
	if len(values) == 0 {
		return nil
	}
	low, high := values[0].Value.Float(), values[0].Value.Float()
	for _, v := range values {
		low, high = min(low, v.Value.Float()), max(high, v.Value.Float())
	}
	out := make([]pillar, len(values))
	for i, v := range values {
		out[i].high = 0.5 // all alike
		if high > low {
			out[i].high = max((v.Value.Float()/2-low/2)/(high/2-low/2), 0.01) // halves: the difference may be larger than any number
		}
	}
	return out
}
