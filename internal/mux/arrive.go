package mux

import (
	"io"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// arriveLocked takes a fragment of a message, most often all of it.
func (s *Stream) arriveLocked(flags wire.Flags, p []byte) error {
	c, set := s.c, &s.c.cfg.Settings
	size, charge, msg := len(p), len(p), p
	var meta []byte
	switch {
	case s.part.active && flags&(wire.FlagMeta|wire.FlagCompressed) != 0:
		return breach(wire.BadFragment, "META or COMPRESSED in the middle of a message")
	case !s.part.active && size == 0 && flags&wire.FlagEnd != 0:
		s.peerEndLocked()
		return nil
	case !s.part.active:
		charge += wire.MessageCost
		if flags&wire.FlagMeta != 0 {
			var err error
			if meta, msg, err = wire.CutBlock(p, set.MaxMetadata); err != nil {
				return err
			}
		}
	}
	none := flags&(wire.FlagMeta|wire.FlagEnd|wire.FlagCompressed) == wire.FlagMeta|wire.FlagEnd && len(msg) == 0
	if s.part.free || none {
		charge = 0
	}
	cost, most := len(meta)+len(msg), set.MaxMessage
	if !s.part.active {
		cost += wire.MessageCost
	}
	if s.part.zipped || flags&wire.FlagCompressed != 0 {
		most++ // the algorithm's byte
	}
	switch {
	case s.spent+charge > set.Window+set.MaxMessage+set.MaxMetadata+2*wire.MessageCost:
		return breach(wire.WindowExceeded, "stream %d: %d bytes, the window is %d", s.id, s.spent+charge, set.Window)
	case s.part.size+len(msg) > most:
		return breach(wire.MessageTooLarge, "stream %d: more than %d bytes", s.id, set.MaxMessage)
	case !c.fitsLocked(cost):
		s.overrunLocked()
		return nil
	}
	if !s.part.active {
		s.part.active, s.part.meta, s.part.zipped = true, len(meta), flags&wire.FlagCompressed != 0
		s.in.add(meta, c.cfg.mostNeeded())
	}
	s.in.add(msg, c.cfg.mostNeeded())
	s.part.size += len(msg)
	s.part.charge += charge
	s.spent += charge
	s.partCost += cost
	c.held += cost
	if flags&wire.FlagMore != 0 {
		s.markLocked(size)
		return nil
	}
	s.completeLocked(flags&wire.FlagEnd != 0, none)
	return nil
}

// completeLocked makes the message under way one that can be taken.
func (s *Stream) completeLocked(end, none bool) {
	c := s.c
	i := item{meta: int32(s.part.meta), charge: int32(s.part.charge)}
	if s.part.zipped {
		i.flags |= itemZipped
	}
	if none {
		i.flags |= itemNone
	}
	if end {
		i.flags |= itemLast
	}
	s.in.finish(i)
	s.inCost += s.partCost
	s.partCost = 0
	s.unlistLocked()
	s.part = part{}
	if s.trace != nil {
		s.trace.Received = c.in.now
	}
	if s.numbering != nil {
		s.numbering.proven = true
	}
	if end {
		s.peerEndLocked()
	} else {
		s.arrivedLocked()
	}
}

// arrivedLocked tells whoever is concerned that there is something to take: who waits in Recv, or Opened if this is the first.
func (s *Stream) arrivedLocked() {
	if s.isServer && !s.ready {
		s.ready = true
		s.c.batch.opened = append(s.c.batch.opened, s)
		return
	}
	s.c.wakeLocked(s.recvWake)
}

// peerEndLocked notes the peer's END: a client's closes its side, a server's finishes the stream.
func (s *Stream) peerEndLocked() {
	s.remoteEnd = true
	if s.isServer {
		s.arrivedLocked()
		return
	}
	if s.trace != nil {
		s.trace.Received = s.c.in.now
	}
	s.finishLocked(io.EOF)
}

// markLocked notes that a message under way has brought n bytes. Only enough of them make it young again.
func (s *Stream) markLocked(n int) {
	c, p := s.c, &s.part
	p.since += n
	if p.listed && p.since < wire.FragmentSize {
		return
	}
	s.unlistLocked()
	p.listed, p.mark, p.since = true, c.in.now, 0
	c.slow = append(c.slow, s)
}

func (s *Stream) unlistLocked() {
	if s.part.listed {
		s.part.listed = false
		s.c.slow = without(s.c.slow, s)
	}
}

// slowestLocked is when the message that waits longest will be too late.
func (c *Conn) slowestLocked() time.Time {
	if len(c.slow) == 0 {
		return time.Time{}
	}
	return c.slow[0].part.mark.Add(c.cfg.HalfMessage)
}
