package sim

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/balance"
)

// go test ./internal/sim -run TestTable -table
var table = flag.Bool("table", false, "play the large scenarios, which takes a minute or two, and write the tables of docs/BALANCING.md")

const page = "../../docs/BALANCING.md"

// rows is what a table shows: every policy, in a world that is well, with slow servers, and with sick ones; the last also without ejection.
func rows(well Scenario, percent int) []Scenario {
	var all []Scenario
	for _, s := range []Scenario{well, well.WithSlow(percent), well.WithSick()} {
		for _, ejection := range []bool{true, false} {
			if !ejection && s.Failing == 0 {
				continue
			}
			for _, p := range []balance.Policy{balance.P2C, balance.LeastPending, balance.RoundRobin} {
				all = append(all, s.Under(p, ejection))
			}
		}
	}
	return all
}

func village() []Scenario { return rows(Village(), 10) }
func crowd() []Scenario   { return rows(Crowd(), 5) }

// playAll plays scenarios, two at a time, and returns the table of them.
func playAll(all []Scenario) string {
	results := make([]Result, len(all))
	var two sync.WaitGroup
	for half := range 2 {
		two.Go(func() {
			for i := half; i < len(all); i += 2 {
				results[i] = Run(all[i])
			}
		})
	}
	two.Wait()
	var b bytes.Buffer
	WriteTable(&b, results)
	return b.String()
}

// between returns where in the page the table of that name stands.
func between(t *testing.T, text, name string) (from, to int) {
	t.Helper()
	begin, end := fmt.Sprintf("<!-- %s: begin -->\n", name), fmt.Sprintf("<!-- %s: end -->", name)
	from, to = strings.Index(text, begin), strings.Index(text, end)
	if from < 0 || to < from {
		t.Fatalf("%s has no place for the table %q", page, name)
	}
	return from + len(begin), to
}

func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// writeTable puts rows where the table of that name stands.
func writeTable(t *testing.T, name, rows string) {
	t.Helper()
	text := readPage(t)
	from, to := between(t, text, name)
	if err := os.WriteFile(page, []byte(text[:from]+rows+text[to:]), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTable holds that the page shows what this code gives: the small table is played again, to the last digit. With -table it writes both.
func TestTable(t *testing.T) {
	small := playAll(village())
	if *table {
		writeTable(t, "village", small)
		writeTable(t, "crowd", playAll(crowd()))
	}
	text := readPage(t)
	from, to := between(t, text, "village")
	if got := text[from:to]; got != small {
		t.Errorf("%s shows\n%s, played again it is\n%s; write it with -table", page, got, small)
	}
}

// row is a line of a table as the page shows it.
type row struct {
	p50, p99                  time.Duration
	busyP99, busiest, slowest float64
	wasted, failed            float64 // hundredths
}

// readRows reads a table back, by "servers/policy/ejection".
func readRows(t *testing.T, lines string) map[string]row {
	t.Helper()
	all := map[string]row{}
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n")[2:] {
		f := strings.Split(strings.Trim(line, "| "), "|")
		for i := range f {
			f[i] = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(f[i]), "%"))
		}
		if len(f) != 10 {
			t.Fatalf("%d columns in %q, want 10", len(f), line)
		}
		number := func(i int) float64 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil && f[i] != "-" {
				t.Fatal(err)
			}
			return v
		}
		span := func(i int) time.Duration {
			d, err := time.ParseDuration(f[i])
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		all[strings.Join(f[:3], "/")] = row{span(3), span(4), number(5), number(6), number(7), number(8), number(9)}
	}
	return all
}

// TestClaims holds what the page says in words, for both tables that it shows.
func TestClaims(t *testing.T) {
	text := readPage(t)
	for _, name := range []string{"village", "crowd"} {
		from, to := between(t, text, name)
		r := readRows(t, text[from:to])
		if len(r) != 12 {
			t.Fatalf("%s: %d rows, want 12", name, len(r))
		}
		claim := func(holds bool, words string) {
			t.Helper()
			if !holds {
				t.Errorf("%s: not so: %s", name, words)
			}
		}
		well, slow, sick, bare := "all healthy/%s/on", "some slow/%s/on", "some sick/%s/on", "some sick/%s/off"
		p2c := func(s string) row { return r[fmt.Sprintf(s, "p2c")] }
		least := func(s string) row { return r[fmt.Sprintf(s, "least-pending")] }
		round := func(s string) row { return r[fmt.Sprintf(s, "round-robin")] }
		claim(p2c(well).p99 < round(well).p99*3/2, "where all are healthy P2C costs little against round robin")
		claim(p2c(well).busiest < 1.3, "where all are healthy the busiest server is less than a third above the mean")
		claim(p2c(slow).p99 < round(slow).p99/3, "with slow servers P2C has a third of round robin's p99 at most")
		claim(p2c(slow).p99 < least(slow).p99*2/3, "with slow servers P2C has two thirds of least pending's p99 at most")
		claim(p2c(slow).slowest < 0.3, "a slow server gets less than a third of what a healthy one gets")
		claim(p2c(slow).failed < 0.2 && round(slow).failed > 1, "slow servers cost round robin calls, and P2C next to none")
		claim(p2c(sick).failed < 0.5 && p2c(sick).wasted < 2, "with sick servers P2C loses next to nothing")
		claim(p2c(sick).failed*3 < round(sick).failed, "with sick servers P2C loses a third of round robin's at most")
		claim(p2c(bare).wasted*2 < least(bare).wasted, "without ejection least pending runs after servers that fail at once")
		claim(p2c(bare).failed*3 < round(bare).failed, "without ejection P2C still loses a third of round robin's at most")
		if name == "village" {
			claim(least(sick).wasted*3 < least(bare).wasted && round(sick).wasted*3 < round(bare).wasted, "ejection saves the others most of what they waste")
		}
	}
}
