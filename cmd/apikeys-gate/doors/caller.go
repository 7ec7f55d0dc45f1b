package doors

import (
	"net/http"
	"strings"
)

// Caller is where a listener finds the address of a gateway's client.
type Caller struct {
	// From is a header, as net/http writes it, to which each proxy adds whom it saw; ""
	// for X-Client-Ip, which a gateway sets to one address.
	From string
	Hops int // how many proxies, counted from here, are believed; at least one
}

// address are the addresses that were said: none, one, or several where one was to be.
func (c Caller) address(header http.Header) []string {
	if c.From == "" {
		return header["X-Client-Ip"]
	}
	// All lines of the header are one list. What stands before those that are believed
	// is whatever the client wrote.
	hops := c.Hops
	for i := len(header[c.From]) - 1; i >= 0; i-- {
		line := header[c.From][i]
		for {
			comma := strings.LastIndexByte(line, ',')
			if hops--; hops == 0 {
				return []string{strings.TrimSpace(line[comma+1:])}
			}
			if comma < 0 {
				break
			}
			line = line[:comma]
		}
	}
	return nil
}
