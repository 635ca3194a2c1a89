package server

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/memberwatch/memberwatch"
)

// Listen opens a listener for Serve on an address such as 127.0.0.1:7443, localhost:0 or unix:/run/memberwatch.sock. With
// open it may also be one that other machines reach; without, that is an error of kind memberwatch.ErrInvalid.
func Listen(ctx context.Context, address string, open bool) (net.Listener, error) {
	var config net.ListenConfig
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return listen(ctx, &config, "unix", path)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "ADDRESS_INVALID", Message: fmt.Sprintf("address %q: %v", address, err),
			Hint: "write it as 127.0.0.1:7443 or unix:/path/to/socket",
		}
	}
	if !open {
		if err := resolveLoopback(ctx, address, host, port); err != nil {
			return nil, err
		}
	}
	return listen(ctx, &config, "tcp", address)
}

func listen(ctx context.Context, config *net.ListenConfig, network, address string) (net.Listener, error) {
	lis, err := config.Listen(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	return lis, nil
}

// resolveLoopback refuses before anything listens, so that no packet from outside is ever answered.
func resolveLoopback(ctx context.Context, address, host, port string) error {
	if host == "" { // all interfaces
		return notLocal(address, "127.0.0.1:"+port)
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return fmt.Errorf("listen on %q: %w", address, err)
	}
	for _, ip := range ips {
		if !ip.IP.IsLoopback() {
			return notLocal(address, "127.0.0.1:"+port)
		}
	}
	return nil
}

// CheckReach fails where other machines reach an address and either read along, for want of TLS, or call as whoever they
// say they are, for want of tokens.
func (s *Server) CheckReach(ctx context.Context, addr net.Addr) error {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || tcp.IP.IsLoopback() { // Unix sockets and listeners in memory are local, too
		return nil
	}
	if s.options.TLS == nil {
		return notLocal(addr.String(), fmt.Sprintf("127.0.0.1:%d", tcp.Port))
	}
	proves := false
	if s.options.Access != nil {
		var err error
		if proves, err = s.options.Access.Proves(ctx); err != nil {
			return err
		}
	}
	if !proves {
		return &memberwatch.ReasonError{
			Kind: memberwatch.ErrInvalid, Reason: "TOKENS_MISSING",
			Message: fmt.Sprintf("will not serve on %q: other machines could reach it, and without tokens nobody knows who calls", addr),
			Hint:    "make the first one: memberwatch tokens add NAME --role admin --data-dir DIR",
		}
	}
	return nil
}

func notLocal(address, instead string) error {
	return &memberwatch.ReasonError{
		Kind: memberwatch.ErrInvalid, Reason: "ADDRESS_NOT_LOCAL",
		Message: fmt.Sprintf("will not listen on %q in the clear: other machines could reach it", address),
		Hint:    fmt.Sprintf("give --tls-cert and --tls-key and make tokens, or listen on %s", instead),
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
