// Package console is the core of the terminal console: one person's session with a server, apart from any screen.
//
// A [Session] runs command lines and returns results as values; printing them is the work of a face (console/repl, console/dash) or of a
// [Printer]. One table of commands feeds running, help, completion and the manual, so nothing is true in one face and false in another.
//
//	s := console.NewSession(console.Config{Dial: dial})
//	defer s.Close()
//	_, err := s.Exec(ctx, "connect localhost:8888")
//	r, err := s.Exec(ctx, `call exp {"base":2,"exp":10}`)   // r.Entry holds the reply and where its time went
//
// A stream's items are in the journal as they come. A face that wants to show each of them, or to ask for the items of an upload, runs the line with a [Talk].
// What a server tells of its services (the catalogue) is known like what the user registered, which wins.
//
// What was called is in the [Journal]; a face reads it when it draws and is never called back. The package opens no socket and knows no
// terminal: connections come from the [Dialer] of its [Config].
package console

//go:generate go test . -run Manual -update
