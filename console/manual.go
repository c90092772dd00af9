package console

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rpckids/rpckids/internal/shape"
)

// Manual returns docs/COMMANDS.md: how to start, the language, every command, topic, setting and exit code, and what -o json prints. It comes from the same table
// as help, and tests compare it with the file and its examples with what the console does.
func Manual() string {
	var b strings.Builder
	b.WriteString(manualStart)
	for _, topic := range []struct{ title, name string }{{"The language", "language"}, {"Payloads", "payloads"}, {"Streams", "streams"}} {
		manualTopic(&b, topic.title, topic.name)
	}
	group := ""
	for _, c := range builtin() {
		if c.group != group {
			group = c.group
			fmt.Fprintf(&b, "\n## Commands: %s\n", strings.ToLower(group))
		}
		c.markdown(&b)
	}
	manualTopic(&b, "Shapes", "types")
	manualTopic(&b, "Where the time goes", "timing")
	manualSettings(&b)
	manualExits(&b)
	manualOutput(&b)
	return b.String()
}

const manualStart = `# Commands

What rpckids-console understands, at its prompt, in the dashboard, in a script and from the shell: one language in all four. ` + "`help`" + ` in the console says
the same. This file is made from the table of commands; do not edit it by hand.

## Start

| in the shell | what happens |
| --- | --- |
| ` + "`rpckids-console demo`" + ` | needs no server: one starts inside the program, and a dashboard walks through the first calls |
| ` + "`rpckids-console connect localhost:8888`" + ` | the dashboard of a server; with ` + "`--repl`" + ` the prompt |
| ` + "`rpckids-console connect localhost:8888 < calls.rpc`" + ` | a script: each line is a command, the first failure ends it; with ` + "`--keep-going`" + ` it goes on |
| ` + "`rpckids-console -a localhost:8888 call fib 10`" + ` | any command once; without ` + "`-a`" + ` it goes to ` + "`$RPCKIDS_ADDR`" + `, or to localhost:8888 |

The first lines to type, with ` + "`rpckids-server`" + ` running. Tab completes, and ` + "`help keys`" + ` tells the other keys:

` + "```" + `
call fib 10
rpc fib_res int64
call exp {"base":2,"exp":10}
cast log "hi"
history
show 2
help call
` + "```" + `
`

func manualTopic(b *strings.Builder, title, name string) {
	fmt.Fprintf(b, "\n## %s\n\n```\n%s\n```\n", title, topicTexts[name])
}

func (c *command) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n```\n%s\n```\n\n%s%s.\n", c.name, c.usage(), strings.ToUpper(c.help[:1]), c.help[1:])
	if c.long != "" {
		fmt.Fprintf(b, "\n%s\n", c.long)
	}
	if len(c.aliases) > 0 {
		fmt.Fprintf(b, "\nAlso: `%s`.\n", strings.Join(c.aliases, "`, `"))
	}
	if len(c.flags) > 0 {
		b.WriteString("\n| flag | meaning |\n| --- | --- |\n")
		for _, f := range c.flags {
			fmt.Fprintf(b, "| `%s` | %s |\n", f.usage(), f.help)
		}
	}
	if len(c.examples) > 0 {
		fmt.Fprintf(b, "\n```\n%s\n```\n", strings.Join(c.examples, "\n"))
	}
}

