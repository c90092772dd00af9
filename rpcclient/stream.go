package rpcclient

import (
	"context"
	"io"
	"iter"

	"github.com/rpckids/rpckids/internal/mux"
)

// Stream calls typ, which answers with any number of items. The call begins when
// the result is ranged over, and each range is a call of its own. Leaving the
// loop cancels it on the server. An error is the last thing yielded, always an
// [*Error]; a range that ends without one has seen all items. The server sends as
// much ahead as the window allows and waits while the loop's body works.
//
// Streams need version 2. Where the server speaks version 1 alone the error is of
// kind [ErrNoStreams].
func Stream[T any](ctx context.Context, c *Client, typ string, payload any, opts ...CallOption) iter.Seq2[T, error] {
	return ranged[T](ctx, c, Request{Type: typ, Pattern: PatternStream, Payload: payload}, opts, func(take taker) talk {
		return func(ctx context.Context, c *v2Conn, k *call, s *mux.Stream) error {
			return c.receive(ctx, k, s, take)
		}
	})
}

// taker gives one item to the consumer; false says that it wants no more.
type taker func(k *call, raw []byte) (more bool, err error)

// ranged makes a stream that can be ranged over. begin gives what happens on it.
func ranged[T any](ctx context.Context, c *Client, request Request, opts []CallOption, begin func(taker) talk) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		stopped := false
		r := request
		r.journey = &journey{do: func(ctx context.Context, r *Request) error {
			if stopped { // a middleware wants to go on, the consumer does not
				return nil
			}
			k := c.begin(ctx, r.Type, opts)
			k.asked = r.journey
			k.pattern = request.Pattern
			k.talk = begin(func(k *call, raw []byte) (bool, error) {
				v, err := read[T](k, raw)
				if err != nil {
					return false, err
				}
				stopped = !yield(v, nil)
				return !stopped, nil
			})
			if err := wantsRaw[T](k); err != nil {
				return c.end(k, err)
			}
			return c.end(k, c.exchange(ctx, k, r.Payload))
		}}
		if err := c.around(ctx, &r); err != nil && !stopped {
			yield(zero, err)
		}
	}
}

// receive gives items to the consumer until there are no more or it wants no more.
func (c *v2Conn) receive(ctx context.Context, k *call, s *mux.Stream, take taker) error {
	for {
		m, err := s.Recv(ctx)
		if err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		k.note(&m)
		k.nameReply()
		if !m.None {
			c.received()
			if k.begun = true; k.member != nil && !k.settled {
				k.settle(c.server.client.now())
			}
			more, err := take(k, m.Payload)
			if err != nil {
				return k.misfit(err)
			}
			if !more {
				return nil
			}
		}
		if m.Last {
			return nil
		}
	}
}
