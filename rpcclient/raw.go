package rpcclient

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/rpckids/rpckids/internal/wire"
)

// Raw sends payload and items as the bytes they are and gives reply and items
// back the same way: both have to be []byte. It needs version 2 and a server that
// takes raw bytes; otherwise the call fails with the code unimplemented.
func Raw() CallOption { return func(k *call) { k.codec = wire.CodecRaw } }

// wantsRaw fails a call with Raw whose reply cannot be raw bytes.
func wantsRaw[T any](k *call) error {
	if k.codec != wire.CodecRaw {
		return nil
	}
	if t := reflect.TypeFor[T](); t != reflect.TypeFor[[]byte]() {
		return fail(ErrPayload, InvalidArgument, nil, "Raw gives []byte, not %v", t)
	}
	return nil
}

// read makes a T of a reply or an item. The bytes are not kept.
func read[T any](k *call, raw []byte) (T, error) {
	if k.codec != wire.CodecRaw {
		return decode[T](raw)
	}
	var v T
	if p, ok := any(&v).(*[]byte); ok {
		*p = append([]byte{}, raw...)
	}
	return v, nil
}

// appendBytes appends a payload that is to be sent as it is.
func appendBytes(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return dst, nil
	case []byte:
		return append(dst, v...), nil
	case json.RawMessage:
		return append(dst, v...), nil
	}
	return dst, fmt.Errorf("Raw takes []byte, not %T", v)
}
