package rpcclient_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/rpckids/rpckids/rpcclient"
)

func TestCodeOf(t *testing.T) {
	failed := &rpcclient.Error{Status: rpcclient.Status{Code: rpcclient.NotFound}, Kind: rpcclient.ErrServer}
	for _, test := range []struct {
		err  error
		want rpcclient.Code
	}{
		{nil, rpcclient.OK},
		{failed, rpcclient.NotFound},
		{fmt.Errorf("while it rained: %w", failed), rpcclient.NotFound},
		{fmt.Errorf("%w: %w", context.Canceled, failed), rpcclient.NotFound},
		{&failed.Status, rpcclient.NotFound},
		{context.Canceled, rpcclient.Canceled},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), rpcclient.DeadlineExceeded},
		{io.EOF, rpcclient.UnknownError},
	} {
		if got := rpcclient.CodeOf(test.err); got != test.want {
			t.Errorf("%T: got %v, want %v", test.err, got, test.want)
		}
	}
}
