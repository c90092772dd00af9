package wire

import (
	"math"
	"slices"
	"time"
)

// CodecID says how a message is written; it is the low nibble of OPEN's call byte and holds for the whole stream.
type CodecID uint8

const (
	CodecJSON CodecID = 0 // one JSON value as text
	CodecRaw  CodecID = 4 // bytes that mean what caller and handler agree on
)

// Settings are what one side of a version 2 connection tells the other about itself, once, before anything else.
// The zero value is not useful: begin with [DefaultSettings].
type Settings struct {
	MaxMessage    int           // bytes of a message, as it stands on the wire and inflated
	Window        int           // bytes of credit that a stream begins with; at least MinWindow
	MaxStreams    int           // streams that the peer may have open at once
	MaxMetadata   int           // bytes of one metadata block
	Codecs        []CodecID     // what it reads; empty counts as JSON alone
	Algorithms    []AlgorithmID // what it inflates; empty for none
	MinPing       time.Duration // least time between two PINGs in the long run, in whole milliseconds
	Authorization string        // client only: who is calling. Never logged
	Name          string        // name and version of the program, for people
	WantTiming    bool          // client only: put the server's own times into the metadata of replies
}

// MinWindow is the smallest window a peer may announce: less could hold up what is no larger than a frame.
const MinWindow = 64 << 10

// Limits of the texts in SETTINGS.
const (
	MaxAuthorization = 8 << 10
	MaxPeerName      = 256
)

// The settings' numbers on the wire.
const (
	setMaxMessage = iota + 1
	setWindow
	setMaxStreams
	setCodecs
	setAlgorithms
	setMinPing
	setAuthorization
	setName
	setMaxMetadata
	setWantTiming
)

// DefaultSettings returns what holds until the peer's SETTINGS come, and for all that they do not mention.
func DefaultSettings() Settings {
	return Settings{
		MaxMessage:  1 << 20,
		Window:      MinWindow,
		MaxStreams:  512,
		MaxMetadata: 8 << 10,
		Codecs:      []CodecID{CodecJSON},
		MinPing:     5 * time.Second,
	}
}

// AppendSettings appends the payload of SETTINGS: only what differs from the default. Numbers are not checked.
func AppendSettings(dst []byte, s *Settings) []byte {
	d := DefaultSettings()
	dst = appendNumber(dst, setMaxMessage, s.MaxMessage, d.MaxMessage)
	dst = appendNumber(dst, setWindow, s.Window, d.Window)
	dst = appendNumber(dst, setMaxStreams, s.MaxStreams, d.MaxStreams)
	if len(s.Codecs) > 0 && !slices.Equal(s.Codecs, d.Codecs) {
		dst = appendSetting(dst, setCodecs, s.Codecs)
	}
	if len(s.Algorithms) > 0 {
		dst = appendSetting(dst, setAlgorithms, s.Algorithms)
	}
	dst = appendNumber(dst, setMinPing, int(millis(s.MinPing)), int(millis(d.MinPing)))
	if s.Authorization != "" {
		dst = appendSetting(dst, setAuthorization, []byte(s.Authorization))
	}
	if s.Name != "" {
		dst = appendSetting(dst, setName, []byte(s.Name))
	}
	dst = appendNumber(dst, setMaxMetadata, s.MaxMetadata, d.MaxMetadata)
	if s.WantTiming {
		dst = appendSetting(dst, setWantTiming, []byte{1})
	}
	return dst
}

func appendNumber(dst []byte, id uint64, v, standard int) []byte {
	if v == standard {
		return dst
	}
	n := uint64(max(v, 0))
	dst = AppendVarint(dst, id)
	dst = AppendVarint(dst, uint64(sizeVarint(n)))
	return AppendVarint(dst, n)
}

func appendSetting[B ~uint8](dst []byte, id uint64, value []B) []byte {
	dst = AppendVarint(dst, id)
	dst = AppendVarint(dst, uint64(len(value)))
	for _, b := range value {
		dst = append(dst, byte(b))
	}
	return dst
}

// ParseSettings reads the payload of SETTINGS. Settings it does not know are skipped; one that comes twice, a number out of its
// range or a value of the wrong form is a [*Breach].
func ParseSettings(b []byte) (Settings, error) {
	s := DefaultSettings()
	var seen uint64 // a bit for each id below 64; no higher one has a meaning
	for len(b) > 0 {
		id, n := Varint(b)
		if n <= 0 {
			return s, breachf(BadSettings, "an id is not a varint")
		}
		value, rest, ok := prefixed(b[n:])
		if !ok {
			return s, breachf(BadSettings, "setting %d has no value of the length it declares", id)
		}
		if b = rest; id < 64 {
			if seen&(1<<id) != 0 {
				return s, breachf(BadSettings, "setting %d comes twice", id)
			}
			seen |= 1 << id
		}
		if err := s.set(id, value); err != nil {
			return s, err
		}
	}
	return s, nil
}

// set takes one setting over.
func (s *Settings) set(id uint64, value []byte) (err error) {
	switch id {
	case setMaxMessage:
		s.MaxMessage, err = settingNumber(id, value, 1)
	case setWindow:
		s.Window, err = settingNumber(id, value, MinWindow)
	case setMaxStreams:
		s.MaxStreams, err = settingNumber(id, value, 0)
	case setMaxMetadata:
		s.MaxMetadata, err = settingNumber(id, value, 0)
	case setMinPing:
		var ms int
		ms, err = settingNumber(id, value, 0)
		s.MinPing = time.Duration(ms) * time.Millisecond
	case setCodecs:
		if s.Codecs, err = settingList[CodecID](id, value); err == nil && len(value) == 0 {
			err = breachf(BadSettings, "no codec at all")
		}
	case setAlgorithms:
		s.Algorithms, err = settingList[AlgorithmID](id, value)
	case setAuthorization:
		s.Authorization, err = settingText(id, value, MaxAuthorization)
	case setName:
		s.Name, err = settingText(id, value, MaxPeerName)
	case setWantTiming:
		if s.WantTiming = true; string(value) != "\x01" {
			err = breachf(BadSettings, "setting %d is not 01", id)
		}
	}
	return err
}

func settingNumber(id uint64, value []byte, least int) (int, error) {
	v, n := Varint(value)
	if n <= 0 || n != len(value) {
		return 0, breachf(BadSettings, "setting %d is not one varint", id)
	}
	if v < uint64(least) || v > math.MaxInt32 {
		return 0, breachf(BadSettings, "setting %d is %d, outside %d to %d", id, v, least, math.MaxInt32)
	}
	return int(v), nil
}

// settingList takes entries that have no meaning yet as they are.
func settingList[B ~uint8](id uint64, value []byte) ([]B, error) {
	list := make([]B, 0, min(len(value), 16))
	for _, v := range value {
		if slices.Contains(list, B(v)) {
			return nil, breachf(BadSettings, "setting %d names %d twice", id, v)
		}
		list = append(list, B(v))
	}
	return list, nil
}

func settingText(id uint64, value []byte, most int) (string, error) {
	if len(value) > most {
		return "", breachf(BadSettings, "setting %d has %d bytes, at most %d", id, len(value), most)
	}
	return string(value), nil
}
