// Package upkeep is what a mount does by itself: it removes what has ended and mends
// indexes (tidy), writes last uses down and gives quota back (flush), writes down
// that keys ended unused, and renews hashes of an old cost.
//
// All of it runs in the background, never starts before it is asked to, ends
// within two seconds when the mount goes away, and survives a panic. It decides
// nothing by what it saw from afar: each change of a record looks again under the
// key's lock. No operation waits for it, and it calls none.
package upkeep
