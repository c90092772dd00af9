package dash

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

const (
	frameTime = time.Second / 15 // at most so many frames a second
	beatTime  = time.Second      // how often the state of the connection is looked at while nothing happens
)

// watching is what the program tells its feed.
type watching struct {
	offers <-chan struct{}
	moves  *atomic.Int64
	peers  *atomic.Bool
	server *atomic.Int64
}

// feed wakes the program when the journal rang, while something runs, and when the connection changed. It never wakes it for each call:
// what happens between two frames is seen at once. After the last change it wakes it once more, so that figures which rested show the end. moves is when a chart moves on though nothing
// happens, in nanoseconds since 1970, 0 for never; server is when a server is to be asked again how it is. offers tells that leaving was offered; the feed says when the offer is over. peers is whether
// somebody looks at the servers, which are then looked at more often. It ends with the context.
func feed(ctx context.Context, s *console.Session, w watching, send func(tea.Msg)) {
	j := s.Journal()
	seen, stats, settled := j.Version(), s.Stats(), true
	var servers []console.Peer
	var calm <-chan time.Time
	timer := time.NewTimer(frameTime)
	defer timer.Stop()
	for {
		pause, rested := beatTime, false
		if !settled {
			pause = figureRest
		}
		if j.Totals().Running > 0 && s.Setting("motion") != "off" {
			pause = 0 // it rested after the last frame
		}
		if w.peers.Load() {
			pause = min(pause, peersRest)
		}
		at := w.moves.Load()
		if due := w.server.Load(); due > 0 && (at == 0 || due < at) {
			at = due
		}
		if at > 0 {
			pause = min(pause, max(time.Until(time.Unix(0, at)), 0))
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return
		case <-w.offers:
			calm = time.After(patience)
			continue
		case <-calm:
			calm = nil
			send(calmMsg{})
			continue
		case <-j.Bell():
		case <-timer.C:
			rested = true
		}
		v, st := j.Version(), s.Stats()
		changed := v != seen || st != stats || j.Totals().Running > 0
		if w.peers.Load() {
			now := s.Peers()
			changed = changed || !slices.Equal(now, servers)
			servers = now
		}
		moved := at > 0 && !time.Now().Before(time.Unix(0, at))
		if !changed && !moved && (settled || !rested) {
			continue
		}
		seen, stats, settled = v, st, !changed && (settled || !moved)
		send(tickMsg{})
		timer.Reset(frameTime)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}
