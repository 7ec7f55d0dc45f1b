// Package harness runs real Vault servers for tests: one server, a dev server, or a cluster of three.
//
// A test asks for a server and talks to it as people do, by HTTP (Server.API) or with the command line
// (Server.CLI). Each call that can go wrong takes the test and fails it, with the end of the server's log.
// Nothing is skipped: a missing binary fails the test with the name of the make target that builds it.
//
// Servers listen on the loopback interface, keep their data in a directory of their own, and end with
// their test, also when the test binary is killed. They inherit nothing of the caller's VAULT_* variables.
//
// It knows the plugin only as a program, and nothing of its paths.
package harness
