package shape

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

type inner struct {
	Shared int
	Deep   string `json:"deep"`
}

type Named struct{ X int }

type tree struct {
	Value int     `json:"value"`
	Kids  []*tree `json:"kids"`
}

type everything struct {
	inner
	Named  `json:"named"`
	Shared bool           `json:"Shared"` // nearer than the one inside
	Base   int            `json:"base"`
	Opt    *int32         `json:"opt"`
	Maybe  string         `json:"maybe,omitempty"`
	List   []uint8        `json:"list"`
	Nums   []float32      `json:"nums"`
	Fixed  [2]bool        `json:"fixed"`
	ByName map[string]int `json:"by_name"`
	Any    any            `json:"any"`
	Raw    json.RawMessage
	At     time.Time   `json:"at"`
	Addr   netip.Addr  `json:"addr"`
	Num    json.Number `json:"num"`
	Quoted int64       `json:"quoted,string"`
	Big    *big.Int    `json:"big"`
	Gone   int         `json:"-"`
	hidden int
}

type left struct {
	X, Y int
	Z    int `json:"W"`
}

type right struct{ X, W int }

// clash has fields that encoding/json leaves out, because two of them have one name and stand as deep, or of which it takes one.
type clash struct {
	left  // X is gone, W is the one with a tag
	right // nothing of it is left
	Y     string
}

func TestOfType(t *testing.T) {
	_ = everything{}.hidden
	for _, test := range []struct {
		of             any
		request, reply string
	}{
		{0, "int", "int"},
		{uint16(0), "uint16", "uint16"},
		{"", "string", "string"},
		{new(string), "*string", "*string"},
		{[]int64(nil), "*[]int64", "*[]int64"},
		{[]byte(nil), "*[]byte", "*[]byte"},
		{json.RawMessage(nil), "any", "any"},
		{struct{}{}, "*{}", "{}"},
		{func() {}, "any", "any"},
		{clash{}, "{W:int, Y:string}", "{W:int, Y:string}"},
		{map[int]struct{ P *int }{}, "*map[string]{P?:*int}", "*map[string]{P:*int}"},
		{tree{}, "{value:int, kids?:*[]any}", "{value:int, kids:*[]any}"},
		{
			everything{},
			`{deep:string, named:{X:int}, Shared:bool, base:int, opt?:*int32, maybe?:string, list?:*[]byte, nums?:*[]float32, fixed:[]bool, by_name?:*map[string]int, ` +
				`any?:any, Raw?:any, at:string, addr:string, num:float64, quoted:string, big?:any}`,
			`{deep:string, named:{X:int}, Shared:bool, base:int, opt:*int32, maybe?:string, list:*[]byte, nums:*[]float32, fixed:[]bool, by_name:*map[string]int, ` +
				`any:any, Raw:any, at:string, addr:string, num:float64, quoted:string, big:any}`,
		},
	} {
		typ := reflect.TypeOf(test.of)
		if got := OfRequest(typ).String(); got != test.request {
			t.Errorf("request of %v:\ngot  %s\nwant %s", typ, got, test.request)
		}
		if got := OfReply(typ).String(); got != test.reply {
			t.Errorf("reply of %v:\ngot  %s\nwant %s", typ, got, test.reply)
		}
	}
}

// What encoding/json writes for a type fits the shape of its replies, and what fits the shape of a request is read.
func TestOfTypeAgreesWithJSON(t *testing.T) {
	if b, err := json.Marshal(clash{}); string(b) != `{"W":0,"Y":""}` {
		t.Errorf("got %s, %v", b, err)
	}
	v := everything{Addr: netip.MustParseAddr("::1"), Num: "1", Big: big.NewInt(1)}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := OfReply(reflect.TypeFor[everything]()).Check(b); err != nil {
		t.Errorf("%s: %v", b, err)
	}
	sample := OfRequest(reflect.TypeFor[tree]()).Sample()
	var got tree
	if err := json.Unmarshal(sample, &got); err != nil {
		t.Errorf("%s: %v", sample, err)
	}
}
