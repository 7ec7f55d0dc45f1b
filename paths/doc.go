// Package paths is the HTTP surface of a mount: one file per family of paths.
//
// A family is made of what it calls, by interfaces that it declares itself, and
// answers with routes. A route names its operations; each operation names the
// parameters it takes, what it answers, and a handler of one shape: decode, one
// call into the engine, map the answer. A field is one row (row.go): its
// declaration, where a parameter of it goes and what an answer says in it.
//
// Everything that a caller sent goes through one strict decoder (decode.go), every
// error through one function (errors.go).
//
// Vault's framework never sees the caller's data: it would put values of the
// wrong type into its errors. WithBody carries the data around it.
package paths
