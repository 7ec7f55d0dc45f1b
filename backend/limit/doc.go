// Package limit counts verifications against rate limits and quotas.
//
// A rate limit is a bucket per key and node, in memory. A quota is exact, across
// crashes and nodes: units are reserved in storage in blocks, before they are
// spent from memory. A delegated key's verification counts against the limits of
// all its ancestors, and a request takes from all of them or from none.
//
// What was spent stays spent through every change of a limit or its period, there
// and back. A window that cannot be counted exactly counts too much rather than
// too little. What is verified while no quota applies is not counted.
//
// The package decides nothing about a key but whether its limits have room.
package limit
