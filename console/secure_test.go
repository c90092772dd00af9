package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// secured is a session whose connections remember how they were asked for.
func secured(t *testing.T, sec Security) (s *Session, last func() DialOptions) {
	t.Helper()
	var options DialOptions
	s = NewSession(Config{Security: sec, Dial: func(_ context.Context, target string, o DialOptions) (Backend, error) {
		options = o
		return &fake{target: target, state: Connected}, nil
	}})
	t.Cleanup(func() { s.Close() })
	return s, func() DialOptions { return options }
}

// What connect says about TLS and the token holds for its connection; what the program says, for all others.
func TestConnectSecurely(t *testing.T) {
	s, last := secured(t, Security{TLS: true, CA: "house.pem", Token: "t0ken"})
	house := Security{TLS: true, CA: "house.pem", Token: "t0ken"}
	for _, test := range []struct {
		line, fails string
		want        Security
	}{
		{"connect a:1", "", house},
		{`connect b:1 --ca "my ca.pem"`, "", Security{TLS: true, CA: "my ca.pem", Token: "t0ken"}},
		{"reconnect", "", Security{TLS: true, CA: "my ca.pem", Token: "t0ken"}},
		{"connect -", "", house},
		{"connect -", "", Security{TLS: true, CA: "my ca.pem", Token: "t0ken"}},
		{"connect c:1 --tls --cert c --key k --token other", "", Security{TLS: true, Cert: "c", Key: "k", Token: "other"}},
		{"connect c:1 --token other --token-plain", "", Security{Token: "other", TokenPlain: true}},
		{"connect c:1 --token other", "a token without TLS can be read by everybody on the way", Security{}},
		{"connect c:1 --tls --key k", "a key without its certificate", Security{}},
		{"connect c:1 --tls --token *****", "the token was cut out of the history", Security{}},
		{"connect c:1 --tls=yes", "--tls takes no value", Security{}},
	} {
		_, err := s.Exec(t.Context(), test.line)
		switch e, _ := errors.AsType[*Error](err); {
		case test.fails != "" && (e == nil || e.Message != test.fails || e.Exit != ExitUsage || e.Hint == ""):
			t.Errorf("%s: got %v, want %s", test.line, err, test.fails)
		case test.fails == "" && (err != nil || last().Security != test.want):
			t.Errorf("%s: got %#v, %v, want %#v", test.line, last().Security, err, test.want)
		}
	}
}

// connect - goes back to the connection before, also where that went to the same server and only said otherwise who calls.
func TestConnectBack(t *testing.T) {
	a, bad := Security{Token: "A", TokenPlain: true}, Security{Token: "BAD", TokenPlain: true}
	s, last := secured(t, Security{})
	for _, test := range []struct {
		line string
		want Security
	}{
		{"connect b:1", Security{}},
		{"connect a:1 --token A --token-plain", a},
		{"connect a:1 --token BAD --token-plain", bad},
		{"connect -", a},
		{"connect a:1 --token A --token-plain", a}, // the same once more: it is not the one before
		{"reconnect", a},
		{"connect - --timeout 2s", bad},
		{"connect -", a},
	} {
		r, err := s.Exec(t.Context(), test.line)
		if _, target := s.link(); err != nil || last().Security != test.want || test.want != (Security{}) && target != "a:1" {
			t.Errorf("%s: got %s with %#v: %s, %v", test.line, target, last().Security, r.Text, err)
		}
	}
	alone, last := secured(t, Security{})
	mustExec(t, alone, "connect a:1 --token A --token-plain", "connect a:1 --token BAD --token-plain", "connect -")
	if got := last().Security; got != a {
		t.Errorf("got %#v, want that of the connection before", got)
	}
}

