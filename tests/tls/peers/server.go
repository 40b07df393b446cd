// SPDX-License-Identifier: Apache-2.0

// A server whose TLS is shaped like LXD's (lxd/util/net.go, shared/network.go): TLS 1.3 only, any client certificate
// or none is taken, h2 is the only protocol in ALPN, and HTTP/1.1 is spoken all the same with who offers none.
//
//	server CERTIFICATE KEY GROUP SUITE
//
// GROUP and SUITE are numbers of TLS. It prints its port, then serves /1.0 (who the client is), /large (1 MiB) and
// /digest (the SHA-256 of what was posted).
package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	_ "unsafe" // for linkname
)

// crypto/tls has no setting for the suites of TLS 1.3: these are its own lists, for CPUs with and without AES.
//
//go:linkname suitesWithAES crypto/tls.defaultCipherSuitesTLS13
var suitesWithAES []uint16

//go:linkname suitesWithoutAES crypto/tls.defaultCipherSuitesTLS13NoAES
var suitesWithoutAES []uint16

func number(text string) uint16 {
	value, err := strconv.ParseUint(text, 0, 16)
	check(err)
	return uint16(value)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func whoIsThere(writer http.ResponseWriter, request *http.Request) {
	answer := "untrusted"
	if certificates := request.TLS.PeerCertificates; len(certificates) != 0 {
		answer = fmt.Sprintf("%x", sha256.Sum256(certificates[0].Raw))
	}
	io.WriteString(writer, answer)
}

func large(writer http.ResponseWriter, request *http.Request) {
	writer.Write(bytes.Repeat([]byte("0123456789abcde\n"), 65536))
}

func digest(writer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	check(err)
	fmt.Fprintf(writer, "%x", sha256.Sum256(body))
}

func main() {
	certificate, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
	check(err)
	suitesWithAES = []uint16{number(os.Args[4])}
	suitesWithoutAES = suitesWithAES
	config := &tls.Config{
		Certificates:     []tls.Certificate{certificate},
		MinVersion:       tls.VersionTLS13,
		ClientAuth:       tls.RequestClientCert,
		NextProtos:       []string{"h2"},
		CurvePreferences: []tls.CurveID{tls.CurveID(number(os.Args[3]))},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	http.HandleFunc("/1.0", whoIsThere)
	http.HandleFunc("/large", large)
	http.HandleFunc("/digest", digest)
	check(http.Serve(tls.NewListener(listener, config), nil))
}
