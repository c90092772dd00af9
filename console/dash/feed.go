package dash

import (
	"context"
	"sync/atomic"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/rpckids/rpckids/console"
)

const (
	frameTime = time.Second / 15 // at most so many frames a second
	beatTime  = time.Second      // how often the state of the connection is looked at while nothing happens
)

// feed wakes the program when the journal rang, while something runs, and when the connection changed. It never wakes it for each call:
// what happens between two frames is seen at once. After the last change it wakes it once more, so that figures which rested show the end. moves is when a chart moves on though nothing
// happens, in nanoseconds since 1970, 0 for never. offers tells that leaving was offered; the feed says when the offer is over. It ends with the context.
func feed(ctx context.Context, s *console.Session, offers <-chan struct{}, moves *atomic.Int64, send func(tea.Msg)) {
	j := s.Journal()
	seen, stats, settled := j.Version(), s.Stats(), true
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
		at := moves.Load()
		if at > 0 {
			pause = min(pause, max(time.Until(time.Unix(0, at)), 0))
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return
		case <-offers:
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
