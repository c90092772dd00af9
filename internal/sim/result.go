package sim

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// counts is what is noted while a world is played.
type counts struct {
	open     bool    // latencies are kept
	took     []int64 // of each call that ended; a failed one counts as the deadline
	failed   int
	attempts int
	wasted   int
}

func (c *counts) ended(took int64) {
	if c.open {
		c.took = append(c.took, took)
	}
}

// Result is what a run shows. Calls that were under way when counting began or ended are in some of the numbers and not in others.
type Result struct {
	Scenario
	Calls     int           // that ended
	Failed    int           // of them, with all their attempts
	Attempts  int           // made
	Wasted    int           // of them, those that failed
	P50, P99  time.Duration // of the calls, with all their attempts; one that fails counts as the deadline
	BusyP99   float64       // calls of the busiest hundredth of the healthy servers, by the mean of the healthy ones
	Busiest   float64       // calls of the busiest one, likewise
	SlowShare float64       // calls of a slow server by the same mean; 0 without any
}

func (w *world) result() Result {
	c := w.counts
	slices.Sort(c.took)
	r := Result{
		Scenario: w.Scenario, Calls: len(c.took), Failed: c.failed, Attempts: c.attempts, Wasted: c.wasted,
		P50: time.Duration(c.took[len(c.took)/2]), P99: time.Duration(c.took[len(c.took)*99/100]),
	}
	var loads []int
	sum, slowly := 0, 0
	for _, v := range w.servers {
		switch v.kind {
		case healthy:
			loads = append(loads, v.calls)
			sum += v.calls
		case slow:
			slowly += v.calls
		}
	}
	slices.Sort(loads)
	mean := float64(sum) / float64(len(loads))
	r.BusyP99 = float64(loads[len(loads)*99/100]) / mean
	r.Busiest = float64(loads[len(loads)-1]) / mean
	if w.Slow > 0 {
		r.SlowShare = float64(slowly) / float64(w.Slow) / mean
	}
	return r
}

// WriteTable writes results as a table of Markdown.
func WriteTable(w io.Writer, results []Result) {
	fmt.Fprintln(w, "| servers | policy | ejection | p50 | p99 | busiest 1 % | busiest | a slow one | wasted attempts | failed calls |")
	fmt.Fprintln(w, "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, r := range results {
		ejection, slowly := "on", "-"
		if r.Ejection.Off {
			ejection = "off"
		}
		if r.Slow > 0 {
			slowly = fmt.Sprintf("%.2f", r.SlowShare)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %.2f | %.2f | %s | %s | %s |\n", r.Name, r.Policy, ejection,
			r.P50.Round(100*time.Microsecond), r.P99.Round(100*time.Microsecond), r.BusyP99, r.Busiest, slowly,
			percent(r.Wasted, r.Attempts), percent(r.Failed, r.Calls))
	}
}

func percent(part, of int) string { return fmt.Sprintf("%.2f %%", 100*float64(part)/float64(of)) }
