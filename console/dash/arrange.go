package dash

// arrange lays out the screen and loads what the panes show there.
func (m *model) arrange() {
	m.choose(m.picked())
	text := m.result.output != nil && !(m.result.measured() && m.bench.Running && (m.stats.Servers > 1 || m.middle == atServer)) // what the servers do is worth more meanwhile
	m.onBench = (m.bench.Running || m.result.measured()) && m.picked() == 0
	if m.back != atPrompt && !text {
		m.back, m.lower = atPrompt, m.back
	}
	m.layout = newLayout(m.w, m.h, m.wanted(text, m.bench.Running || m.result.measured()))
	if m.layout.shape == tiny {
		m.overlay = nil // it would hide the prompt
		if m.focus != atPrompt {
			m.give(atPrompt) // nothing else is there
			m.choose(0)
		}
	}
	r := m.layout.frames
	m.calls.load(r[atCalls].inside().h)
	m.timings.load(r[atTiming].inside(), m.picked(), m.layout.hero < 0)
	m.charts.load(r[atCharts].inside())
	m.result.facts = m.layout.shape != split || r[atSide].empty()
	m.result.load(r[atResult].inside())
	m.bytes.load(r[atWire].inside())
	m.log.load(r[atLog].inside())
	m.peers.load(r[atPeers].inside(), m.tour.waits())
	m.server.load(r[atServer].inside())
}

// wanted is what the layout depends on; text says that the result is the text of a command, bench that a bench runs or is the result.
func (m *model) wanted(text, bench bool) view {
	v := view{pane: m.pane(), lower: m.lower, middle: m.middle, zoom: m.zoom, tour: m.touring(), text: text, many: m.stats.Servers > 1, ours: m.stats.Ours, calls: m.last > 0}
	v.idle = m.result.output == nil && m.done.Number == 0 && m.focus != atResult && !text
	v.live = bench || v.many && !v.calls
	if v.many && v.middle == atPrompt {
		v.middle = atPeers
	}
	return v
}

// pane is the one that is shown where there is room for one.
func (m *model) pane() place {
	if m.focus != atPrompt {
		return m.focus
	}
	return m.front
}

// touring says whether the tour still has its place: until a call is made after its last step.
func (m *model) touring() bool {
	return m.tour != nil && (!m.tour.finished() || m.last == m.over)
}
