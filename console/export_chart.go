package console

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The charts of a page, as numbers for the template: it draws them, and escapes what stands in them. Coordinates are in units of the drawing.
const (
	chartWidth  = 400.0
	chartHeight = 150.0
	chartFloor  = 126.0 // where the axis lies; names stand below
	chartTop    = 22.0  // where the scale ends; what is beyond it stands above
	chartPad    = 6.0   // left and right, so that a dot at the edge is whole
	ruleRoom    = 30.0  // at the right, for the names of rules
)

// mark is a call in the latency chart.
type mark struct {
	X, Y float64
	Kind string // "dot", "over" above the scale, "fail"
	Tip  string
}

// rule is a line across a chart.
type rule struct {
	Y    float64
	Name string
}

// latencyChart shows each of the latest calls where it stands in time.
type latencyChart struct {
	Marks       []mark
	Stems       string // a path: a line from the axis to each good call
	Rules       []rule
	Scale       string
	First, Last string // times of day
	Failed      int
}

func newLatencyChart(t *Timing) *latencyChart {
	points := slices.Clone(t.Points)
	slices.SortStableFunc(points, func(a, b Point) int { return a.At.Compare(b.At) })
	top := Step125(max(typical(points), 1))
	first, last := points[0].At, points[len(points)-1].At
	c := &latencyChart{First: clock(first), Last: clock(last), Scale: "0 – " + partText(top, false)}
	span := float64(last.Sub(first))
	for _, p := range points {
		m := mark{X: chartWidth / 2, Y: chartTop / 2, Kind: "dot", Tip: clock(p.At) + "  " + Duration(p.RTT, false)}
		if span > 0 {
			m.X = round1(chartPad + (chartWidth-2*chartPad-ruleRoom)*float64(p.At.Sub(first))/span)
		}
		switch {
		case p.Failed:
			m.Kind, m.Tip = "fail", m.Tip+"  failed"
			c.Failed++
		case p.RTT > top:
			m.Kind = "over"
		default:
			m.Y = height(p.RTT, top)
			c.Stems += fmt.Sprintf("M%g %gV%g", m.X, chartFloor, m.Y)
		}
		c.Marks = append(c.Marks, m)
	}
	for _, q := range []struct {
		name string
		at   time.Duration
	}{{"p50", t.P50}, {"p99", t.P99}} {
		r := rule{height(q.at, top), q.name}
		if n := len(c.Rules); q.at > 0 && q.at <= top && (n == 0 || c.Rules[n-1].Y-r.Y >= 13) { // names do not run into each other
			c.Rules = append(c.Rules, r)
		}
	}
	return c
}

// height is the place of a duration in a chart that ends at top.
func height(d, top time.Duration) float64 {
	return round1(chartFloor - (chartFloor-chartTop)*min(float64(d)/float64(max(top, 1)), 1))
}

func round1(v float64) float64 { return math.Round(v*10) / 10 }

// typical is what a scale must hold: the largest of few good points, the 95th percentile of many, so that one slow call flattens nothing.
func typical(points []Point) time.Duration {
	good := goodTimes(points)
	if len(good) == 0 {
		return 0
	}
	return good[(len(good)-1)*95/100]
}

// goodTimes are the round trips of the good calls, shortest first.
func goodTimes(points []Point) []time.Duration {
	var good []time.Duration
	for _, p := range points {
		if !p.Failed {
			good = append(good, p.RTT)
		}
	}
	slices.Sort(good)
	return good
}

// bin is a row of a histogram.
type bin struct {
	Y, Width float64
	From     string
	Count    string
	Note     string // the percentiles that fall into it
	Mid      bool   // it holds the median
}

// histogramChart sorts the latest good calls by their time.
type histogramChart struct {
	Bins   []bin
	Height float64
	Calls  string
}

const (
	binRows   = 8
	binHeight = 18.0
	binWidth  = 210.0
	fewCalls  = 5 // fewer make no histogram
)

func newHistogramChart(t *Timing) *histogramChart {
	good := goodTimes(t.Points)
	if len(good) < fewCalls {
		return nil
	}
	low, high := good[0], good[(len(good)-1)*95/100]
	step := Step125(max((high-low)/binRows, high/200, 1)) // finer steps would tell calls apart that are alike
	for high >= low/step*step+binRows*step {
		step = Step125(step + 1)
	}
	start := low / step * step
	counts := make([]int, min(int((high-start)/step)+2, binRows)) // the last one takes what is far out
	row := func(d time.Duration) int { return min(int((d-start)/step), len(counts)-1) }
	for _, d := range good {
		counts[row(d)]++
	}
	if counts[len(counts)-1] == 0 {
		counts = counts[:len(counts)-1]
	}
	c := &histogramChart{Height: binHeight * float64(len(counts)), Calls: calls(len(good))}
	most := slices.Max(counts)
	for i, n := range counts {
		b := bin{Y: binHeight * float64(i), Width: round1(binWidth * float64(n) / float64(most)), From: Duration(start+time.Duration(i)*step, false), Count: Count(n)}
		if n > 0 {
			b.Width = max(b.Width, 2)
		}
		c.Bins = append(c.Bins, b)
	}
	for _, q := range []int{50, 95, 99} {
		b := &c.Bins[row(good[max((len(good)*q+50)/100, 1)-1])]
		b.Note = strings.TrimSpace(fmt.Sprintf("%s p%d", b.Note, q))
		b.Mid = b.Mid || q == 50
	}
	return c
}

// spot is a percentile in its chart.
type spot struct {
	X, Y       float64
	Name, Text string
	Strong     bool
}

// percentileChart shows how the times rise from the shortest to the longest, with more room for the rare ones.
type percentileChart struct {
	Spots []spot
	Line  string // the points of the curve
	Area  string // the same, closed below
	Scale string
}

func newPercentileChart(t *Timing) *percentileChart {
	if t.Calls-t.Failed < fewCalls {
		return nil
	}
	top := Step125(max(t.Max, 1))
	c := &percentileChart{Scale: "0 – " + partText(top, false)}
	const left, right = 28.0, chartWidth - 28
	for i, q := range []struct {
		name string
		at   time.Duration
	}{{"min", t.Min}, {"p50", t.P50}, {"p90", t.P90}, {"p95", t.P95}, {"p99", t.P99}, {"max", t.Max}} {
		s := spot{X: left + (right-left)*float64(i)/5, Y: height(q.at, top), Name: q.name, Text: Duration(q.at, false), Strong: q.name == "p50"}
		c.Spots = append(c.Spots, s)
		c.Line += fmt.Sprintf("%g,%g ", s.X, s.Y)
	}
	c.Area = fmt.Sprintf("%g,%g %s%g,%g", left, chartFloor, c.Line, right, chartFloor)
	return c
}
