// SPDX-License-Identifier: Apache-2.0

// A unit agent that answers from a recording, at once, as Juju's own does from what it has cached: so
// that a hook is measured and not the tests' model of Juju (tests/bench). It offers the agent's socket (see
// agent_server) and the command server that hook_command.c calls.
//
//	recorded_agent ADDRESS COMMANDS RECORDING
//
// ADDRESS and COMMANDS are the sockets to offer. A command that is not in the recording is one that
// only writes, and is answered with success: a line of the log has durations in it. A line on
// stdout says that the sockets are there; the program ends with its stdin.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/rpc"
	"os"
	"strings"

	"lxd-integrator/e2e/unitagent"
)

// Answer is one of the recording's; Stdin tells that the command reads its stdin.
type Answer struct {
	Arguments []string
	Stdin     bool
	unitagent.ExecResponse
}

// Jujuc is what is offered: the answers, by the command's name and arguments.
type Jujuc struct {
	answers map[string]*Answer
}

func key(arguments []string) string {
	return strings.Join(arguments, "\x00") + "\x00"
}

func read(recording string) (*Jujuc, error) {
	text, err := os.ReadFile(recording)
	if err != nil {
		return nil, err
	}
	var answers []*Answer
	if err := json.Unmarshal(text, &answers); err != nil {
		return nil, err
	}
	jujuc := &Jujuc{map[string]*Answer{}}
	for _, answer := range answers {
		jujuc.answers[key(answer.Arguments)] = answer
	}
	return jujuc, nil
}

func (j *Jujuc) find(command string) *Answer {
	if answer, known := j.answers[command]; known {
		return answer
	}
	return &Answer{}
}

// Main runs one hook command.
func (j *Jujuc) Main(request unitagent.Request, response *unitagent.ExecResponse) error {
	*response = j.find(key(append([]string{request.CommandName}, request.Args...))).ExecResponse
	return nil
}

// A request of hook_command.c: context and working directory come before the command.
func (j *Jujuc) answer(connection net.Conn) error {
	defer connection.Close()
	in, out := bufio.NewReader(connection), bufio.NewWriter(connection)
	request, err := unitagent.ReadMessage(in)
	if err != nil {
		return err
	}
	answer := j.find(strings.SplitN(string(request), "\x00", 3)[2])
	if answer.Stdin {
		connection.Write([]byte{unitagent.StdinWanted})
		if _, err := unitagent.ReadMessage(in); err != nil {
			return err
		}
	}
	out.Write([]byte{unitagent.Done, byte(answer.Code)})
	for _, text := range [][]byte{answer.Stdout, answer.Stderr} {
		unitagent.WriteMessage(out, text)
	}
	return out.Flush()
}

func (j *Jujuc) serveCommands(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go j.answer(connection)
	}
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: recorded_agent ADDRESS COMMANDS RECORDING")
	}
	jujuc, err := read(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	listeners := [2]net.Listener{}
	for i, address := range os.Args[1:3] {
		if listeners[i], err = net.Listen("unix", address); err != nil {
			log.Fatal(err)
		}
	}
	server := rpc.NewServer()
	if err := server.Register(jujuc); err != nil {
		log.Fatal(err)
	}
	go server.Accept(listeners[0])
	go jujuc.serveCommands(listeners[1])
	fmt.Println("listening")
	io.Copy(io.Discard, os.Stdin)
}
