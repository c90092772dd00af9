package rpcserver

import (
	"context"
	"encoding/json"
	"reflect"
	"sync"
)

// Handler serves the calls of one service, many at once. It reads c.Payload, answers with c.Reply, and returns the
// error that the caller gets instead; a panic becomes the error internal. Most services want [Handle], which wants none of this.
// A Handler that was added with [As] takes items with c.Recv and gives them with c.Send.
type Handler interface {
	ServeCall(ctx context.Context, c *Call) error
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, c *Call) error

// ServeCall calls f.
func (f HandlerFunc) ServeCall(ctx context.Context, c *Call) error { return f(ctx, c) }

// Func makes a Handler of a typed function, for [Server.Service]; [Handle] says by what rules.
func Func[Req, Res any](fn func(ctx context.Context, req Req) (Res, error)) Handler {
	u := &unary[Req, Res]{typed: newTyped[Req, Res](PatternCall, fn == nil), fn: fn}
	u.spare.New = func() any { return new(values[Req, Res]) }
	return u
}

// CastFunc makes a one-way Handler of a typed function, for [Server.Service]; [HandleCast] says by what rules.
func CastFunc[Req any](fn func(ctx context.Context, req Req) error) Handler {
	u := &unary[Req, none]{typed: newTyped[Req, none](PatternCast, fn == nil)}
	u.fn = func(ctx context.Context, req Req) (none, error) { return none{}, fn(ctx, req) }
	u.spare.New = func() any { return new(values[Req, none]) }
	return u
}

// none is the reply of a service that has none.
type none struct{}

// typed is what the adapters of typed functions share: how their requests are read, and what they say of themselves.
type typed[Req, Res any] struct {
	pattern Pattern
	decoder decoder[Req]
	raw     bool // both sides are bytes
	isNil   bool // there is no function
}

func newTyped[Req, Res any](p Pattern, isNil bool) typed[Req, Res] {
	return typed[Req, Res]{p, newDecoder[Req](), isBytes[Req]() && isBytes[Res](), isNil}
}

func (t *typed[Req, Res]) empty() bool { return t.isNil }

func isBytes[T any]() bool {
	switch any((*T)(nil)).(type) {
	case *[]byte, *json.RawMessage, *none:
		return true
	}
	return false
}

// describe tells the listing what the service is made of.
func (t *typed[Req, Res]) describe() (p Pattern, request, reply reflect.Type) {
	return t.pattern, reflect.TypeFor[Req](), reflect.TypeFor[Res]()
}

// read reads a request or an item into *p, which is zero.
func (t *typed[Req, Res]) read(c *Call, payload []byte, p *Req) error {
	switch {
	case c.codec == JSON:
		return t.decoder.decode(payload, p)
	case !t.raw:
		return errNotRaw
	}
	return decodeRaw(payload, p)
}

type unary[Req, Res any] struct {
	typed[Req, Res]
	fn    func(context.Context, Req) (Res, error)
	spare sync.Pool // of *values, so that neither the request nor the result is allocated for a call
}

type values[Req, Res any] struct {
	req Req
	res Res
}

func (u *unary[Req, Res]) ServeCall(ctx context.Context, c *Call) error {
	v := u.spare.Get().(*values[Req, Res])
	err := u.read(c, c.payload, &v.req)
	if err == nil {
		v.res, err = u.fn(ctx, v.req)
	}
	if err == nil {
		err = c.encode(&v.res)
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
