// Package disclose tells gates what they decide by: which keys texts are, and the
// records that verdicts are made of. It decides nothing, spends nothing and counts no
// use. What it shows of a record, and what of a text that is refused is counted where,
// says package wire.
//
// A cursor of the feed is taken before anything is read. So an answer is no older than
// its cursor says, and a gate that has heard of more than that takes nothing from it.
// Each record is read once for an answer, so that all that it says fits together.
//
// Only the node that may write answers: it alone knows what was seen to end, and is told
// of each change.
package disclose
