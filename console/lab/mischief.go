package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rpckids/rpckids/rpcserver"
)

// mischief is what the server does to its calls. The zero value is none; safe for concurrent use.
type mischief struct {
	slow atomic.Int64  // nanoseconds that each call waits before it runs
	fail atomic.Uint32 // the code that each call fails with; OK: none
}

// middleware does it to the demo services. What the server says of itself stays true: whoever asks for its health wants to know.
func (m *mischief) middleware(next rpcserver.Handler) rpcserver.Handler {
	return rpcserver.HandlerFunc(func(ctx context.Context, c *rpcserver.Call) error {
		if strings.HasPrefix(c.Service(), "!") {
			return next.ServeCall(ctx, c)
		}
		if code := rpcserver.Code(m.fail.Load()); code != rpcserver.OK {
			return rpcserver.Errorf(code, "this server was told to fail")
		}
		if d := time.Duration(m.slow.Load()); d > 0 {
			t := time.NewTimer(d)
			defer t.Stop()
			select {
			case <-t.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return next.ServeCall(ctx, c)
	})
}

// obey takes orders until in ends, and answers each.
func (m *mischief) obey(in io.Reader, out io.Writer) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		said := sayOK
		if err := m.order(lines.Text()); err != nil {
			said = sayError + err.Error()
		}
		fmt.Fprintln(out, said) // a console that has gone is noticed by in
	}
}

func (m *mischief) order(line string) error {
	if text, ok := strings.CutPrefix(line, orderSlow); ok {
		d, err := time.ParseDuration(text)
		if err == nil {
			m.slow.Store(int64(max(d, 0)))
		}
		return err
	}
	if text, ok := strings.CutPrefix(line, orderFail); ok {
		code, known := rpcserver.ParseCode(text)
		if !known {
			return fmt.Errorf("no code %q", text)
		}
		m.fail.Store(uint32(code))
		return nil
	}
	return fmt.Errorf("no order %q", line)
}
