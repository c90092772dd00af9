// Package theme holds the look of the terminal faces: every style by the role it plays, the characters of boxes, bars and charts, and the
// marks of states. Whatever draws takes them from a [Theme], so a colour or a character stands in one place.
//
//	t := theme.New(theme.Options{Name: "dark"})
//	fmt.Println(t.OK.Render(t.Mark.OK), t.Strong.Render("398 µs"))
//
// It knows nothing of calls, panes or sessions, and no state is told by colour alone: a mark and a word stand beside it.
package theme
