// Package rpcclient calls rpckids servers, and the Java servers whose wire they
// speak. One connection carries any number of calls at once; replies come back
// in any order and find their callers by request id.
//
//	c, err := rpcclient.Dial(ctx, "localhost:8888")
//	if err != nil { ... }
//	defer c.Close()
//	n, err := rpcclient.Call[int64](ctx, c, "fib", 10)      // typed, nothing to register
//	err = rpcclient.Cast(ctx, c, "log", "hello")            // one way, no answer
//	for v, err := range rpcclient.Stream[int64](ctx, c, "fibs", 10) {
//		...                                             // break cancels on the server
//	}
//
// A client speaks version 1 until the server shows that it is one of ours, and
// then moves to version 2 in the background: [Config.Protocol]. Streams, [Upload],
// [Bidi], [Raw] bytes, metadata and cancellation on the server need version 2.
//
// [Client.Register] and [Client.Send] are the original's way, where the reply's
// type name chooses the Go type. [Client.Invoke] takes and gives raw JSON.
//
// Every failure is an [*Error]: it says which server, how many attempts, a code,
// and of which [Error.Kind] it is. A lost connection fails the calls in flight
// on it at once; the next call connects again. A call is sent a second time only
// if none of its bytes had left, or if it was marked [Idempotent]; a cast whose
// bytes may have left never is. Over version 2 the server can also say that it
// never ran a call: then it is sent again, after the wait that the server asks
// for, three times in all.
//
// The package does not retry what a server ran and failed, does not balance
// between servers, and never writes to the terminal: a nil Logger is silent.
package rpcclient
