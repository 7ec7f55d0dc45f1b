package listen

import (
	"fmt"
	"net"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"
)

// mostEach bounds the connections of one listener where files are many: each may hold the
// head and the body of a request.
const mostEach = 16384

// Bounded takes at most so many connections at a time. Who comes then waits until one of
// them ends.
func Bounded(l net.Listener, most int) net.Listener { return netutil.LimitListener(l, most) }

// Most is how many connections each of so many listeners may have: together no more than
// half of the files that this process may open, so that no crowd at one of them keeps it
// from Vault, from its log, and from those who ask at another.
func Most(listeners int) (int, error) {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return 0, fmt.Errorf("ask how many files may be open: %w", err)
	}
	return share(files.Cur, listeners), nil
}

func share(files uint64, listeners int) int {
	return int(min(max(files/uint64(2*listeners), 1), mostEach))
}
