package dash

import (
	"strconv"
	"strings"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/console/theme"
)

// statusLine says which program this is, how the connection is doing and how many calls ended how. What does not fit is left out whole.
func (s *scene) statusLine(w int) string {
	t := s.theme
	right := s.counts(w)
	l := &line{}
	if t.Plain {
		l.put(&t.Text, " ").put(&t.Chip, "rpckids ") // brackets around it would look like the focus
	} else {
		l.put(&t.Chip, " rpckids ")
	}
	sign, style, word := s.link()
	l.put(&t.Text, " ").put(style, sign).put(&t.Text, " ")
	room := w - right.w - 3
	if w >= 60 || s.stats.Target == "" {
		l.put(&t.Text, word)
		if s.stats.Target != "" {
			l.put(&t.Text, " ")
		}
	}
	l.put(&t.Strong, cut(s.stats.Label(), room-l.w, t.Mark.Cut))
	for _, item := range s.statusItems(w) {
		if l.w+2+width(item) <= room {
			l.put(&t.Muted, "  "+item)
		}
	}
	l.until(&t.Text, w-1-right.w)
	l.b, l.w = append(l.b, right.b...), l.w+right.w
	p := newPage(w, 1)
	p.add(l)
	return p.done()[0]
}

func (s *scene) link() (sign string, style *theme.Style, word string) {
	t := s.theme
	switch s.stats.State {
	case console.Connected:
		if s.stats.Up < s.stats.Servers {
			return t.Mark.Between, &t.Warn, "connected"
		}
		return t.Mark.Connected, &t.OK, "connected"
	case console.Idle:
		return t.Mark.Between, &t.Muted, "idle"
	case console.Reconnecting:
		return t.Mark.Between, &t.Warn, "reconnecting"
	}
	return t.Mark.Closed, &t.Muted, "not connected"
}

// statusItems are further facts of the connection, the most important first.
func (s *scene) statusItems(w int) []string {
	var items []string
	st := s.stats
	if st.State == console.Reconnecting && st.Attempt > 0 {
		items = append(items, "attempt "+strconv.Itoa(st.Attempt))
	}
	if st.State == console.Idle {
		items = append(items, "the next call reconnects")
	}
	if count := st.Count(); count != "" && !strings.Contains(st.Label(), count) {
		items = append(items, count)
	}
	if st.Discovery != "" {
		items = append(items, "its list is an old one")
	}
	if st.Protocol != "" && w >= wideWidth {
		items = append(items, "protocol "+console.Printable(st.Protocol))
	} else if st.Protocol != "" {
		items = append(items, console.Printable(st.Protocol))
	}
	if how := st.Protection(); how != "" {
		items = append(items, how)
	}
	if w < wideWidth || st.Target == "" {
		return items
	}
	if st.Servers > 1 {
		items = append(items, console.ShortTarget(st.Target, 50))
	}
	items = append(items, console.Count(int(st.Sent))+" sent", console.Count(int(st.Received))+" received")
	if st.Reconnects > 0 {
		items = append(items, console.Count(int(st.Reconnects))+" reconnects")
	}
	if st.Dropped > 0 {
		items = append(items, console.Count(int(st.Dropped))+" dropped")
	}
	return items
}

func (s *scene) counts(w int) *line {
	t, l := s.theme, &line{}
	if w < 60 {
		if s.totals.Running > 0 {
			l.put(&t.Accent, strconv.Itoa(s.totals.Running)+" "+s.spinner())
		}
		if s.totals.Failed > 0 {
			l.put(&t.Text, "  ").put(&t.Fail, strconv.Itoa(s.totals.Failed)+" "+t.Mark.Fail)
		}
		return l
	}
	item := func(number, word *theme.Style, n int, what string) {
		if l.w > 0 {
			l.put(&t.Text, "  ")
		}
		l.put(number, console.Count(n)).put(word, " "+what)
	}
	item(&t.Text, &t.Muted, s.totals.Running, "running")
	item(&t.Text, &t.Muted, s.totals.OK, "ok")
	if s.totals.Sent > 0 && w >= 80 {
		item(&t.Text, &t.Muted, s.totals.Sent, "sent")
	}
	if s.totals.Failed > 0 {
		item(&t.Fail, &t.Fail, s.totals.Failed, "failed")
	} else {
		item(&t.Text, &t.Muted, 0, "failed")
	}
	return l
}
