// Package rpcserver serves calls: bytes of a connection come in, messages are cut out of them, a service is looked up,
// its handler runs, the reply goes out.
//
//	s := rpcserver.New(nil)
//	rpcserver.Handle(s, "fib", func(ctx context.Context, n int) (int64, error) { ... }) // answers as "fib_res"
//	rpcserver.HandleCast(s, "log", func(ctx context.Context, line string) error { ... }) // one way, never answered
//	rpcserver.HandleStream(s, "fibs", func(ctx context.Context, n int) iter.Seq2[int64, error] { ... }) // any number of items
//	err := s.ListenAndServe("localhost:8888")
//
// Both versions of the wire live on one port; the first byte of a connection decides. A call has the same walk on both, and the columns say
// who takes it in and who sends its answer:
//
//	                       version 1                version 2
//	Serve                  the caller's goroutine accepts; one goroutine per connection reads
//	  conn.serve           conn.take, conn.accept   mux.Conn, which calls v2.opened
//	    pool.put           a whole read at once is queued; full: the reader runs the call itself, or refuses it if the peer understands that
//	      conn.run         one of Workers goroutines: middleware, decoding, the handler, encoding
//	        conn.finish    conn.answer, outbox      v2.answer, mux.Stream.Finish
//
// In both, whoever finds the outbox idle writes for everybody, and never waits for the peer: what the peer does not take at once is written by a
// goroutine started for it. A stream with items (pattern.go, stream.go) takes no worker: pool.host gives it a goroutine.
//
// Every call is answered, or it was one way. A peer that marks its request ids as ours, and every peer of version 2, gets a typed error and keeps its
// connection; to a peer of the original protocol, which has no errors, an error is its last answer (docs/PROTOCOL.md 2.2).
//
// Limits, in the order in which a call meets them: connections (door.go), calls a second of its client (rate.go), calls in flight on its connection
// (message.go, and streams in package mux), in all, and what the adaptive limit makes of that (pool.go, adaptive.go). What is refused never ran, and is counted
// by its reason (refusal.go). A call beyond its rate, or for which there is no place, is told when to come again; a peer of the original is read no further
// instead. There is nothing to wait for where too much memory is held for a connection, the deadline has passed, the caller is not known or may not, the server
// stops, or there are too many connections: that one is closed without a word. Quick services need no place, and the built-in ones are never refused.
//
// Who calls is found out from client certificates (Config.TLS) and from tokens (Config.Auth, StaticTokens), and what he may call by Config.Authorize.
//
// What this package does not do: it keeps no membership, issues neither tokens nor certificates, and trusts nothing that a peer sends.
package rpcserver
