package sim

// kind is what is wrong with a server.
type kind uint8

const (
	healthy kind = iota
	slow
	failing
	dead
	hanging
	flapping
)

// server works on a few calls at once, and the others wait.
type server struct {
	kind    kind
	alive   bool // connections to it can be made
	links   []*link
	running []*attempt
	waiting []*attempt
	calls   int // that reached it
}

// act makes a flapping server die or come back.
func (v *server) act(w *world) {
	v.alive = !v.alive
	w.at(w.now+flap, v)
	if v.alive {
		return // its clients will find out
	}
	lost := append(v.running, v.waiting...)
	v.running, v.waiting = nil, nil
	for _, a := range lost {
		a.end(w, false)
	}
	for _, k := range v.links {
		k.lose(w)
	}
}

// take is the arrival of a call.
func (v *server) take(w *world, a *attempt) {
	if !v.alive {
		a.link.lose(w)
		a.end(w, false)
		return
	}
	v.calls++
	switch {
	case v.kind == failing:
		a.end(w, false)
	case v.kind == hanging:
	case len(v.running) < w.Workers:
		v.start(w, a)
	default:
		v.waiting = append(v.waiting, a)
	}
}

func (v *server) start(w *world, a *attempt) {
	v.running = append(v.running, a)
	a.step = works
	work := w.work()
	if v.kind == slow {
		work *= 10
	}
	w.at(w.now+work, a)
}

// done ends a call that the server worked on, and starts the next that somebody still waits for.
func (v *server) done(w *world, a *attempt) {
	for i, r := range v.running {
		if r == a {
			v.running = append(v.running[:i], v.running[i+1:]...)
			break
		}
	}
	a.end(w, true)
	for len(v.waiting) > 0 && len(v.running) < w.Workers {
		next := v.waiting[0]
		v.waiting = v.waiting[1:]
		if !next.over {
			v.start(w, next)
		}
	}
}
