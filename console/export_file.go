package console

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// writable says what speaks against writing a file of that name. Its error is an *Error.
func writable(file string, force bool) error {
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // that its folder is there shows when it is written
	case err != nil:
		return fileError(file, err)
	case info.IsDir():
		return &Error{Exit: ExitUsage, Message: file + " is a folder", Hint: "name a file in it, as " + filepath.Join(file, "session.html")}
	case info.Mode().IsRegular() && !force:
		return existsError(file)
	case !info.Mode().IsRegular():
		return &Error{Exit: ExitUsage, Message: file + " is no plain file", Hint: "choose another name"}
	}
	return nil
}

func existsError(file string) error {
	return &Error{Exit: ExitUsage, Message: file + " is there already", Hint: "--force writes over it; or choose another name"}
}

// fileError is the error of a file that could not be written.
func fileError(file string, err error) error {
	e := &Error{Exit: ExitUsage, Message: "cannot write " + file, Cause: err}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	} else if l, ok := errors.AsType[*os.LinkError](err); ok {
		err = l.Err
	}
	switch folder := filepath.Dir(file); {
	case errors.Is(err, fs.ErrNotExist):
		e.Message, e.Hint = fmt.Sprintf("there is no folder %s", folder), "make it first: mkdir -p "+folder
	case errors.Is(err, fs.ErrPermission):
		e.Hint = fmt.Sprintf("you may not write in %s; choose another folder", folder)
	default:
		e.Hint = err.Error()
	}
	return e
}

// writeWhole makes a file that only its owner may read, whole or not at all: it is written under another name in the same folder and then takes its own.
// Without force a file that has come meanwhile stays as it is. Its error is an *Error.
func writeWhole(file string, text []byte, force bool) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*.part") // mode 0600
	if err != nil {
		return fileError(file, err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already where all went well and force was given
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fileError(file, err)
	}
	if force {
		err = os.Rename(f.Name(), file)
	} else if err = os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) { // not every file system has links
		if err = writable(file, false); err == nil {
			err = os.Rename(f.Name(), file)
		}
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return existsError(file)
	case err != nil:
		return fileError(file, err)
	}
	return nil
}
