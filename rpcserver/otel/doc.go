// Package otel makes OpenTelemetry spans of the calls that an rpckids server runs.
//
//	s := rpcserver.New(nil)
//	s.Use(otel.Middleware(nil)) // first, so that it surrounds everything else
//
// A call becomes a span of kind server under its service's name, from before the other middleware until the handler has returned; a
// stream, an upload and a bidi as a whole. It is the child of the span that the caller names in its traceparent, on either version of the wire,
// and heeds its sampled flag; a caller that names none, or names one that cannot be, starts a trace. The handler's context carries the span: a
// client with the Middleware of rpcclient/otel that is called with it goes on with the same tree.
//
// The attributes are those of OpenTelemetry's conventions for RPC, version 1.43:
//
//	rpc.system.name           rpckids
//	rpc.method                the service
//	rpc.response.status_code  the code's name, as in ok and not_found
//	error.type                the same, where the code is the server's fault; panic for a panic
//	network.*                 transport, the peer's address and port, and the version of the wire
//	rpckids.pattern           call, cast, stream, upload or bidi
//
// A span's status is Error for the codes that are the server's fault: unknown, deadline_exceeded, unimplemented, internal, unavailable
// and data_loss. Payloads never get into a span, nor do the texts of errors, which may quote them, unless [Config.Messages] says so.
//
// There are no spans of calls that were refused before their handler, nor of the built-in services, whose names begin with "!".
package otel
