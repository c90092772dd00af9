package console

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rpckids/rpckids/internal/shape"
)

// keptItems are the items of an entry that the journal still holds, oldest first.
func keptItems(e *Entry) []Item {
	if e.flow == nil {
		return nil
	}
	items, _ := e.flow.tail(itemsKeep)
	return items
}

// itemsExcerpt is the items of an entry as lines, the newest that fit into the limit.
func itemsExcerpt(e *Entry, limit int) (x excerpt, note string) {
	items := keptItems(e)
	first, room := len(items), limit
	for first > 0 && room > 0 {
		first--
		room -= len(items[first].Payload) + 8
	}
	var b strings.Builder
	for _, it := range items[first:] {
		sign := "←"
		if it.Given {
			sign = "→"
		}
		fmt.Fprintf(&b, "%s %d  ", sign, it.Index)
		if len(it.Payload) > limit {
			b.WriteString(glimpse(it.Payload, 200))
		} else {
			b.WriteString(PrintableJSON(it.Payload))
		}
		b.WriteByte('\n')
	}
	x.Text = strings.TrimSuffix(b.String(), "\n")
	if shown, all := len(items)-first, max(e.Items+e.Given, len(items)); shown < all {
		return x, fmt.Sprintf("the newest %s of %s", Count(shown), Count(all))
	}
	return x, Count(len(items))
}

// itemPayloads are the payloads of kept items, of those that came or of those that went. What is no JSON is left out.
func itemPayloads(e *Entry, given bool) (list []json.RawMessage) {
	for _, it := range keptItems(e) {
		if it.Given == given && shape.Syntax(it.Payload) == nil {
			list = append(list, it.Payload)
		}
	}
	return list
}
