package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/adrg/xdg"

	"github.com/rpckids/rpckids/console"
)

const (
	keep    = 10_000   // lines
	trimAt  = 12_000   // lines in the file before it is written anew, so that not every start does
	maxFile = 16 << 20 // bytes read of the file, its newest ones
	maxLine = 64 << 10 // bytes of one line; longer ones are not stored
)

// Open returns the history that is kept on disk: in the file that RPCKIDS_HISTORY names, else in $XDG_STATE_HOME/rpckids/history, or in the state folder of the
// platform. RPCKIDS_HISTORY=off keeps it in memory. The notice is one line for the user, "" when all is well.
func Open() (h *console.History, notice string) {
	file := os.Getenv("RPCKIDS_HISTORY")
	switch file {
	case "off":
		return console.NewHistory(nil, nil), ""
	case "":
		file = defaultFile()
	}
	return OpenFile(file)
}

// defaultFile asks the environment at each call, since XDG_STATE_HOME counts on every system and not only where it is the custom.
func defaultFile() string {
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // the XDG rules: a relative path is to be ignored
		xdg.Reload()
		state = xdg.StateHome
	}
	return filepath.Join(state, "rpckids", "history")
}

// OpenFile is Open for a file of that name. Folders that are missing are made, for the user alone; so is the file.
func OpenFile(file string) (h *console.History, notice string) {
	lines, err := load(file)
	if err != nil {
		return console.NewHistory(nil, nil), fmt.Sprintf("history is not kept: %s", console.Printable(err.Error()))
	}
	return console.NewHistory(lines, func(line string) error { return appendTo(file, line) }), ""
}

// load returns the newest lines of the file, and makes it if it is not there.
func load(file string) ([]string, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: file, Err: errors.New("not a file")}
	}
	if info.Mode().Perm()&0o077 != 0 { // payloads may be private
		if err := f.Chmod(0o600); err != nil {
			return nil, err
		}
	}
	data, cut, err := newest(f, info.Size())
	if err != nil {
		return nil, err
	}
	lines := split(data)
	if cut || len(lines) > trimAt {
		lines = lines[max(len(lines)-keep, 0):]
		_ = rewrite(file, lines) // a file that stays long is read in part the next time, no more
	}
	return lines[max(len(lines)-keep, 0):], nil
}

// newest reads the end of the file; cut says that it does not start with the file's first line.
func newest(f *os.File, size int64) (data []byte, cut bool, err error) {
	if size > maxFile {
		if _, err := f.Seek(size-maxFile, io.SeekStart); err != nil {
			return nil, false, err
		}
		cut = true
	}
	data, err = io.ReadAll(io.LimitReader(f, maxFile))
	if cut {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	return data, cut, err
}

// split returns the lines that are worth keeping. What holds control characters was not written by us, and is left out.
func split(data []byte) []string {
	var lines []string
	for line := range bytes.Lines(data) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 || len(line) > maxLine || console.Printable(string(line)) != string(line) || len(lines) > 0 && lines[len(lines)-1] == string(line) {
			continue
		}
		lines = append(lines, string(line))
	}
	return lines
}

// appendTo adds one line with one write, so that consoles running side by side do not mix theirs.
func appendTo(file, line string) error {
	if len(line) > maxLine {
		return nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// rewrite puts lines in the place of the file in one step: whoever reads it sees the old or the new one. A link to the file stays a link.
func rewrite(file string, lines []string) error {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".history-*") // made for the user alone
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is nothing left to remove
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	_, err = f.Write(b.Bytes())
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
