// Package rpcclient calls rpckids servers, and the Java servers whose wire they
// speak. One connection carries any number of calls at once; replies come back
// in any order and find their callers by request id.
//
//	c, err := rpcclient.Dial(ctx, "localhost:8888")
//	if err != nil { ... }
//	defer c.Close()
//	n, err := rpcclient.Call[int64](ctx, c, "fib", 10)      // typed, nothing to register
//	err = rpcclient.Cast(ctx, c, "log", "hello")            // one way, no answer
//
// [Client.Register] and [Client.Send] are the original's way, where the reply's
// type name chooses the Go type. [Client.Invoke] takes and gives raw JSON.
//
// Every failure is an [*Error]: it says which server, how many attempts, a code,
// and of which [Error.Kind] it is. A lost connection fails the calls in flight
// on it at once; the next call connects again. A call is sent a second time only
// if none of its bytes had left, or if it was marked [Idempotent]; a cast whose
// bytes may have left never is.
//
// The package does not retry what a server refused, does not balance between
// servers, and never writes to the terminal: a nil Logger is silent.
package rpcclient
