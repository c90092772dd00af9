package console

// Tour is a short guided walk shown beside the work. A step is done when an entry of the journal or the servers satisfy it, however the user got there.
type Tour struct {
	Title  string
	Steps  []Step
	Beside string // what it stands beside where there is little room: "" for the result, BesidePeers for the servers
}

// BesidePeers is a value of [Tour.Beside].
const BesidePeers = "peers"

// Step is one thing to do in a [Tour].
type Step struct {
	Title  string           // "call fib 10"
	Do     string           // the line that does it; the face types it on request and never runs it by itself
	Before string           // what to do and why: one or two sentences
	After  string           // what was just seen: one or two sentences
	Done   func(Entry) bool // whether that finished entry does it; nil for a step that no call does

	// Peers says whether servers that are so do it; it counts while the step is the current one. Nil for a step of calls.
	Peers func([]Peer) bool
}
