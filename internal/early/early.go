// Package early keeps Bubble Tea from asking the terminal for its colours before main begins.
//
// Bubble Tea's init sends the terminal a question and waits up to five seconds for the answer, whatever the program was started for, and
// swallows what was typed meanwhile. It does not ask where TERM says that a multiplexer stands between. So this package, which
// imports nothing but syscall and therefore is initialized before anything that needs the package os, hides TERM until main calls
// [Restore]. The console asks by itself, and only when it opens a face.
package early

import "syscall"

var term, hadTerm = syscall.Getenv("TERM")

func init() {
	if hadTerm {
		_ = syscall.Setenv("TERM", "screen") // cannot fail: neither word holds a NUL or an equals sign
	}
}

// Restore gives TERM back. It is the first thing that main does.
func Restore() {
	if hadTerm {
		_ = syscall.Setenv("TERM", term) // it was a value of the environment before
	}
}
