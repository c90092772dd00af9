// Package rpcserver serves calls: bytes of a connection come in, messages are cut out of them, a service is looked up,
// its handler runs, the reply goes out.
//
//	s := rpcserver.New(nil)
//	rpcserver.Handle(s, "fib", func(ctx context.Context, n int) (int64, error) { ... }) // answers as "fib_res"
//	rpcserver.HandleCast(s, "log", func(ctx context.Context, line string) error { ... }) // one way, never answered
//	err := s.ListenAndServe("localhost:8888")
//
// The walk of one call, and who runs it:
//
//	Serve                  the caller's goroutine: accepts
//	  conn.serve           one goroutine per connection: reads, cuts, looks up, queues a whole read at once
//	    pool.put           full: the reader runs the call itself, or refuses it if the peer understands a refusal
//	      conn.run         one of Workers goroutines: decodes, calls the handler, encodes
//	        conn.finish    appends the reply to the connection's outbox
//	          conn.flush   whoever finds the outbox idle writes for everybody, and never waits for the peer;
//	            conn.drain what the peer does not take at once is written by a goroutine started for it
//
// Every call is answered, or it was one way. A peer that marks its request ids as ours gets a typed error and keeps its
// connection; to a peer of the original protocol, which has no errors, an error is its last answer (docs/PROTOCOL.md 2.2).
//
// What this package does not do: it keeps no membership, authenticates nobody, and trusts nothing that a peer sends.
package rpcserver
