package dash

import tea "github.com/charmbracelet/bubbletea"

// pane is a part of the screen that shows one thing. It draws from the scene it was made with, so View needs neither clock nor lock.
type pane interface {
	// Update answers a key, named as Bubble Tea names it, with what it wants the model to do; nil for nothing.
	Update(key string) wish
	// View draws exactly h lines of exactly w cells.
	View(w, h int) []string
	// Heading is what stands in the border above it.
	Heading(w, h int) heading
	// Keys are its own keys, the most useful first.
	Keys() []key
}

// typist is a pane with lines of its own to type, as a filter. While it is typing it gets every key, whatever it means elsewhere, and only its keys are named.
type typist interface {
	pane
	// Typing says whether a line is being typed.
	Typing() bool
	// Key answers a key while it is typing.
	Key(msg tea.KeyMsg) wish
	// Cursor is the cell of the cursor inside of the pane, as it was last drawn in w x h cells.
	Cursor(w, h int) (x, y int)
	// Hint says under the prompt what may be typed.
	Hint() string
}

// closer is a pane in which esc may have something to close before it leads back to the prompt.
type closer interface {
	pane
	// Close closes it; false when there is nothing.
	Close() bool
	// Closes says what Close will do, in few words; "" for nothing.
	Closes() string
}

// wish is what a pane wants the model to do: one of the types below.
type wish any

type (
	wishRun  string   // run this line
	wishAsk  string   // run this line, which calls nothing: what is chosen stays
	wishEdit string   // put this line into the prompt
	wishNote string   // say this under the prompt
	wishShow struct{} // the chosen entry changed
	wishOpen struct{} // give the keyboard to Result
	wishGo   place    // give the keyboard to that place
)

// key is a key with its meaning: short for the line at the bottom, long for the help. Short is empty for what only the help names.
type key struct{ keys, short, long string }
