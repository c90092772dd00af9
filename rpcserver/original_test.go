package rpcserver_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	v1 "github.com/rpckids/rpckids/internal/rpctest/peer"
)

// caller is a client of the original: one call at a time, and every bad habit that its Java model was seen to have.
type caller interface {
	// call waits for at most a minute, and returns the payload of the reply.
	call(typ, payload string) (string, error)
	close()
}

// originals makes the two Java clients.
var originals = map[string]func(dial func() (net.Conn, error)) caller{
	"article": func(dial func() (net.Conn, error)) caller { return &article{dial: dial} },
	"later":   func(dial func() (net.Conn, error)) caller { return &later{dial: dial} },
}

// known is the reply types that both have registered.
func known(typ string) bool {
	return slices.Contains([]string{"fib_res", "exp_res", "echo_res", "slow_res", "limited_res"}, typ)
}

// readText reads one string of version 1.
func readText(r io.Reader) (string, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	n := int32(binary.BigEndian.Uint32(head[:]))
	if n < 0 || n > 1<<20 {
		return "", fmt.Errorf("length %d", n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return string(b), err
}

// article is the synchronous client of the article. It reads the reply in its caller's thread. A wrong id makes it close its
// connection; a type it does not know makes it throw with the payload unread; a connection that the server has closed it notices
// only by using it.
type article struct {
	dial func() (net.Conn, error)
	nc   net.Conn
	n    int
}

func (a *article) call(typ, payload string) (reply string, err error) {
	if a.nc == nil {
		if a.nc, err = a.dial(); err != nil {
			return "", err
		}
	}
	a.n++
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", a.n)
	if _, err := a.nc.Write(v1.Frame(id, typ, payload)); err != nil {
		a.close()
		return "", err
	}
	a.nc.SetReadDeadline(time.Now().Add(time.Minute))
	got, err := readText(a.nc)
	if err != nil {
		return "", err
	}
	if got != id {
		replyType, _ := readText(a.nc)
		a.close()
		return "", fmt.Errorf("request id mismatch, type=%s", replyType)
	}
	if got, err = readText(a.nc); err != nil {
		return "", err
	}
	if !known(got) {
		return "", fmt.Errorf("unrecognized rpc response type=%s", got)
	}
	return readText(a.nc)
}

func (a *article) close() {
	if a.nc != nil {
		a.nc.Close()
		a.nc = nil
	}
}

// later is the asynchronous client: a thread reads, and completes the futures of calls by their ids. Replies to unknown ids and of
// unknown types it logs and drops; a lost connection fails its futures, and a second later it connects again.
type later struct {
	dial func() (net.Conn, error)
	wg   sync.WaitGroup

	mu      sync.Mutex // protects the fields below
	nc      net.Conn
	n       int
	futures map[string]chan string // closed without a value: the connection was lost
	log     string                 // its last line
}

func (l *later) call(typ, payload string) (string, error) {
	l.mu.Lock()
	for l.nc == nil {
		nc, err := l.dial()
		if err != nil {
			l.mu.Unlock()
			return "", err
		}
		l.nc, l.futures = nc, map[string]chan string{}
		l.wg.Go(func() { l.read(nc) })
	}
	l.n++
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", l.n)
	future := make(chan string, 1)
	l.futures[id] = future
	l.nc.Write(v1.Frame(id, typ, payload))
	l.mu.Unlock()
	select {
	case reply, ok := <-future:
		if !ok {
			l.mu.Lock()
			defer l.mu.Unlock()
			return "", fmt.Errorf("connection lost; the log says %s", l.log)
		}
		return reply, nil
	case <-time.After(time.Minute):
		return "", context.DeadlineExceeded
	}
}

func (l *later) read(nc net.Conn) {
	r := bufio.NewReader(nc)
	for {
		id, err := readText(r)
		var typ, payload string
		if err == nil {
			typ, err = readText(r)
		}
		if err == nil {
			payload, err = readText(r)
		}
		l.mu.Lock()
		future, waits := l.futures[id]
		switch {
		case err != nil:
			for _, future := range l.futures {
				close(future)
			}
			nc.Close()
			l.mu.Unlock()
			time.Sleep(time.Second) // its pause before it connects again
			l.mu.Lock()
			l.nc, l.futures = nil, nil
			l.mu.Unlock()
			return
		case !waits || !known(typ):
			l.log = typ
		default:
			delete(l.futures, id)
			future <- payload
		}
		l.mu.Unlock()
	}
}

func (l *later) close() {
	l.mu.Lock()
	if l.nc != nil {
		l.nc.Close()
	}
	l.mu.Unlock()
	l.wg.Wait()
}

// outcome says how a call went in one word.
func outcome(reply string, err error, want string) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "hangs"
	case err != nil:
		return "fails"
	case reply != want:
		return "lies"
	}
	return "works"
}

// TestOriginalClientModels shows that the models are as easily hurt as the programs: each way to answer a failing call that
// docs/PROTOCOL.md turns down does to them what it did there.
func TestOriginalClientModels(t *testing.T) {
	for _, test := range []struct {
		name           string
		answer         v1.Script
		article, later string // the failing call, the two after it
	}{
		{"unregistered type", func(c *v1.Conn, m v1.Message) { c.Reply(m.ID, "!error", `{"code":"internal"}`) }, "fails fails", "hangs works"},
		{"registered type", func(c *v1.Conn, m v1.Message) { c.Reply(m.ID, "fib_res", `{"code":"internal"}`) }, "lies works", "lies works"},
		{"close only", v1.HangUp, "fails fails", "fails works"},
		{"last answer", func(c *v1.Conn, m v1.Message) {
			c.Reply(m.ID+";e", "error.internal: no", `{"code":"internal","message":"no"}`)
			c.Close()
		}, "fails works", "fails works"},
	} {
		for name, want := range map[string]string{"article": test.article, "later": test.later} {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ln := memnet.Listen()
					v1.Serve(t, ln, func(c *v1.Conn, m v1.Message) {
						if m.Type == "bad" {
							test.answer(c, m)
							return
						}
						v1.Article(c, m)
					})
					c := originals[name](func() (net.Conn, error) { return ln.Dial(context.Background(), "", "") })
					defer c.close()
					reply, err := c.call("bad", "1")
					got := outcome(reply, err, "1")
					time.Sleep(2 * time.Second)
					reply, err = c.call("fib", "10")
					if got += " " + outcome(reply, err, "89"); got != want {
						t.Errorf("got %q, want %q", got, want)
					}
				})
			})
		}
	}
}

// TestOriginalClients has both Java clients make every call that can go wrong, one at a time: each costs exactly one failure, with
// the code in sight, and all calls around it work.
func TestOriginalClients(t *testing.T) {
	for name, newCaller := range originals {
		for _, test := range wrongCalls {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := inMemory(t, nil, 0)
					register(h.s)
					c := newCaller(h.dial)
					defer c.close()
					works := func() {
						t.Helper()
						if reply, err := c.call("fib", "10"); reply != "89" || err != nil {
							t.Errorf("fib 10 gave %q, %v; want 89", reply, err)
						}
					}
					for range 3 {
						works()
						works()
						reply, err := c.call(test.typ, test.payload)
						if err == nil || !strings.Contains(err.Error(), "error."+test.code+": ") {
							t.Errorf("got %q, %v; want one failure that shows %s", reply, err, test.code)
						}
						time.Sleep(2 * time.Second)
					}
					works()
				})
			})
		}
	}
}
