package console

// The kinds that commands print which look at calls.
var (
	expectKind = jsonKind{"expect", "`expect` prints one when all is as expected; `values` are what the filter gave. Else it fails, with the status `expect_failed`.",
		fieldLines(inspectShapes["expect .value"]), []jsonExample{{"expect $1 .value == 1024", `{"kind":"expect","number":1,"filter":".value == 1024","values":[true]}`}}}
	diffKind = jsonKind{"diff", "The lines of `request`, `state` and `reply` begin with `- `, `+ ` or two spaces; what does not differ is left out. `rtt_ns` has both round trips.",
		fieldLines(inspectShapes["diff 1 1"]), []jsonExample{{"diff 1 1", `{"kind":"diff","from":1,"to":1,"equal":true,"rtt_ns":[398000,398000]}`}}}
	copyKind = jsonKind{"copy", "`copy` prints what would go to the clipboard.",
		fieldLines(inspectShapes["copy 1"]), []jsonExample{{"copy 1 --as payload", `{"kind":"copy","number":1,"as":"payload","text":"{\"base\":2,\"exp\":10}"}`}}}
	watchKind = jsonKind{"watch", "`watch` prints a list of them. `values` are the newest 512, oldest first; `min`, `median` and `max` are of those, and `count` is how many came in all.",
		fieldLines(inspectShapes["watch"][2:]), nil}
	wireKind = jsonKind{"wire", "`request` and `reply` are the fields of the bytes that went and came, without a gap. `role` is `head`, `length`, `id`, `type`, `meta`, `payload` or `bad`; `hex` ends after 4 KiB.",
		fieldLines(inspectShapes["wire 1"]), nil}
)

const wireFieldShape = `{at:int, len:int, name:string, note?:string, role:string, hex:string}`

// inspectShapes describes what those commands print.
var inspectShapes = map[string]string{
	"expect .value": `{kind:string, number:int, filter:string, values:[]any}`,
	"diff 1 1":      `{kind:string, from:int, to:int, equal:bool, request?:[]string, state?:[]string, reply?:[]string, rtt_ns:[]int64}`,
	"copy 1":        `{kind:string, number:int, as:string, text:string}`,
	"watch":         `[]{kind:string, field:string, count:int, last?:any, min?:any, median?:any, max?:any, values:[]any}`,
	"wire 1":        `{kind:string, number:int, protocol:string, request:[]` + wireFieldShape + `, reply:[]` + wireFieldShape + `}`,
}
