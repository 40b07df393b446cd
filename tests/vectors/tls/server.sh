#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the certificate and key of the test server in tests/unit/tls_server.c.
set -eu
cd "$(dirname "$0")"
key=$(mktemp)
trap 'rm -f "$key"' EXIT
openssl ecparam -name prime256v1 -genkey -noout -out "$key"
openssl req -x509 -new -key "$key" -sha256 -subj "/CN=test server" -days 27000 -outform DER -out server-p256.der
# SEC1: 30 77 02 01 01 04 20, then the 32 bytes of the scalar.
openssl ec -in "$key" -outform DER 2>/dev/null | tail -c +8 | head -c 32 >server-p256.scalar
