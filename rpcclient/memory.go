package rpcclient

import "time"

// remember is how long a client believes what it has learned about an address:
// a program there may have been replaced by another one.
const remember = 10 * time.Minute

// memory is what a client has learned about its address. The server's mutex
// protects it.
type memory struct {
	version byte // that the server speaks; 0: not known
	until   time.Time
	noV2    time.Time // a version 2 connection came to nothing: none is tried before this
}

func (m *memory) learn(version byte) { m.version, m.until = version, time.Now().Add(remember) }

// speaks returns the version that is believed to be spoken there, or 0.
func (m *memory) speaks() byte {
	if m.version != 0 && time.Now().Before(m.until) {
		return m.version
	}
	return 0
}

// failed notes that a server which says that it speaks version 2 has not answered as one.
func (m *memory) failed() {
	m.learn(1)
	m.noV2 = m.until
}

// mayTry reports whether a server that says it speaks version 2 is asked to.
func (m *memory) mayTry() bool { return !time.Now().Before(m.noV2) }
