package rpcclient

import (
	"context"
	"errors"
	"slices"
)

// Pattern says how a service is called.
type Pattern string

// The patterns. Call is one payload and one reply, Cast one payload and no
// answer; with the others items flow one way or both.
const (
	PatternCall   Pattern = "call"
	PatternCast   Pattern = "cast"
	PatternStream Pattern = "stream"
	PatternUpload Pattern = "upload"
	PatternBidi   Pattern = "bidi"
)

// uploads reports whether the caller sends items.
func (p Pattern) uploads() bool { return p == PatternUpload || p == PatternBidi }

// Request is one call or one whole stream on its way through the middleware.
type Request struct {
	Type    string
	Pattern Pattern
	Payload any // as the caller gave it; nil for Upload and Bidi, whose items do not pass here

	// Who answered, once next has returned, in the Request that it was given and in
	// those that are copied from; zero if nothing was tried.
	Server   string // address of the last attempt's connection
	Protocol string // "v1" or "v2"
	Attempts int    // hedges included
	Hedges   int

	journey *journey // nil: a middleware has made this one up
}

// journey is what a Request and its copies have in common.
type journey struct {
	do  Doer // the call itself
	ran bool

	// Who answered last.
	server, protocol string
	attempts, hedges int
}

// told adds to the options of a call that it says who answered.
func (r *Request) told(opts []CallOption) []CallOption {
	return append(slices.Clip(opts), func(k *call) { k.asked = r.journey })
}

// learn takes over who answered.
func (r *Request) learn() {
	if j := r.journey; j != nil {
		r.Server, r.Protocol, r.Attempts, r.Hedges = j.server, j.protocol, j.attempts, j.hedges
	}
}

// Doer makes a call, or lives through a stream from its beginning to its end. It
// runs on the caller's goroutine. Its error is an [*Error], unless a Middleware
// made another one of it.
type Doer func(ctx context.Context, r *Request) error

// Middleware wraps every call and every stream of a client, see [Config.Use]. It
// may change the context and the fields of the Request, which is its own, or hand
// on a copy of it; it may call next again if that failed; if it does not call next,
// it has to return an error. What it returns that is not an [*Error] becomes one of
// kind [ErrMiddleware]; an [*Error] that is nil is no error. A consumer that stops
// ranging over a stream is none either.
type Middleware func(next Doer) Doer

// chain puts the middleware around the call itself, once for all calls.
func chain(use []Middleware) Doer {
	if len(use) == 0 {
		return nil
	}
	do := outward(func(ctx context.Context, r *Request) error {
		if r.journey == nil {
			return errors.New("a middleware must hand on the request that it was given, or a copy of it")
		}
		r.journey.ran = true
		return r.journey.do(ctx, r)
	})
	for i := len(use) - 1; i >= 0; i-- {
		do = outward(use[i](do))
	}
	return do
}

// outward makes what do leaves behind fit for who stands around it.
func outward(do Doer) Doer {
	return func(ctx context.Context, r *Request) error {
		err := do(ctx, r)
		r.learn()
		if e, ok := err.(*Error); ok && e == nil {
			return nil
		}
		return err
	}
}

// through makes a call with the client's middleware around it.
func through[T any](ctx context.Context, c *Client, r *Request, do func(context.Context, *Request) (T, error)) (reply T, err error) {
	r.journey = &journey{do: func(ctx context.Context, r *Request) (err error) {
		reply, err = do(ctx, r)
		return err
	}}
	if err = c.around(ctx, r); err != nil {
		var zero T
		return zero, err
	}
	return reply, nil
}

// around makes r's journey with the middleware around it and makes sure of its error.
func (c *Client) around(ctx context.Context, r *Request) error {
	if c.chain == nil {
		return r.journey.do(ctx, r)
	}
	err := c.chain(ctx, r)
	if err == nil && !r.journey.ran {
		err = errors.New("a middleware returned no error and did not make the call")
	}
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok {
		return e
	}
	e := &Error{Status: Status{Code: UnknownError, Message: err.Error()}, Kind: ErrMiddleware, Server: c.target.text, cause: err}
	if inner, _ := errors.AsType[*Error](err); inner != nil {
		e.Code, e.RetryAfter, e.Details, e.Server, e.Attempts = inner.Code, inner.RetryAfter, inner.Details, inner.Server, inner.Attempts
	}
	return e
}
