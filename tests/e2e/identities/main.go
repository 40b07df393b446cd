// SPDX-License-Identifier: Apache-2.0

// Stands before an LXD 5.0, which knows no fine-grained identities, and answers about them as was seen of
// LXD 6.9: whoever enrols with a token of "lxc auth identity create tls/NAME" stands in no list of
// certificates, and may do what the entitlements of its group say. What it may do to the trust store and
// to projects goes to LXD; all else is refused.
//
//	identities LXD_DIR ADDRESS
//
// LXD_DIR is LXD's folder: its certificate is presented, and its Unix socket asked. ADDRESS is where to
// listen. A line on stdout has the address of what tests tell it, over plain HTTP; the program
// ends with its stdin.
//
//	POST /token?name=NAME            a new token, as text
//	POST /entitlements?ENTITLEMENT&  what the group has on the server from now on
//	POST /forget                     "lxc auth identity delete", of all
//	GET  /asked                      a line for each request so far: method, path, status
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const enrolPath = "/1.0/auth/identities/tls"

// What a request needs, by its method and the path's beginning, and what it is answered without; the first
// that fits.
var rules = []struct {
	method, path, entitlement string
	status                    int
	problem                   string // "": an empty list
}{
	{"GET", "/1.0/certificates?", "can_view_identities", 200, ""},
	{"GET", "/1.0/certificates/", "can_view_identities", 404, "Not Found"},
	{"POST", "/1.0/certificates", "can_create_identities", 403, "Forbidden"},
	{"PATCH", "/1.0/certificates/", "can_edit_identities", 403, "Forbidden"},
	{"DELETE", "/1.0/certificates/", "can_delete_identities", 403, "Certificate cannot be deleted"},
	{"GET", "/1.0/projects/", "can_view_projects", 404, "Project not found"},
	{"GET", "/1.0/projects", "can_view_projects", 200, ""},
}

type model struct {
	address, fingerprint string
	host                 *http.Client // of LXD's administrator, by the Unix socket
	mutex                sync.Mutex
	entitlements         map[string]bool
	tokens               map[string]string // names by secrets
	identities           map[string]string // names by fingerprints
	asked                strings.Builder
}

type object = map[string]interface{}

func (m *model) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return
	}
	fingerprint := ""
	if certificates := in.TLS.PeerCertificates; len(certificates) != 0 {
		sum := sha256.Sum256(certificates[0].Raw)
		fingerprint = hex.EncodeToString(sum[:])
	}
	status, answer := m.answer(in, body, fingerprint)
	fmt.Fprintf(&m.asked, "%s %s %d\n", in.Method, in.RequestURI, status)
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(status)
	out.Write(answer)
}

func (m *model) answer(in *http.Request, body []byte, fingerprint string) (int, []byte) {
	name, trusted := m.identities[fingerprint]
	switch {
	case in.Method == "GET" && in.URL.Path == "/1.0":
		return m.server(fingerprint, trusted)
	case in.Method == "POST" && in.URL.Path == enrolPath && trusted:
		return refuse(400, "Identity name must be provided")
	case in.Method == "POST" && in.URL.Path == enrolPath:
		return m.enrol(body, fingerprint)
	case in.Method == "POST" && in.URL.Path == "/1.0/certificates" && bytes.Contains(body, []byte(`"password":`)):
		return refuse(501, "Password authentication is no longer supported")
	case in.Method == "POST" && in.URL.Path == "/1.0/certificates" && m.nameOf(body) != "":
		return refuse(400, "Failed during search for certificate add token operation: "+
			"TLS Identity token detected (you must update your client)")
	case !trusted:
		return refuse(403, "Forbidden")
	case in.Method == "GET" && in.URL.Path == "/1.0/auth/identities/current":
		return m.current(fingerprint, name)
	}
	for _, rule := range rules {
		if in.Method != rule.method || !strings.HasPrefix(in.RequestURI, rule.path) {
			continue
		}
		if m.may(rule.entitlement) {
			return m.pass(in.Method, in.RequestURI, body)
		}
		if rule.status == 200 {
			return sync200([]string{})
		}
		return refuse(rule.status, rule.problem)
	}
	return refuse(403, "Forbidden")
}

// Whoever may edit or delete may see.
func (m *model) may(entitlement string) bool {
	sees := entitlement == "can_view_identities" &&
		(m.entitlements["can_edit_identities"] || m.entitlements["can_delete_identities"])
	return sees || m.entitlements[entitlement]
}

func (m *model) server(fingerprint string, trusted bool) (int, []byte) {
	status, text := m.pass("GET", "/1.0", nil)
	var answer struct{ Metadata object }
	if err := json.Unmarshal(text, &answer); err != nil || status != 200 {
		return refuse(502, "LXD does not answer")
	}
	metadata := answer.Metadata
	extensions, _ := metadata["api_extensions"].([]interface{})
	metadata["api_extensions"] =
		append(extensions, "explicit_trust_token", "access_management", "access_management_tls")
	metadata["auth"] = "trusted"
	metadata["auth_user_name"] = fingerprint
	metadata["auth_user_method"] = "tls"
	metadata["config"] = nil
	if !trusted {
		metadata["auth"] = "untrusted"
		for _, key := range []string{"auth_user_name", "auth_user_method", "config", "environment"} {
			delete(metadata, key)
		}
	}
	return sync200(metadata)
}

