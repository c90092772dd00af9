package console

import (
	"bytes"
	"fmt"
	"go/format"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/rpckids/rpckids/internal/shape"
)

// copyGo is a Go program that makes the call once, with types for what comes back as far as they are known.
func (s *Session) copyGo(e *Entry) (string, error) {
	p := &program{s: s, e: e, imports: map[string]bool{"context": true, "fmt": true, "log": true, "github.com/rpckids/rpckids/rpcclient": true}}
	body, err := p.body()
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "// Command %s makes one %s of %s, as #%d of an rpckids console did.\npackage main\n\nimport (\n", commandName(e.Type), e.Kind, Printable(e.Type), e.Number)
	for _, path := range []string{"context", "crypto/tls", "crypto/x509", "encoding/json", "fmt", "log", "os", "slices", "time", "", "github.com/rpckids/rpckids/rpcclient"} {
		if path == "" {
			b.WriteByte('\n')
		} else if p.imports[path] {
			fmt.Fprintf(&b, "%q\n", path)
		}
	}
	b.WriteString(")\n\n" + p.types + "func main() {\nif err := run(); err != nil {\nlog.Fatal(err)\n}\n}\n\nfunc run() error {\n" + body + "}\n")
	text, err := format.Source(b.Bytes())
	if err != nil {
		return "", &Error{Exit: ExitInternal, Message: "writing the program: " + err.Error(), Cause: err}
	}
	return string(text), nil
}

// commandName is a type's name as that of a program.
func commandName(typ string) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return -1
	}, typ)
	return or(name, "call")
}

// program is a Go program as it is put together.
type program struct {
	s       *Session
	e       *Entry
	imports map[string]bool
	types   string
}

// secure writes what TLS and a token need before the client is made, and returns what the client then takes besides its target.
func (p *program) secure(b *strings.Builder) (argument string) {
	o := p.s.optionsNow()
	sec := o.Security
	if !sec.TLS && sec.Token == "" {
		return ""
	}
	fields := ""
	if sec.TLS {
		p.imports["crypto/tls"] = true
		b.WriteString("secure := new(tls.Config)\n")
		fields = "TLS: secure"
	}
	if sec.CA != "" {
		p.imports["crypto/x509"], p.imports["os"] = true, true
		fmt.Fprintf(b, "authority, err := os.ReadFile(%s)\nif err != nil {\nreturn err\n}\nsecure.RootCAs = x509.NewCertPool()\nsecure.RootCAs.AppendCertsFromPEM(authority)\n", strconv.Quote(sec.CA))
	}
	if sec.Cert != "" {
		fmt.Fprintf(b, "pair, err := tls.LoadX509KeyPair(%s, %s)\nif err != nil {\nreturn err\n}\nsecure.Certificates = []tls.Certificate{pair}\n", strconv.Quote(sec.Cert), strconv.Quote(or(sec.Key, sec.Cert)))
	}
	if sec.Token != "" {
		p.imports["os"] = true
		fields = strings.TrimPrefix(fields+`, Token: os.Getenv("RPCKIDS_TOKEN")`, ", ")
		if !sec.TLS {
			fields += ", TokenPlain: true"
		}
	}
	return ", &rpcclient.Config{" + fields + "}"
}

func (p *program) body() (string, error) {
	var b strings.Builder
	p.context(&b)
	fmt.Fprintf(&b, "client, err := rpcclient.Dial(ctx, %s%s)\nif err != nil {\nreturn err\n}\ndefer client.Close()\n\n", strconv.Quote(p.s.targetOf(p.e)), p.secure(&b))
	typ := strconv.Quote(p.e.Type)
	payload := "nil"
	if p.e.Payload != nil {
		payload = p.raw(PrintableJSON(p.e.Payload))
	}
	if p.e.Kind.gives() {
		items, err := p.s.itemsGiven(p.e)
		if err != nil {
			return "", err
		}
		p.imports["slices"], p.imports["encoding/json"] = true, true
		b.WriteString("items := []json.RawMessage{\n")
		for _, it := range items {
			b.WriteString(p.raw(it) + ",\n")
		}
		b.WriteString("}\n")
	}
	const show = "if err != nil {\nreturn err\n}\nfmt.Printf(%q, %s)\n"
	const each = "for item, err := range %s {\n" + show + "}\nreturn nil\n"
	reply := p.reply
	switch p.e.Kind {
	case KindCast:
		fmt.Fprintf(&b, "return rpcclient.Cast(ctx, client, %s, %s)\n", typ, payload)
		delete(p.imports, "fmt")
	case KindStream:
		t, verb := reply()
		fmt.Fprintf(&b, each, fmt.Sprintf("rpcclient.Stream[%s](ctx, client, %s, %s)", t, typ, payload), verb+"\n", "item")
	case KindChat:
		t, verb := reply()
		fmt.Fprintf(&b, each, fmt.Sprintf("rpcclient.Bidi[%s](ctx, client, %s, rpcclient.Values(slices.Values(items)))", t, typ), verb+"\n", "item")
	case KindUpload:
		t, verb := reply()
		fmt.Fprintf(&b, "reply, err := rpcclient.Upload[%s](ctx, client, %s, rpcclient.Values(slices.Values(items)))\n"+show+"return nil\n", t, typ, verb+"\n", "reply")
	default:
		t, verb := reply()
		options := ""
		if p.e.Idempotent {
			options = ", rpcclient.Idempotent()"
		}
		fmt.Fprintf(&b, "reply, err := rpcclient.Call[%s](ctx, client, %s, %s%s)\n"+show+"return nil\n", t, typ, payload, options, verb+"\n", "reply")
	}
	return b.String(), nil
}

