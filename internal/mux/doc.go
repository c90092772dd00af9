// Package mux is one version 2 connection, in both roles: it reads frames, keeps the streams and their credit, and writes.
// A unary call, a cast and every stream are all a [Stream] here. It knows sockets and frames; it knows no services, no retries
// and nothing of what messages mean. docs/PROTOCOL.md 3 is the specification.
//
//	c := mux.New(sock, &mux.Config{Role: mux.Client, Settings: wire.DefaultSettings()})
//	c.Start(true)                                           // magic and SETTINGS
//	go c.Serve(nil)                                         // the reader
//	s, err := c.Open(ctx, &mux.Request{Method: "fib", Payload: []byte("10"), End: true})
//	m, err := s.Recv(ctx)                                   // m.Payload until Release
//	s.Release()
//
// Who calls whom:
//
//	caller   Open -> admitLocked -> putLocked -> flush               then waits in Recv
//	reader   Serve -> read -> take -> frameLocked -> wake, Opened, Batch -> flush
//	handler  Recv, Send, Finish -> putLocked -> flush                then Done
//	writer   write, on demand, for what a flush could not get rid of, and for items of streams
//
// One mutex protects a Conn and all its streams. The reader never waits for it to be written, for a handler or for a consumer;
// the writing side of the socket belongs to whoever holds the flushing mark. Messages are copied once on the way in, from the
// reader's buffer to their stream, and once on the way out, to the outbox. Streams and their buffers are used again: whoever owns
// one gives it back with [Stream.Done] or [Stream.Release] and must not touch it after that.
package mux
