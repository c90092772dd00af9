// Package remote joins the console to rpcclient: it is the one place that knows both. Dial is a console.Dialer.
//
// It translates in two directions and decides nothing: requests and traces become rpcclient's, and rpcclient's errors become what a user is
// told, an exit code, a cause and a cure.
package remote
