package dash

import (
	"strconv"
	"strings"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// hint draws what stands under the prompt: what is wrong with the line, how it goes on, or what it will do; idle is what it says of an empty line. What is wrong goes on
// in a second row where there may be one; missing says that it is longer than that.
func (p *prompt) hint(w, rows int, idle string) (lines []string, missing bool) {
	t, pg := p.theme, newPage(w, rows)
	start := 1
	if w >= 60 || p.desk != nil {
		start += width(p.label(w))
	}
	l, style, text, more := (&line{}).until(&t.Text, start), &t.Muted, "", ""
	say := func(style *theme.Style, text string) { l.put(style, cut(text, w-1-l.w, t.Mark.Cut)) }
	switch {
	case p.notice != "":
		style = &t.Text
		text, more = p.broken(console.Printable(p.notice), w-1-l.w, rows)
		l.put(style, text)
	case p.refused != nil:
		style = &t.Fail
		more = p.caret(l, w, rows, p.refused.At, refusal(p.refused), p.refused.Line != "", style)
	case len(p.choice.items) > 0:
		p.choices(l, w)
	case p.verdict.State == console.HintGood:
		l.put(&t.OK, t.Mark.OK).put(&t.Text, " ")
		say(style, p.plain(p.verdict.Text))
	case p.verdict.State == console.HintBad:
		more = p.caret(l, w, rows, p.verdict.At, console.Printable(p.verdict.Text), false, style)
	case p.verdict.Text != "":
		say(style, p.plain(p.verdict.Text))
	case len(p.waiting) > 0:
		say(style, count(len(p.waiting), "pasted line")+" to come, esc drops them")
	case p.empty():
		say(style, idle)
	}
	pg.add(l)
	if more != "" && rows > 1 {
		pg.text(style, " "+cut(more, w-2, t.Mark.Cut))
	}
	return pg.lines, more != "" && (rows < 2 || width(more) > w-2)
}

// plain makes a text of the session fit the box characters in use.
func (p *prompt) plain(text string) string {
	text = console.Printable(text)
	if p.theme.ASCII {
		text = strings.ReplaceAll(text, "→", p.theme.Mark.To)
	}
	return text
}

func refusal(e *console.Error) string {
	text := console.Printable(e.Message)
	if e.Hint != "" {
		text += "; " + console.Printable(e.Hint)
	}
	return text
}

// broken is what of a text stands in so many cells of the first row, and what is left for the second one; where there is none it is cut.
func (p *prompt) broken(text string, room, rows int) (first, more string) {
	first, more = fold(text, room)
	if rows < 2 {
		first = cut(text, room, p.theme.Mark.Cut)
	}
	return first, more
}

// caret points at the wrong byte from below and says what is wrong, beside it where there is more room; more is what did not fit.
func (p *prompt) caret(l *line, w, rows, at int, text string, sent bool, style *theme.Style) (more string) {
	t := p.theme
	label := 1 + width(p.label(w))
	_, _, first := p.edit.window(w - 1 - label)
	line := p.edit.String()
	at = min(max(at, 0), len(line))
	skipped := len(string(p.edit.text[:first]))
	col := label
	if at > skipped {
		col += width(line[skipped:at])
	}
	col = min(col, w-2)
	if sent && l.w+len("not sent ") < col {
		l.put(&t.Muted, "not sent")
	}
	room := w - 1 - col - 2
	if width(text) > room && col-l.w-2 > room {
		text, more = p.broken(text, col-l.w-2, rows)
		l.right(style, text, col-1).until(&t.Text, col).put(style, t.Mark.Caret)
		return more
	}
	if col < l.w {
		l.b, l.w = nil, 0
	}
	text, more = p.broken(text, room, rows)
	l.until(&t.Text, col).put(style, t.Mark.Caret+" "+text)
	return more
}

// choices lists the ways to go on, as many as fit around the one that is in the line.
func (p *prompt) choices(l *line, w int) {
	t, c := p.theme, p.choice
	first := 0
	if c.at > 0 {
		for used, i := 0, c.at; i >= 0; i-- {
			if used += width(c.items[i].Text) + 2; used > w/2 {
				break
			}
			first = i
		}
	}
	help := ""
	if c.at >= 0 {
		help = console.Printable(c.items[c.at].Help)
	}
	end := w - 1
	if help != "" && width(help) < w/3 {
		end -= width(help) + 2
	}
	for i := first; i < len(c.items); i++ {
		text, style := strings.TrimSpace(console.Printable(c.items[i].Text)), &t.Muted
		if i == c.at {
			style = &t.Focus
		}
		rest := "+" + strconv.Itoa(len(c.items)-i)
		if room := end - l.w - len(rest) - 2; width(text) > room {
			if i == first {
				l.put(style, cut(text, max(room, 1), t.Mark.Cut)+"  ")
				continue
			}
			l.put(&t.Muted, rest)
			break
		}
		l.put(style, text).put(&t.Text, "  ")
	}
	if end < w-1 {
		l.right(&t.Text, help, w-1)
	}
}
