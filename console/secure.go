package console

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/rpckids/rpckids/internal/shape"
)

// Security says how a connection is protected, and who shows himself on it. The zero value is a plain connection on which nobody does. It prints
// without the token.
type Security struct {
	TLS        bool
	CA         string // PEM file with the authorities that are trusted, instead of the system's
	Cert, Key  string // PEM files: who we are; without a Key it stands in the file of Cert
	Token      string // the same, over TLS
	TokenPlain bool   // or without
}

// String leaves the token out, and so does GoString.
func (s Security) String() string {
	words := s.flags()
	if s.Token != "" {
		words = append(words, "--token", "***")
	}
	return strings.Join(words, " ")
}

// flags are what the shell and connect take, but for the token: RPCKIDS_TOKEN has that.
func (s Security) flags() (words []string) {
	if s.TLS {
		words = append(words, "--tls")
	}
	for _, w := range []struct{ name, value string }{{"--ca", s.CA}, {"--cert", s.Cert}, {"--key", s.Key}} {
		if w.value != "" {
			words = append(words, w.name, w.value)
		}
	}
	if s.TokenPlain && !s.TLS {
		words = append(words, "--token-plain")
	}
	return words
}

// GoString is String.
func (s Security) GoString() string { return s.String() }

// Complete returns s with TLS where one of its files makes sense only so. The error, an *Error, says what does not go together.
func (s Security) Complete() (Security, error) {
	s.TLS = s.TLS || s.CA != "" || s.Cert != "" || s.Key != ""
	switch {
	case s.Key != "" && s.Cert == "":
		return s, &Error{Exit: ExitUsage, Message: "a key without its certificate", Hint: "--cert FILE --key FILE go together"}
	case s.Token != "" && strings.Trim(s.Token, "*") == "":
		return s, &Error{Exit: ExitUsage, Message: "the token was cut out of the history", Hint: "type it again, or keep it in the environment: RPCKIDS_TOKEN"}
	case s.Token != "" && !s.TLS && !s.TokenPlain:
		return s, &Error{Exit: ExitUsage, Message: "a token without TLS can be read by everybody on the way", Hint: "--tls, with --ca FILE if need be, or --token-plain where the way is safe; RPCKIDS_TOKEN gives one, too"}
	}
	return s, nil
}

// secureFlags are those of connect.
var secureFlags = []flag{
	{"tls", "", "speak TLS"},
	{"ca", "FILE", "trust the authorities in this PEM file instead of the system's"},
	{"cert", "FILE", "show this client certificate (PEM)"},
	{"key", "FILE", "its key; without, it stands in the file of the certificate"},
	{"token", "T", "say who calls; not kept in the history. `RPCKIDS_TOKEN` does it for all connections"},
	{"token-plain", "", "send the token without TLS, too"},
}

// securityOf is what connect was asked for; with none of its flags that is the session's.
func (s *Session) securityOf(a *args) (Security, error) {
	sec, own := s.cfg.Security, false
	for _, f := range secureFlags {
		w, ok := a.flags[f.name]
		if !ok {
			continue
		}
		if !own {
			sec, own = Security{}, true
		}
		value := fileName(w.text)
		switch f.name {
		case "tls":
			sec.TLS = true
		case "ca":
			sec.CA = value
		case "cert":
			sec.Cert = value
		case "key":
			sec.Key = value
		case "token":
			sec.Token = value
		case "token-plain":
			sec.TokenPlain = true
		}
	}
	if own && sec.Token == "" { // it says who we are, and TLS to whom
		sec.Token, sec.TokenPlain = s.cfg.Security.Token, sec.TokenPlain || s.cfg.Security.TokenPlain
	}
	sec, err := sec.Complete()
	if err == nil {
		return sec, nil
	}
	for _, name := range []string{"token", "key"} {
		if w, ok := a.flags[name]; ok {
			return sec, a.at(w, err)
		}
	}
	return sec, err
}

// fileName is a word that may be written as a JSON string, as a path with spaces in it has to be.
func fileName(text string) string {
	var s string
	if strings.HasPrefix(text, `"`) && json.Unmarshal([]byte(text), &s) == nil {
		return s
	}
	return text
}

var (
	flagWord  = regexp.MustCompile(`(?:^|[^\w-])--?([A-Za-z][\w-]*)(=?)`)
	flagValue = regexp.MustCompile(`^\s*("(?:[^"\\]|\\.)*"?|\S+)`)
)

// tokenFlag says whether a flag means the token. One that was mistyped has the token behind it all the same.
func tokenFlag(name, sep string) bool {
	name = strings.ToLower(name)
	if name == "token-plain" {
		return sep == "="
	}
	return strings.HasPrefix(name, "tok") || shape.Nearest(name, []string{"token"}) != ""
}

// Hushed is a command line as it may be shown and kept: with an asterisk for each byte of a token.
func Hushed(line string) string {
	b := []byte(line)
	for _, m := range flagWord.FindAllStringSubmatchIndex(line, -1) {
		if !tokenFlag(line[m[2]:m[3]], line[m[4]:m[5]]) {
			continue
		}
		if v := flagValue.FindStringSubmatchIndex(line[m[1]:]); v != nil {
			for i := v[2]; i < v[3]; i++ {
				b[m[1]+i] = '*'
			}
		}
	}
	return string(b)
}

// Protection says in words how the connection is protected, and who shows himself on it; "" for a plain one on which nobody does.
func (st *Stats) Protection() string {
	var words []string
	if st.TLS != "" {
		words = append(words, st.TLS)
	}
	if st.As != "" {
		words = append(words, "as "+st.As)
	}
	if st.Token {
		words = append(words, "with a token")
	}
	return Printable(strings.Join(words, ", "))
}
