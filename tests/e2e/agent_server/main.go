// SPDX-License-Identifier: Apache-2.0

// The unit agent's socket as Juju's own code makes it: Go's net/rpc, offering Jujuc.Main (juju/juju:
// internal/worker/uniter/runner/jujuc/server.go). What commands do is decided elsewhere: each call
// is passed on as hook_command.c does it.
//
//	agent_server ADDRESS COMMANDS
//
// ADDRESS is the socket to offer, COMMANDS that of the command server. A line on stdout says that
// the socket is there; the program ends with its stdin.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"strings"

	"lxd-integrator/e2e/unitagent"
)

const badRequest = "ERROR bad request: " // as the hook command would print the refusal

var errNoStdin = errors.New("hook tool requires stdin, none supplied")

// Jujuc is what is offered.
type Jujuc struct {
	commands string
}

// Main runs one hook command.
func (j *Jujuc) Main(request unitagent.Request, response *unitagent.ExecResponse) error {
	if request.CommandName == "" {
		return errors.New("bad request: command not specified")
	}
	if !filepath.IsAbs(request.Dir) {
		return errors.New("bad request: Dir is not absolute")
	}
	if request.Token != "" {
		return errors.New("bad request: token does not match")
	}
	if err := j.passOn(request, response); err != nil {
		return err
	}
	if text := string(response.Stderr); strings.HasPrefix(text, badRequest) {
		return errors.New(strings.TrimSpace(strings.TrimPrefix(text, "ERROR ")))
	}
	return nil
}

func (j *Jujuc) passOn(request unitagent.Request, response *unitagent.ExecResponse) error {
	connection, err := net.Dial("unix", j.commands)
	if err != nil {
		return err
	}
	defer connection.Close()

	fields := append([]string{request.ContextId, request.Dir, request.CommandName}, request.Args...)
	if err := unitagent.WriteMessage(connection, []byte(strings.Join(fields, "\x00")+"\x00")); err != nil {
		return err
	}
	state, err := readByte(connection)
	if err == nil && state == unitagent.StdinWanted {
		if !request.StdinSet {
			return errNoStdin
		}
		if err := unitagent.WriteMessage(connection, request.Stdin); err != nil {
			return err
		}
		state, err = readByte(connection)
	}
	if err != nil || state != unitagent.Done {
		return fmt.Errorf("the command server answers %d: %v", state, err)
	}
	return readResponse(connection, response)
}

func readResponse(connection io.Reader, response *unitagent.ExecResponse) error {
	code, err := readByte(connection)
	if err != nil {
		return err
	}
	response.Code = int(code)
	if response.Stdout, err = unitagent.ReadMessage(connection); err != nil {
		return err
	}
	response.Stderr, err = unitagent.ReadMessage(connection)
	return err
}

func readByte(from io.Reader) (byte, error) {
	var data [1]byte
	_, err := io.ReadFull(from, data[:])
	return data[0], err
}

func serve(listener net.Listener, commands string) {
	server := rpc.NewServer()
	if err := server.Register(&Jujuc{commands}); err != nil {
		log.Fatal(err)
	}
	server.Accept(listener)
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: agent_server ADDRESS COMMANDS")
	}
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening")
	go serve(listener, os.Args[2])
	io.Copy(io.Discard, os.Stdin)
}
