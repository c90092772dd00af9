package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rpckids/rpckids/internal/shape"
)

// Manual returns docs/COMMANDS.md: every command, topic, setting and exit code, and what -o json prints. It comes from the same table as help, and a test compares
// it with the file.
func Manual() string {
	var b strings.Builder
	b.WriteString("# Commands\n\nThis file is made from the command table; `help` in the console says the same.\n\n")
	b.WriteString("A line is a command word, its arguments and its flags (`--flag value` or `--flag=value`), in any order. A line that starts with `#` is a comment.\n")
	b.WriteString("Every command can also be given to the shell: `rpckids-console -a localhost:8888 call fib 10`.\n")
	group := ""
	for _, c := range builtin() {
		if c.group != group {
			group = c.group
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		c.markdown(&b)
	}
	for _, topic := range []struct{ title, name string }{{"Payloads", "payloads"}, {"Shapes", "types"}, {"Where the time goes", "timing"}} {
		fmt.Fprintf(&b, "\n## %s\n\n```\n%s\n```\n", topic.title, topicTexts[topic.name])
	}
	manualSettings(&b)
	manualExits(&b)
	manualOutput(&b)
	return b.String()
}

func (c *command) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n```\n%s\n```\n\n%s%s.\n", c.name, c.usage(), strings.ToUpper(c.help[:1]), c.help[1:])
	if c.long != "" {
		fmt.Fprintf(b, "%s\n", c.long)
	}
	if len(c.aliases) > 0 {
		fmt.Fprintf(b, "Also: `%s`.\n", strings.Join(c.aliases, "`, `"))
	}
	if len(c.flags) > 0 {
		b.WriteString("\n| flag | |\n| --- | --- |\n")
		for _, f := range c.flags {
			fmt.Fprintf(b, "| `%s` | %s |\n", f.usage(), f.help)
		}
	}
	if len(c.examples) > 0 {
		fmt.Fprintf(b, "\n```\n%s\n```\n", strings.Join(c.examples, "\n"))
	}
}

func manualSettings(b *strings.Builder) {
	b.WriteString("\n## Settings\n\n| name | start value | may be | |\n| --- | --- | --- | --- |\n")
	for _, r := range settingRows {
		values := "a time, as 2s"
		if r.values != nil {
			values = strings.Join(r.values, ", ")
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", r.name, r.start, values, r.help)
	}
}

func manualExits(b *strings.Builder) {
	b.WriteString("\n## Exit codes\n\n| code | meaning |\n| --- | --- |\n")
	for _, c := range exitCodes {
		fmt.Fprintf(b, "| %d | %s |\n", c.code, c.text)
	}
	b.WriteString("\nA script stops at the first failure with that code; with `--keep-going` it runs on and ends with the first failure's code.\n")
}

func manualOutput(b *strings.Builder) {
	b.WriteString("\n## Output\n\n`-o text` is for people: values on standard output, everything else on standard error. `-o json` prints one JSON value on one line per command,\n" +
		"`-o jsonl` the same with lists as one line per element, `-o raw` only the payload of the reply.\n" +
		"With json and jsonl a failure is a value on standard output too. 64-bit integers are exact. Fields that are not known are left out.\n\n" +
		"A call or cast; `kind` is `call` or `cast`, `status` is `ok`, `sent`, or the code's name of the error. `network_ns` and `server_ns` are there when the reply type\n" +
		"was registered with `--server-time`, otherwise `wait_ns` is. `at` is the byte offset in the line that was typed.\n")
	for _, v := range []struct{ intro, expr string }{{"", callShape}, {"\nThe failure of any other command; `kind` is `error`.\n", errorShape}} {
		s, err := shape.Parse(v.expr)
		if err != nil {
			panic(err) // a constant of ours
		}
		schema, _ := json.MarshalIndent(s.Schema(), "", "  ") // of a tree of plain values: cannot fail
		fmt.Fprintf(b, "%s\n```\n%s\n```\n\nAs JSON Schema:\n\n```json\n%s\n```\n", v.intro, fieldLines(s), schema)
	}
	var others []string
	for _, name := range slices.Sorted(maps.Keys(otherShapes)) {
		others = append(others, fmt.Sprintf("| `%s` | `%s` |", name, otherShapes[name]))
	}
	fmt.Fprintf(b, "\nOther commands print one object or a list of them:\n\n| command | shape |\n| --- | --- |\n%s\n", strings.Join(others, "\n"))
}

// otherShapes describes what commands that are no calls print.
var otherShapes = map[string]string{
	"rpc":         `[]{kind:string, type:string, shape:string, of?:string, server_time?:string}`,
	"rpc show T":  `{kind:string, type:string, shape:string, of?:string, server_time?:string, schema?:any}`,
	"services":    `[]{kind:string, type:string, request?:string, reply?:string, shape?:string, ok:int, cast:int, failed:int}`,
	"set":         `[]{kind:string, name:string, value:string, origin:string}`,
	"set timeout": `{kind:string, name:string, value:string, origin:string}`,
	"status": `{kind:string, state:string, target?:string, server?:string, protocol?:string, rpckids:bool, up_ns?:int64, sent:uint64, received:uint64, ` +
		`dropped:uint64, reconnects:uint64, last_error?:string, running:int, ok:int, cast:int, failed:int, version?:string}`,
}

// fieldLines writes an object's shape one field per line.
func fieldLines(s *shape.Shape) string {
	lines := []string{"{"}
	for _, f := range s.Fields() {
		name := f.Name
		if f.Optional {
			name += "?"
		}
		lines = append(lines, "  "+name+": "+f.Shape.String()+",")
	}
	return strings.Join(append(lines, "}"), "\n")
}
