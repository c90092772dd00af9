package remote

import (
	"context"

	"github.com/rpckids/rpckids/console"
	"github.com/rpckids/rpckids/rpcclient"
)

// repeatable are the options of a call that may run twice.
var repeatable = []rpcclient.CallOption{rpcclient.Idempotent()}

// Fire has no trace, which would copy every frame. The reply is still checked to be JSON.
func (b *backend) Fire(ctx context.Context, r console.Request) error {
	var opts []rpcclient.CallOption
	if r.Idempotent {
		opts = repeatable
	}
	if _, err := b.client.Invoke(ctx, r.Type, r.Payload, opts...); err != nil {
		return b.explain(ctx, err)
	}
	return nil
}
