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
// A target may name several servers that offer the same: a list, a name in DNS, a
// directory. All of them are kept connected while there are calls; each call goes
// to one, by [Config.Balance], and those that fail or are slow get few or none:
// [Ejection], [Client.Peers]. Where there is one server a call connects on demand.
//
// Every failure is an [*Error]: it says which server, how many attempts, a code,
// and of which [Error.Kind] it is. A lost connection fails the calls in flight
// on it at once; the next call connects again, or goes to another server. [Retry]
// says which calls are sent again: those of which no byte had left, also because
// the server is not there and starts again within a second or two, those that the
// server says it never ran, and within a budget those marked [Idempotent]. A cast
// whose bytes may have left never is. [Hedge] does not wait for a failure.
//
// The package never writes to the terminal: a nil Logger is silent.
//
// Who calls whom:
//
//	caller   exchange -> route -> pick, ready -> attempt -> gate, conn.exchange, again
//	keeper   keep -> connect -> dial              one for each server that needs one
//	rounds   tend -> keepAlive, replace, probe    a timer, while there are connections
//	watch    target.watch -> follow -> setList    where servers come and go
package rpcclient
