package console

import (
	"encoding/json"
	"sync"
	"time"
)

const (
	itemsKeep     = 1000    // items of one entry that can still be shown; all are counted
	itemBytesKeep = 1 << 20 // of their payloads; the newest item is kept whatever its size
)

// Item is one message of a stream: one that came, or one that was given to an upload or a chat.
type Item struct {
	Index   int  // counts from 0 in its direction
	Given   bool // it went to the server
	At      time.Time
	Payload json.RawMessage // untrusted where it came from the server
}

// flow holds the items of one entry while they come and afterwards: the newest as they are, all as counts. Whoever runs the stream adds to it without
// waiting for anybody; what is too old is dropped. Safe for concurrent use.
type flow struct {
	mu      sync.Mutex // protects the fields below
	kept    []Item     // oldest first
	bytes   int        // of kept
	came    int
	given   int
	first   time.Time // when the first item came
	last    time.Time // when the last one came
	left    time.Time // when the last one was given
	newest  json.RawMessage
	dropped bool // the payloads gave their room to newer entries
}

// add appends an item and returns it with its index.
func (f *flow) add(payload json.RawMessage, given bool, now time.Time) Item {
	f.mu.Lock()
	defer f.mu.Unlock()
	it := Item{Index: f.came, Given: given, At: now, Payload: payload}
	if given {
		it.Index, f.left = f.given, now
		f.given++
	} else {
		if f.came == 0 {
			f.first = now
		}
		f.last, f.newest = now, payload
		f.came++
	}
	f.kept = append(f.kept, it)
	f.bytes += len(payload)
	for len(f.kept) > itemsKeep || f.bytes > itemBytesKeep && len(f.kept) > 1 {
		f.bytes -= len(f.kept[0].Payload)
		f.kept[0] = Item{} // the array behind the slice would hold it
		f.kept = f.kept[1:]
	}
	return it
}

// tail returns the newest n items that are kept, oldest first, and how many older ones there were.
func (f *flow) tail(n int) (items []Item, older int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	items = append(items, f.kept[max(len(f.kept)-n, 0):]...)
	return items, f.came + f.given - len(items)
}

// tell writes the counts into an entry, and while it runs the newest item as its result.
func (f *flow) tell(e *Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.Items, e.Given, e.FirstItem, e.LastItem, e.LastGiven = f.came, f.given, f.first, f.last, f.left
	if e.Result == nil && !f.dropped {
		e.Result = f.newest
	}
}

// size is what the flow holds in bytes.
func (f *flow) size() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bytes
}

// drop forgets the payloads. It is called when the entry has ended.
func (f *flow) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept, f.bytes, f.newest, f.dropped = nil, 0, nil, true
}
