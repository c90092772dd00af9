package shape

import "strings"

// Nearest returns the name that was most likely meant by what was typed: equal but for case, or at most a third of its letters away and with one
// in common. It is "" when nothing is near; of equally near names the first wins.
func Nearest(typed string, names []string) string {
	letters := len([]rune(typed))
	best, limit := "", min(max(letters/3, 1)+1, letters)
	for _, n := range names {
		if strings.EqualFold(n, typed) {
			return n
		}
		if d := distance([]rune(typed), []rune(n)); d < limit {
			best, limit = n, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, change or swap with their neighbour to make b of a. Long words are never near.
func distance(a, b []rune) int {
	const long = 64
	if len(a) > long || len(b) > long {
		return long
	}
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}
