package console

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestWatch(t *testing.T) {
	p := &pinned{name: "x_res.n", typ: "x_res"}
	var err error
	w := &watches{}
	s := connected(t)
	if p, err = s.parsePin(&args{}, word{text: "x_res.n"}); err != nil {
		t.Fatal(err)
	}
	w.add(p)
	start := time.Unix(1000, 0)
	feed := func(texts ...string) {
		for i, text := range texts {
			w.feed("x_res", json.RawMessage(text), start.Add(time.Duration(i)*time.Second))
			w.feed("y_res", json.RawMessage(`{"n":-1}`), start)
		}
	}
	feed(`{"n":9007199254740993}`, `{"n":9007199254740992}`, `{"n":"7"}`, `{"m":7}`, `7`, `{oops`, `{"n":9007199254740994}`, `{"n":1e400}`, `{"n":null}`)
	got := p.snapshot()
	if text := fmt.Sprint(got.Count, got.Min, got.Median, got.Max, len(got.Values)); text != "3 9007199254740992 9007199254740993 9007199254740994 3" {
		t.Errorf("whole numbers: %s", text)
	}
	feed(`{"n":-0.5}`)
	if got = p.snapshot(); got.Min.String() != "-0.5" || got.Median.String() != "9007199254740992" || got.Min.Float() != -0.5 {
		t.Errorf("with a fraction: %v %v", got.Min, got.Median)
	}
	for i := range 2 * watchKeep {
		feed(fmt.Sprintf(`{"n":%d}`, i))
	}
	got = p.snapshot()
	if first, last := got.Values[0].Value.String(), got.Values[watchKeep-1].Value.String(); first != "512" || last != "1023" || got.Min.String() != "512" || got.Median.String() != "767" ||
		got.Max.String() != "1023" || got.Count != 4+2*watchKeep || len(got.Values) != watchKeep {
		t.Errorf("the ring: %s to %s, %v %v %v of %d", first, last, got.Min, got.Median, got.Max, got.Count)
	}
	if b, err := json.Marshal(got.Max); string(b) != "1023" || err != nil {
		t.Errorf("%s %v", b, err)
	}
}

// Calls feed what is watched from the first one on, whoever looks at it meanwhile.
func TestWatchedCalls(t *testing.T) {
	s := connected(t)
	if got := s.Watches(); got != nil {
		t.Errorf("%v", got)
	}
	mustExec(t, s, "rpc dot.ted_res {n:int, items:[]{x:float64}}", `call exp {"base":2,"exp":10}`, "watch exp_res.value", "watch exp_res.value", "watch fib_res", "watch dot.ted_res.items[3].x")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				_, _ = s.Exec(t.Context(), "call exp 1")
				_, _ = s.Exec(t.Context(), "call fib 1")
				s.Watches()
			}
		})
	}
	wg.Wait()
	w := s.Watches()
	if len(w) != 3 || w[0].Count != 81 || w[1].Count != 80 || w[2].Count != 0 {
		t.Fatalf("%+v", w)
	}
	if w[0].Path != ".value" || w[0].Type != "exp_res" || w[1].Path != "." || w[2].Type != "dot.ted_res" || w[2].Path != ".items[3].x" || w[0].Min.String() != "1024" || w[0].Values[80].At.IsZero() {
		t.Errorf("%+v", w[0])
	}
	c := s.Complete("watch ", 6)
	if got := fmt.Sprint(c.From, len(c.Offers), c.Offers[0].Text, c.Offers[1].Text); got != "6 5dot.ted_res.nexp_res.value" {
		t.Errorf("%s of %v", got, c.Offers)
	}
	for line, at := range map[string]int{"watch dot.ted_res.items": 17, "watch exp_res.value x": 20, "watch exp_res.[": 14, "watch .x": 6} {
		if _, err := s.Exec(t.Context(), line); err == nil || explain(err).At != at {
			t.Errorf("%s: %+v", line, err)
		}
	}
	for i := range watchMost - 3 {
		mustExec(t, s, fmt.Sprintf("watch a%d.b", i))
	}
	if _, err := s.Exec(t.Context(), "watch more.b"); err == nil {
		t.Error("too many are watched")
	}
}
