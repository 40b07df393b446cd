// SPDX-License-Identifier: Apache-2.0

// Package unitagent has what goes between a hook command and a unit agent: Juju's own types, which Go's
// net/rpc sends to Jujuc.Main, and the messages of hook_command.c, which agent.py reads.
package unitagent

import (
	"bytes"
	"encoding/binary"
	"io"
)

// Request is Juju 3's; Juju 4 has no Token. The client sends none.
type Request struct {
	ContextId   string
	Dir         string
	CommandName string
	Args        []string
	StdinSet    bool
	Stdin       []byte
	Token       string
}

// ExecResponse is that of juju/utils.
type ExecResponse struct {
	Code   int
	Stdout []byte
	Stderr []byte
}

// What the command server says before it answers: that it does so now, or that it wants the command's stdin first.
const (
	Done        = 0
	StdinWanted = 1
)

// WriteMessage writes the data's length, in 4 bytes, and the data.
func WriteMessage(to io.Writer, data []byte) error {
	var message bytes.Buffer
	binary.Write(&message, binary.BigEndian, uint32(len(data)))
	message.Write(data)
	_, err := to.Write(message.Bytes())
	return err
}

// ReadMessage reads what WriteMessage wrote.
func ReadMessage(from io.Reader) ([]byte, error) {
	var length uint32
	if err := binary.Read(from, binary.BigEndian, &length); err != nil {
		return nil, err
	}
	data := make([]byte, length)
	_, err := io.ReadFull(from, data)
	return data, err
}
