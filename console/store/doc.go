// Package store keeps on disk what a console remembers from one session to the next: so far the lines that were typed.
//
//	h, notice := store.Open()                          // where XDG or RPCKIDS_HISTORY say
//	s := console.NewSession(console.Config{History: h})
//
// A file that cannot be read or written never stops the console: the history is then kept in memory only, and the notice says why.
package store
