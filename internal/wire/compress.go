package wire

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"sync"
)

// AlgorithmID is the byte that a compressed message begins with.
type AlgorithmID uint8

// Deflate is raw RFC 1951, without a header or a checksum.
const Deflate AlgorithmID = 1

// Algorithm compresses messages, each for itself. It is safe for concurrent use.
type Algorithm interface {
	ID() AlgorithmID
	// Compress appends src compressed, without the algorithm's byte; that may be longer than src.
	Compress(dst, src []byte) []byte
	// Decompress returns what src stands for, in memory of its own. It stops as soon as that is more than limit bytes.
	Decompress(src []byte, limit int) ([]byte, error)
}

// Errors of Decompress.
var (
	ErrInflated = errors.New("inflates to more than a message may have")
	ErrCorrupt  = errors.New("compressed data is corrupt")
)

// AlgorithmOf returns the algorithm with that number, if we have it.
func AlgorithmOf(id AlgorithmID) (Algorithm, bool) {
	if id == Deflate {
		return deflate{}, true
	}
	return nil, false
}

// deflate keeps its writers and readers, which are large, in pools.
type deflate struct{}

var (
	deflaters = sync.Pool{New: func() any {
		w, _ := flate.NewWriter(nil, flate.BestSpeed) // fails for a level out of range only
		return &deflater{w: w}
	}}
	inflaters = sync.Pool{New: func() any { return &inflater{r: flate.NewReader(bytes.NewReader(nil))} }}
)

func (deflate) ID() AlgorithmID { return Deflate }

func (deflate) Compress(dst, src []byte) []byte {
	d := deflaters.Get().(*deflater)
	d.out = dst
	d.w.Reset(d)
	_, _ = d.w.Write(src) // the writer below never fails
	_ = d.w.Close()
	dst, d.out = d.out, nil
	deflaters.Put(d)
	return dst
}

// deflater appends what its writer makes.
type deflater struct {
	w   *flate.Writer
	out []byte
}

func (d *deflater) Write(p []byte) (int, error) {
	d.out = append(d.out, p...)
	return len(p), nil
}

// What is small at both ends is inflated into a buffer that grows. All else is inflated twice, the first time to nowhere: growing
// would hold the result twice, which a bomb lives on.
const (
	smallSource = 16 << 10
	smallResult = 64 << 10
)

func (deflate) Decompress(src []byte, limit int) ([]byte, error) {
	i := inflaters.Get().(*inflater)
	defer i.done()
	if len(src) <= smallSource {
		most := min(limit, smallResult)
		b, err := i.inflate(src, min(4*len(src), most), most)
		if err != ErrInflated || most == limit {
			return b, err
		}
	}
	n, err := i.count(src, limit)
	if err != nil {
		return nil, err
	}
	return i.inflate(src, n, n)
}

// inflater reads one message. It is about 45 KiB and stays in the pool.
type inflater struct {
	in      bytes.Reader
	r       io.ReadCloser // also a flate.Resetter
	scratch [4 << 10]byte
}

func (i *inflater) reset(src []byte) {
	i.in.Reset(src)
	_ = i.r.(flate.Resetter).Reset(&i.in, nil) // never fails
}

func (i *inflater) done() {
	i.in.Reset(nil) // the pool must not hold a message
	inflaters.Put(i)
}

// count inflates to nowhere.
func (i *inflater) count(src []byte, limit int) (n int, err error) {
	i.reset(src)
	for err == nil {
		var k int
		k, err = i.r.Read(i.scratch[:])
		if n += k; n > limit {
			return 0, ErrInflated
		}
	}
	return n, i.end(err)
}

// inflate begins with room for size bytes, which grows up to limit.
func (i *inflater) inflate(src []byte, size, limit int) ([]byte, error) {
	i.reset(src)
	b := make([]byte, 0, size)
	for {
		room := b[len(b):cap(b)]
		if len(room) == 0 { // the end, or more than there is room for
			room = i.scratch[:]
		}
		n, err := i.r.Read(room)
		switch {
		case len(b)+n > limit:
			return nil, ErrInflated
		case len(b) < cap(b):
			b = b[:len(b)+n]
		case n > 0:
			b = append(append(make([]byte, 0, min(2*(len(b)+n), limit)), b...), room[:n]...)
		}
		if err == nil {
			continue
		}
		if err = i.end(err); err != nil {
			return nil, err
		}
		return b, nil
	}
}

// end tells a clean end from a broken one: bytes after the last block are no part of any message.
func (i *inflater) end(err error) error {
	if err != io.EOF || i.in.Len() > 0 {
		return ErrCorrupt
	}
	return nil
}
