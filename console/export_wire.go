package console

import (
	"fmt"
	"strings"

	"github.com/rpckids/rpckids/internal/wire"
)

const wireWidth = 16 // bytes in a row of an exported file

// wireShare is how many bytes of frames are shown where so many of a payload are: it stands in them once more.
func wireShare(limit int) int { return max(limit/16, 256) }

// wireRows are the rows of the frames that an entry keeps of one direction, as many as limit bytes take, or a few more. all is how many bytes there were.
func wireRows(e *Entry, frames []byte, all, limit int) []WireRow {
	if e.Trace.Protocol == "v2" {
		frames = frames[:min(len(frames), limit+wire.MaxFrame+16)] // no frame that is shown is cut
	}
	rows, end := WireRows(e.Trace.Protocol, frames, wireWidth), 0
	for i, r := range rows {
		if i*wireWidth >= limit && r.First || r.Role == WireBad && all > len(frames) {
			rows = rows[:i]
			break
		}
		end = r.At + len(r.Bytes) + r.More
	}
	if end < all {
		rows = append(rows, WireRow{At: end, More: all - end, First: true, Name: "more", Role: WireMeta})
	}
	return rows
}

// hexText are bytes as hex and as ASCII, a dot for what is neither letter nor sign.
func hexText(b []byte) (hex, text string) {
	var t strings.Builder
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			c = '.'
		}
		t.WriteByte(c)
	}
	return fmt.Sprintf("% x", b), t.String()
}

// wireLine is a row of annotated hex as a page shows it.
type wireLine struct{ Role, At, Hex, Text, Tie, Name, Note string }

// wireRoles name the roles of fields as the styles of a page do.
var wireRoles = [...]string{WireHead: "head", WireLength: "length", WireID: "id", WireType: "type", WireMeta: "meta", WirePayload: "payload", WireBad: "bad"}

func wireLines(rows []WireRow) []wireLine {
	list := make([]wireLine, len(rows))
	for i, r := range rows {
		hex := r.Hex(false)
		list[i] = wireLine{wireRoles[r.Role], fmt.Sprintf("%04x", r.At), hex + strings.Repeat(" ", max(3*wireWidth+1-len([]rune(hex)), 0)), fmt.Sprintf("%-*s", wireWidth, r.Text()), r.Tie.Sign(false), r.Name, r.Note}
		if len(r.Bytes) == 0 && r.More > 0 {
			list[i].Name, list[i].Note = r.Label(), ""
		}
	}
	return list
}
