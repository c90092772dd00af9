package rpcclient

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// mostCauses is how many bytes of causes stand in the error when nobody can be reached.
const mostCauses = 600

// muster is one try to reach any server, that any number of calls wait for: the
// first that is reached ends it, or the last that is not. The fleet's mutex
// protects it; server, conn and err are set before done is closed.
type muster struct {
	done    chan struct{}
	dials   map[*server]*attempt // nil: that one is over
	awaited int                  // dials that are not
	calls   int                  // that wait
	causes  []cause

	server *server
	conn   conn
	err    error
}

type cause struct {
	server *server
	err    error
}

// reach returns a connection to the first server that can be reached. Callers
// who come while others wait, wait for the same dials and share their errors.
func (f *fleet) reach(ctx context.Context) (*server, conn, error) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, nil, errClosed
	}
	m := f.muster
	if m == nil {
		m = &muster{done: make(chan struct{}), dials: make(map[*server]*attempt)}
		f.muster = m
		f.lookLocked()
		f.summonLocked()
	}
	m.calls++
	f.mu.Unlock()
	select {
	case <-m.done:
		return m.server, m.conn, m.err
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m.calls--
	return nil, nil, ended(ctx, f.connectingLocked(m))
}

// connectingLocked says what a caller has waited for.
func (f *fleet) connectingLocked(m *muster) string {
	switch n := len(f.list); n {
	case 0:
		return fmt.Sprintf("while connecting: no servers are known yet, %d calls wait besides", m.calls)
	case 1:
		return fmt.Sprintf("while connecting: no connection to %s yet, %d calls wait besides", f.list[0].label, m.calls)
	default:
		return fmt.Sprintf("while connecting: no connection to any of %d servers yet, %d calls wait besides", n, m.calls)
	}
}

// summonLocked has the muster, if there is one, wait for every server in the list.
func (f *fleet) summonLocked() {
	m := f.muster
	if m == nil {
		return
	}
	if len(f.list) == 0 && f.lookup != nil {
		f.dismissLocked(nil, nil, f.lookup)
		return
	}
	for _, s := range f.list {
		if _, known := m.dials[s]; known {
			continue
		}
		s.mu.Lock()
		a, err := s.joinLocked()
		cn := s.live()
		s.mu.Unlock()
		switch {
		case err != nil: // it is leaving the list
		case cn != nil:
			f.dismissLocked(s, cn, nil)
			return
		default:
			m.dials[s] = a
			m.awaited++
		}
	}
}

// heard is told how a dial has ended.
func (f *fleet) heard(s *server, a *attempt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.muster
	switch {
	case m == nil:
	case a.err == nil:
		f.dismissLocked(s, a.conn, nil)
	case m.dials[s] == a:
		m.dials[s] = nil
		if a.err != error(errMoved) { // it has left the list
			m.causes = append(m.causes, cause{s, a.err})
		}
		if m.awaited--; m.awaited == 0 {
			f.dismissLocked(nil, nil, f.whyNoneLocked(m.causes))
		}
	}
}

// dismissLocked ends the muster.
func (f *fleet) dismissLocked(s *server, cn conn, err error) {
	m := f.muster
	m.server, m.conn, m.err = s, cn, err
	f.muster = nil
	close(m.done)
}

// whyNoneLocked is the failure of a call when no server can be reached.
func (f *fleet) whyNoneLocked(causes []cause) error {
	switch {
	case f.closed:
		return errClosed
	case len(causes) == 0: // the list has changed altogether
		return errMoved
	case len(causes) == 1 && len(f.list) == 1:
		return causes[0].err
	}
	slices.SortStableFunc(causes, func(a, b cause) int {
		return cmp.Compare(slices.Index(f.list, a.server), slices.Index(f.list, b.server))
	})
	var b strings.Builder
	for i, c := range causes {
		text := strings.TrimPrefix(c.err.Error(), "cannot connect: ")
		if b.Len() > 0 && b.Len()+len(text) > mostCauses {
			fmt.Fprintf(&b, "; and %d more", len(causes)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.server.label + ": " + printable(text, 200))
	}
	first := causes[0].err
	if f, ok := first.(*failure); ok {
		first = f.cause
	}
	return fail(ErrConnect, Unavailable, first, "cannot connect to any of %d servers: %s", len(causes), &b)
}
