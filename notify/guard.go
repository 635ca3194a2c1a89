package notify

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Times of one attempt.
const (
	attemptTimeout = 20 * time.Second // all of it
	dialTimeout    = 10 * time.Second
)

// refused are addresses of no public machine that netip has no name for, by the
// IANA special-purpose address registries.
var refused = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // shared by a carrier's customers
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("::/96"),           // IPv4 in old spelling
	netip.MustParsePrefix("64:ff9b::/96"),    // IPv4 behind NAT64
	netip.MustParsePrefix("64:ff9b:1::/48"),  // likewise, local
	netip.MustParsePrefix("100::/64"),        // discarded
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo among them
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // IPv4 by 6to4
	netip.MustParsePrefix("fec0::/10"),       // private, once
}

// public tells whether an address is one of a machine in the open internet.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range refused {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// refusePrivate is asked by the dialer for each address that it is about to
// connect to, after names were resolved: no DNS answer gets around it.
func refusePrivate(network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || (network != "tcp4" && network != "tcp6") {
		return fmt.Errorf("address %s of network %s is not allowed", address, network)
	}
	if !public(at.Addr()) {
		return fmt.Errorf("address %s is not public, and the endpoint does not allow private ones", at.Addr())
	}
	return nil
}

// dialFunc opens a connection.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// guardedDial connects to public addresses only, plainDial to all.
func guardedDial() dialFunc {
	return (&net.Dialer{Timeout: dialTimeout, Control: refusePrivate}).DialContext
}

func plainDial() dialFunc { return (&net.Dialer{Timeout: dialTimeout}).DialContext }

// newClient returns a client that connects by dial, never by a proxy, which
// would connect for it, and that follows no redirect: its target was not
// checked by anybody.
func newClient(dial dialFunc) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dial, TLSHandshakeTimeout: dialTimeout, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxIdleConnsPerHost: maxInFlight, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