// A token that was typed is seen nowhere afterwards: not in the history, not in the log, not under a caret, not in JSON.
func TestTokenIsHushed(t *testing.T) {
	const secret = "s3cret-MTIz"
	s, _ := secured(t, Security{Token: secret, TLS: true})
	var seen strings.Builder
	for _, line := range []string{
		"connect a:1 --tls --token " + secret, "connect a:1 --tls --token=" + secret, "connect a:1 --tls --token " + secret + " --bad",
		"connect a:1 --tls -token " + secret, "connect a:1 --tls --tokn " + secret, "connect a:1 --tls --toekn=" + secret, "connect --token " + secret, `connect a:1 --tls --token "` + secret + `" x y`, "connect a:1 --token\t" + secret + " b c d",
		"status", "set", "history", "help connect", "call fib 10", "copy 1 --as shell", "copy 1 --as go", "conect a:1 --token " + secret,
	} {
		s.History().Add(line)
		r, err := s.Exec(t.Context(), line)
		value, _ := json.Marshal(r.Value)
		fmt.Fprintln(&seen, r.Text, r.Copy, string(value))
		if e, ok := errors.AsType[*Error](err); ok {
			fmt.Fprintln(&seen, e, e.Hint, e.Likely, e.Caret())
		}
	}
	fmt.Fprintln(&seen, s.History().Lines(), s.Log().Tail(100, 0))
	fmt.Fprintf(&seen, "%v %+v %#v", s.cfg.Security, s.cfg.Security, DialOptions{Security: s.cfg.Security})
	if at := strings.Index(seen.String(), secret); at >= 0 {
		t.Errorf("the token is shown: ...%s", seen.String()[max(at-100, 0):at])
	}
	if !strings.Contains(seen.String(), "connect a:1 --tls --token ***********") {
		t.Error("the lines are not there at all")
	}
}

func TestHushed(t *testing.T) {
	for line, want := range map[string]string{
		"call fib 10":                          "call fib 10",
		"connect x --token abc --tls":          "connect x --token *** --tls",
		"connect x --token=abc --tls":          "connect x --token=*** --tls",
		`connect x --token "a b" --tls`:        `connect x --token ***** --tls`,
		"connect x --token":                    "connect x --token",
		"connect x --token-plain --token abc":  "connect x --token-plain --token ***",
		"connect x --token é":                  "connect x --token **",
		"connect x --tokn abc --tls":           "connect x --tokn *** --tls",
		"connect x --tls --tokn=abc":           "connect x --tls --tokn=***",
		"connect x --toekn abc --otken=abc":    "connect x --toekn *** --otken=***",
		"connect x --TOKEN abc -tok abc":       "connect x --TOKEN *** -tok ***",
		"connect x --token-plain=abc":          "connect x --token-plain=***",
		"connect x --tls --timeout 5s --key k": "connect x --tls --timeout 5s --key k",
		"call x-tok abc":                       "call x-tok abc",
		"connect --token a\nconnect --token b": "connect --token *\nconnect --token *",
	} {
		if got := Hushed(line); got != want || len(got) != len(line) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What was copied of a call over TLS connects in the same way.
func TestCopyOverTLS(t *testing.T) {
	check := checkedWith(t)
	for _, sec := range []Security{{TLS: true}, {TLS: true, CA: "my ca.pem", Cert: "c.pem", Key: "k.pem", Token: "s3cret"}, {TLS: true, Cert: "both.pem"}, {Token: "s3cret", TokenPlain: true}} {
		s, _ := secured(t, sec)
		for _, line := range []string{"connect a:1", "call fib 10"} {
			if _, err := s.Exec(t.Context(), line); err != nil {
				t.Fatal(err)
			}
		}
		shell, program := copyOf(t, s, "copy 1 --as shell"), copyOf(t, s, "copy 1 --as go")
		if err := check("main.go", program); err != nil {
			t.Errorf("%v\n%s", err, program)
		}
		if strings.Contains(shell+program, "s3cret") || strings.Contains(shell, "--tls") != sec.TLS {
			t.Errorf("%s\n%s", shell, program)
		}
	}
}
