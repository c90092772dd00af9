package mux

import (
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/memnet"
	"github.com/rpckids/rpckids/internal/wire"
)

// rawPeer is the other end of a connection, written and read byte by byte.
type rawPeer struct {
	t    testing.TB
	nc   net.Conn
	conn *Conn
	err  chan error // of Serve
}

// rawServer is a server of ours with a peer that has said nothing yet.
func rawServer(t testing.TB, cfg *Config) *rawPeer {
	t.Helper()
	return rawServerBuffer(t, cfg, 1<<20)
}

// rawServerBuffer is rawServer over a network that holds that many bytes.
func rawServerBuffer(t testing.TB, cfg *Config, buffer int) *rawPeer {
	t.Helper()
	a, b := memnet.Pipe(buffer)
	p := &rawPeer{t: t, nc: a, conn: New(b, role(b, cfg, Server)), err: make(chan error, 1)}
	go func() { p.err <- p.conn.Serve(nil) }()
	t.Cleanup(p.close)
	return p
}

// rawClient is a client of ours, and a peer that has said nothing yet.
func rawClient(t testing.TB, cfg *Config) *rawPeer {
	t.Helper()
	a, b := memnet.Pipe(1 << 20)
	p := &rawPeer{t: t, nc: a, conn: New(b, role(b, cfg, Client)), err: make(chan error, 1)}
	p.conn.Start(true)
	go func() { p.err <- p.conn.Serve(nil) }()
	t.Cleanup(p.close)
	return p
}

func (p *rawPeer) close() {
	p.nc.Close()
	p.conn.Close(errOver)
	if p.err != nil {
		<-p.err
	}
}

// ended returns why Serve ended.
func (p *rawPeer) ended() error {
	err := <-p.err
	p.err = nil
	return err
}

// bytesOf reads hex with spaces.
func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(strings.ReplaceAll(text, "|", "")), ""))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return b
}

const hello = "FF 52 4B 32 00 00 00"

// say writes hex.
func (p *rawPeer) say(text string) {
	p.t.Helper()
	p.write(bytesOf(p.t, text))
}

func (p *rawPeer) write(b []byte) {
	p.t.Helper()
	if _, err := p.nc.Write(b); err != nil {
		p.t.Errorf("write: %v", err)
	}
}

// hear reads as many bytes as text has, and compares.
func (p *rawPeer) hear(text string) {
	p.t.Helper()
	want := bytesOf(p.t, text)
	got := make([]byte, len(want))
	p.nc.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := io.ReadFull(p.nc, got); err != nil || string(got) != string(want) {
		p.t.Errorf("heard % X, %v\n want % X", got[:n], err, want)
	}
}

// rest reads until the peer closes, and cuts what came into frames.
func (p *rawPeer) rest() (frames []wire.Frame) {
	p.t.Helper()
	p.nc.SetReadDeadline(time.Now().Add(5 * time.Second))
	b, err := io.ReadAll(p.nc)
	if err != nil {
		p.t.Errorf("the end: %v", err)
	}
	return framesOf(p.t, b)
}

func framesOf(t testing.TB, b []byte) (frames []wire.Frame) {
	t.Helper()
	b = []byte(strings.TrimPrefix(string(b), wire.Magic))
	var d wire.FrameDecoder
	for {
		n := copy(d.Space(), b)
		d.Fed(n)
		b = b[n:]
		f, ok, err := d.Next()
		for ; ok; f, ok, err = d.Next() {
			f.Payload = append([]byte(nil), f.Payload...)
			frames = append(frames, f)
		}
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return frames
		}
	}
}

// data is a DATA frame.
func data(stream uint32, flags wire.Flags, payload string) []byte {
	return wire.AppendFrame(nil, wire.KindData, flags, stream, []byte(payload))
}

// open is an OPEN frame for a method by its name.
func open(stream uint32, flags wire.Flags, method, payload string) []byte {
	b := wire.AppendOpen(nil, &wire.OpenHead{Name: []byte(method)})
	return wire.AppendFrame(nil, wire.KindOpen, flags, stream, append(b, payload...))
}
