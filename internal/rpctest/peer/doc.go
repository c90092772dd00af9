// Package peer is a version 1 server for tests, written from docs/PROTOCOL.md
// alone: it shares no code with internal/wire, so that a mistake there is not
// made here as well. It checks every byte it is sent, records it, and otherwise
// does what a script says: answer, keep silent, answer wrongly, hang up.
package peer
