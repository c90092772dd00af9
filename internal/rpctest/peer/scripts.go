package peer

import "strconv"

// Echo answers every message with its own payload, as type and "_res".
func Echo(c *Conn, m Message) { c.Reply(m.ID, m.Type+"_res", m.Payload) }

// Silent answers nothing.
func Silent(*Conn, Message) {}

// HangUp closes the connection on the first message.
func HangUp(c *Conn, _ Message) { c.Close() }

// Article behaves as the server of the original article: fib and echo are
// answered under the very id they came with; for anything else, and for bad
// input, there is silence and the connection stays open.
func Article(c *Conn, m Message) {
	switch m.Type {
	case "echo":
		c.Reply(m.ID, "echo_res", m.Payload)
	case "fib":
		if n, err := strconv.Atoi(m.Payload); err == nil && n >= 0 && n <= 91 {
			c.Reply(m.ID, "fib_res", strconv.FormatInt(fib(n), 10))
		}
	}
}

// Later behaves as the original's later server: as Article, but an unknown type
// closes the connection.
func Later(c *Conn, m Message) {
	if m.Type != "fib" && m.Type != "echo" {
		c.Close()
		return
	}
	Article(c, m)
}

func fib(n int) int64 {
	a, b := int64(1), int64(1)
	for range n {
		a, b = b, a+b
	}
	return a
}
