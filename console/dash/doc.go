// Package dash is the dashboard: the face of the console that fills the terminal. It shows the newest result and where its time went, the
// calls of the session, their timing and a prompt, all drawn from the session's journal.
//
//	next, err := dash.Run(ctx, session, dash.Config{})
//	// next says what comes now: console.Quit or console.OpenREPL
//
// One file is one thing on the screen. A pane draws itself into the cells it is given and answers keys with what it wants done; the model
// routes keys, runs lines and puts the pieces together; where they stand is a pure function of the terminal's size. Nothing is drawn from a
// clock or a socket: a feed wakes the program at most fifteen times a second, and only when something changed.
//
// The package asks the session for everything. It opens no connection and parses no command.
package dash
