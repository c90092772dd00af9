package console

import "context"

// Talk is what a face does for a command while it runs. With the zero value items only go into the journal and nobody can be asked.
type Talk struct {
	// Item shows an item that came, in its order; e is its running entry. An error ends the stream, on the server too.
	Item func(e Entry, it Item) error
	// Line asks the person for a line. io.EOF says that there are no more; ctx ends when the answer is no longer wanted. It is called from another goroutine
	// than Item, perhaps at the same time.
	Line func(ctx context.Context, q Question) (string, error)
	// Bench shows how far a bench is, about ten times a second, and at its end once more, when it no longer runs; nil where nobody looks.
	Bench func(b Bench)
	// Top shows how a server is, each time that it was asked. An error ends the asking. nil where nobody looks: then the result tells, and one answer is enough.
	Top func(t Top) error
	// Live says that Top writes over what it wrote before, so that it may go on until the person ends it. At the end it gets the last one again, as Done.
	Live bool
	// Columns is how wide the face shows a text; 0 where nothing sets a limit, as in a file.
	Columns int
}

const anyWidth = 1 << 20 // cells: more than any text has in a line

// columns is how wide a text may be.
func (t *Talk) columns() int {
	if t.Columns < 1 {
		return anyWidth
	}
	return t.Columns
}

// Question is what a command asks a person for: the next item of an upload or a chat.
type Question struct {
	Type    string // the service that gets the item; for Session.CheckItem and Session.CompleteItem
	Prompt  string // what stands before "> ", safe for a terminal: "sum 3"
	Before  string // the earlier lines of an item that goes on, each with its newline
	Text    string // what the line starts with: the one that was refused
	Refused *Error // why the line before was not taken; its Line is that line
}
