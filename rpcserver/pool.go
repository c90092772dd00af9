package rpcserver

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pool is the workers and the queue before them, and counts what is in flight: handlers that run, whether somebody still waits for them or
// not, and calls that wait for a worker. Workers start when there is work for one more, up to their number, and end when the pool closes.
// Streams with items are its guests: each has a goroutine of its own.
type pool struct {
	run     func(*Call)
	workers int
	limit   int // of calls that wait or run on workers
	most    int // in flight
	// gone counts, of busy, those whose handlers have returned: their places are free before their answers leave, or whoever has as many calls
	// in flight as may be would be refused when he sends the next at once. It goes up without the lock, and down with it.
	gone atomic.Int64

	mu       sync.Mutex // protects the fields below
	more     sync.Cond
	waiting  calls
	alive    int // workers
	asleep   int // of these, without work
	busy     int // of these, in run
	readers  int // that run a call themselves
	guests   int
	hosts    int       // goroutines of guests that are streams
	adaptive *adaptive // nil: there is none
	line     []*turn   // of readers whose peers feel that there is no place
	finished uint64    // calls that left
	rate     drainRate
	closed   bool
	done     chan struct{} // closed when the last worker and the last guest have left a closed pool
}

// turn is a call whose reader waits until it has a place; in is closed then.
type turn struct {
	call *Call
	in   chan struct{}
}

func newPool(cfg *Config, run func(*Call)) *pool {
	p := &pool{run: run, workers: cfg.Workers, limit: cfg.Workers + cfg.Queue, most: cfg.MaxInFlight, done: make(chan struct{})}
	if cfg.Adaptive {
		p.adaptive = newAdaptive(cfg.Workers, cfg.MaxInFlight)
	}
	p.more.L = &p.mu
	return p
}

// put moves calls from batch into the queue. What is left in batch did not fit, for the reason that is returned.
func (p *pool) put(batch *calls) (why refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for batch.n > 0 {
		if why = p.fullLocked(); why != admitted {
			break
		}
		p.pushLocked(batch.pop())
	}
	p.wakeLocked()
	return why
}

// fullLocked says why there is no place for one more, or admitted. Guests stay for long and in numbers that say nothing about speed: for the
// adaptive limit they do not count.
func (p *pool) fullLocked() refusal {
	own := p.ownLocked()
	switch {
	case own+p.readers+p.guests >= p.most:
		return tooManyInFlight
	case p.adaptive != nil && p.adaptive.full(own+p.readers):
		return overLimit
	case own >= p.limit:
		return queueFull
	}
	return admitted
}

// ownLocked is how many calls wait or run on workers.
func (p *pool) ownLocked() int { return p.waiting.n + p.busy - int(p.gone.Load()) }

func (p *pool) pushLocked(c *Call) {
	p.waiting.push(c)
	p.enteredLocked(c)
}

// enteredLocked begins the time that counts for the adaptive limit: what a call has waited before is back pressure, and no load.
func (p *pool) enteredLocked(c *Call) {
	if p.adaptive != nil {
		c.entered = time.Now()
		p.adaptive.entered(p.ownLocked() + p.readers)
	}
}

// await waits until a call has a place in the queue or, when the queue is full but more may run, with its reader: then mine is true, and the
// reader that has run it owes a leftReader. A call whose connection is cut meanwhile is put in, to be counted; it will not run.
func (p *pool) await(c *Call, cut <-chan struct{}) (mine bool) {
	p.mu.Lock()
	switch p.fullLocked() {
	case admitted:
		p.pushLocked(c)
		p.wakeLocked()
		p.mu.Unlock()
		return false
	case queueFull:
		p.readers++
		p.enteredLocked(c)
		p.mu.Unlock()
		return true
	}
	t := &turn{c, make(chan struct{})}
	p.line = append(p.line, t)
	p.mu.Unlock()
	select {
	case <-t.in:
		return false
	case <-cut:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.line, t); i >= 0 {
		p.line = slices.Delete(p.line, i, i+1)
		p.waiting.push(c)
		p.wakeLocked()
	}
	return false
}

// nextTurnLocked lets those in line in while there is room.
func (p *pool) nextTurnLocked() {
	for len(p.line) > 0 {
		if why := p.fullLocked(); why != admitted {
			return
		}
		t := p.line[0]
		p.line = slices.Delete(p.line, 0, 1)
		p.pushLocked(t.call)
		close(t.in)
		p.wakeLocked()
	}
}

// leftReader takes note that a reader has run a call itself.
func (p *pool) leftReader() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readers--
	p.freeLocked()
}

// freeLocked takes note that a call has left.
func (p *pool) freeLocked() {
	p.finished++
	if len(p.line) > 0 {
		p.nextTurnLocked()
	}
}

// learn gives the adaptive limit a sample.
func (p *pool) learn(s sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.adaptive.add(s)
}

