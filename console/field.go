package console

import (
	"encoding/json"
	"strconv"
	"strings"
)

// openField looks at a payload that is being typed and ends where a field's name stands or could begin: path leads to the object it belongs to, used are the names that
// object has already, and from is where the name begins. ok is false where no name belongs.
func openField(text string) (path string, used []string, from int, ok bool) {
	w := &fieldWalker{}
	for i := 0; i < len(text); i++ {
		if c := text[i]; c == '"' {
			end := closing(text, i)
			if end < 0 {
				return w.place(i)
			}
			w.string(text[i : end+1])
			i = end
		} else if !space(c) {
			w.feed(c)
		}
	}
	return w.place(len(text))
}

// closing returns where the string that begins at i has its closing quote, -1 where it has none.
func closing(text string, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// fieldWalker follows JSON that is not complete.
type fieldWalker struct{ open []level }

// level is an object or a list that has not ended.
type level struct {
	list  bool
	index int      // of a list: which element
	name  string   // of an object: the field whose value stands here
	used  []string // of an object: the names so far
	named bool     // of an object: the name is there, the colon or the value has not ended
	value bool     // of an object: the colon is there, too
}

func (w *fieldWalker) top() *level {
	if len(w.open) == 0 {
		return &level{}
	}
	return &w.open[len(w.open)-1]
}

func (w *fieldWalker) feed(c byte) {
	switch l := w.top(); c {
	case '{', '[':
		w.open = append(w.open, level{list: c == '['})
	case '}', ']':
		w.open = w.open[:max(len(w.open)-1, 0)]
	case ':':
		l.value = true
	case ',':
		l.named, l.value = false, false
		l.index++
	}
}

func (w *fieldWalker) string(raw string) {
	l := w.top()
	if l.list || l.named || len(w.open) == 0 {
		return
	}
	var name string
	if json.Unmarshal([]byte(raw), &name) == nil {
		l.name, l.used, l.named = name, append(l.used, name), true
	}
}

// place is the answer for a name that begins at from.
func (w *fieldWalker) place(from int) (string, []string, int, bool) {
	l := w.top()
	if len(w.open) == 0 || l.list || l.named {
		return "", nil, 0, false
	}
	var path strings.Builder
	for _, up := range w.open[:len(w.open)-1] {
		if up.list {
			path.WriteString("[" + strconv.Itoa(up.index) + "]")
		} else {
			path.WriteString("[" + quoted(up.name) + "]")
		}
	}
	return path.String(), l.used, from, true
}

// quoted writes a name as JSON does.
func quoted(name string) string {
	b, _ := json.Marshal(name) // of a string: cannot fail
	return string(b)
}
