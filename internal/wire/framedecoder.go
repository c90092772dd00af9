package wire

// FrameDecoder cuts the bytes of one direction of a version 2 connection, the magic already taken off, into frames. The loop of
// a reader is that of [Decoder]. It checks all that a frame alone can show; what the frames before it allow is not its business.
//
// The zero value is ready and holds no memory. It never holds more than one frame of MaxFrame, and no more than twice what has arrived
// above its first 8 KiB. A FrameDecoder is for one goroutine.
type FrameDecoder struct {
	readBuffer
}

// Space returns where the next read puts its bytes; it is never empty. It ends the life of all frames returned so far.
func (d *FrameDecoder) Space() []byte { return d.space(maxHeader + MaxFrame) }

// Next returns the next frame; ok is false when more bytes are needed. The error is a [*Breach]; after it the stream is out of step and
// the connection has to be closed. Every part of a header is judged as soon as it is there.
func (d *FrameDecoder) Next() (f Frame, ok bool, err error) {
	b := d.buf[d.r:d.w]
	if len(b) == 0 {
		return Frame{}, false, nil
	}
	f = Frame{Kind: Kind(b[0] >> 4), Flags: Flags(b[0] & 15)}
	if err := checkFirst(f.Kind, f.Flags); err != nil {
		return Frame{}, false, err
	}
	stream, at, err := headerVarint(b, 1, 5)
	if at == 0 {
		return Frame{}, false, err
	}
	if err := checkStream(f.Kind, stream); err != nil {
		return Frame{}, false, err
	}
	n, at, err := headerVarint(b, at, 3)
	if at == 0 {
		return Frame{}, false, err
	}
	if err := checkLength(f.Kind, f.Flags, n); err != nil {
		return Frame{}, false, err
	}
	end := at + int(n)
	if len(b) < end {
		return Frame{}, false, nil
	}
	f.Stream, f.Payload, f.Size = uint32(stream), b[at:end:end], end
	d.r += end
	return f, true, nil
}

// Raw returns the bytes of f as they stood on the wire. It is for the frame that Next returned last.
func (d *FrameDecoder) Raw(f Frame) []byte { return d.buf[d.r-f.Size : d.r : d.r] }

// headerVarint reads the varint at b[at], which no right frame needs more than most bytes for. end is 0 when there is none, yet or ever.
func headerVarint(b []byte, at, most int) (v uint64, end int, err error) {
	if at < len(b) && b[at] < 0x80 {
		return uint64(b[at]), at + 1, nil
	}
	v, n := Varint(b[at:min(len(b), at+most)])
	switch {
	case n > 0:
		return v, at + n, nil
	case n < 0:
		return 0, 0, breachf(BadVarint, "not in its shortest form")
	case len(b)-at >= most && most == 5:
		return 0, 0, breachf(WrongStream, "id above %d", MaxStreamID)
	case len(b)-at >= most:
		return 0, 0, breachf(FrameTooLarge, "more than %d bytes", MaxFrame)
	}
	return 0, 0, nil
}
