package demo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rpckids/rpckids/internal/demo"
	"github.com/rpckids/rpckids/internal/mux"
	"github.com/rpckids/rpckids/internal/wire"
	"github.com/rpckids/rpckids/rpcserver"
)

// dialV2 opens a connection of version 2, which ends with the test.
func dialV2(t *testing.T, register func(*rpcserver.Server)) *mux.Conn {
	t.Helper()
	c := mux.New(house(t, register)(), &mux.Config{Role: mux.Client, Settings: wire.DefaultSettings()})
	c.Start(true)
	var wg sync.WaitGroup
	wg.Go(func() { c.Serve(nil) })
	t.Cleanup(func() {
		c.Close(io.EOF)
		wg.Wait()
	})
	return c
}

// talk opens a stream, sends items, and returns what comes back, one item a line, at most so many.
func talk(t *testing.T, c *mux.Conn, service string, first string, items []string, most int) string {
	t.Helper()
	s, err := c.Open(t.Context(), &mux.Request{Method: service, Payload: []byte(first), NoMessage: first == "", End: items == nil})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	for i, item := range items {
		if err := s.Send(t.Context(), []byte(item), nil, i == len(items)-1); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for range most {
		m, err := s.Recv(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return strings.Join(append(got, err.Error()), " ")
		}
		if !m.None {
			got = append(got, string(m.Payload))
		}
	}
	return strings.Join(got, " ")
}

func TestItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := dialV2(t, demo.Register)
		for _, test := range []struct {
			service, first string
			items          []string
			want           string
		}{
			{"fibs", "10", nil, "1 1 2 3 5 8 13 21 34 55"},
			{"fibs", "0", nil, ""},
			{"fibs", "-1", nil, "invalid_argument: n is -1, want 0 to 92"},
			{"sum", "", []string{"1", "2", "-10"}, "-7"},
			{"sum", "5", nil, "5"},
			{"sum", "", []string{"9223372036854775807", "-1", "1"}, "9223372036854775807"},
			{"sum", "", []string{"9223372036854775807", "1"}, "out_of_range: item 1: 9223372036854775807 and 1 are more than 64 bits hold"},
			{"sum", "", []string{"-9223372036854775808", "-1"}, "out_of_range: item 1: -9223372036854775808 and -1 are more than 64 bits hold"},
			{"chat", "", []string{`"hi"`, `"there"`}, `"you said: hi" "you said: there" "goodbye"`},
			{"ticks", "9", nil, "invalid_argument: milliseconds are 9, want 10 to 60000"},
		} {
			if got := talk(t, c, test.service, test.first, test.items, 100); got != test.want {
				t.Errorf("%s %s %v: got %s, want %s", test.service, test.first, test.items, got, test.want)
			}
		}
		if got, n := talk(t, c, "fibs", "92", nil, 100), 0; true {
			for range strings.FieldsSeq(got) {
				n++
			}
			if n != 92 || !strings.HasSuffix(got, " 7540113804746346429") {
				t.Errorf("fibs 92: got %d numbers: %s", n, got)
			}
		}
		start := time.Now().UTC() // the bubble's own
		want := ""
		for n := range 3 {
			want += fmt.Sprintf(`{"n":%d,"at":%q} `, n, start.Add(time.Duration(n+1)*50*time.Millisecond).Format(time.RFC3339Nano))
		}
		if got := talk(t, c, "ticks", "50", nil, 3); got+" " != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	})
}

// ticks, which has no end of its own, does not hold up a server that stops.
func TestTicksEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *rpcserver.Server
		c := dialV2(t, func(served *rpcserver.Server) {
			s = served
			demo.Register(s)
		})
		done := make(chan string, 1)
		go func() { done <- talk(t, c, "ticks", "1000", nil, 100) }() // ends with the stream; received below
		time.Sleep(2500 * time.Millisecond)
		start := time.Now()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("shut down after %v, want at once", took)
		}
		if got := <-done; strings.Count(got, `"n":`) != 2 || strings.Contains(got, "unavailable") {
			t.Errorf("got %s, want two ticks and a clean end", got)
		}
	})
}
