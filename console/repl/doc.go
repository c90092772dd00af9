// Package repl is the console's prompt: one line in, its outcome out, with
// history, search, completion, JSON over several lines and an editor.
//
//	r := repl.New(session, repl.Config{})
//	defer r.Close()
//	next, err := r.Run(ctx)
//
// # How it is built
//
// The readline library reads keys and edits the line; everything that is seen
// is drawn here, and keys are translated on their way in:
//
//	terminal -> keys (escape sequences, pastes) -> readline -> screen -> terminal
//	                                                  |
//	                                editor (completion, search, help)
//
// One instance of it lives as long as the REPL and reads the terminal only
// while Run waits for a line, so that another face can have the terminal in
// between and loses no key. The screen counts cells, not characters, which
// keeps the caret where it belongs in Chinese text and in long lines.
//
// The package runs no command itself and knows none: that is the session's. It
// is no way to read a script either, only to talk to a person at a terminal.
package repl
