package mux

import "time"

// maxTrace is how many bytes of each direction a Trace keeps.
const maxTrace = 256 << 10

// Trace is what is seen of one client's stream, for whoever asked for it in its Request. Instants that have not come are zero.
type Trace struct {
	Queued   time.Time // OPEN entered the outbox
	Written  time.Time // the first byte of OPEN was handed to the socket
	Sent     time.Time // the socket has taken OPEN and its message
	Received time.Time // the newest message, END or ERROR was complete
	Out, In  []byte    // the stream's frames, whole, of each direction at most 256 KiB
	Cut      bool      // there were more
	BytesOut int       // of all its frames, those that were cut included
	BytesIn  int
}

// TakeTrace returns a copy of the Trace as it is now; the zero one if none was asked for. Its bytes are not touched any more after
// Release.
func (s *Stream) TakeTrace() Trace {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.trace == nil {
		return Trace{}
	}
	return *s.trace
}

func (t *Trace) went(frames []byte) {
	t.BytesOut += len(frames)
	t.Out = t.keep(t.Out, frames)
}

func (t *Trace) came(frame []byte) {
	t.BytesIn += len(frame)
	t.In = t.keep(t.In, frame)
}

// keep appends whole frames while there is room.
func (t *Trace) keep(all, frame []byte) []byte {
	if t.Cut || len(all)+len(frame) > maxTrace {
		t.Cut = true
		return all
	}
	return append(all, frame...)
}
