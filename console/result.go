package console

// Result is what a command line gave. Its zero value is a command that has nothing to say.
type Result struct {
	Entry  *Entry // the call or cast that the line made, also a failed one; nil otherwise
	Text   string // what a person reads: lines, no colour, safe for a terminal. Empty for a call: faces render the Entry
	Notice bool   // Text only says what was done; a script writes it to standard error, since it is no value
	Value  any    // what -o json prints, marshalled on one line; nil for notices
	Next   Next   // what the face does after it
}

// Next is what a face does after a command.
type Next int

const (
	Stay          Next = iota
	Clear              // clear the screen
	Quit               // end the program
	OpenREPL           // go on at the prompt
	OpenDashboard      // go on in the dashboard
)

func (n Next) String() string {
	return [...]string{"stay", "clear", "quit", "repl", "dashboard"}[n]
}
