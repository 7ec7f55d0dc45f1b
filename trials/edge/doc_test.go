// Package edge_test holds what gates promise against a whole mount of the engine, in one
// process and in fake time: real paths, real mirrors, and between them a network that
// loses, delays, reorders, replays and cuts. An oracle asks the engine itself, so that
// nothing is spent, whenever something changes and where a gate has answered.
package edge_test
