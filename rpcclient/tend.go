package rpcclient

import (
	"sync"
	"time"
)

// tender looks after a client's connections now and then: those that have fallen
// silent, are old or too many, and servers whose ejection is over. It is a timer
// and not a goroutine, and it stops while there is nothing to look after.
type tender struct {
	fleet *fleet
	busy  sync.WaitGroup // a round under way; Close waits for it

	mu      sync.Mutex // protects the fields below; taken after all others
	timer   *time.Timer
	armed   bool // a round is to come, or under way
	again   bool // another one shall follow that
	stopped bool
}

// arm makes sure that a round comes.
func (t *tender) arm() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.again = true; t.stopped || t.armed {
		return
	}
	t.setLocked()
}

// setLocked has a round begin after the pace. There is one at a time, however long
// it takes: what it sees of the connections is its own.
func (t *tender) setLocked() {
	t.armed, t.again = true, false
	if d := t.fleet.pace(); t.timer == nil {
		t.timer = time.AfterFunc(d, t.round)
	} else {
		t.timer.Reset(d)
	}
}

func (t *tender) round() {
	t.mu.Lock()
	if t.stopped {
		t.mu.Unlock()
		return
	}
	t.again = false
	t.busy.Add(1)
	t.mu.Unlock()
	defer t.busy.Done()
	more := t.fleet.tend()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.armed = false; (more || t.again) && !t.stopped {
		t.setLocked()
	}
}

func (t *tender) stop() {
	t.mu.Lock()
	t.stopped = true
	if t.timer != nil {
		t.timer.Stop()
	}
	t.mu.Unlock()
	t.busy.Wait()
}

// pace is how long it is from one round to the next.
func (f *fleet) pace() time.Duration {
	if f.several() {
		return 100 * time.Millisecond
	}
	cfg := &f.client.cfg
	d := cfg.Pool.MaxIdle / 8
	if cfg.Pool.MaxAge > 0 {
		d = min(d, cfg.Pool.MaxAge/32)
	}
	if !cfg.Keepalive.Off {
		d = min(d, cfg.Keepalive.Silence/8)
		if idle := cfg.Keepalive.Idle; idle > 0 {
			d = min(d, idle/8)
		}
	}
	return max(d, 10*time.Millisecond)
}

// tend is one round. It reports whether there is anything to look after.
func (f *fleet) tend() (more bool) {
	f.mu.Lock()
	f.followLocked()
	f.summonLocked()
	more = f.next != nil
	f.mu.Unlock()
	list, left := f.servers()
	now := time.Now()
	for _, s := range left {
		s.leave()
		more = s.tend(now) || more
	}
	for _, s := range list {
		more = s.tend(now) || more
	}
	if r := f.roster.Load(); r != nil {
		for _, m := range r.set.Due(f.client.now()) {
			f.probe(m)
		}
	}
	return more
}

// tend looks after the connections of one server.
func (s *server) tend(now time.Time) (more bool) {
	s.mu.Lock()
	conns := make([]conn, 0, len(s.conns))
	for cn := range s.conns {
		conns = append(conns, cn)
	}
	several := s.client.fleet.several()
	if several {
		s.recent.note(now, s.callsLocked())
	}
	want := max(1, s.client.cfg.Pool.Min)
	s.mu.Unlock()
	for _, cn := range conns {
		look(now, cn)
		if v2, ok := cn.(*v2Conn); ok && !s.client.cfg.Keepalive.Off {
			v2.keepAlive(now)
			more = true
		}
		if expires := cn.whereabouts().expires; !expires.IsZero() {
			more = true
			if !now.Before(expires) {
				s.replace(cn, want)
			}
		}
	}
	if open := s.openConns(); len(open) > want {
		more = true
		last := open[len(open)-1]
		if p := last.whereabouts().pulse; p != nil && !p.idle.IsZero() && now.Sub(p.idle) >= s.client.cfg.Pool.MaxIdle {
			last.leave()
		}
	}
	return more || several && len(conns) > 0
}

// replace ends the time of an old connection: at once if enough others are open,
// else when a new one is.
func (s *server) replace(cn conn, want int) {
	if !cn.spent() && len(s.openConns()) > want {
		cn.leave()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !cn.spent() && s.attempt == nil && s.climb == nil && !s.closed {
		s.dialLocked(&attempt{spare: true, old: cn})
	}
}

// pulse is what the rounds see of a connection. All instants are those of rounds,
// and the earlier one where something has happened between two.
type pulse struct {
	looked time.Time
	in     uint64    // bytes that had come
	begun  uint32    // calls that had begun
	owed   bool      // calls have begun since the last byte came
	quiet  time.Time // since when no byte has come that is owed
	idle   time.Time // since when it has carried no calls; zero while it does
	pinged time.Time
}

func look(now time.Time, cn conn) {
	e := cn.whereabouts()
	if e.pulse == nil {
		e.pulse = &pulse{looked: e.since, quiet: e.since}
	}
	p := e.pulse
	in, begun, running := cn.bytesIn(), e.load.begun(), e.load.running()
	switch called := running > 0 || begun != p.begun; {
	case in != p.in:
		p.quiet, p.owed = p.looked, running > 0
	case called && !p.owed:
		p.quiet, p.owed = p.looked, true
	}
	switch {
	case running > 0:
		p.idle = time.Time{}
	case begun != p.begun:
		p.idle = p.looked
	case p.idle.IsZero():
		p.idle = p.looked
	}
	p.in, p.begun, p.looked = in, begun, now
}
