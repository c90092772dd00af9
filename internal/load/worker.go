package load

import (
	"context"
	"time"
)

// worker makes one call after the other, each with a context that has a deadline. A context with a timer for each would cost more than all the measuring: one serves
// all calls that begin within a hundredth of the timeout.
type worker struct {
	*pass
	shard  *shard
	run    context.Context // of the whole run
	ctx    context.Context // of the next call
	cancel context.CancelFunc
	renew  time.Duration // when ctx is too old for another call
}

func (p *pass) worker(run context.Context, i int) *worker {
	return &worker{pass: p, shard: &p.shards[i%len(p.shards)], run: run, ctx: run, cancel: func() {}}
}

// repeat is a worker of the closed model.
func (w *worker) repeat() {
	defer func() { w.cancel() }()
	for now := time.Since(w.start); w.run.Err() == nil; {
		if w.cfg.Duration > 0 && now >= w.cfg.Duration || w.cfg.Calls > 0 && w.made.Add(1) > int64(w.cfg.Calls) {
			return
		}
		begun := time.Since(w.start)
		now = w.one(begun, begun)
	}
}

// follow is a worker of the open model.
func (w *worker) follow(slots <-chan int) {
	defer func() { w.cancel() }()
	for i := range slots {
		w.one(w.due(i), time.Since(w.start))
	}
}

// one makes a call and returns when it ended.
func (w *worker) one(due, begun time.Duration) (ended time.Duration) {
	w.fresh(begun)
	err := w.call(w.ctx)
	ended = time.Since(w.start)
	switch {
	case err == nil:
		w.shard.good(ended-begun, ended-min(due, begun)) // one that begins a little early is not quicker for it
	case w.run.Err() != nil:
		w.abandoned.Add(1)
	default:
		w.shard.failed(w.cfg.Code(err), err)
	}
	return ended
}

// fresh sees to it that ctx leaves a call as much time as it has.
func (w *worker) fresh(now time.Duration) {
	if w.cfg.Timeout == 0 || now <= w.renew && w.ctx != w.run && w.ctx.Err() == nil {
		return
	}
	w.cancel()
	spare := w.cfg.Timeout / 100
	w.ctx, w.cancel = context.WithTimeout(w.run, w.cfg.Timeout+spare)
	w.renew = now + spare
}
