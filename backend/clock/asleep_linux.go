package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// Asleep is how long the machine was suspended since it was started.
func Asleep() time.Duration {
	// In this order: what passes between the two readings makes it less, and so
	// is never taken for sleep.
	var running, counting unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &running) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &counting) != nil {
		return 0
	}
	return time.Duration(running.Nano() - counting.Nano())
}
