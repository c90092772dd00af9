// Package lab runs a few demo servers as child processes, for watching what a client does when servers die, hang, drain or are slow. [Start] is the side of the
// console, [Serve] that of the child: the program that holds both starts itself again.
//
// A child never outlives its console. It ends when its standard input does, which the system sees to however the console ended. One that is paused at that moment reads
// nothing: Linux ends it, other systems wake it.
package lab
