package dash

import (
	"math"
	"strings"
	"time"

	"github.com/rpckids/rpckids/console"
)

// heatmap has a column for each stretch of time and a row for each range of durations; the more calls, the darker the cell.
func (c *charts) heatmap(w, h int) []string {
	t, p := c.theme, newPage(w, h)
	calls, failed, _ := tally(c.upper, c.now)
	right := count(calls, "call")
	if w >= 50 {
		right = "few " + strings.Join(t.Mark.Shades, "") + " many   " + right
	}
	c.title(p, "rtt over time", right)
	low, high := extent(c.upper)
	body := h - 1
	if h > 3 {
		body--
	}
	if failed > 0 && body > 2 {
		c.failures(p)
		body--
	}
	if body > 0 && high >= 0 {
		group, tall := 1, 1
		if n := high - low + 1; n > body {
			group = (n + body - 1) / body
		} else {
			tall = min(body/n, 3)
		}
		most := fullest(c.upper, low, high, group)
		for range body - ((high-low)/group+1)*tall {
			p.gap()
		}
		for i := low + (high-low)/group*group; i >= low; i -= group {
			for k := range tall {
				c.heatRow(p, i, min(i+group, high+1), most, k == tall-1)
			}
		}
	}
	for p.left() > 1 {
		p.gap()
	}
	if h > 3 {
		c.timeAxis(p)
	}
	return p.done()
}

// failures marks the columns in which calls failed.
func (c *charts) failures(p *page) {
	t := c.theme
	s := strip{}
	for _, b := range c.upper {
		if b.Failed > 0 {
			s.cell(&t.Fail, t.Mark.Fail)
		} else {
			s.blanks(1)
		}
	}
	l := (&line{}).right(&t.Fail, "failed", axis-2).until(&t.Text, axis)
	p.add(&line{b: append(l.b, s.done()...), w: axis + len(c.upper)})
}

// heatRow draws the durations from one element of the shares to another. Its scale says where the lowest row begins.
func (c *charts) heatRow(p *page, from, to, most int, scale bool) {
	t := c.theme
	l := (&line{}).put(&t.Text, " ")
	if scale {
		l.put(&t.Muted, durationCell(shareFloor(from), t.ASCII))
	}
	l.until(&t.Text, axis)
	s := strip{}
	for _, b := range c.upper {
		n := sum(b.Shares[from:to])
		if shade := shadeOf(n, most, len(t.Mark.Shades)); shade > 0 {
			s.cell(&t.Accent, t.Mark.Shades[shade-1])
		} else {
			s.blanks(1)
		}
	}
	l.b, l.w = append(l.b, s.done()...), l.w+len(c.upper)
	p.add(l)
}

// shadeOf is how dark a cell is: 0 without a call, then in steps of equal ratio up to the fullest cell. Where that has few calls the faintest shades
// are left out.
func shadeOf(n, most, shades int) int {
	switch {
	case n <= 0:
		return 0
	case most <= shades:
		return min(shades-most+n, shades)
	}
	return min(1+int(float64(shades)*math.Log(float64(n))/math.Log(float64(most))), shades)
}

// shareFloor is the lower limit of an element of the shares.
func shareFloor(i int) time.Duration {
	if i == 0 {
		return 0
	}
	return console.ShareLimit(i - 1)
}

// extent is the range of the shares that hold a call; high is -1 without one.
func extent(all []console.Bucket) (low, high int) {
	low, high = math.MaxInt, -1
	for _, b := range all {
		for i, n := range b.Shares {
			if n > 0 {
				low, high = min(low, i), max(high, i)
			}
		}
	}
	return low, high
}

// fullest is how many calls the fullest cell has, each of so many elements of the shares.
func fullest(all []console.Bucket, low, high, group int) (most int) {
	for _, b := range all {
		for i := low; i <= high; i += group {
			most = max(most, sum(b.Shares[i:min(i+group, high+1)]))
		}
	}
	return most
}

func sum(counts []int) (n int) {
	for _, k := range counts {
		n += k
	}
	return n
}
