// Package watch is what operators see of decisions besides their counts: metrics, keys
// that were planted to be found, and alerts. It is told of each decision as an
// observer, after it was made, and changes none.
//
// A decision only touches memory here, and a valid one not even that. What is to be
// kept is written behind the answer, by one writer, at most once a second however
// much there is (see upkeep.Recorder): a use of a honeytoken within a second, with what it
// disables; what a crash loses is what came since. A clean end loses nothing.
//
// The entries are all in memory, and only the node that may write has them right. It
// alone counts; elsewhere a honeytoken that is used is passed on to it, and nothing else
// raises an alert. What is in memory is bounded: by the honeytokens that there are, and
// for what strangers can cause by numbers that are written here.
//
// Nothing here calls anybody, but Vault's own event system: metrics and events are
// there to be collected.
package watch
