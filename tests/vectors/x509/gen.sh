#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the keys and certificates of this folder anew (openssl 3). They are test inputs: none of
# the keys protects anything.
set -euo pipefail
cd "$(dirname "$0")"
rm -f ./*.key ./*.crt fingerprints.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---------------------------------------------------------------- keys

for curve in prime256v1:p256 secp384r1:p384 secp521r1:p521; do
    name=ec-${curve#*:}
    openssl ecparam -name "${curve%:*}" -genkey -out "$name.key" # EC PARAMETERS, then SEC1
    openssl pkey -in "$name.key" -out "$name-pkcs8.key"
done
for bits in 1024 2048 4096 5120 8192; do
    openssl genrsa -out "rsa-$bits-pkcs8.key" "$bits"
    openssl pkey -in "rsa-$bits-pkcs8.key" -traditional -out "rsa-$bits.key"
done
for algorithm in ed25519 ed448 x25519; do
    openssl genpkey -algorithm "$algorithm" -out "$algorithm.key"
done
openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out rsa-pss.key
openssl ecparam -name secp256k1 -genkey -noout -out ec-secp256k1.key
openssl ecparam -name secp224r1 -genkey -noout -out ec-p224.key
openssl pkey -in ec-p256.key -ec_param_enc explicit -out ec-p256-explicit.key
openssl pkey -in ec-p256.key -aes256 -passout pass:secret -out ec-p256-encrypted.key
openssl ec -in ec-p256.key -conv_form compressed -out ec-compressed.key
openssl ec -in ec-p256.key -aes256 -passout pass:secret -out ec-p256-encrypted-legacy.key

# ---------------------------------------------------------------- certificates

cat >"$work/openssl.cnf" <<'END'
[req]
distinguished_name = empty
utf8 = yes
string_mask = utf8only
[empty]
[ca]
default_ca = ca
database = $ENV::WORK/index
new_certs_dir = $ENV::WORK
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
preserve = yes
[any]
commonName = optional
organizationName = optional
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = DNS:node-1, IP:127.0.0.1
[client]
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
[any_usage]
extendedKeyUsage = clientAuth, anyExtendedKeyUsage
subjectAltName = DNS:node-1
[encipherment]
keyUsage = critical, keyEncipherment
[critical]
1.3.6.1.4.1.55555.1 = critical, ASN1:NULL
[bare] # version 1
END
export WORK=$work OPENSSL_CONF=$work/openssl.cnf
: >"$work/index"

# issue NAME KEY ISSUER SECTION SUBJECT [START END]; ISSUER "self", or the name of certificate and key
issue() {
    local by=(-selfsign -keyfile "$2.key")

    [ "$3" = self ] || by=(-cert "$3.crt" -keyfile "$3.key")
    openssl req -new -key "$2.key" -subj "$5" -out "$work/request"
    openssl ca -batch -notext -in "$work/request" -out "$1.crt" "${by[@]}" -extensions "$4" \
        -startdate "${6:-20200101000000Z}" -enddate "${7:-20991231235959Z}"
    openssl x509 -in "$1.crt" -out "$1.crt"
}

for name in ec-p256 ec-p384 ec-p521 rsa-1024 rsa-2048 rsa-4096 ed25519 ec-p224 ec-secp256k1; do
    issue "$name" "$name" self server "/O=Example/CN=$name"
done
issue ec-compressed ec-compressed self server /CN=ec-compressed
issue ec-explicit ec-p256-explicit self server /CN=ec-explicit
issue rsa-5120 rsa-5120 self server /CN=rsa-5120
issue rsa-pss rsa-pss self server /CN=rsa-pss
rm ec-compressed.key rsa-5120*.key
issue names ec-p256 self bare $'/CN=first/CN=Zo\u00eb \u4e16/O=Example'
issue nameless ec-p256 self bare /O=Example
issue short-dates ec-p256 self bare /CN=short-dates 19990228235958Z 20491231235959Z
for name in ca other-ca intermediate leaf; do
    openssl ecparam -name secp384r1 -genkey -noout -out "$name.key"
done
issue ca ca self authority "/CN=Example CA"
issue other-ca other-ca self authority "/CN=Example CA"
issue ca-rsa rsa-4096 self authority "/CN=Example RSA CA"
issue ca-ed25519 ed25519 self authority "/CN=Example Ed25519 CA"
issue ca-expired ca self authority "/CN=Example CA" 20200101000000Z 20200201000000Z
issue intermediate intermediate ca authority "/CN=Example intermediate"
issue intermediate-expired intermediate ca authority "/CN=Example intermediate" 20200101000000Z 20200201000000Z
issue leaf leaf ca server /CN=node-1
cp rsa-4096.key ca-rsa.key
issue leaf-rsa rsa-2048 ca-rsa server /CN=node-1
rm ca-rsa.key
issue leaf-weak rsa-1024 ca server /CN=node-1
issue leaf-by-intermediate leaf intermediate server /CN=node-1
issue leaf-by-leaf ec-p256 leaf server /CN=node-2
issue leaf-expired leaf ca server /CN=node-1 20200101000000Z 20200201000000Z
issue leaf-future leaf ca server /CN=node-1 20980101000000Z 20990101000000Z
issue leaf-client leaf ca client /CN=client
issue leaf-any-usage leaf ca any_usage /CN=node-1
issue leaf-bare leaf ca bare /CN=node-1
issue leaf-encipherment leaf ca encipherment /CN=node-1
issue leaf-critical leaf ca critical /CN=node-1
issue leaf-ed25519 ed25519 ca server /CN=node-1
cp ed25519.key ca-ed25519.key
issue leaf-by-ed25519 leaf ca-ed25519 server /CN=node-1
rm ca-ed25519.key

# ---------------------------------------------------------------- what openssl says of them

for certificate in *.crt; do
    fingerprint=$(openssl x509 -in "$certificate" -noout -fingerprint -sha256)
    fingerprint=${fingerprint##*=}
    fingerprint=${fingerprint//:/}
    echo "$certificate = ${fingerprint,,}"
done >fingerprints.txt
