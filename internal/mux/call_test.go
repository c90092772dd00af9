package mux

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/rpckids/rpckids/internal/wire"
)

func TestUnaryCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &methods{by: map[string]func(*Stream){"echo": echo}}
		e := joinTest(t, nil, m.config())
		for _, size := range []int{0, 1, 100, 16<<10 - 5, 16 << 10, 70_000, 1 << 20} {
			want := bytes.Repeat([]byte("x"), size)
			got, err := call(t.Context(), e.client, "echo", want)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("echo of %d bytes gave %d bytes, %v", size, len(got), err)
			}
		}
		_, err := call(t.Context(), e.client, "ohce", nil)
		if f, ok := errors.AsType[*Failure](err); !ok || f.Status.Code != wire.NotFound || f.Refused || f.Local {
			t.Errorf("unknown method gave %v", err)
		}
		m.wg.Wait()
		synctest.Wait()
		for name, s := range map[string]Stats{"client": e.client.Stats(), "server": e.server.Stats()} {
			if s.Streams != 0 || s.Running != 0 || s.Held != 0 || s.Unsent != 0 || s.Late != 0 {
				t.Errorf("%s holds %+v", name, s)
			}
		}
	})
}

func TestManyCallersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &methods{by: map[string]func(*Stream){"echo": echo}}
		e := joinTest(t, nil, m.config())
		var wg sync.WaitGroup
		for i := range 600 { // more than streams may be open
			wg.Go(func() {
				for n := range 20 {
					want := fmt.Sprint(i, " ", n)
					if got, err := call(t.Context(), e.client, "echo", []byte(want)); err != nil || string(got) != want {
						t.Errorf("got %q, %v, want %q", got, err, want)
					}
				}
			})
		}
		wg.Wait()
		m.wg.Wait()
		if s := e.server.Stats(); s.Refused != 0 {
			t.Errorf("the server refused %d", s.Refused)
		}
	})
}
