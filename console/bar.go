package console

import (
	"strconv"
	"time"
)

// Bar is a row of a histogram: how many calls took at least From, and less than the next row's.
type Bar struct {
	From  time.Duration
	Count int
	Note  string // the percentiles that fall into it: "p50", "p95 p99"
	Open  bool   // the last one: everything from here up
	Mid   bool   // it holds the median
}

// Bars sorts good calls into at most n rows of equal steps of 1, 2 or 5; what is far out goes into the last. There are none of a handful
// of calls.
func Bars(bands []Band, n int) []Bar {
	total := 0
	for _, b := range bands {
		total += b.Count
	}
	if total < fewCalls || n < 2 {
		return nil
	}
	low, high := bands[0].Upto, BandAt(bands, total, 0.95)
	step := Step125(max((high-low)/time.Duration(n), high/200, 1)) // finer steps would tell calls apart that are alike
	for high >= low/step*step+time.Duration(n)*step {
		step = Step125(step + 1)
	}
	start := low / step * step
	rows := make([]Bar, min(int((high-start)/step)+2, n))
	index := func(d time.Duration) int { return min(int((d-start)/step), len(rows)-1) }
	for i := range rows {
		rows[i].From = start + time.Duration(i)*step
	}
	for _, b := range bands {
		rows[index(b.Upto)].Count += b.Count
	}
	last, most := len(rows)-1, bands[len(bands)-1].Upto
	rows[last].Open = index(most) == last && most >= rows[last].From+step
	if rows[last].Count == 0 {
		rows = rows[:last]
	}
	for _, q := range []int{50, 95, 99} {
		b := &rows[min(index(BandAt(bands, total, float64(q)/100)), len(rows)-1)]
		if b.Note != "" {
			b.Note += " "
		}
		b.Note += "p" + strconv.Itoa(q)
		b.Mid = b.Mid || q == 50
	}
	return rows
}

// BandAt is the duration that a share of all calls does not exceed, as the percentiles have it.
func BandAt(bands []Band, total int, q float64) time.Duration {
	rank, seen := max(int(float64(total)*q+0.5), 1), 0
	for _, b := range bands {
		if seen += b.Count; seen >= rank {
			return b.Upto
		}
	}
	if len(bands) == 0 {
		return 0
	}
	return bands[len(bands)-1].Upto
}

// Step125 returns the smallest of 1, 2, 5, 10, 20, 50 ... that is at least n; 0 for nothing.
func Step125[T ~int64](n T) T {
	if n <= 0 {
		return 0
	}
	for p := T(1); p > 0 && p <= 1<<62/10; p *= 10 {
		for _, m := range []T{1, 2, 5} {
			if p*m >= n {
				return p * m
			}
		}
	}
	return n
}
