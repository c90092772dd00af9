package console

// Tour is a short guided walk shown beside the work. A step is done when an entry of the journal satisfies it, however the user got there.
type Tour struct {
	Title string
	Steps []Step
}

// Step is one thing to do in a [Tour].
type Step struct {
	Title  string           // "call fib 10"
	Do     string           // the line that does it; the face types it on request and never runs it by itself
	Before string           // what to do and why: one or two sentences
	After  string           // what was just seen: one or two sentences
	Done   func(Entry) bool // whether that finished entry does it
}
