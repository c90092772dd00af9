package memnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestBytesArriveInOrderThroughASmallBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(7)
		want := bytes.Repeat([]byte("0123456789"), 100)
		go func() {
			a.Write(want)
			a.CloseWrite()
		}()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("read %d bytes, %v; want %d bytes", len(got), err, len(want))
		}
		if _, err := b.Write([]byte("back")); err != nil {
			t.Errorf("write after the peer's half close: %v", err)
		}
		got = make([]byte, 4)
		if _, err := io.ReadFull(a, got); err != nil || string(got) != "back" {
			t.Errorf("read %q, %v after half close, want %q", got, err, "back")
		}
		a.Close()
		b.Close()
	})
}

func TestDeadlinesPassInFakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(4)
		defer b.Close()
		defer a.Close()
		start := time.Now()
		a.SetReadDeadline(start.Add(10 * time.Second))
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read error %v, want a deadline", err)
		}
		a.SetWriteDeadline(start.Add(30 * time.Second))
		n, err := a.Write([]byte("too long"))
		if n != 4 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write gave %d, %v; want 4 and a deadline", n, err)
		}
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("waited %v, want 30s", got)
		}
		a.SetDeadline(time.Time{})
		go b.Write([]byte("late"))
		if n, err := io.ReadFull(a, make([]byte, 4)); n != 4 || err != nil {
			t.Errorf("read %d, %v after the deadline was removed", n, err)
		}
	})
}

func TestCloseWakesBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(1)
		failed := make(chan error, 3)
		read := func(c net.Conn) { _, err := c.Read(make([]byte, 1)); failed <- err }
		go read(a)
		go read(b)
		synctest.Wait()
		a.Close()
		a.Close()
		got := []error{<-failed, <-failed}
		if !errors.Is(errors.Join(got...), net.ErrClosed) || !errors.Is(errors.Join(got...), io.EOF) {
			t.Errorf("the two ends saw %v, want closed and EOF", got)
		}
		if _, err := b.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write to a closed peer: %v, want EPIPE", err)
		}
		b.Close()
	})
}

func TestTryWriteNeverWaits(t *testing.T) {
	a, b := Pipe(3)
	defer a.Close()
	defer b.Close()
	if n, err := a.TryWrite([]byte("hello")); n != 3 || err != nil {
		t.Errorf("TryWrite gave %d, %v; want 3", n, err)
	}
	if n, err := a.TryWrite([]byte("lo")); n != 0 || err != nil {
		t.Errorf("TryWrite into a full buffer gave %d, %v; want 0", n, err)
	}
}

func TestListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Listen()
		client, err := l.Dial(t.Context(), "tcp", "anywhere:1")
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := client.RemoteAddr(), server.LocalAddr(); got != want {
			t.Errorf("client sees %v, server is %v", got, want)
		}
		waiting, _ := l.Dial(t.Context(), "", "")
		l.Close()
		if _, err := waiting.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("never accepted connection: %v, want EOF", err)
		}
		if _, err := l.Dial(t.Context(), "", ""); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial after close: %v, want refused", err)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept after close: %v, want closed", err)
		}
		waiting.Close()
		client.Close()
		server.Close()
	})
}

func TestDialWaitsForRoomUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Listen()
		defer l.Close()
		for range backlog {
			if _, err := l.Dial(t.Context(), "", ""); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := l.Dial(ctx, "", ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial into a full backlog: %v, want its deadline", err)
		}
	})
}
