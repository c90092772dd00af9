package theme

// Marks are the signs of states and the small characters of the screen. A mark always stands beside a word.
type Marks struct {
	OK, Fail, Sent, Late       string
	Connected, Between, Closed string // of a connection; Between: idle or reconnecting
	Spinner                    []string
	Row                        string   // before the chosen row
	Now, Todo                  string   // the current and the later steps of a tour
	Caret                      string   // under a wrong byte
	Cut                        string   // where text was cut
	To, From                   string   // from bytes out to bytes in; what came
	Range                      string   // between two ends of a scale
	Full, Gap, Empty           string   // a cell of a bar; the last cell of a part, with a hairline after it; time in which nothing came
	Part                       string   // before a part's name in a legend
	Bar, Sliver                string   // a cell of a histogram; above zero but under half a cell
	Levels                     []string // a chart of one row, from nothing to a full cell
	Tops                       []string // the top cell of a column in a chart of several rows, from nothing to a full cell
	Shades                     []string // of a map of densities, from few to most
	Up, Down                   string   // the arrow keys
}

var unicodeMarks = Marks{
	OK: "✓", Fail: "✗", Sent: "→", Late: "!",
	Connected: "●", Between: "◐", Closed: "○",
	Spinner: []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"},
	Row:     "▌", Now: "▸", Todo: "◦", Caret: "▲", Cut: "…", To: "→", From: "←", Range: "–",
	Full: "█", Gap: "▉", Empty: "░", Part: "■", Bar: "▆", Sliver: "▏",
	Levels: []string{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
	Tops:   []string{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
	Shades: []string{"░", "▒", "▓", "█"},
	Up:     "↑", Down: "↓",
}

var asciiMarks = Marks{
	OK: "+", Fail: "x", Sent: ">", Late: "!",
	Connected: "*", Between: "~", Closed: "o",
	Spinner: []string{"*"},
	Row:     ">", Now: ">", Todo: ".", Caret: "^", Cut: "~", To: ">", From: "<", Range: "-",
	Full: "#", Gap: "#", Empty: ".", Part: "#", Bar: "#", Sliver: "|",
	Levels: []string{" ", ".", ":", "-", "=", "+", "*", "#", "#"},
	Tops:   []string{" ", ".", ":", "|", "#"},
	Shades: []string{".", "-", "+", "#"},
	Up:     "up", Down: "down",
}

// Box maps the sides on which a line leaves a cell (the sum of BoxUp, BoxDown, BoxLeft and BoxRight) to the character that does so.
type Box [16]string

const (
	BoxUp = 1 << iota
	BoxDown
	BoxLeft
	BoxRight
)

var unicodeBox = Box{
	0: " ", BoxUp: "│", BoxDown: "│", BoxUp | BoxDown: "│", BoxLeft: "─", BoxRight: "─", BoxLeft | BoxRight: "─",
	BoxDown | BoxRight: "╭", BoxDown | BoxLeft: "╮", BoxUp | BoxRight: "╰", BoxUp | BoxLeft: "╯",
	BoxUp | BoxDown | BoxRight: "├", BoxUp | BoxDown | BoxLeft: "┤",
	BoxDown | BoxLeft | BoxRight: "┬", BoxUp | BoxLeft | BoxRight: "┴", BoxUp | BoxDown | BoxLeft | BoxRight: "┼",
}

var asciiBox = Box{
	0: " ", BoxUp: "|", BoxDown: "|", BoxUp | BoxDown: "|", BoxLeft: "-", BoxRight: "-", BoxLeft | BoxRight: "-",
	BoxDown | BoxRight: "+", BoxDown | BoxLeft: "+", BoxUp | BoxRight: "+", BoxUp | BoxLeft: "+",
	BoxUp | BoxDown | BoxRight: "+", BoxUp | BoxDown | BoxLeft: "+",
	BoxDown | BoxLeft | BoxRight: "+", BoxUp | BoxLeft | BoxRight: "+", BoxUp | BoxDown | BoxLeft | BoxRight: "+",
}
