package main

import (
	"crypto/tls"
	"errors"
	"fmt"
)

// tlsConfig returns how serve secures its connections, nil for not at all. Files
// are read again for each connection, so a renewed certificate needs no restart.
func (c *config) tlsConfig() (*tls.Config, error) {
	if c.TLSCert == "" && c.TLSKey == "" {
		if c.TLSClientCA != "" {
			return nil, hinted{errors.New("clients cannot show certificates without TLS"), "give --tls-cert and --tls-key too"}
		}
		return nil, nil
	}
	if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
		return nil, hinted{fmt.Errorf("read certificate: %w", err), "give both --tls-cert and --tls-key, in PEM"}
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		return &pair, err
	}}
	if c.TLSClientCA != "" {
		authorities, err := readAuthorities(c.TLSClientCA)
		if err != nil {
			return nil, err
		}
		t.ClientCAs, t.ClientAuth = authorities, tls.RequireAndVerifyClientCert
	}
	return t, nil
}

// identityText says how far the service knows who calls.
func identityText(proves bool) string {
	if proves {
		return "callers prove who they are by tokens"
	}
	return "no tokens: whoever reaches this address may do everything under any name; see memberwatch tokens add --help"
}