// context begins the program with the time limit that the call had.
func (p *program) context(b *strings.Builder) {
	if p.e.Timeout <= 0 {
		b.WriteString("ctx := context.Background()\n")
		return
	}
	p.imports["time"] = true
	fmt.Fprintf(b, "ctx, cancel := context.WithTimeout(context.Background(), %s)\ndefer cancel()\n", goDuration(p.e.Timeout))
}

// goDuration writes a duration as Go does, in the largest unit that it is a whole number of.
func goDuration(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "Hour"}, {time.Minute, "Minute"}, {time.Second, "Second"}, {time.Millisecond, "Millisecond"}, {time.Microsecond, "Microsecond"}} {
		if d%u.size == 0 {
			return fmt.Sprintf("%d*time.%s", d/u.size, u.name)
		}
	}
	return fmt.Sprintf("%d*time.Nanosecond", d)
}

// raw is JSON as an expression.
func (p *program) raw(text string) string {
	p.imports["encoding/json"] = true
	quoted := strconv.Quote(text)
	if !strings.Contains(text, "`") && strings.ContainsAny(text, `"\`) {
		quoted = "`" + text + "`"
	}
	return "json.RawMessage(" + quoted + ")"
}

// reply is the type of what comes back, declared where it is a struct, and how it is printed.
func (p *program) reply() (name, verb string) {
	sh := p.s.replyShape(p.e.Type)
	if p.e.ReplyType != "" {
		if known := p.s.watchable(p.e.ReplyType); known != nil {
			sh = known
		}
	}
	if sh == nil || sh.Kind() == shape.Any {
		p.imports["encoding/json"] = true
		return "json.RawMessage", "%s"
	}
	if sh.Kind() != shape.Object || sh.Nullable() {
		return p.goType(sh), "%v"
	}
	fields := p.goType(sh)
	if !strings.HasPrefix(fields, "struct") {
		return fields, "%v"
	}
	p.types = fmt.Sprintf("// Reply is what %s answers.\ntype Reply %s\n\n", Printable(p.e.Type), fields)
	return "Reply", "%+v"
}

// goType is a shape as Go writes it. What has no form there is raw JSON.
func (p *program) goType(sh *shape.Shape) string {
	pointer := ""
	if sh.Nullable() && sh.Kind() != shape.Any {
		pointer = "*"
	}
	item := func(step string) string {
		path, _ := shape.ParsePath(step) // both steps are good
		at, ok := sh.At(path)
		if !ok {
			at = &shape.Shape{}
		}
		return p.goType(at)
	}
	switch sh.Kind() {
	case shape.Any:
		p.imports["encoding/json"] = true
		return "json.RawMessage"
	case shape.List:
		return "[]" + item("[0]") // nil is its null
	case shape.Map:
		return "map[string]" + item("x")
	case shape.Object:
		return pointer + p.goStruct(sh)
	case shape.Bytes:
		return "[]byte"
	}
	return pointer + sh.Kind().String()
}

// goStruct is an object. A name that a tag cannot hold makes it a map.
func (p *program) goStruct(sh *shape.Shape) string {
	var b strings.Builder
	b.WriteString("struct {\n")
	taken := map[string]bool{}
	for _, f := range sh.Fields() {
		if f.Name == "" || f.Name == "-" || strings.ContainsAny(f.Name, "\"\\,`'") || !clean(f.Name) {
			p.imports["encoding/json"] = true
			return "map[string]json.RawMessage"
		}
		name := goName(f.Name)
		for taken[name] {
			name += "_"
		}
		taken[name] = true
		tag := f.Name
		if f.Optional {
			tag += ",omitempty"
		}
		fmt.Fprintf(&b, "%s %s `json:%q`\n", name, p.goType(f.Shape), tag)
	}
	b.WriteString("}")
	return b.String()
}

// goName is a field's name in Go: exported, and of letters and digits only.
func goName(name string) string {
	var b strings.Builder
	up := true
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			up = true
			continue
		case up:
			r = unicode.ToUpper(r)
		}
		b.WriteRune(r)
		up = false
	}
	text := b.String()
	if text == "" || !unicode.IsUpper([]rune(text)[0]) {
		text = "F" + text
	}
	return text
}
