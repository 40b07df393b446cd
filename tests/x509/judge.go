// SPDX-License-Identifier: Apache-2.0

// The verdict of Go's crypto/x509 on chains, in the format of judge.c.
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

func split(list string) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate

	for _, item := range strings.Split(list, ",") {
		der, err := base64.StdEncoding.DecodeString(item)
		if err != nil {
			return nil, err
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, certificate)
	}
	return certificates, nil
}

func verify(host string, now int64, pins, chain string) error {
	anchors, err := split(pins)
	if err != nil {
		return err
	}
	presented, err := split(chain)
	if err != nil {
		return err
	}
	options := x509.VerifyOptions{
		DNSName:       host,
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		CurrentTime:   time.Unix(now, 0),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, anchor := range anchors {
		options.Roots.AddCert(anchor)
	}
	for _, certificate := range presented[1:] {
		options.Intermediates.AddCert(certificate)
	}
	_, err = presented[0].Verify(options)
	return err
}

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		field := strings.Fields(line)
		now, _ := strconv.ParseInt(field[2], 10, 64)
		if err := verify(field[1], now, field[3], field[4]); err != nil {
			fmt.Println(field[0], "refuse", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println(field[0], "accept")
		}
	}
}
