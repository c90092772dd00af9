package console

import (
	"strconv"
	"strings"
	"time"
)

// Duration formats d with three digits and its unit, as in "398 µs", "1.02 ms", "18.6 ms", "850 ns"; ascii writes "us". It is the one place that
// formats durations, so all faces round alike. It is at most seven cells wide for anything below a thousand days.
func Duration(d time.Duration, ascii bool) string {
	if d < 0 {
		return "-" + Duration(max(-d, 0), ascii) // max: the most negative duration has no positive twin
	}
	micro := "µs"
	if ascii {
		micro = "us"
	}
	for _, u := range [...]struct {
		name string
		size time.Duration
	}{{"ns", 1}, {micro, time.Microsecond}, {"ms", time.Millisecond}, {"s", time.Second}} {
		if text, ok := threeDigits(float64(d)/float64(u.size), u.size == 1); ok {
			return text + " " + u.name
		}
	}
	if m := d.Round(time.Minute); m < 100*time.Minute {
		return strconv.Itoa(int(m/time.Minute)) + " min"
	}
	if h := d.Round(time.Hour); h < 100*time.Hour {
		return strconv.Itoa(int(h/time.Hour)) + " h"
	}
	return strconv.Itoa(int(d.Round(24*time.Hour)/(24*time.Hour))) + " d"
}

// DurationCell is Duration in seven cells: the number ends in the fourth, its unit begins in the sixth.
func DurationCell(d time.Duration, ascii bool) string {
	number, unit, _ := strings.Cut(Duration(d, ascii), " ")
	if n := len([]rune(unit)); n <= 2 {
		return strings.Repeat(" ", max(4-len(number), 0)) + number + " " + unit + strings.Repeat(" ", 2-n)
	}
	return strings.Repeat(" ", max(7-len(number)-len(unit), 0)) + number + unit // "min" takes the space before it
}

// threeDigits writes v with as many decimals as three digits allow; ok is false when it rounds to four digits and wants the next unit.
func threeDigits(v float64, whole bool) (text string, ok bool) {
	switch {
	case v >= 999.5:
		return "", false
	case whole || v >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64), true
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64), true
	}
	return strconv.FormatFloat(v, 'f', 2, 64), true
}

// Bytes formats a number of bytes: "70 B", "1.4 KiB", "12 MiB".
func Bytes(n int) string {
	if n < 1024 {
		return strconv.Itoa(n) + " B"
	}
	v := float64(n)
	for _, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		v /= 1024
		switch {
		case v < 9.95:
			return strconv.FormatFloat(v, 'f', 1, 64) + " " + unit
		case v < 1023.5 || unit == "TiB":
			return strconv.FormatFloat(v, 'f', 0, 64) + " " + unit
		}
	}
	panic("unreachable")
}

// Count formats a whole number in groups of three: "124 113".
func Count(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	var b strings.Builder
	for i, r := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return sign + b.String()
}

// Rate formats a number of things in a second: "2.50", "41.2", "398", and from 1000 on whole, in groups of three.
func Rate(r float64) string {
	switch {
	case r >= 999.5:
		return Count(int(r + 0.5))
	case r >= 99.95:
		return strconv.FormatFloat(r, 'f', 0, 64)
	case r >= 9.995:
		return strconv.FormatFloat(r, 'f', 1, 64)
	}
	return strconv.FormatFloat(r, 'f', 2, 64)
}
