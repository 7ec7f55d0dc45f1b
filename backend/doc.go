// Package backend assembles one mount of the API keys secrets engine.
//
// A request comes in through guard, which refuses hostile input, hides the
// caller's data from Vault's framework and recovers panics. The framework
// routes it to a handler in package paths, which decodes it strictly and makes
// one call:
//
//	verify     decides about a presented key; it cannot write
//	lineage    a key with its role, owner and ancestors, as they are now
//	verdict    a decision as fields and headers
//	lifecycle  issues, rotates, renews, changes and ends keys
//	upkeep     what a mount does by itself: tidies, writes uses down, re-hashes
//	watch      metrics, honeytokens, alerts: what operators are told of decisions
//	store      reads and writes records; the only one that knows the layout
//
// Below them are plain rules and values that know nothing of Vault: record
// (what is stored, and the rules over it), limit and usage (what is counted), idle
// (what ends unused), proof, cache and ends (what is remembered), clock, and at the
// bottom apikey, keyhash, scope, network, seal and secret. Imports go downwards
// only; imports_test.go holds them to it.
//
// A whole mount is tried in ../trials, by what a trial proves; the plugin imports
// nothing of it. The tests here are of what assembles a mount: hooks, guard, siblings.
//
// The promise of the engine is its HTTP surface (paths/README.md) and the form of
// what it stores (testdata). The Go packages carry none: they may change with
// every version.
package backend
