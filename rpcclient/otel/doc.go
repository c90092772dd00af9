// Package otel makes OpenTelemetry spans of the calls that an rpckids client makes.
//
//	c, err := rpcclient.New("localhost:8888", &rpcclient.Config{
//		Use: []rpcclient.Middleware{otel.Middleware(nil)}, // first, so that it surrounds everything else
//	})
//
// A call becomes a span of kind client under its type's name, a child of the span in the caller's context; a stream, an upload and
// a bidi as a whole, with the work of whoever ranges over it. All attempts of a call are one span. The span's name travels to the server as W3C
// traceparent, over version 1 of the wire too, and tracestate over version 2, where a server with the Middleware of rpcserver/otel goes on with the
// tree.
//
// The attributes are those of OpenTelemetry's conventions for RPC, version 1.43:
//
//	rpc.system.name           rpckids
//	rpc.method                the type that is called
//	rpc.response.status_code  the code's name, as in ok and not_found
//	error.type                of a failed call: the code's name if the server said so, else the error's kind, as in "cannot connect"
//	server.address, .port     whom the last attempt went to
//	network.protocol.*        rpckids, and the version of the wire
//	rpckids.pattern           call, cast, stream, upload or bidi
//	rpckids.attempts          if there were several
//
// The status of a call that failed is Error. Payloads never get into a span, nor do the texts of errors, which may quote them, unless
// [Config.Messages] says so. The built-in services, whose names begin with "!", make no spans.
package otel
