package console

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"
)

// A stream keeps its newest items within its bounds and counts all of them.
func TestFlowIsBounded(t *testing.T) {
	for _, c := range []struct{ items, size, kept int }{
		{10, 10, 10},
		{5000, 10, itemsKeep},
		{5000, 4096, itemBytesKeep / 4096},
		{3, 2 * itemBytesKeep, 1},
		{0, 0, 0},
	} {
		f := &flow{}
		payload := json.RawMessage(strings.Repeat("1", c.size))
		for range c.items {
			f.add(payload, false, time.Now())
		}
		items, older := f.tail(itemsKeep)
		if len(items) != c.kept || older != c.items-c.kept || f.size() > max(itemBytesKeep, c.size) || f.size() != c.kept*c.size {
			t.Errorf("%d of %d bytes: kept %d in %d bytes, %d older", c.items, c.size, len(items), f.size(), older)
		}
		if c.kept > 0 && items[len(items)-1].Index != c.items-1 {
			t.Errorf("%d of %d bytes: the newest is %d", c.items, c.size, items[len(items)-1].Index)
		}
	}
}

// Faces read while items come from both sides; when the journal needs the room the payloads go and the counts stay.
func TestFlowInJournal(t *testing.T) {
	j := NewJournal()
	e := j.Start(Entry{Kind: KindChat, Type: "chat", Started: time.Now(), flow: &flow{}})
	var wg sync.WaitGroup
	for _, given := range []bool{true, false} {
		wg.Go(func() {
			for range 2000 {
				e.flow.add(json.RawMessage("1"), given, time.Now())
				j.Note()
			}
		})
	}
	for range 200 {
		items, older := j.Items(e.Number, 100)
		now, _ := j.Entry(e.Number)
		if len(items) > 100 || len(items)+older > now.Items+now.Given {
			t.Fatalf("%d items after %d, and %d + %d in all", len(items), older, now.Items, now.Given)
		}
	}
	wg.Wait()
	e.State = OK
	done := j.Finish(e)
	if done.Items != 2000 || done.Given != 2000 || string(done.Result) != "1" {
		t.Errorf("got %d and %d", done.Items, done.Given)
	}
	big := json.RawMessage(strings.Repeat("1", bytesKeep))
	next := j.Start(Entry{Kind: KindCall})
	next.State, next.Result = OK, big
	j.Finish(next)
	old, _ := j.Entry(e.Number)
	if items, older := j.Items(e.Number, 10); len(items) != 0 || older != 4000 || !old.Dropped || old.Items != 2000 || old.Result != nil {
		t.Errorf("after the room was needed: %d items, %d older, %+v", len(items), older, old)
	}
	if _, older := j.Items(99, 10); older != 0 {
		t.Error("there is no #99")
	}
}

// 50 000 items a second are nothing to the producer: 2 µs each at most would be a tenth of its time. The bound is far above what it takes.
func BenchmarkFlow(b *testing.B) {
	j := NewJournal()
	e := j.Start(Entry{Kind: KindStream, flow: &flow{}})
	payload := json.RawMessage(`{"n":12345}`)
	b.ReportAllocs()
	for b.Loop() {
		e.flow.add(payload, false, time.Now())
		j.Note()
	}
}
