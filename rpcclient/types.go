package rpcclient

import (
	"context"
	"reflect"
	"sync"
)

// types knows which Go type a reply type name stands for, as the original's
// client does. Call and Invoke do not need it.
type types struct {
	mu     sync.RWMutex // protects the fields below
	byName map[string]reflect.Type
}

// Register says that replies named replyType hold values of zero's type; nil
// stands for any JSON. It returns the client, so that registrations chain, and
// may be called at any time. A second registration of a name replaces the first.
func (c *Client) Register(replyType string, zero any) *Client {
	t := reflect.TypeOf(zero)
	if t == nil {
		t = reflect.TypeFor[any]()
	}
	c.types.mu.Lock()
	defer c.types.mu.Unlock()
	if c.types.byName == nil {
		c.types.byName = make(map[string]reflect.Type)
	}
	c.types.byName[replyType] = t
	return c
}

// Send calls typ and returns the reply as the type that was registered for its
// name. A reply of any other name fails this call with [ErrReply]; the
// connection stays in step.
func (c *Client) Send(ctx context.Context, typ string, payload any) (any, error) {
	if c.chain == nil {
		return c.send(ctx, typ, payload, nil)
	}
	return through(ctx, c, &Request{Type: typ, Pattern: PatternCall, Payload: payload}, func(ctx context.Context, r *Request) (any, error) {
		return c.send(ctx, r.Type, r.Payload, r.told(nil))
	})
}

func (c *Client) send(ctx context.Context, typ string, payload any, opts []CallOption) (value any, err error) {
	k := c.begin(ctx, typ, opts)
	if err = c.exchange(ctx, k, payload); err == nil {
		value, err = c.registered(k)
	}
	return value, c.end(k, err)
}

// registered reads the reply as the type that was registered for its name.
func (c *Client) registered(k *call) (any, error) {
	t, ok := c.types.lookup(k.replyType)
	if !ok {
		return nil, fail(ErrReply, Internal, nil, "unrecognized rpc response type=%s", printable(string(k.replyType), 200))
	}
	target := reflect.New(t)
	if !decodeFast(k.reply, target.Interface()) {
		if err := decodeInto(k.reply, t, target.Interface()); err != nil {
			return nil, k.misfit(err)
		}
	}
	return target.Elem().Interface(), nil
}

func (t *types) lookup(name []byte) (reflect.Type, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	typ, ok := t.byName[string(name)]
	return typ, ok
}
