package dash

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

// wish is what a pane wants the model to do: one of the types below.
type wish any

type (
	wishRun  string   // run this line
	wishEdit string   // put this line into the prompt
	wishShow struct{} // the chosen entry changed
	wishOpen struct{} // give the keyboard to Result
)

// key is a key with its meaning: short for the line at the bottom, long for the help. Short is empty for what only the help names.
type key struct{ keys, short, long string }