// back puts calls that were in the queue before into it again, full or not.
func (p *pool) back(batch *calls) {
	p.mu.Lock()
	for batch.n > 0 {
		p.pushLocked(batch.pop())
	}
	p.wakeLocked()
	p.mu.Unlock()
}

// wakeLocked wakes one worker; it wakes the next if there is more to do. So short calls are done by few workers, whose
// replies then leave in few writes.
func (p *pool) wakeLocked() {
	switch {
	case p.waiting.n == 0:
	case p.asleep > 0:
		p.more.Signal()
	case p.alive < p.workers:
		p.alive++
		go p.work() // ends in leave; Server.Close and Server.Shutdown wait for done
	}
}

func (p *pool) work() {
	busy := false
	defer func() { p.leave(busy) }() // also when a handler ends its goroutine
	for {
		c := p.next(busy)
		if busy = c != nil; !busy {
			return
		}
		p.run(c)
	}
}

// host runs a call that takes no worker, unless there is no place for it.
func (p *pool) host(c *Call) refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ownLocked()+p.readers+p.guests >= p.most {
		return tooManyInFlight
	}
	c.place = ofGuest
	p.guests++
	p.hosts++
	go func() { // ends when the handler has returned; Server.Close and Server.Shutdown wait for done
		defer p.hosted()
		c.conn.run(c)
	}()
	return admitted
}

func (p *pool) hosted() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hosts--
	p.emptyLocked()
}

// unhost takes note that a guest has left.
func (p *pool) unhost() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.guests--
	p.freeLocked()
	p.emptyLocked()
}

// place is what a call takes of the pool while it runs. Quick calls take nothing, and those that readers run are the readers' to count.
type place uint8

const (
	noPlace place = iota
	ofWorker
	ofGuest
)

// vacate gives back what a call has taken whose handler has returned. Its answer leaves after that.
func (p *pool) vacate(what place) {
	switch what {
	case ofWorker:
		p.gone.Add(1)
	case ofGuest:
		p.unhost()
	}
}

// idleLocked takes note that a worker is done with its call, which has been vacated.
func (p *pool) idleLocked() {
	p.busy--
	p.gone.Add(-1)
	p.freeLocked()
}

// next waits for a call; nil means that the pool is closed.
func (p *pool) next(wasBusy bool) *Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wasBusy {
		p.idleLocked()
	}
	for p.waiting.n == 0 {
		if p.closed {
			return nil
		}
		p.asleep++
		p.more.Wait()
		p.asleep--
	}
	p.busy++
	c := p.waiting.pop()
	c.place = ofWorker
	p.wakeLocked()
	return c
}

func (p *pool) leave(wasBusy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wasBusy {
		p.idleLocked()
	}
	p.alive--
	p.wakeLocked()
	p.emptyLocked()
}

func (p *pool) emptyLocked() {
	if p.closed && p.alive == 0 && p.guests == 0 && p.hosts == 0 {
		close(p.done)
	}
}

// close lets the workers go once the queue is empty. Nothing may be put in afterwards.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.more.Broadcast()
	p.emptyLocked()
}

// inFlight is how many calls and streams have not come to their end.
func (p *pool) inFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ownLocked() + p.readers + p.guests
}

// load is what a pool has to do.
type load struct{ queued, running, streams, inFlight, limit int }

func (p *pool) load() load {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := load{queued: p.waiting.n, running: p.busy - int(p.gone.Load()) + p.readers, streams: p.guests, limit: p.most}
	l.inFlight = l.queued + l.running + l.streams
	if p.adaptive != nil {
		l.limit = min(l.limit, p.adaptive.now())
	}
	return l
}

// drainRate is how fast calls leave, from one look to another. It is looked at only while calls are refused.
type drainRate struct {
	looked   time.Time
	since    time.Time
	finished uint64        // then
	each     time.Duration // from one call that leaves to the next; 0 if none has
}

const (
	rateTime    = 100 * time.Millisecond // between looks
	rateForgets = time.Second            // without a look
	retryAfter  = 100 * time.Millisecond // where nothing has left yet
	leastRetry  = 10 * time.Millisecond
	mostRetry   = 5 * time.Second
)

// retryAfter says when somebody who is refused now may find a place: what is in flight, at the pace at which calls left of late.
func (p *pool) retryAfter(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.rate
	if now.Sub(r.looked) > rateForgets {
		*r = drainRate{since: now, finished: p.finished}
	}
	r.looked = now
	if n, took := p.finished-r.finished, now.Sub(r.since); n > 0 && took >= rateTime {
		r.each = took / time.Duration(n)
		r.since, r.finished = now, p.finished
	}
	if r.each == 0 {
		return retryAfter
	}
	return min(max(time.Duration(p.ownLocked()+p.readers)*r.each, leastRetry), mostRetry)
}
