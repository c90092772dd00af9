// Package screen runs a program in a pseudo terminal and shows a test what a
// person would see: the cells of a screen emulator, the cursor, the bytes and
// the state the terminal is left in.
//
//	s := screen.Start(t, screen.Size{Cols: 80, Rows: 24}, nil, binary, "demo")
//	s.Type("call fib 10<enter>")
//	s.Wait("89")
//	s.Type("<ctrl+d>")
//	if code := s.Exit(); code != 0 { ... }
//	s.CheckStty()
//
// Nothing in it sleeps: each wait looks again when the program has written
// something, and gives up, with a picture of the screen, after a limit that
// only a hanging program reaches. The program is ended with its test, and a
// report of the race detector among its output fails that test. It runs on
// systems with pseudo terminals (Linux, macOS, the BSDs) and is for tests only.
//
// The emulator has one known fault: a wide character that ends at the right
// edge of the screen, or does not fit there, is drawn wrongly. Tests with
// Chinese text keep single cells at the edge.
package screen
