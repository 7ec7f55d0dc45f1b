// Command bench measures the engine in a real Vault, side by side with what it
// is held against, and prints a table. `make bench` runs it.
//
// Every row is a ratio of two things that were measured in the same run, in
// turns: each round gives each of them a slice of time, in another order than
// the round before, and a row shows the median over the rounds of the ratio
// within a round, and the medians of both. What the machine does meanwhile
// meets both.
//
// Throughput is measured with a closed loop: a fixed number of callers, each of
// which sends its next request when it has the answer to the last. Latency is
// measured with an open loop: requests have their moments, whatever the server
// does, and a latency counts from that moment and not from when a caller got
// round to it, so nothing is omitted when the server stalls.
//
// The column cpu is the processor time that Vault and the plugins spent on one
// of A, in that for one of B. On a machine that is busy with other work it is
// the figure to go by; no target is held against it.
//
// The load generator runs on the same cores as Vault and the plugins. Vault has
// raft storage on disk, a plain TCP listener and no audit device, and is asked
// with a token whose policy allows just that.
//
// The floor, in floor/, is a plugin built like an ordinary one that answers
// constants: what a call costs whatever the plugin does.
//
// `make bench-gate` measures gates instead. What they cost the engine and Vault are
// polls that wait, changes that are told, records that are confirmed: figures that
// are no ratios, and stand side by side. What a gate does is held against mapgate/, a
// program that answers the same bytes from a map: what asking anything at a socket
// costs. These rows have the processor time of one request by process, nginx, what
// decides and this program, because all of them share the cores.
//
// The parts revoked, cold, held, flood and idle measure gates beside Vault, by figures
// that are no ratios either: README.md tells of each.
package main
