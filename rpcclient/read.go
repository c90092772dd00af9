package rpcclient

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// arrival is one message on its way from the reader to its call.
type arrival struct {
	wire.Message
	raw    []byte
	answer answer
}

// batchSize is how many arrivals are handled under one lock.
const batchSize = 32

var batches = sync.Pool{New: func() any { return new([batchSize]arrival) }}

// read is the reader: it ends when the socket does, and then waits for the
// writer, so that nothing of this conn runs after it.
func (c *v1Conn) read() {
	c.close(c.receive())
	c.sock.Close()
	c.writers.Wait()
	c.mu.Lock()
	useful, why := c.useful, c.err
	if c.linger != nil {
		c.linger.Stop()
	}
	c.mu.Unlock()
	c.cfg.Logger.Info("disconnected", "server", c.remote, "reason", printable(why.status.Message, 200))
	c.server.ended(c, useful, why)
}

// receive hands replies to their calls until the stream ends, and says why it did.
func (c *v1Conn) receive() *failure {
	d := wire.Decoder{Max: c.cfg.MaxMessage}
	h := half{limit: c.cfg.HalfMessage, sock: c.sock}
	var head []byte // of the reply that is half here
	for first := true; ; {
		seen, err := c.fetch(&d)
		n := len(seen)
		c.stats.bytesIn.Add(uint64(n))
		whole, bad := c.deliver(&d)
		if bad != nil {
			if why := c.tooLarge(bad, front(head, seen, d.Buffered())); why != nil {
				return why
			}
			return c.alien(bad, seen, first)
		}
		first = first && n == 0
		head = front(head, seen, d.Buffered())
		if err == nil {
			h.after(&d, whole)
			continue
		}
		late := errors.Is(err, os.ErrDeadlineExceeded)
		if late && h.goOn(&d) {
			continue
		}
		if d.Repairing() { // its time is over: the length did not count UTF-16 units after all
			d.GiveUp()
			if _, bad := c.deliver(&d); bad == nil && late {
				h.after(&d, true)
				continue
			}
		}
		return c.over(err, &d)
	}
}

// fetch reads once. On a quiet connection it waits with a small buffer, so that
// an idle one holds no large one.
func (c *v1Conn) fetch(d *wire.Decoder) (seen []byte, err error) {
	if !c.quiet || d.Buffered() > 0 {
		space := d.Space()
		n, err := c.sock.Read(space)
		d.Fed(n)
		return space[:n], err
	}
	d.Release()
	n, err := c.sock.Read(c.small[:])
	if n > 0 {
		d.Fed(copy(d.Space(), c.small[:n]))
	}
	return c.small[:n], err
}

// over says why a stream that has ended ended.
func (c *v1Conn) over(err error, d *wire.Decoder) *failure {
	why := c.reasonToRetire()
	switch {
	case why != nil:
		return why
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fail(ErrProtocol, Unavailable, err, "half a reply, and no more of it for %v", c.cfg.HalfMessage)
	case d.Buffered() > 0 && err == io.EOF:
		return fail(ErrProtocol, Unavailable, io.ErrUnexpectedEOF, "the server closed the connection in the middle of a reply")
	}
	return lost(err)
}

// alien is the failure of bytes that cannot be a reply. If they are the first
// ones, they tell what kind of server it is.
func (c *v1Conn) alien(err error, seen []byte, first bool) *failure {
	seen = seen[:min(len(seen), 32)]
	what, cause := "", err
	switch text := string(seen); {
	case !first:
	case strings.HasPrefix(text, "HTTP/"):
		what = "the server speaks HTTP, not rpckids: "
	case strings.HasPrefix(text, "SSH-"):
		what = "the server speaks SSH, not rpckids: "
	case strings.HasPrefix(text, alertBytes):
		what, cause = "the server speaks TLS: ", &TLSError{NeedsTLS, err}
	default:
		what = fmt.Sprintf("this is no rpckids server, it says %q: ", seen)
	}
	return fail(ErrProtocol, Unavailable, cause, "%s%v", what, err)
}

// deliver hands every whole message in d to its call. The flushing mark that it
// may have taken on the way is used once, at the end: by then those it woke have
// had their turn, and whatever they sent goes out in one write.
func (c *v1Conn) deliver(d *wire.Decoder) (whole bool, err error) {
	lead := false
	block := batches.Get().(*[batchSize]arrival)
	defer batches.Put(block)
	for {
		batch := block[:0]
		for len(batch) < cap(batch) {
			m, ok, bad := d.Next()
			if err = bad; !ok {
				break
			}
			batch = append(batch, arrival{Message: m, raw: d.Raw(m)})
		}
		if len(batch) > 0 {
			whole = true
			lead = c.settle(batch) || lead
			clear(batch)
		}
		if len(batch) < cap(batch) {
			break
		}
	}
	if lead {
		runtime.Gosched()
		c.flush()
	}
	return whole, err
}

