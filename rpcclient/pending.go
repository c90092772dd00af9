package rpcclient

import (
	"bytes"

	"github.com/rpckids/rpckids/internal/wire"
)

// fate is what became of a request id.
type fate uint8

const (
	unused    fate = iota
	waiting        // its call waits for the reply
	answered       // the reply came: another one is repeated
	abandoned      // the caller went away: the reply will be late
	oneWay         // a cast: nobody asks for an answer
)

// slot remembers one request id until a later one needs the place.
type slot struct {
	counter uint32
	fate    fate
	call    *call  // while waiting
	custom  string // the id, where Config.RequestID made it
}

// pending finds the call that a reply belongs to. Our ids end in a counter, so
// the counter's low bits are the index of a ring; ids of the user's own making
// go through a map to their counter. The ring is kept at most half full of
// waiting calls: a free place is near, and slow calls hold up nobody.
// A conn's mutex protects it.
type pending struct {
	prefix  [8]byte // hex, random per connection
	slots   []slot  // length a power of two
	next    uint32
	waiting int
	custom  map[string]uint32
}

const ringStart = 16

func (p *pending) at(counter uint32) *slot { return &p.slots[counter&uint32(len(p.slots)-1)] }

// add gives k its counter and id and files it. An id of the user's own making
// is in k.id already.
func (p *pending) add(k *call, custom bool) error {
	if 2*(p.waiting+1) > len(p.slots) {
		p.grow()
	}
	if custom {
		if n, ok := p.custom[string(k.id)]; ok && p.at(n).fate == waiting {
			return fail(ErrPayload, AlreadyExists, nil, "request id %s is already in flight", printable(string(k.id), 64))
		}
	}
	for p.at(p.next).fate == waiting {
		p.next++
	}
	s := p.at(p.next)
	p.forget(s)
	k.counter = p.next
	p.next++
	*s = slot{counter: k.counter, fate: waiting, call: k}
	p.waiting++
	if !custom {
		var unique [wire.PrefixLen]byte
		copy(unique[:], p.prefix[:])
		putHex(unique[len(p.prefix):], k.counter)
		k.id = wire.AppendMark(k.id[:0], unique[:], k.mark)
		return nil
	}
	if p.custom == nil {
		p.custom = make(map[string]uint32)
	}
	s.custom = string(k.id)
	p.custom[s.custom] = k.counter
	return nil
}

// grow doubles the ring. Counters that differ in their low bits still do with
// one bit more.
func (p *pending) grow() {
	old := p.slots
	p.slots = make([]slot, max(2*len(old), ringStart))
	for _, s := range old {
		if s.fate != unused {
			*p.at(s.counter) = s
		}
	}
}

// forget drops the name of an id whose slot is about to be used again.
func (p *pending) forget(s *slot) {
	if n, ok := p.custom[s.custom]; ok && n == s.counter && s.custom != "" {
		delete(p.custom, s.custom)
	}
}

// end takes a waiting call out and remembers what became of its id.
func (p *pending) end(k *call, f fate) {
	s := p.at(k.counter)
	s.call, s.fate = nil, f
	p.waiting--
}

// answer is what a reply's id says.
type answer struct {
	call    *call // nil: nobody waits for it
	fate    fate  // of the id, when nobody waits; unused for an id we never sent
	version byte  // the wire version a server of ours speaks; 0: it did not say
	failed  bool  // the id ends in ";e"
}

// find tells whom a reply is for. Besides the id as it was sent it accepts
// "<16 hex>!1", by which a server of ours makes itself known, and the id
// followed by ";e", by which a version 1 peer is told of an error.
func (p *pending) find(id []byte) (a answer) {
	s := p.lookup(id)
	if cut, ok := bytes.CutSuffix(id, []byte(wire.ErrorSuffix)); ok && (s == nil || s.custom == "") {
		s, id, a.failed = p.lookup(cut), cut, true
	}
	if s == nil {
		return a
	}
	if _, version, ok := wire.ParseReplyID(id); ok && s.custom == "" && !a.failed {
		a.version = version
	} else if s.call != nil && !bytes.Equal(id, s.call.id) {
		return answer{}
	}
	a.fate, a.call = s.fate, s.call
	return a
}

// lookup returns the slot of an id, or a slot with fate abandoned for one of
// our ids that is too old to be remembered, or nil.
func (p *pending) lookup(id []byte) *slot {
	if p.custom != nil {
		if n, ok := p.custom[string(id)]; ok {
			return p.at(n)
		}
		return nil
	}
	if len(p.slots) == 0 || len(id) < wire.PrefixLen || string(id[:len(p.prefix)]) != string(p.prefix[:]) {
		return nil
	}
	counter, ok := parseHex(id[len(p.prefix):wire.PrefixLen])
	if !ok {
		return nil
	}
	if s := p.at(counter); s.counter == counter && s.fate != unused {
		return s
	}
	if int32(p.next-counter) > 0 {
		return &slot{counter: counter, fate: abandoned}
	}
	return nil
}

func putHex(dst []byte, n uint32) {
	const digits = "0123456789abcdef"
	for i := range 8 {
		dst[i] = digits[n>>(28-4*i)&15]
	}
}

func parseHex(b []byte) (n uint32, ok bool) {
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | uint32(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | uint32(c-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}
