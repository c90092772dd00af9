package console

import "encoding/json"

// Result is what a command line gave. Its zero value is a command that has nothing to say.
type Result struct {
	Entry  *Entry // the call or cast that the line made, also a failed one; nil otherwise
	Text   string // what a person reads: lines, no colour, safe for a terminal. Empty for a call: faces render the Entry
	Notice bool   // Text only says what was done; a script writes it to standard error, since it is no value
	Value  any    // what -o json prints, marshalled on one line; nil for notices
	Next   Next   // what the face does after it
	Copy   string // what the face writes to the clipboard; safe for a terminal

	// Diff is what differs, line by line, where calls were compared; nil otherwise. Text holds it, too, with signs in place of colours.
	Diff []DiffLine

	// Bench is what a bench came to, also one that was interrupted or missed its limit; nil otherwise. Text holds it, too.
	Bench *Bench

	// Top is how a server is, as `top` found it last; nil otherwise. Text holds it, too, unless Talk.Top has shown it.
	Top *Top

	// Peers are the servers behind the connection, as `peers` found them; nil otherwise. Text holds them, too. A face that shows them all the time has no need of it.
	Peers []Peer

	// Values are what the filter of the line made of the reply, each JSON and untrusted; nil without a filter. Text holds them, too, and faces show it in
	// place of the reply of Entry.
	Values []json.RawMessage
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
