package server

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/memberwatch/memberwatch"
)

// Listen opens a listener for Serve on an address such as 127.0.0.1:7443, localhost:0 or unix:/run/memberwatch.sock. As
// long as the server cannot tell who calls, it listens where only this machine can reach it: any other address is an
// error of kind memberwatch.ErrInvalid.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	} else if host, port, err := net.SplitHostPort(address); err == nil && host == "" {
		return nil, refused(address, "127.0.0.1:"+port)
	}
	var config net.ListenConfig
	if network == "tcp" {
		if err := resolveLoopback(ctx, address); err != nil {
			return nil, err
		}
	}
	lis, err := config.Listen(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	if err := checkLocal(lis.Addr()); err != nil {
		_ = lis.Close() // nobody has connected, the error that counts is the other one
		return nil, err
	}
	return lis, nil
}

// resolveLoopback refuses before anything listens, so that no packet from outside is ever answered.
func resolveLoopback(ctx context.Context, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "ADDRESS_INVALID", Message: fmt.Sprintf("address %q: %v", address, err),
			Hint: "write it as 127.0.0.1:7443 or unix:/path/to/socket",
		}
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return fmt.Errorf("listen on %q: %w", address, err)
	}
	for _, ip := range ips {
		if !ip.IP.IsLoopback() {
			return refused(address, "127.0.0.1:"+port)
		}
	}
	return nil
}

// checkLocal refuses a listener that other machines can reach. Unix sockets and listeners in memory have none.
func checkLocal(addr net.Addr) error {
	if tcp, ok := addr.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		return refused(addr.String(), fmt.Sprintf("127.0.0.1:%d", tcp.Port))
	}
	return nil
}

func refused(address, instead string) error {
	return &memberwatch.ReasonError{
		Kind:    memberwatch.ErrInvalid,
		Reason:  "ADDRESS_NOT_LOCAL",
		Message: fmt.Sprintf("will not listen on %q: other machines could reach it, and this version cannot tell who calls", address),
		Hint:    fmt.Sprintf("listen on %s, and let a tunnel or a proxy that knows its callers do the rest", instead),
	}
}

// boundedListener accepts no more connections than there are places. Those beyond wait in the kernel's queue.
type boundedListener struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func bound(lis net.Listener, connections int) net.Listener {
	return &boundedListener{Listener: lis, places: make(chan struct{}, connections), closed: make(chan struct{})}
}

// Accept waits for a place, then for a connection.
func (l *boundedListener) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &boundedConn{Conn: conn, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

// Close also ends an Accept that waits for a place.
func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type boundedConn struct {
	net.Conn
	leave func()
}

// Close gives the place back.
func (c *boundedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