func manualSettings(b *strings.Builder) {
	b.WriteString("\n## Settings\n\n`set NAME VALUE` changes one for this session.\n\n| name | start value | may be | meaning |\n| --- | --- | --- | --- |\n")
	for _, r := range settingRows {
		values := "a time, as 50ms, 2s or 1m30s; off"
		if r.values != nil {
			values = strings.Join(r.values, ", ")
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", r.name, r.start, values, r.help)
	}
	b.WriteString("\nStart values come from a flag, else from the environment, else they are the ones above.\n\n| variable | meaning |\n| --- | --- |\n")
	for _, v := range [][2]string{
		{"RPCKIDS_ADDR", "the server, as `-a`"}, {"RPCKIDS_OUTPUT", "how results are written, as `-o`"}, {"RPCKIDS_PROTO", "what connections speak, as `--proto`"}, {"RPCKIDS_THEME", "the colours, as `--theme`"}, {"RPCKIDS_TIMEOUT", "the setting `timeout`"},
		{"RPCKIDS_HISTORY", "the file that keeps the lines typed, or `off`; else `rpckids/history` in `$XDG_STATE_HOME` or the platform's folder for it"},
		{"VISUAL, EDITOR", "what ctrl+x ctrl+e edits a line with"}, {"NO_COLOR", "no colours"}, {"TERM=dumb", "no escapes at all, and no dashboard"},
		{"LC_ALL, LC_CTYPE, LANG", "a locale without UTF-8: us instead of µs, and no line drawing"},
	} {
		fmt.Fprintf(b, "| `%s` | %s |\n", v[0], v[1])
	}
}

func manualExits(b *strings.Builder) {
	b.WriteString("\n## Exit codes\n\n| code | meaning |\n| --- | --- |\n")
	for _, c := range exitCodes {
		fmt.Fprintf(b, "| %d | %s |\n", c.code, c.text)
	}
	b.WriteString("\nA script stops at the first failure with that code; with `--keep-going` it runs on and ends with the first failure's code.\n" +
		"A server's own `deadline_exceeded` is 5, any other error of a server is 6. 7 is the console's own finding: a payload before it is sent, a reply when it comes.\n")
}

func manualOutput(b *strings.Builder) {
	b.WriteString("\n## Output\n\n| `-o` | standard output | standard error |\n| --- | --- | --- |\n" +
		"| `text` | values, for people | the line about each call, hints, notices, errors |\n" +
		"| `json` | one JSON value on one line per command, failures too; of a stream one object whose list grows as items come; of `top` one for each answer | notices, and the text of `help` |\n" +
		"| `jsonl` | as `json`, but a list is one line per element, and each item of a stream a line as soon as it comes | as `json` |\n" +
		"| `raw` | the payload of the reply, byte for byte, and a line end; so for each item of a stream | errors |\n\n" +
		"64-bit integers are exact. What is not known is left out, never 0 or null (but see service). New fields may be added; those below keep their name and meaning.\n" +
		"Every object has a `kind`. Control characters are always escaped, except by `raw` into a file or a pipe.\n")
	for _, k := range jsonKinds {
		fmt.Fprintf(b, "\n### kind %s\n\n%s\n\n```\n%s\n```\n", k.title, k.text, k.shape)
		for _, e := range k.examples {
			fmt.Fprintf(b, "\n`%s` prints\n\n```json\n%s\n```\n", e.line, e.json)
		}
	}
	b.WriteString("\n`history` prints a list of calls, `show` one. Of a line that ends in a filter a call has `values` in place of `result`, other commands print a list of the values.\n\n### As JSON Schema\n\nA call or cast:\n\n```json\n" + schemaText(callShape) + "\n```\n\nThe failure of any other command:\n\n```json\n" + schemaText(errorShape) + "\n```\n")
}

func schemaText(expr string) string {
	schema, _ := json.MarshalIndent(mustShape(expr).Schema(), "", "  ") // of a tree of plain values: cannot fail
	return string(schema)
}

func mustShape(expr string) *shape.Shape {
	s, err := shape.Parse(expr)
	if err != nil {
		panic(err) // a constant of ours
	}
	return s
}

// jsonKind is one kind of object that -o json prints, as the manual explains it.
type jsonKind struct {
	title, text, shape string
	examples           []jsonExample
}

// jsonExample is what a line prints. A test runs it against a server whose figures are fixed.
type jsonExample struct{ line, json string }

var jsonKinds = []jsonKind{
	{"call and cast", "`status` is `ok`, `sent` for a cast, `running` in `history`, or for a failure the server's code (`not_found`, `invalid_argument`, ...) or one of ours: `usage`, `unavailable` (no connection), " +
		"`connection_lost`, `deadline_exceeded`, `type_mismatch`, `canceled`, `internal`, `unknown`. Times are nanoseconds: `client_ns` + `wait_ns` = `rtt_ns`. Where the server measures itself (v2), `network_ns` + `queue_ns` + `handler_ns` stand in the place of `wait_ns`. " +
		"Where `--server-time` says which field of the reply holds the server's own time it is `server_ns`: a part of `handler_ns`, or else what `network_ns` leaves of `wait_ns`. Bytes count whole frames. What was never sent has no `number` and no times. In `error`, `exit` is the exit code, `likely` what probably lies behind it, " +
		"`hint` the cure, `at` the byte in the line where it is wrong (words of the shell joined by one space), `line` the line of the script.",
		fieldLines(callShape), []jsonExample{
			{`call exp {"base":2,"exp":10}`, `{"kind":"call","number":1,"type":"exp","reply_type":"exp_res","result":{"value":1024,"costInNanos":28113},"status":"ok","rtt_ns":398000,"client_ns":21000,"network_ns":348887,"server_ns":28113,"bytes_out":70,"bytes_in":89,"request_id":"00c0ffee","peer":"127.0.0.1:8888","attempts":1}`},
			{`cast log "hi"`, `{"kind":"cast","number":2,"type":"log","status":"sent","rtt_ns":18000,"client_ns":18000,"bytes_out":65,"request_id":"00c0ffee","peer":"127.0.0.1:8888","attempts":1}`},
			{`call nope`, `{"kind":"call","number":3,"type":"nope","status":"not_found","rtt_ns":398000,"client_ns":21000,"wait_ns":377000,"bytes_out":70,"bytes_in":89,"request_id":"00c0ffee","peer":"127.0.0.1:8888","attempts":1,"error":{"code":"not_found","message":"no service nope","exit":6}}`},
			{`call exp {"base":2}`, `{"kind":"call","type":"exp","status":"type_mismatch","error":{"code":"type_mismatch","message":"exp needs \"exp\" (int), missing","exit":7,"at":18}}`},
		}},
	{"stream and chat, upload, item and end", "An upload prints an object as a call does, with the kind `upload` and `items_sent`. A stream or a chat prints with `-o json` one object that has its items in `results`, " +
		"a list that is written as they come; with `-o jsonl` an object of kind `item` for each, as soon as it comes, and one of kind `end`, which has all that a call has but `result`. " +
		"`items` counts what came, `items_sent` what went, `first_item_ns` is how long the first item took. One that failed or was stopped says so in `status` and `error`, also after items. " +
		"In `history` and `show` a stream has its newest item as `result`.",
		"{\n  kind: string,   item\n  index: int,     from 0\n  result: any,\n}", nil},
	{"error", "The failure of any other command.", fieldLines(errorShape), []jsonExample{
		{"set timeout soon", `{"kind":"error","status":"usage","error":{"code":"usage","message":"\"soon\" is not a time","hint":"as 50ms, 2s, 1m30s; off for no limit","exit":2,"at":12}}`},
	}},
	{"type", "`rpc` prints a list of them, `rpc show T` one, with its JSON Schema.", otherShapes["rpc show T"], []jsonExample{
		{"rpc", `[{"kind":"type","type":"exp","shape":"{base:int, exp:int}"},{"kind":"type","type":"exp_res","shape":"{value:int64, costInNanos:int64}","of":"exp","server_time":".costInNanos"}]`},
	}},
	{"service", "`services` prints a list of them. Of a server that lists its services, `name` to `idempotent` are its own words, all of them there and null where the service has nothing of the kind; " +
		"`request` and `reply` are JSON Schemas, of one item where there are several; `pattern` is `call`, `cast`, `stream`, `upload` or `bidi`. `origin` is `server`, `rpc` for what was registered here, or `seen` " +
		"for what was only called; then what is not known is left out. `ok`, `cast` and `failed` count what this session saw of it.", strings.TrimPrefix(otherShapes["services"], "[]"), []jsonExample{
		{"services exp", `[{"kind":"service","name":"exp","reply_type":"exp_res","pattern":"call","request":{"type":"object","properties":{"base":{"type":"integer","format":"int"},"exp":{"type":"integer","format":"int"}},"required":["base","exp"],"additionalProperties":false},"reply":{"type":"object","properties":{"value":{"type":"integer","format":"int64"},"costInNanos":{"type":"integer","format":"int64"}},"required":["value","costInNanos"],"additionalProperties":false},"origin":"rpc","ok":1,"cast":0,"failed":0}]`},
	}},
	{"setting", "`set` prints a list of them, `set NAME` one. `origin` is `flag`, `env`, `set` or `default`.", otherShapes["set timeout"], []jsonExample{
		{"set timeout", `{"kind":"setting","name":"timeout","value":"5s","origin":"default"}`},
	}},
	{"status", "`state` is `not connected`, `connected`, `idle` or `reconnecting`; `rpckids` says that the server has shown to be one of ours; `dropped` counts replies that nobody waited for. `servers` is how many servers the target stands for, where that is known, `up` how many of them calls may go to, `discovery` why the last look-up of the target failed.", otherShapes["status"], []jsonExample{
		{"status", `{"kind":"status","state":"connected","target":"localhost:8888","server":"127.0.0.1:8888","protocol":"v1","rpckids":false,"sent":124113,"received":5,"dropped":0,"reconnects":1,"last_error":"connection reset by peer","running":0,"ok":1,"cast":1,"failed":1}`},
	}},
	{"peer", "`peers` prints a list of them. `state` is `idle`, `connecting`, `up`, `down`, `ejected`, `probing` or `draining`; `share` is of the calls of the last ten seconds, from 0 to 1; " +
		"`back_ns` is until one that is out is tried again; `lab` is what `peer` did to it.", fieldLines(strings.TrimPrefix(otherShapes["peers"], "[]")), []jsonExample{
		{"peers", `[{"kind":"peer","number":1,"address":"127.0.0.1:8888","state":"up","protocol":"v1","conns":1,"share":1,"latency_ns":377000,"pending":0,"calls":3,"failures":0,"ejections":0}]`},
	}},
	topKind, benchKind, expectKind, diffKind, wireKind, watchKind, copyKind,
	{"session", sessionText, fieldLines(sessionShape), nil},
}

// otherShapes describes what commands that are no calls print.
var otherShapes = map[string]string{
	"history":    `[]` + callShape,
	"show 1":     callShape,
	"rpc":        `[]{kind:string, type:string, shape:string, of?:string, server_time?:string, origin?:string}`,
	"rpc show T": `{kind:string, type:string, shape:string, of?:string, server_time?:string, origin?:string, schema?:any}`,
	"services": `[]{kind:string, name:string, reply_type?:*string, pattern?:string, request?:any, reply?:any, doc?:*string, example?:any, idempotent?:bool, ` +
		`origin:string, ok:int, cast:int, failed:int}`,
	"set":         `[]{kind:string, name:string, value:string, origin:string}`,
	"set timeout": `{kind:string, name:string, value:string, origin:string}`,
	"peers": `[]{kind:string, number:int, address:string, state:string, protocol?:string, conns:int, share:float64, latency_ns?:int64, pending:int, calls:uint64, failures:uint64, ` +
		`ejections:uint64, back_ns?:int64, last_error?:string, lab?:string}`,
	"status": `{kind:string, state:string, target?:string, server?:string, servers?:int, up?:int, discovery?:string, protocol?:string, rpckids:bool, up_ns?:int64, sent:uint64, received:uint64, ` +
		`dropped:uint64, reconnects:uint64, last_error?:string, running:int, ok:int, cast:int, failed:int, version?:string}`,
}

// fieldLines writes an object's shape one field per line.
func fieldLines(expr string) string {
	lines := []string{"{"}
	for _, f := range mustShape(expr).Fields() {
		name := f.Name
		if f.Optional {
			name += "?"
		}
		lines = append(lines, "  "+name+": "+f.Shape.String()+",")
	}
	return strings.Join(append(lines, "}"), "\n")
}
