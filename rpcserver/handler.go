package rpcserver

import (
	"context"
	"encoding/json"
	"sync"
)

// Handler serves the calls of one service, many at once. It reads c.Payload, answers with c.Reply, and returns the
// error that the caller gets instead; a panic becomes the error internal. Most services want [Handle], which wants none of this.
type Handler interface {
	ServeCall(ctx context.Context, c *Call) error
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, c *Call) error

// ServeCall calls f.
func (f HandlerFunc) ServeCall(ctx context.Context, c *Call) error { return f(ctx, c) }

// Func makes a Handler of a typed function, for [Server.Service]; [Handle] says by what rules.
func Func[Req, Res any](fn func(ctx context.Context, req Req) (Res, error)) Handler {
	if fn == nil {
		panic("rpcserver: nil function")
	}
	u := &unary[Req, Res]{fn: fn, decode: newDecoder[Req]()}
	u.spare.New = func() any { return new(values[Req, Res]) }
	return u
}

// CastFunc makes a one-way Handler of a typed function, for [Server.Service]; [HandleCast] says by what rules.
func CastFunc[Req any](fn func(ctx context.Context, req Req) error) Handler {
	if fn == nil {
		panic("rpcserver: nil function")
	}
	return oneWay{Func(func(ctx context.Context, req Req) (none, error) { return none{}, fn(ctx, req) })}
}

// none is the reply of a service that has none.
type none struct{}

// oneWay marks a Handler whose callers wait for nothing.
type oneWay struct{ Handler }

type unary[Req, Res any] struct {
	fn     func(context.Context, Req) (Res, error)
	decode decoder[Req]
	spare  sync.Pool // of *values, so that neither the request nor the result is allocated for a call
}

type values[Req, Res any] struct {
	req Req
	res Res
}

func (u *unary[Req, Res]) ServeCall(ctx context.Context, c *Call) error {
	v := u.spare.Get().(*values[Req, Res])
	err := u.decode.decode(c.payload, &v.req)
	if err == nil {
		v.res, err = u.fn(ctx, v.req)
	}
	if err == nil {
		c.reply, err = appendJSON(c.reply[:0], &v.res)
	}
	*v = values[Req, Res]{}
	u.spare.Put(v)
	return err
}

// appendJSON appends *v as JSON, where v is a pointer or any value. The types that services are made of most take no detour.
func appendJSON(dst []byte, v any) ([]byte, error) {
	switch p := v.(type) {
	case *int:
		return appendInt(dst, int64(*p)), nil
	case *int64:
		return appendInt(dst, *p), nil
	case *string:
		if isPlain(*p) {
			return append(append(append(dst, '"'), *p...), '"'), nil
		}
	case *none:
		return dst, nil
	case *json.RawMessage:
		return appendRaw(dst, *p)
	case json.RawMessage:
		return appendRaw(dst, p)
	}
	return appendAny(dst, v)
}
