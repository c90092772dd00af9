package rpcserver

import (
	"encoding/json"

	"github.com/rpckids/rpckids/internal/wire"
)

// Codec says how the payloads of a call are written. The caller chooses it; version 1 has JSON alone.
type Codec = wire.CodecID

// The codecs. A service takes raw bytes if its request and its reply are []byte or json.RawMessage, or if it is a [HandlerFunc];
// any other answers a raw call invalid_argument.
const (
	JSON = wire.CodecJSON
	Raw  = wire.CodecRaw
)

// decodeRaw hands bytes over as they are.
func decodeRaw(payload []byte, v any) error {
	switch p := v.(type) {
	case *[]byte:
		*p = append([]byte{}, payload...)
	case *json.RawMessage:
		if !json.Valid(payload) {
			return Errorf(InvalidArgument, "the service takes JSON, and the raw payload is none")
		}
		*p = append(json.RawMessage{}, payload...)
	default:
		return errNotRaw
	}
	return nil
}

// appendBytes appends what a raw call is answered with.
func appendBytes(dst []byte, v any) ([]byte, error) {
	switch p := v.(type) {
	case *[]byte:
		return append(dst, *p...), nil
	case []byte:
		return append(dst, p...), nil
	case *json.RawMessage:
		return append(dst, *p...), nil
	case json.RawMessage:
		return append(dst, p...), nil
	}
	return dst, errNotRaw
}

var errNotRaw = Errorf(InvalidArgument, "the service speaks JSON: call it with that codec")
