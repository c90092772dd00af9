//go:build unix

package main

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rpckids/rpckids/internal/rpctest/screen"
)

var draw = flag.Bool("pictures", false, "TestPictures takes the pictures of docs/screens anew")

const picturesDir = "../../docs/screens"

// papers are the two kinds of terminals, by the name of the theme that belongs to them.
var papers = map[string]screen.Paper{"dark": screen.Dark, "light": screen.Light}

// sizes are those of the dashboard's pictures.
var sizes = []struct {
	name string
	screen.Size
}{
	{"main", screen.Size{Cols: 160, Rows: 48}},
	{"small", screen.Size{Cols: 80, Rows: 24}},
	{"tiny", screen.Size{Cols: 40, Rows: 10}},
}

// TestPictures looks after the pictures of the documents: each that a document names is there, is an image of the size in its name, and is of a screen with
// something on it; and each that is there is named. With -pictures it takes them first, of the program as it is.
func TestPictures(t *testing.T) {
	if *draw {
		for theme := range papers {
			drawDashboard(t, theme)
			drawPeers(t, theme)
		}
		drawCharts(t)
		drawPrompt(t)
	}
	named := namedPictures(t)
	if len(named) == 0 {
		t.Error("no document has a picture")
	}
	for _, path := range named {
		if err := checkPicture(path); err != nil {
			t.Errorf("%v; go test ./cmd/rpckids-console -run Pictures -pictures takes all pictures anew", err)
		}
	}
	files, err := filepath.Glob(picturesDir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if !slices.Contains(named, path) {
			t.Errorf("no document shows %s", path)
		}
	}
}