// settle takes the calls of a batch out of flight, fills them outside the lock
// and wakes them. It reports whether it has taken the flushing mark: it does so
// when it wakes several, or has admitted callers from the line.
func (c *v1Conn) settle(batch []arrival) (lead bool) {
	c.mu.Lock()
	woken, ending := 0, false
	var heard byte   // what the replies tell about the server, where it matters
	var stray []byte // the id of the first reply that nobody waits for
	repair := false  // the first of this connection
	for i := range batch {
		a := &batch[i]
		if a.answer = c.pending.find(a.ID); a.answer.call == nil || a.answer.call.oneWay {
			if c.dropLocked(a) {
				stray = a.ID
			}
			continue
		}
		woken++
		ending = ending || a.answer.failed
		c.takeLocked(a.answer.call, answered)
		if a.answer.call.first >= c.unproven { // the server read what stood before this call
			c.unproven = 0
		}
		repair = c.noteLocked(a) || repair
		heard = max(heard, c.hearLocked(a))
	}
	if ending { // before anybody wakes up and calls again
		c.retireLocked(errRetired)
	}
	c.advanceLocked()
	c.quiet = c.pending.waiting == 0
	lead = c.leadLocked()
	if woken > 1 && !c.flushing && c.err == nil {
		c.flushing, lead = true, true
	}
	last := c.doneRetiringLocked()
	c.mu.Unlock()

	if stray != nil {
		c.cfg.Logger.Warn("dropped a reply nobody waits for; further ones are only counted", "server", c.remote, "id", idText(stray))
	}
	if repair {
		c.cfg.Logger.Warn("a reply's length counts UTF-16 units; read as meant", "server", c.remote)
	}
	if heard > 0 {
		c.server.heard(heard)
	}
	c.stats.received.Add(uint64(len(batch)))
	for i := range batch {
		if k := batch[i].answer.call; k != nil {
			k.fill(&batch[i])
			k.done <- struct{}{}
		}
	}
	if last {
		c.depart()
	}
	return lead
}

// noteLocked learns from a reply what it says about the connection, and reports
// whether it is the first that had to be repaired.
func (c *v1Conn) noteLocked(a *arrival) (repair bool) {
	c.useful = true
	if a.answer.version > 0 {
		c.ours = true
	}
	if a.Repaired {
		c.stats.repairs.Add(1)
		repair, c.repaired = !c.repaired, true
	}
	if a.answer.call.trace != nil {
		a.answer.call.received = time.Now()
	}
	return repair
}

// hearLocked returns the version that the server speaks as far as this reply tells, and 0 if that is known already. That it speaks
// version 2 and is spoken to in version 1 is news every time.
func (c *v1Conn) hearLocked(a *arrival) byte {
	version := a.answer.version
	switch {
	case c.cfg.RequestID != nil || c.leaving: // an id without a mark tells nothing
		return 0
	case version == 0:
		version = 1
	}
	if version == c.heard && version != 2 {
		return 0
	}
	c.heard = version
	return version
}

// dropLocked counts a reply that nobody waits for, and reports whether it is the
// first one.
func (c *v1Conn) dropLocked(a *arrival) (first bool) {
	if k := a.answer.call; k != nil { // a cast so fresh that its write is not noted yet
		a.answer.call, a.answer.fate = nil, oneWay
	}
	c.stats.dropped[a.answer.fate].Add(1)
	first, c.strayed = !c.strayed, true
	return first
}

// fill copies a reply out of the reader's buffer.
func (k *call) fill(a *arrival) {
	k.answer = a.answer
	k.replyType = append(k.replyType[:0], a.Type...)
	k.reply = append(k.reply[:0], a.Payload...)
	if k.trace != nil {
		k.raw = append([]byte(nil), a.raw...)
	}
}

// reasonToRetire returns why the stream had to end, if it had: a conn that is
// leaving ends with its last call, and not before.
func (c *v1Conn) reasonToRetire() *failure {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving && c.pending.waiting > 0 {
		return nil
	}
	return c.retiring
}

// half guards a reply that has begun: it has to be complete within the limit.
// The socket's deadline is set when none is pending, not for every reply.
type half struct {
	limit time.Duration
	sock  net.Conn
	began time.Time // of the reply that is half here; zero: there is none
	armed bool      // the socket has a deadline
}

// after looks at what a read has left in d; whole says that it completed a message.
func (h *half) after(d *wire.Decoder, whole bool) {
	if d.Buffered() == 0 {
		h.began = time.Time{}
		return
	}
	if whole || h.began.IsZero() {
		h.began = time.Now()
	}
	if !h.armed {
		h.arm()
	}
}

func (h *half) arm() {
	h.armed = true
	h.sock.SetReadDeadline(h.began.Add(h.limit))
}

// goOn reports whether a deadline that has passed was meant for an earlier
// reply; then the right one, if any, is set.
func (h *half) goOn(d *wire.Decoder) bool {
	h.armed = false
	if d.Buffered() == 0 {
		h.sock.SetReadDeadline(time.Time{})
		return true
	}
	if time.Since(h.began) < h.limit {
		h.arm()
		return true
	}
	return false
}

// lossReason says in plain words how a connection ended.
func lossReason(err error) string {
	switch {
	case err == io.EOF, err == io.ErrUnexpectedEOF: // the second, within TLS, is one that came without a word
		return "the server closed it"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the server reset it"
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		err = e.Err
	}
	return printable(err.Error(), 200)
}

// idText is a request id as it may stand in a log.
func idText(id []byte) string { return printable(string(id), 64) }
