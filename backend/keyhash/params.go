package keyhash

import (
	"errors"
	"fmt"
)

// Bounds on the costs of any hash, whoever wrote it down: RFC 9106 section 3.1
// for the lower ones, our own choice for the upper. A run may never take more
// memory than all runs together may.
const (
	MaxMemoryKiB   = 256 << 10
	MaxIterations  = 10
	MaxParallelism = 4

	minMemoryPerLane = 8 // KiB, RFC 9106 section 3.1
)

// Params are the costs of a hash.
type Params struct {
	MemoryKiB   uint32 // m
	Iterations  uint32 // t
	Parallelism uint8  // p
}

// DefaultParams is the first choice of the OWASP Password Storage Cheat Sheet
// among those of little memory. A key has 256 random bits, which no cost makes
// harder to guess, so the floor is the right place: more only makes a flood of
// presentations dearer.
func DefaultParams() Params {
	return Params{MemoryKiB: 19456, Iterations: 2, Parallelism: 1}
}

// floorKiB is the least memory for a number of iterations. The pairs are those
// of the OWASP Password Storage Cheat Sheet, section Argon2id, which calls
// them equal in strength; they hold from p=1 upwards.
func floorKiB(iterations uint32) uint32 {
	floors := []uint32{1: 47104, 2: 19456, 3: 12288, 4: 9216}
	if int(iterations) < len(floors) {
		return floors[iterations]
	}
	return 7168
}

// Validate returns nil when p may be used for new hashes: neither below the
// OWASP floor nor above the bounds. Its errors are sentences for an operator
// and name the field of the configuration.
func (p Params) Validate() error {
	switch floor := floorKiB(p.Iterations); {
	case p.Iterations < 1:
		return errors.New("argon2_iterations must be at least 1")
	case p.Iterations > MaxIterations:
		return fmt.Errorf("argon2_iterations must be at most %d", MaxIterations)
	case p.Parallelism < 1:
		return errors.New("argon2_parallelism must be at least 1")
	case p.Parallelism > MaxParallelism:
		return fmt.Errorf("argon2_parallelism must be at most %d", MaxParallelism)
	case p.MemoryKiB > MaxMemoryKiB:
		return fmt.Errorf("argon2_memory_kib must be at most %d", MaxMemoryKiB)
	case p.MemoryKiB < floor:
		return fmt.Errorf("argon2_memory_kib must be at least %d when argon2_iterations is %d (the OWASP minimum)", floor, p.Iterations)
	}
	return nil
}

// Cost is memory × iterations: what an attacker pays for a guess.
func (p Params) Cost() uint64 {
	return uint64(p.MemoryKiB) * uint64(p.Iterations)
}

// computable reports whether p is within the bounds. It is weaker than
// Validate: a hash that was made under other rules must still be checked.
func (p Params) computable() bool {
	return p.Iterations >= 1 && p.Iterations <= MaxIterations &&
		p.Parallelism >= 1 && p.Parallelism <= MaxParallelism &&
		p.MemoryKiB >= minMemoryPerLane*uint32(p.Parallelism) && p.MemoryKiB <= MaxMemoryKiB
}