// namedPictures are the paths of all images that the documents show from this repository, each once.
func namedPictures(t *testing.T) []string {
	t.Helper()
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	image := regexp.MustCompile(`(?:!\[[^\]]*\]\(|src="|srcset="|\]\()([^)" ]+\.(?:svg|png|gif|jpe?g))`)
	var paths []string
	for _, document := range append(documents, "../../README.md") {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range image.FindAllStringSubmatch(string(text), -1) {
			paths = append(paths, filepath.Join(filepath.Dir(document), m[1]))
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

var pictureName = regexp.MustCompile(`^\w+-(\d+)x(\d+)-(dark|light)\.svg$`)

// checkPicture says what is wrong with a picture.
func checkPicture(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	m := pictureName.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return fmt.Errorf("%s is not named as NAME-COLSxROWS-dark.svg", path)
	}
	size := screen.Size{}
	size.Cols, _ = strconv.Atoi(m[1])
	size.Rows, _ = strconv.Atoi(m[2])
	w, h := screen.Pixels(size)
	root, words := xml.StartElement{}, 0
	for d := xml.NewDecoder(bytes.NewReader(b)); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if e, ok := token.(xml.StartElement); ok {
			if root.Name.Local == "" {
				root = e.Copy()
			}
			switch e.Name.Local {
			case "text":
				words++
			case "script", "image", "foreignObject", "style", "use", "a":
				return fmt.Errorf("%s has <%s>, which no picture needs", path, e.Name.Local)
			}
		}
	}
	got := ""
	for _, a := range root.Attr {
		if a.Name.Local == "width" || a.Name.Local == "height" || a.Name.Local == "viewBox" {
			got += a.Name.Local + "=" + a.Value + " "
		}
	}
	if want := fmt.Sprintf("width=%d height=%d viewBox=0 0 %d %d ", w, h, w, h); root.Name.Local != "svg" || got != want {
		return fmt.Errorf("%s is <%s %s>, want <svg %s>", path, root.Name.Local, got, want)
	}
	if words < 10 {
		return fmt.Errorf("%s has %d pieces of text: an empty screen", path, words)
	}
	return nil
}

func TestCheckPicture(t *testing.T) {
	good, err := os.ReadFile(picturesDir + "/tiny-40x10-dark.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"tiny-40x10-dark.svg", string(good), ""},
		{"tiny-40x11-dark.svg", string(good), "want <svg width=432 height=252"},
		{"tiny.svg", string(good), "is not named"},
		{"cut-40x10-dark.svg", string(good[:len(good)/2]), "XML syntax error"},
		{"script-40x10-dark.svg", strings.Replace(string(good), "</svg>", "<script/></svg>", 1), "has <script>"},
		{"empty-40x10-dark.svg", `<svg width="432" height="232" viewBox="0 0 432 232"/>`, "an empty screen"},
	} {
		path := filepath.Join(t.TempDir(), tt.name)
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := checkPicture(path); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	if err := checkPicture(picturesDir + "/none-40x10-dark.svg"); err == nil {
		t.Error("a picture that is missing goes unseen")
	}
}

// take writes the picture of a screen that has come to rest.
func take(t *testing.T, s *screen.Screen, name string, size screen.Size, theme, title string) {
	t.Helper()
	long := 650 * time.Millisecond // percentiles rest for half a second
	switch name {
	case "charts":
		long = 300 * time.Millisecond // they move on by a column every 400 ms
	case "peers":
		long = 30 * time.Millisecond // calls run: there are 15 frames a second
	}
	rest(s, long)
	if err := os.MkdirAll(picturesDir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(picturesDir, fmt.Sprintf("%s-%dx%d-%s.svg", name, size.Cols, size.Rows, theme))
	if err := os.WriteFile(path, s.SVG(papers[theme], title), 0o644); err != nil {
		t.Fatal(err)
	}
}

// rest waits until a screen has not changed for so long: a picture is better of a whole frame.
func rest(s *screen.Screen, long time.Duration) {
	text, since := s.Text(), time.Now()
	s.Until("a screen at rest", func() bool {
		if now := s.Text(); now != text {
			text, since = now, time.Now()
		}
		return time.Since(since) > long
	})
}

// drawDashboard takes the pictures of one session: Chinese data, a failure, streams, a call that tells its own cost, and where its time went.
func drawDashboard(t *testing.T, theme string) {
	s := start(t, sizes[0].Size, "demo", "--theme", theme)
	shows(s, `connected 127.0.0.1:\d+ +(protocol )?v2`)
	for _, k := range []struct{ line, want string }{
		{`call fib 10`, `✓ ok +fib_res +89`},
		{`call exp {"base":2,"exp":10}`, `✓ ok +exp_res +{"value":1024`},
		{`cast log "二的十次方"`, `→ sent +log`},
		{`call fibs 10`, `✓ ok +fibs +10 items`},
		{`call exp {"base":3,"exp":4}`, `✓ ok +exp_res +{"value":81,`},
		{`call echo {"question":"二的十次方是多少？","answers":[1000,1024]}`, `✓ ok +echo_res +{"question":"二`},
		{`call fail {"code":"unavailable","message":"the abacus is being cleaned"}`, `✗ failed +fail`},
		{`call slow 20`, `✓ ok +slow`},
		{`upload sum 1 2 3 4 5`, `✓ ok +sum_res +15`},
		{`call exp {"base":7,"exp":5}`, `✓ ok +exp_res +{"value":16807,`},
		{`call fibs 90`, `✓ ok +fibs +90 items`},
		{`call exp {"base":2,"exp":40}`, `✓ ok +exp_res +{"value":1099511627776,`},
		{`call exp {"base":3,"exp":20}`, `✓ ok +exp_res +{"value":3486784401,`},
		{`call exp {"base":2,"exp":10}`, `✓ ok +exp_res +{"value":1024,`},
	} {
		s.Type(k.line + "<enter>")
		shows(s, k.want)
	}
	for _, size := range sizes {
		s.Resize(size.Size)
		take(t, s, size.name, size.Size, theme, fmt.Sprintf("rpckids: the dashboard at %dx%d", size.Cols, size.Rows))
	}
	leave(t, s, "<ctrl+d>")
}

// drawPeers takes the pictures of three servers under load, one of which was killed so long ago that it has no share any more.
func drawPeers(t *testing.T, theme string) {
	s := start(t, sizes[0].Size, "demo", "--servers", "3", "--theme", theme)
	s.Wait("step 1 of 4")
	s.Type("bench fib 20 -d 45s -c 4 --rate 200 --idempotent<enter>")
	shows(s, `2 127\.0\.0\.1:\d+ +● up +▆+ +\d+ %`)
	shows(s, `[1-9] \d{3} calls +0 failed`)
	s.Type("peer kill 2<enter>")
	shows(s, `step 3 of 4`)
	shows(s, `2 127\.0\.0\.1:\d+ +○ down +0 %`)
	for _, size := range sizes[:1] {
		s.Resize(size.Size)
		shows(s, `2 +(127\.0\.0\.1)?:\d+ +○ down +0 %`)
		take(t, s, "peers", size.Size, theme, fmt.Sprintf("rpckids: three servers, one of them killed, at %dx%d", size.Cols, size.Rows))
	}
	leave(t, s, "<ctrl+d>")
}

// drawCharts takes the picture of the charts while calls come in: most fast, some slower, now and then one far out.
func drawCharts(t *testing.T) {
	size := sizes[0].Size
	s := start(t, size, "demo", "--theme", "dark")
	shows(s, `connected 127.0.0.1:\d+ +(protocol )?v2`)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for i := range 1000 {
		millis := 2 + i*i%7
		switch {
		case i%97 == 60:
			millis = 60 + i%30
		case i%9 == 4:
			millis = 12 + i%8
		case i > 400 && i < 600: // a server that has more to do for a while
			millis += 10
		}
		for range 1 + (i/100)%3 {
			s.Type(fmt.Sprintf("call slow %d<enter>", millis))
		}
		<-tick.C // this is the load, not a wait
	}
	s.Type("<alt+2>g")
	s.Wait("Charts")
	shows(s, `0 running`)
	take(t, s, "charts", size, "dark", "rpckids: the charts of the dashboard")
	s.Type("<ctrl+d>")
	s.TryType("<ctrl+d>")
	s.Exit()
}

// drawPrompt takes the picture of the other face.
func drawPrompt(t *testing.T) {
	size := sizes[1].Size
	s := start(t, size, "demo", "--repl", "--theme", "dark")
	for _, k := range []struct{ line, want string }{
		{`call exp {"base":2,"exp":10}`, `^#1 exp_res ok`},
		{`call echo "二的十次方" | length`, `^#2 echo_res ok`},
		{`call fibs 4`, `^#3 fibs ok`},
		{`call fib ten`, `^hint: `},
	} {
		shows(s, `^127.0.0.1:\d+>$`)
		s.Type(k.line + "<enter>")
		shows(s, k.want)
	}
	shows(s, `^127.0.0.1:\d+>$`)
	s.Type("call e")
	take(t, s, "repl", size, "dark", "rpckids: the prompt at 80x24")
	s.Type("<ctrl+c>")
	leave(t, s, "<ctrl+d>")
}
