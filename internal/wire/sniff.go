package wire

// Protocol is what a connection speaks. Its first byte decides for its whole life.
type Protocol int

const (
	Unknown Protocol = iota // close, log, count
	V1
	V2
	TLS
	HTTP
)

// Magic opens version 2 in both directions: FF "RK2". As an int32 it is out of range, so a version 1 server refuses it at once.
const Magic = "\xFFRK2"

// Sniff tells the protocol from the first byte that a client sends.
func Sniff(first byte) Protocol {
	switch first {
	case 0x00: // the high byte of an id's length, which is at most MaxID
		return V1
	case Magic[0]:
		return V2
	case 0x16: // a TLS handshake record
		return TLS
	case 'G', 'P', 'H', 'D', 'C', 'O', 'T': // GET; POST, PUT, PATCH and PRI; HEAD; DELETE, CONNECT, OPTIONS and TRACE
		return HTTP
	}
	return Unknown
}

func (p Protocol) String() string {
	return [...]string{"unknown protocol", "v1", "v2", "TLS", "HTTP"}[p]
}
