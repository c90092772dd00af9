package mux

import "iter"

// table finds the streams of a connection by id. Ids count up, so their low bits are the index of a ring that is kept at most half
// full; a stream whose place is taken, by one that has lived for long, stands in a map beside it. The zero value is empty.
type table struct {
	slots []*Stream // length a power of two
	far   map[uint32]*Stream
	n     int
}

const (
	tableStart = 8
	tableKeep  = 128 // the largest ring that an idle connection keeps
)

func (t *table) at(id uint32) **Stream { return &t.slots[id&uint32(len(t.slots)-1)] }

// find returns nil for an id without a stream.
func (t *table) find(id uint32) *Stream {
	if t.n == 0 {
		return nil
	}
	if s := *t.at(id); s != nil && s.id == id {
		return s
	}
	return t.far[id]
}

func (t *table) add(s *Stream) {
	if 2*(t.n+1) > len(t.slots) {
		t.grow()
	}
	t.n++
	t.place(s)
}

func (t *table) place(s *Stream) {
	if p := t.at(s.id); *p == nil {
		*p = s
		return
	}
	if t.far == nil {
		t.far = make(map[uint32]*Stream)
	}
	t.far[s.id] = s
}

func (t *table) grow() {
	old := *t
	*t = table{slots: make([]*Stream, max(2*len(old.slots), tableStart)), n: old.n}
	for s := range old.all() {
		t.place(s)
	}
}

// remove reports whether s was there.
func (t *table) remove(s *Stream) bool {
	if t.find(s.id) != s {
		return false
	}
	if p := t.at(s.id); *p == s {
		*p = nil
	} else {
		delete(t.far, s.id)
	}
	t.n--
	return true
}

// all ranges over the streams in no order; the one at hand may be removed.
func (t *table) all() iter.Seq[*Stream] {
	return func(yield func(*Stream) bool) {
		for _, s := range t.slots {
			if s != nil && !yield(s) {
				return
			}
		}
		for _, s := range t.far {
			if !yield(s) {
				return
			}
		}
	}
}

// shrink lets go of what a burst has left behind.
func (t *table) shrink() {
	if t.n == 0 && (len(t.slots) > tableKeep || t.far != nil) {
		*t = table{}
	}
}
