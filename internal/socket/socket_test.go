//go:build unix

package socket

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/rpckids/rpckids/internal/wire"
)

func pair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if a, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// A write that does not fit takes nothing and no time; what fitted arrives.
func TestWriteAndRead(t *testing.T) {
	a, b := pair(t)
	w := NewWriter(a)
	chunk, sent := bytes.Repeat([]byte{0}, 64<<10), 0
	for {
		n, err := w.TryWrite(chunk)
		if err != nil {
			t.Fatal(err)
		}
		if sent += n; n == 0 {
			break
		}
	}
	a.Close()
	var d wire.FrameDecoder // a buffer, here
	r := NewReader(b, &d)
	got := 0
	for {
		came, err := r.Read()
		got += len(came)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for ok := true; ok; { // frames of SETTINGS: 00 00 00
			if _, ok, err = d.Next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got != sent || sent == 0 {
		t.Errorf("read %d bytes of %d", got, sent)
	}
	if _, err := w.TryWrite(chunk); err == nil {
		t.Error("wrote to a closed socket")
	}
}

// wrapped is a socket that somebody looks into.
type wrapped struct{ net.Conn }

func TestWrappedSocketsAreLeftAlone(t *testing.T) {
	a, _ := pair(t)
	if NewReader(wrapped{a}, nil) != nil || NewWriter(wrapped{a}) != nil {
		t.Error("went past the wrapper of a socket")
	}
	if own := (tries{a}); NewWriter(own) != Writer(own) {
		t.Error("did not take a connection's own way")
	}
}

type tries struct{ net.Conn }

func (tries) TryWrite([]byte) (int, error) { return 0, nil }
