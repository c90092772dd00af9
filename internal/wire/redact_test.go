package wire

import (
	"bytes"
	"strings"
	"testing"
)

// A token is overwritten wherever it stands in a frame, and nothing else is.
func TestRedact(t *testing.T) {
	const token = "s3cret-MTIz"
	set := DefaultSettings()
	set.Authorization, set.Name = token, "client 1"
	block, err := AppendField(nil, FieldAuthorization, "Bearer "+token)
	if err != nil {
		t.Fatal(err)
	}
	if block, err = AppendField(block, "other", "seen"); err != nil {
		t.Fatal(err)
	}
	head := AppendOpen(nil, &OpenHead{Number: 1, Name: []byte("who")})
	open := func(f Flags) []byte {
		return AppendFrame(nil, KindOpen, f|FlagMeta, 1, append(AppendBlock(bytes.Clone(head), block), `"payload"`...))
	}
	frames := AppendFrame([]byte(Magic), KindSettings, 0, 0, AppendSettings(nil, &set))
	frames = append(frames, open(FlagEnd)...)
	frames = append(frames, AppendFrame(nil, KindData, FlagEnd, 1, []byte(token))...) // what is no credential stays as it is
	for name, b := range map[string][]byte{"all": frames, "one": open(FlagEnd), "a fragment": open(FlagMore)} {
		got := bytes.Clone(b)
		if !Redact(got) || len(got) != len(b) {
			t.Errorf("%s: nothing was found", name)
		}
		want := strings.Replace(strings.ReplaceAll(string(b), "Bearer "+token, strings.Repeat("*", 7+len(token))), token, strings.Repeat("*", len(token)), strings.Count(string(b), token)-strings.Count(string(b), "Bearer "+token)-strings.Count(name, "all"))
		if string(got) != want {
			t.Errorf("%s: got\n%q, want\n%q", name, got, want)
		}
		if again := bytes.Clone(got); !Redact(again) || !bytes.Equal(again, got) {
			t.Errorf("%s: a second time it is another", name)
		}
	}
	for cut := range frames { // a trace may end anywhere: of the token nothing is left that was to be hidden
		got := bytes.Clone(frames[:cut])
		Redact(got)
		hidden := len(frames) - len(token) // where the payload of DATA begins
		if at := bytes.Index(got[:min(cut, hidden)], []byte("s3cr")); at >= 0 {
			t.Fatalf("cut at %d: %q", cut, got)
		}
	}
	plain := AppendFrame(nil, KindOpen, FlagEnd, 1, append(bytes.Clone(head), `"authorization"`...))
	if got := bytes.Clone(plain); Redact(got) || !bytes.Equal(got, plain) {
		t.Errorf("got %q", got)
	}
}
