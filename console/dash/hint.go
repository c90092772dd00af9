package dash

import (
	"strconv"
	"strings"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// hint draws the line under the prompt: what is wrong with the line, how it goes on, or what it will do. idle is what it says of an empty
// line.
func (p *prompt) hint(w int, idle string) string {
	t, pg := p.theme, newPage(w, 1)
	start := 1
	if w >= 60 || p.desk != nil {
		start += width(p.label(w))
	}
	l := (&line{}).until(&t.Text, start)
	say := func(style *theme.Style, text string) { l.put(style, cut(text, w-1-l.w, t.Mark.Cut)) }
	switch {
	case p.notice != "":
		say(&t.Text, console.Printable(p.notice))
	case p.refused != nil:
		p.caret(l, w, p.refused.At, refusal(p.refused), p.refused.Line != "", &t.Fail)
	case len(p.choice.items) > 0:
		p.choices(l, w)
	case p.verdict.State == console.HintGood:
		l.put(&t.OK, t.Mark.OK).put(&t.Text, " ")
		say(&t.Muted, p.plain(p.verdict.Text))
	case p.verdict.State == console.HintBad:
		p.caret(l, w, p.verdict.At, console.Printable(p.verdict.Text), false, &t.Muted)
	case p.verdict.Text != "":
		say(&t.Muted, p.plain(p.verdict.Text))
	case len(p.waiting) > 0:
		say(&t.Muted, count(len(p.waiting), "pasted line")+" to come, esc drops them")
	case p.empty():
		say(&t.Muted, idle)
	}
	pg.add(l)
	return pg.done()[0]
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

// caret points at the wrong byte from below and says what is wrong, beside it where there is more room.
func (p *prompt) caret(l *line, w, at int, text string, sent bool, style *theme.Style) {
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
		text = cut(text, col-l.w-2, t.Mark.Cut)
		l.right(style, text, col-1).until(&t.Text, col).put(style, t.Mark.Caret)
		return
	}
	if col < l.w {
		l.b, l.w = nil, 0
	}
	l.until(&t.Text, col).put(style, t.Mark.Caret+" "+cut(text, room, t.Mark.Cut))
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
