// Package watch shows operators what the decisions of a mount come to.
//
// It is told of each decision as an observer, after it was made, and changes none. It
// calls nobody: who wants to know reads.
package watch
