// Package wire turns messages into bytes and bytes into messages. It knows no sockets, no goroutines and no clocks:
// everything here is a function of the bytes it is given, so everything here can be tested with golden frames and fuzzed.
//
// Version 1, the wire of the Java teaching project that rpckids grew from, is three length-prefixed strings each way:
//
//	request id | type | payload          a string = big-endian int32 byte length, then UTF-8
//
// [Begin] and [End] write a message; a [Decoder] reads them; [ParseMark] and [AppendMark] handle what our own request ids carry;
// [Sniff] tells from a connection's first byte what the peer speaks; [Error] is the one error that crosses the wire.
//
// Version 2 is ours: frames of many streams, after a magic of four bytes and SETTINGS from each side:
//
//	kind and flags | stream | length | payload          a byte, two varints, at most 64 KiB
//
// [AppendFrame] writes a frame, a [FrameDecoder] reads them. What stands in a payload has a pair of functions for each kind, as
// [AppendOpen] and [ParseOpen]; metadata is a block, written by [AppendField] and [AppendBlock], read by [CutBlock] and [Fields].
// What a peer may not do is a [Breach]. An [Algorithm] compresses messages.
//
// [Dissect] names every byte of either version, for people.
// docs/PROTOCOL.md is the specification.
package wire
