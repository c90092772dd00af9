package dash

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rpckids/rpckids/console"
)

func TestDurationCell(t *testing.T) {
	for d, want := range map[time.Duration]string{
		398 * micro: " 398 µs", 1020 * micro: "1.02 ms", 18600 * micro: "18.6 ms", 3010 * time.Millisecond: "3.01 s ", 850: " 850 ns", 0: "   0 ns",
	} {
		if got := durationCell(d, false); got != want || width(got) != durationWidth {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

// TestPartsAddUp splits many calls and reads the shown times back: they add up to the total that is shown, up to the digits shown.
func TestPartsAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		total := time.Duration(1 + r.ExpFloat64()*float64(time.Millisecond)*float64(r.IntN(3000)+1)/10)
		client := time.Duration(r.Float64() * float64(total) * r.Float64())
		e := console.Entry{State: console.OK, Trace: console.Trace{RTT: total, Client: client, Wait: total - client, In: []byte{1}}}
		if r.IntN(2) == 0 {
			e.HasServer, e.Server = true, time.Duration(r.Float64()*float64(e.Trace.Wait))
		}
		ps := parts(e)
		label(ps, total, false)
		var sum time.Duration
		for _, p := range ps {
			sum += parse(t, p.text)
		}
		percent := 0
		for _, p := range ps {
			percent += p.percent
		}
		if diff := (sum - total).Abs(); diff > total/190+1 || percent != 100 { // half of the third digit, as the total itself is rounded
			t.Fatalf("%+v of %v add up to %v and %d %%", ps, total, sum, percent)
		}
	}
}

// parse reads a shown duration.
func parse(t *testing.T, s string) time.Duration {
	t.Helper()
	var v string
	for _, r := range s {
		if r != ' ' {
			v += string(r)
		}
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLabelOfTheMock(t *testing.T) {
	ps := []part{{time: 21 * micro}, {time: 349 * micro}, {time: 28113}}
	label(ps, 398*micro, false)
	for i, want := range []string{"21 µs", "349 µs", "28 µs"} {
		if ps[i].text != want {
			t.Errorf("part %d: got %q, want %q", i, ps[i].text, want)
		}
	}
}

func TestCells(t *testing.T) {
	for _, tc := range []struct {
		parts []time.Duration
		w     int
		want  []int
	}{
		{[]time.Duration{21, 349, 28}, 78, []int{4, 69, 5}},
		{[]time.Duration{1, 1_000_000, 1}, 10, []int{1, 8, 1}},
		{[]time.Duration{0, 10, 0}, 10, []int{0, 10, 0}},
		{[]time.Duration{0, 0}, 10, []int{0, 0}},
		{[]time.Duration{1, 1}, 0, []int{0, 0}},
	} {
		var ps []part
		for _, d := range tc.parts {
			ps = append(ps, part{time: d})
		}
		got := cells(ps, tc.w)
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%v in %d: got %v, want %v", tc.parts, tc.w, got, tc.want)
				break
			}
		}
	}
}

func TestPartsOfAnEntry(t *testing.T) {
	trace := console.Trace{RTT: 100, Client: 20, Wait: 80, In: []byte{1}}
	for _, tc := range []struct {
		e    console.Entry
		want string
	}{
		{console.Entry{State: console.OK, Trace: trace}, "client wait"},
		{console.Entry{State: console.OK, Trace: trace, HasServer: true, Server: 30}, "client network server"},
		{console.Entry{State: console.OK, Trace: trace, HasServer: true, Server: 3000}, "client wait"}, // a server cannot have taken longer than we waited
		{console.Entry{State: console.Sent, Kind: console.KindCast, Trace: trace}, "client"},
		{console.Entry{State: console.Failed, Trace: console.Trace{RTT: 100, Client: 20}}, "client wait"},
	} {
		got := ""
		for _, p := range parts(tc.e) {
			if got != "" {
				got += " "
			}
			got += p.name
		}
		if got != tc.want {
			t.Errorf("%+v: got %q, want %q", tc.e, got, tc.want)
		}
	}
}

// A server's own time is exact while that can be read.
func TestCost(t *testing.T) {
	for d, want := range map[time.Duration]string{115: "115 ns", 28_113: "28 113 ns", 999_999: "999 999 ns", 1_000_000: "1 ms", 1_500_924_985: "1.50 s", 12_345_678: "12.3 ms"} {
		if got := cost(d, false); got != want {
			t.Errorf("%d ns: got %q, want %q", d, got, want)
		}
	}
}
