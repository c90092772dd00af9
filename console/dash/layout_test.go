package dash

import "testing"

// TestLayoutSweep lays out every size and looks for parts that leave the screen or lie over each other.
func TestLayoutSweep(t *testing.T) {
	for w := 0; w <= 220; w++ {
		for h := 0; h <= 70; h++ {
			pane := atCalls + place((w+h)%5)
			lower := max(pane, atResult)
			for _, v := range []view{{pane: pane}, {pane: pane, tour: true}, {pane: pane, text: true}, {pane: pane, tour: true, text: true}, {pane: pane, zoom: true}, {pane: atCharts},
				{pane: pane, live: true}, {pane: pane, live: true, tour: true}, {pane: pane, live: true, calls: true, tour: true, many: true, middle: atPeers}, {pane: pane, live: true, many: true, middle: atPeers, idle: pane != atResult}} {
				if v.lower = lower; pane == atWire {
					v.middle = pane
				}
				checkLayout(t, newLayout(w, h, v), v)
				if t.Failed() {
					t.Fatalf("size %dx%d, view %+v", w, h, v)
				}
			}
		}
	}
}

func checkLayout(t *testing.T, l layout, v view) {
	t.Helper()
	var used [71]bool
	claim := func(what string, y, n int) {
		for ; n > 0 && y >= 0; y, n = y+1, n-1 {
			if y >= l.h || used[y] {
				t.Errorf("%s: row %d is outside or taken", what, y)
				return
			}
			used[y] = true
		}
	}
	claim("status", l.status, 1)
	claim("hero", l.hero, heroRows)
	claim("prompt", l.prompt, 1)
	claim("hint", l.hint, 1)
	claim("keys", l.keys, 1)
	if l.w > 0 && l.h > 0 && l.prompt < 0 {
		t.Errorf("there is no prompt")
	}
	var corners [places][4][2]int
	for p, r := range l.frames {
		if r.empty() {
			continue
		}
		if r.x < 0 || r.y < 0 || r.x+r.w > l.w || r.y+r.h > l.prompt {
			t.Errorf("frame %d leaves the screen: %+v", p, r)
		}
		in := r.inside()
		if in.empty() {
			t.Errorf("frame %d has no room inside: %+v", p, r)
		}
		corners[p] = [4][2]int{{in.x, in.y}, {in.x + in.w - 1, in.y}, {in.x, in.y + in.h - 1}, {in.x + in.w - 1, in.y + in.h - 1}}
		for q := range p {
			for _, c := range corners[q] {
				if o := l.frames[q].inside(); !o.empty() && c[0] >= in.x && c[0] < in.x+in.w && c[1] >= in.y && c[1] < in.y+in.h {
					t.Errorf("frames %d and %d share the cell %v", p, q, c)
				}
			}
		}
	}
	if l.shape != tiny && l.frames[v.pane].empty() {
		t.Errorf("the pane with the keyboard is not shown")
	}
}

// The panes fill their area: every cell between the hero and the prompt belongs to a frame.
func TestLayoutLeavesNoHole(t *testing.T) {
	for _, size := range [][2]int{{40, 10}, {79, 23}, {80, 24}, {120, 40}, {139, 41}, {140, 40}, {160, 48}, {200, 60}, {220, 70}} {
		for _, v := range []view{{pane: atCalls, lower: atResult}, {pane: atWire, lower: atWire}, {pane: atResult, lower: atResult, tour: true}, {pane: atResult, lower: atResult, text: true},
			{pane: atResult, lower: atResult, live: true}, {pane: atResult, lower: atPeers, middle: atPeers, live: true, tour: true, many: true}, {pane: atWire, lower: atWire, live: true, tour: true, calls: true}, {pane: atLog, lower: atLog, live: true, tour: true, calls: true},
			{pane: atResult, lower: atResult, middle: atServer, live: true, calls: true}} {
			l := newLayout(size[0], size[1], v)
			top := l.h
			for _, r := range l.frames {
				if !r.empty() {
					top = min(top, r.y)
				}
			}
			for y := top; y < l.prompt; y++ {
				for x := range l.w {
					held := false
					for _, r := range l.frames {
						held = held || r.holds(x, y)
					}
					if !held {
						t.Fatalf("%v %+v: cell %d,%d belongs to nothing", size, v, x, y)
					}
				}
			}
		}
	}
}

func TestLayoutShapes(t *testing.T) {
	for _, tc := range []struct {
		w, h   int
		shape  shape
		frames int // how many panes are shown without a tour
	}{
		{39, 40, tiny, 0}, {100, 9, tiny, 0}, {40, 10, single, 1}, {79, 60, single, 1}, {200, 23, single, 1},
		{80, 24, split, 3}, {139, 60, split, 3}, {200, 39, split, 3}, {140, 40, wide, 5}, {220, 70, wide, 5},
	} {
		for pane := atCalls; pane <= atLog; pane++ {
			l := newLayout(tc.w, tc.h, view{pane: pane, lower: max(pane, atResult)})
			n := 0
			for _, r := range l.frames {
				if !r.empty() {
					n++
				}
			}
			if l.shape != tc.shape || n != tc.frames {
				t.Errorf("%dx%d: got shape %d with %d panes, want %d with %d", tc.w, tc.h, l.shape, n, tc.shape, tc.frames)
			}
		}
	}
}
