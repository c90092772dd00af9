//go:build race

package rpcclient_test

const raceEnabled = true
