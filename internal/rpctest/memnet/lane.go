package memnet

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// lane carries bytes one way: written at one end, read at the other.
type lane struct {
	limit int

	mu       sync.Mutex // protects the fields below
	changed  sync.Cond  // signalled whenever a waiting reader or writer may go on
	data     bytes.Buffer
	noMore   bool // the writing end is closed
	noReader bool // the reading end is closed
	reading  deadline
	writing  deadline
}

// deadline is a point in time and the timer that wakes those waiting for it.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func newLane(limit int) *lane {
	l := &lane{limit: limit}
	l.changed.L = &l.mu
	return l
}

func (l *lane) read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.noReader:
			return 0, net.ErrClosed
		case l.reading.passed():
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case l.data.Len() > 0:
			l.changed.Broadcast()
			return l.data.Read(p)
		case l.noMore:
			return 0, io.EOF
		}
		l.changed.Wait()
	}
}

func (l *lane) write(p []byte) (done int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		n, err := l.putLocked(p[done:])
		done += n
		if err != nil || done == len(p) {
			return done, err
		}
		l.changed.Wait()
	}
}

func (l *lane) put(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.putLocked(p)
}

// putLocked stores what fits of p.
func (l *lane) putLocked(p []byte) (int, error) {
	switch {
	case l.noMore:
		return 0, net.ErrClosed
	case l.noReader:
		return 0, syscall.EPIPE
	case l.writing.passed():
		return 0, os.ErrDeadlineExceeded
	}
	n := min(len(p), l.limit-l.data.Len())
	if n > 0 {
		l.data.Write(p[:n])
		l.changed.Broadcast()
	}
	return n, nil
}

func (l *lane) endWriting() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noMore = true
	l.writing.set(time.Time{}, nil)
	l.changed.Broadcast()
}

func (l *lane) endReading() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noReader = true
	l.data = bytes.Buffer{}
	l.reading.set(time.Time{}, nil)
	l.changed.Broadcast()
}

func (l *lane) setReadDeadline(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reading.set(t, l.wake)
	l.changed.Broadcast()
}

func (l *lane) setWriteDeadline(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing.set(t, l.wake)
	l.changed.Broadcast()
}

// wake runs on the timer's goroutine, which ends with it.
func (l *lane) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed.Broadcast()
}

func (d *deadline) set(t time.Time, wake func()) {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, wake)
	}
}

func (d *deadline) passed() bool {
	return !d.at.IsZero() && !time.Now().Before(d.at)
}