// The name that the token in a request to enrol has, "" where it has none that is good.
func (m *model) nameOf(body []byte) string {
	var request struct{ Trust_token []byte } // base64, as Go has it in JSON
	var token struct{ Secret string }
	json.Unmarshal(body, &request)
	json.Unmarshal(request.Trust_token, &token)
	return m.tokens[token.Secret]
}

func (m *model) enrol(body []byte, fingerprint string) (int, []byte) {
	name := m.nameOf(body)
	if fingerprint == "" {
		return refuse(400, "No client certificate provided")
	}
	if name == "" {
		return refuse(500, "Failed during search for pending TLS identity: Failed finding a matching pending "+
			"identity: No pending identities found with given secret")
	}
	for secret, other := range m.tokens {
		if other == name {
			delete(m.tokens, secret)
		}
	}
	m.identities[fingerprint] = name
	_, text := sync200(nil)
	return 201, text
}

func (m *model) current(fingerprint, name string) (int, []byte) {
	permissions := []object{}
	for entitlement := range m.entitlements {
		permissions = append(permissions,
			object{"entity_type": "server", "url": "/1.0", "entitlement": entitlement})
	}
	groups := []string{"integrators"}
	return sync200(object{
		"authentication_method": "tls", "type": "Client certificate", "id": fingerprint, "name": name,
		"groups": groups, "effective_groups": groups, "effective_permissions": permissions,
		"fine_grained": true,
	})
}

// What LXD's administrator is answered.
func (m *model) pass(method, uri string, body []byte) (int, []byte) {
	request, err := http.NewRequest(method, "http://lxd"+uri, bytes.NewReader(body))
	if err != nil {
		return refuse(502, err.Error())
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := m.host.Do(request)
	if err != nil {
		return refuse(502, err.Error())
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return refuse(502, err.Error())
	}
	return answer.StatusCode, text
}

func envelope(status int, kind string, metadata interface{}, problem string) []byte {
	answer := object{"type": kind, "status": "", "status_code": 0, "operation": "", "error_code": 0,
		"error": problem, "metadata": metadata}
	if kind == "sync" {
		answer["status"], answer["status_code"] = "Success", 200
	} else {
		answer["error_code"] = status
	}
	text, _ := json.Marshal(answer)
	return text
}

func sync200(metadata interface{}) (int, []byte) {
	return 200, envelope(200, "sync", metadata, "")
}

func refuse(status int, problem string) (int, []byte) {
	return status, envelope(status, "error", nil, problem)
}

// What tests tell it.
func (m *model) control(out http.ResponseWriter, in *http.Request) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	switch in.URL.Path {
	case "/token":
		secret := make([]byte, 32)
		if _, err := rand.Read(secret); err != nil {
			log.Fatal(err)
		}
		name := in.URL.Query().Get("name")
		m.tokens[hex.EncodeToString(secret)] = name
		text, _ := json.Marshal(object{
			"client_name": name, "fingerprint": m.fingerprint, "addresses": []string{m.address},
			"secret": hex.EncodeToString(secret), "expires_at": time.Now().UTC().AddDate(0, 0, 15),
			"type": "Client certificate",
		})
		io.WriteString(out, base64.StdEncoding.EncodeToString(text))
	case "/entitlements":
		m.entitlements = map[string]bool{}
		for entitlement := range in.URL.Query() {
			m.entitlements[entitlement] = true
		}
	case "/forget":
		m.identities = map[string]string{}
	default:
		io.WriteString(out, m.asked.String())
	}
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: identities LXD_DIR ADDRESS")
	}
	directory, address := os.Args[1], os.Args[2]
	certificate, err := tls.LoadX509KeyPair(filepath.Join(directory, "server.crt"),
		filepath.Join(directory, "server.key"))
	if err != nil {
		log.Fatal(err)
	}
	listener, err := tls.Listen("tcp", address, &tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequestClientCert,
		MinVersion:   tls.VersionTLS13,
	})
	if err != nil {
		log.Fatal(err)
	}
	controls, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	sum := sha256.Sum256(certificate.Certificate[0])
	m := &model{address: address, fingerprint: hex.EncodeToString(sum[:])}
	m.entitlements = map[string]bool{}
	m.tokens, m.identities = map[string]string{}, map[string]string{}
	m.host = &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", filepath.Join(directory, "unix.socket"))
		},
	}}
	fmt.Println(controls.Addr())
	go http.Serve(listener, m)
	go http.Serve(controls, http.HandlerFunc(m.control))
	io.Copy(io.Discard, os.Stdin)
}
