package balance

import (
	"math"
	"sync/atomic"
	"time"
)

// Budget bounds how many calls are made more than once, so that retries never become the load that keeps servers down: a share of the
// calls, and some each second so that a quiet client may retry as well. NewBudget makes one.
type Budget struct {
	share int64        // credit per call, in millionths of a retry
	most  int64        // credit that is kept at most
	each  int64        // ns for which one retry is free; 0: none is
	saved atomic.Int64 // credit of calls
	begin atomic.Int64 // instant of the first use, plus one; 0: not yet
	spent atomic.Int64 // ns of free retries used up, since begin
}

const (
	retry  = 1_000_000 // credit of one retry
	keeps  = 10_000    // calls whose credit is kept: what was saved in a year of calm must not be spent in one bad second
	second = int64(time.Second)
)

// NewBudget makes a budget of share retries for each call (0.1: a tenth) and perSecond more each second. Credit of calls is kept for the
// last 10 000 of them; of the retries each second, those of one second, which are there from the start.
func NewBudget(share float64, perSecond float64) *Budget {
	b := &Budget{share: int64(max(0, share) * retry)}
	b.most = b.share * keeps
	if perSecond > 0 {
		b.each = int64(min(math.Ceil(float64(second)/perSecond), 1<<61))
	}
	return b
}

// Deposit counts a call; its retries and hedges are not calls of their own.
func (b *Budget) Deposit(now int64) {
	if b.begin.Load() == 0 {
		b.begin.CompareAndSwap(0, now+1)
	}
	if b.saved.Load() < b.most {
		b.saved.Add(b.share)
	}
}

// Withdraw says whether one more attempt may be made, and counts it.
func (b *Budget) Withdraw(now int64) bool {
	if b.begin.Load() == 0 {
		b.begin.CompareAndSwap(0, now+1)
	}
	return b.free(now) || b.paid()
}

// free takes a retry of those that each second brings. The first second counts as over from its start, so the total after t seconds is
// never above what max(t, 1) seconds bring.
func (b *Budget) free(now int64) bool {
	if b.each == 0 {
		return false
	}
	for {
		age := max(second, now-(b.begin.Load()-1))
		old := b.spent.Load()
		spent := max(old, age-max(second, b.each))
		if age-spent < b.each {
			return false
		}
		if b.spent.CompareAndSwap(old, spent+b.each) {
			return true
		}
	}
}

// paid takes a retry from the credit of calls.
func (b *Budget) paid() bool {
	for {
		saved := b.saved.Load()
		if saved < retry {
			return false
		}
		if b.saved.CompareAndSwap(saved, saved-retry) {
			return true
		}
	}
}
