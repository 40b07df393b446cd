// SPDX-License-Identifier: Apache-2.0

// A hook command as Juju's own is, under each command's name: it calls Jujuc.Main on the unit agent's
// socket, with Go's net/rpc (juju/juju: cmd/jujuc/main.go). For tests of the model of Juju alone.
package main

import (
	"fmt"
	"io"
	"net/rpc"
	"os"
	"path/filepath"

	"lxd-integrator/e2e/unitagent"
)

const noStdin = "hook tool requires stdin, none supplied"

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "ERROR %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	client, err := rpc.Dial(os.Getenv("JUJU_AGENT_SOCKET_NETWORK"), os.Getenv("JUJU_AGENT_SOCKET_ADDRESS"))
	if err != nil {
		return err
	}
	defer client.Close()
	call := unitagent.Request{
		ContextId: os.Getenv("JUJU_CONTEXT_ID"), Dir: dir,
		CommandName: filepath.Base(os.Args[0]), Args: os.Args[1:],
	}
	var answer unitagent.ExecResponse
	err = client.Call("Jujuc.Main", call, &answer)
	if err != nil && err.Error() == noStdin {
		if call.Stdin, err = io.ReadAll(os.Stdin); err != nil {
			return err
		}
		call.StdinSet = true
		err = client.Call("Jujuc.Main", call, &answer)
	}
	if err != nil {
		return err
	}
	os.Stdout.Write(answer.Stdout)
	os.Stderr.Write(answer.Stderr)
	os.Exit(answer.Code)
	return nil
}
