// Package wire is what the engine and a gate say to each other: the bodies of gate/*,
// as both of them encode and read them. It knows how things are said, and decides
// nothing. Unknown fields are ignored, so either side may be the newer one.
//
// Times are seconds since 1970, as in records; waits and moments of the feed are
// milliseconds.
package wire
