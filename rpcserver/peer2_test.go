package rpcserver_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/wire"
)

// peer2 is a client of version 2 that knows nothing but frames.
type peer2 struct {
	t    *testing.T
	nc   net.Conn
	dec  wire.FrameDecoder
	last uint32 // stream
}

// visit2 opens a connection of version 2; settings are what it announces, nil for the defaults.
func (h *house) visit2(settings *wire.Settings) *peer2 {
	h.t.Helper()
	p := h.stranger()
	if settings == nil {
		d := wire.DefaultSettings()
		settings = &d
	}
	p.write(wire.AppendFrame([]byte(wire.Magic), wire.KindSettings, 0, 0, wire.AppendSettings(nil, settings)))
	p.greeted()
	return p
}

// stranger opens a connection and says nothing.
func (h *house) stranger() *peer2 {
	h.t.Helper()
	nc, err := h.dial()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { nc.Close() })
	return &peer2{t: h.t, nc: nc}
}

// greeted reads the server's magic and SETTINGS.
func (p *peer2) greeted() {
	p.t.Helper()
	p.nc.SetReadDeadline(time.Now().Add(patience))
	magic := make([]byte, len(wire.Magic))
	if _, err := io.ReadFull(p.nc, magic); err != nil || string(magic) != wire.Magic {
		p.t.Fatalf("got %q, %v; want the magic", magic, err)
	}
	p.want("SETTINGS 0")
}

func (p *peer2) write(b []byte) {
	p.t.Helper()
	if _, err := p.nc.Write(b); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

func (p *peer2) frame(k wire.Kind, f wire.Flags, stream uint32, payload []byte) {
	p.t.Helper()
	p.write(wire.AppendFrame(nil, k, f, stream, payload))
}

// opening appends an OPEN for the next stream.
func (p *peer2) opening(dst []byte, f wire.Flags, h wire.OpenHead, name, payload string, fields ...string) []byte {
	p.last++
	h.Name = []byte(name)
	b := wire.AppendOpen(nil, &h)
	if len(fields) > 0 {
		f |= wire.FlagMeta
		b = wire.AppendBlock(b, block(p.t, fields...))
	}
	return wire.AppendFrame(dst, wire.KindOpen, f, p.last, append(b, payload...))
}

func block(t *testing.T, fields ...string) (b []byte) {
	t.Helper()
	var err error
	for i := 0; i < len(fields); i += 2 {
		if b, err = wire.AppendField(b, fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// open opens a stream and returns its id.
func (p *peer2) open(f wire.Flags, h wire.OpenHead, name, payload string, fields ...string) uint32 {
	p.t.Helper()
	p.write(p.opening(nil, f, h, name, payload, fields...))
	return p.last
}

// call is open for an ordinary call.
func (p *peer2) call(name, payload string, fields ...string) uint32 {
	p.t.Helper()
	return p.open(wire.FlagEnd, wire.OpenHead{}, name, payload, fields...)
}

// begin is open for an upload or a bidi without a first item.
func (p *peer2) begin(name string) uint32 {
	p.t.Helper()
	return p.open(0, wire.OpenHead{NoMessage: true}, name, "")
}

func (p *peer2) item(stream uint32, payload string) {
	p.t.Helper()
	p.frame(wire.KindData, 0, stream, []byte(payload))
}

func (p *peer2) end(stream uint32) {
	p.t.Helper()
	p.frame(wire.KindData, wire.FlagEnd, stream, nil)
}

func (p *peer2) cancel(stream uint32) {
	p.t.Helper()
	p.frame(wire.KindError, 0, stream, []byte{byte(wire.Canceled)})
}

// next returns the next frame in words, as "DATA 1 END 89" or `ERROR 1 not_found no service "x"`; a metadata block stands in braces.
func (p *peer2) next() (string, error) {
	f, err := p.nextFrame()
	if err != nil {
		return "", err
	}
	words := []string{f.Kind.String(), fmt.Sprint(f.Stream)}
	if f.Flags&wire.FlagEnd != 0 {
		words = append(words, "END")
	}
	if f.Flags&wire.FlagCompressed != 0 {
		words = append(words, "COMPRESSED")
	}
	rest := f.Payload
	if f.Flags&wire.FlagMeta != 0 {
		var meta []byte
		if meta, rest, err = wire.CutBlock(rest, 64<<10); err != nil {
			return "", err
		}
		var fields []string
		for name, value := range wire.Fields(meta) {
			fields = append(fields, name+"="+value)
		}
		words = append(words, "{"+strings.Join(fields, ", ")+"}")
	}
	switch f.Kind {
	case wire.KindSettings:
		// what they say is another test
	case wire.KindError:
		e, err := wire.ParseFailure(rest)
		if err != nil {
			return "", err
		}
		if f.Flags&wire.FlagRefused != 0 {
			words = append(words, "REFUSED")
		}
		words = append(words, e.Error())
		if e.RetryAfter > 0 {
			words = append(words, "again in "+e.RetryAfter.String())
		}
		words = append(words, string(e.Details))
	case wire.KindGoAway:
		g, err := wire.ParseGoAway(rest)
		if err != nil {
			return "", err
		}
		words = append(words, fmt.Sprint(g.Last), g.Code.String(), g.Left.String(), g.Text)
	case wire.KindCredit:
		n, err := wire.ParseCredit(rest)
		if err != nil {
			return "", err
		}
		words = append(words, fmt.Sprint(n))
	default:
		if f.Flags&wire.FlagMore != 0 {
			words = append(words, "MORE")
		}
		words = append(words, string(rest))
	}
	return strings.TrimRight(strings.Join(words, " "), " "), nil
}

func (p *peer2) nextFrame() (wire.Frame, error) {
	p.nc.SetReadDeadline(time.Now().Add(patience))
	for {
		f, ok, err := p.dec.Next()
		if ok || err != nil {
			return f, err
		}
		n, err := p.nc.Read(p.dec.Space())
		p.dec.Fed(n)
		if err != nil && n == 0 {
			if p.dec.Buffered() > 0 {
				return f, io.ErrUnexpectedEOF
			}
			return f, err
		}
	}
}

// firstPing is the ping of a server that leaves.
const firstPing = "\x00\x00\x00\x00\x00\x00\x00\x01"

// warning is what a server says first that leaves within left: it excludes nothing.
func warning(left string) []string {
	return []string{"GOAWAY 0 2147483647 ok " + left + " the server stops", "PING 0 " + firstPing}
}

// heard answers that ping.
func (p *peer2) heard() {
	p.t.Helper()
	p.frame(wire.KindPing, wire.FlagEnd, 0, []byte(firstPing))
}

func (p *peer2) want(frames ...string) {
	p.t.Helper()
	for _, want := range frames {
		got, err := p.next()
		if err != nil || got != want {
			p.t.Fatalf("got  %.400q, %v\nwant %.400q", got, err, want)
		}
	}
}

func (p *peer2) wantInAnyOrder(frames ...string) {
	p.t.Helper()
	var got []string
	for range frames {
		f, err := p.next()
		if err != nil {
			p.t.Fatal(err)
		}
		got = append(got, f)
	}
	slices.Sort(got)
	slices.Sort(frames)
	if !slices.Equal(got, frames) {
		p.t.Fatalf("got  %.400q\nwant %.400q", got, frames)
	}
}

// wantEnd says that the server must close now, having said nothing more.
func (p *peer2) wantEnd() {
	p.t.Helper()
	if got, err := p.next(); err != io.EOF {
		p.t.Fatalf("got %q, %v; want the connection to end", got, err)
	}
}
