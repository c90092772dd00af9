package rpcserver

import "sync"

// pool is the workers and the queue before them. Workers start when there is work for one more, up to their number, and
// end when the pool closes. Streams with items are its guests: each has a goroutine of its own.
type pool struct {
	run     func(*Call)
	workers int
	limit   int // of calls that wait or run

	mu      sync.Mutex // protects the fields below
	more    sync.Cond
	waiting calls
	alive   int // workers
	asleep  int // of these, without work
	busy    int // of these, in run
	guests  int
	closed  bool
	done    chan struct{} // closed when the last worker and the last guest have left a closed pool
}

func newPool(workers, queue int, run func(*Call)) *pool {
	p := &pool{run: run, workers: workers, limit: workers + queue, done: make(chan struct{})}
	p.more.L = &p.mu
	return p
}

// put moves calls from batch into the queue until it is full; what is left in batch did not fit.
func (p *pool) put(batch *calls) {
	p.mu.Lock()
	for batch.n > 0 && p.waiting.n+p.busy < p.limit {
		p.waiting.push(batch.pop())
	}
	p.wakeLocked()
	p.mu.Unlock()
}

// back puts calls that were in the queue before into it again, full or not.
func (p *pool) back(batch *calls) {
	p.mu.Lock()
	for batch.n > 0 {
		p.waiting.push(batch.pop())
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

// host runs a call that takes no worker. How many there may be is the connection's limit of streams.
func (p *pool) host(c *Call) {
	p.mu.Lock()
	p.guests++
	p.mu.Unlock()
	go func() { // ends when the handler has returned; Server.Close and Server.Shutdown wait for done
		defer p.unhost()
		c.conn.run(c)
	}()
}

func (p *pool) unhost() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.guests--
	p.emptyLocked()
}

// next waits for a call; nil means that the pool is closed.
func (p *pool) next(wasBusy bool) *Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wasBusy {
		p.busy--
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
	p.wakeLocked()
	return c
}

func (p *pool) leave(wasBusy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wasBusy {
		p.busy--
	}
	p.alive--
	p.wakeLocked()
	p.emptyLocked()
}

func (p *pool) emptyLocked() {
	if p.closed && p.alive == 0 && p.guests == 0 {
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

func (p *pool) load() (queued, running, streams int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting.n, p.busy, p.guests
}
