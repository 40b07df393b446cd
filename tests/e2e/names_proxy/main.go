// SPDX-License-Identifier: Apache-2.0

// Stands before an LXD 5.0 whose database has names made unique (lxd.py), and gives the answers of
// LXD 5.21.5 and 6.6 where a name is taken: 409 instead of the failed statement. Nothing else is
// changed, and nothing is decided here: each request goes to LXD, over TLS, with the client's own
// certificate and key.
//
//	names_proxy LXD_DIR ADDRESS KEYS
//
// LXD_DIR is LXD's folder: its certificate is presented, as LXD does. ADDRESS is where LXD listens. KEYS is
// a folder with the keys of clients, <fingerprint>.crt and .key. Who has no key there is passed on
// without a certificate, which to LXD is the same as long as it does not trust that client; where it does, the
// answer is 502. A line on stdout says where this listens; the program ends with its stdin.
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// How go-dqlite words what the index in LXD's database refuses.
const refusal = "UNIQUE constraint failed: certificates.name"

type proxy struct {
	directory, address, keys string
	host                     *http.Client // of LXD's administrator, by the Unix socket
	mutex                    sync.Mutex
	clients                  map[string]*http.Client // by fingerprint
}

func (p *proxy) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return
	}
	client, err := p.clientOf(in, body)
	if err != nil {
		fail(out, http.StatusBadGateway, err.Error())
		return
	}
	request, err := http.NewRequest(in.Method, "https://"+p.address+in.RequestURI, bytes.NewReader(body))
	if err != nil {
		fail(out, http.StatusBadGateway, err.Error())
		return
	}
	for name, values := range in.Header {
		request.Header[name] = values
	}
	answer, err := client.Do(request)
	if err != nil {
		fail(out, http.StatusBadGateway, err.Error())
		return
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return // the client learns of it as of any connection that breaks
	}
	if answer.StatusCode == http.StatusInternalServerError && bytes.Contains(text, []byte(refusal)) {
		if in.Method == http.MethodPost {
			fail(out, http.StatusConflict, "Certificate already exists")
		} else {
			fail(out, http.StatusConflict, "Identity already exists")
		}
		return
	}
	for name, values := range answer.Header {
		out.Header()[name] = values
	}
	out.Header().Del("Content-Length")
	out.WriteHeader(answer.StatusCode)
	out.Write(text)
}

// An answer in the form of LXD's.
func fail(out http.ResponseWriter, status int, text string) {
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(status)
	json.NewEncoder(out).Encode(map[string]interface{}{
		"type": "error", "status": "", "status_code": 0, "operation": "",
		"error_code": status, "error": text, "metadata": nil,
	})
}

// Who speaks for the client to LXD.
func (p *proxy) clientOf(in *http.Request, body []byte) (*http.Client, error) {
	fingerprint := ""
	if certificates := in.TLS.PeerCertificates; len(certificates) != 0 {
		sum := sha256.Sum256(certificates[0].Raw)
		fingerprint = hex.EncodeToString(sum[:])
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if client := p.clients[fingerprint]; client != nil {
		return client, nil
	}
	file := filepath.Join(p.keys, fingerprint)
	pair, err := tls.LoadX509KeyPair(file+".crt", file+".key")
	if err == nil {
		p.clients[fingerprint] = p.clientWith(&pair)
		return p.clients[fingerprint], nil
	}
	if fingerprint != "" && p.knows("/1.0/certificates/"+fingerprint) {
		return nil, fmt.Errorf("the proxy has no key of %s, whom LXD trusts", fingerprint)
	}
	if name := nameOfToken(body); in.Method == http.MethodPost && name != "" {
		return p.enrolling(name)
	}
	return p.clients[""], nil
}

func (p *proxy) clientWith(pair *tls.Certificate) *http.Client {
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	if pair != nil {
		config.Certificates = []tls.Certificate{*pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableCompression: true}}
}

// The name that the token in a request to enrol has, "" where there is none.
func nameOfToken(body []byte) string {
	var request struct {
		Password, Trust_token []byte // base64, as Go has it in JSON
	}
	var token struct{ Client_name string }
	json.Unmarshal(body, &request)
	for _, text := range [][]byte{request.Password, request.Trust_token} {
		json.Unmarshal(text, &token)
	}
	return token.Client_name
}

// LXD enrols the certificate of the connection, whose key nobody here has. Where the name is taken
// it enrols nobody, so any key will do; where it is not, this would trust the wrong one.
func (p *proxy) enrolling(name string) (*http.Client, error) {
	answer, err := p.host.Get("http://lxd/1.0/certificates?recursion=1")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var list struct{ Metadata []struct{ Name string } }
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		return nil, err
	}
	for _, entry := range list.Metadata {
		if entry.Name == name {
			pair, err := throwAway()
			return p.clientWith(pair), err
		}
	}
	return nil, fmt.Errorf("the proxy enrols nobody: use LXD's own address where the name is free")
}

func throwAway() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "nobody"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// Does LXD have this?
func (p *proxy) knows(path string) bool {
	answer, err := p.host.Get("http://lxd" + path)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: names_proxy LXD_DIR ADDRESS KEYS")
	}
	p := &proxy{directory: os.Args[1], address: os.Args[2], keys: os.Args[3]}
	p.clients = map[string]*http.Client{"": p.clientWith(nil)}
	p.host = &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", filepath.Join(p.directory, "unix.socket"))
		},
	}}
	own := filepath.Join(p.directory, "cluster")
	if _, err := os.Stat(own + ".crt"); err != nil {
		own = filepath.Join(p.directory, "server")
	}
	certificate, err := tls.LoadX509KeyPair(own+".crt", own+".key")
	if err != nil {
		log.Fatal(err)
	}
	host := p.address[:strings.LastIndex(p.address, ":")]
	listener, err := tls.Listen("tcp", host+":0", &tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequestClientCert,
		MinVersion:   tls.VersionTLS13,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	go http.Serve(listener, p)
	io.Copy(io.Discard, os.Stdin)
}
