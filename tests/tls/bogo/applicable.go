// SPDX-License-Identifier: Apache-2.0

// Compiled into BoGo, BoringSSL's test runner: which of its tests concern this client, and where the
// client is right to differ from BoringSSL.

package runner

import (
	"fmt"
	"strings"
)

// keepApplicable is called when all tests are in testCases.
func keepApplicable() {
	var kept []testCase
	for _, test := range testCases {
		if !applicable(&test) {
			continue
		}
		// Sessions are never resumed: connecting again is another full handshake.
		test.expectResumeRejected = test.resumeSession
		// The tests of each cipher suite export keys besides, which we have no use for.
		if strings.HasPrefix(test.name, "TLS-TLS13-") {
			test.exportKeyingMaterial = 0
		}
		if d, found := differences[test.name]; found {
			d.apply(&test)
			delete(differences, test.name)
		}
		kept = append(kept, test)
	}
	for name := range differences {
		panic("no applicable test is called " + name)
	}
	testCases = kept
	fmt.Printf("APPLICABLE %d\n", len(kept))
}

// applicable says whether a test is one of a client that speaks TLS 1.3 over a stream and resumes
// nothing. It goes by the test's configuration, not its name.
func applicable(test *testCase) bool {
	if test.testType != clientTest || test.protocol != tls || test.earlyData {
		return false
	}
	if test.resumeConfig != nil || test.resumeExpectations != nil {
		return false // what it is about happens on resumption
	}
	return test.config.MaxVersion == 0 || test.config.MaxVersion >= VersionTLS13 || requiresTLS13(test.flags)
}

// requiresTLS13 says whether the client is told to refuse older versions: then a server of an older
// version is a test for us.
func requiresTLS13(flags []string) bool {
	without := make(map[string]bool)
	for i, flag := range flags {
		if flag == "-min-version" && flags[i+1] == fmt.Sprint(VersionTLS13) {
			return true
		}
		without[flag] = true
	}
	return without["-no-tls12"] && !without["-no-tls13"]
}

// difference replaces what BoringSSL is expected to do by what this client does, and why.
type difference struct {
	succeeds   bool
	shimError  string // on the shim's stderr
	localError string // of the runner
	reason     string
}

func (d *difference) apply(test *testCase) {
	test.shouldFail = !d.succeeds
	test.expectedError = d.shimError
	test.expectedLocalError = d.localError
}

const keyTypeAtCertificate = "the key's type is refused when the certificate comes, before it signs"

// differences are few, and each is a matter of the specification or of what is offered.
var differences = map[string]*difference{
	"CheckRecordVersion-TLS13": {
		succeeds: true,
		reason:   "legacy_record_version MUST be ignored for all purposes (RFC 9846 5.1)",
	},
	"Client-VerifyDefault-ECDSA_P521_SHA512-TLS13": {
		succeeds: true,
		reason:   "ecdsa_secp521r1_sha512 is among our defaults",
	},
	"TLS13-DuplicateTicketEarlyDataSupport": {
		succeeds: true,
		reason:   "a client that does not resume ignores tickets, whatever they hold (RFC 9846 4.7.1)",
	},

	"SendWarningAlerts-TLS13": {
		shimError: "received unexpected_message",
		reason:    "an error alert closes the connection whatever its level and is not answered (RFC 9846 6)",
	},
	"SendBogusAlertType": {
		shimError: "received unexpected_message",
		reason:    "the level of an alert can safely be ignored (RFC 9846 6)",
	},
	"DuplicateExtensionClient-TLS-TLS13": {
		shimError:  "sent unsupported_extension",
		localError: "remote error: unsupported extension",
		reason:     "the first of the two already answers nothing that was offered (RFC 9846 4.3)",
	},
	"EncryptedExtensionsWithKeyShare-TLS13": {
		shimError:  "sent illegal_parameter",
		localError: "remote error: illegal parameter",
		reason:     "a known extension in the wrong message (RFC 9846 4.3)",
	},
	"KeyUpdate-InvalidRequestMode": {
		shimError:  "sent illegal_parameter",
		localError: "remote error: illegal parameter",
		reason:     "RFC 9846 4.7.3 names the alert",
	},
	"MissingSignatureAlgorithmsInCertificateRequest-TLS13": {
		shimError:  "sent missing_extension",
		localError: "remote error: missing extension",
		reason:     "RFC 9846 9.2 names the alert",
	},
	"RequestContextInHandshake-TLS13": {
		shimError:  "sent illegal_parameter",
		localError: "remote error: illegal parameter",
		reason:     "well-formed, but with a value that is not allowed (RFC 9846 4.4.2)",
	},
	"TLS13-InvalidCompressionMethod": {
		shimError: "sent illegal_parameter", // in the clear, for which the runner does not look
		reason:    "well-formed, but with a value that is not allowed (RFC 9846 4.2.3)",
	},
	"TLS13-HRR-InvalidCompressionMethod": {
		shimError:  "sent illegal_parameter",
		localError: "remote error: illegal parameter",
		reason:     "well-formed, but with a value that is not allowed (RFC 9846 4.2.4)",
	},
	"HelloRetryRequestVersionMismatch-TLS13": {
		shimError: "sent illegal_parameter",
		reason:    "RFC 9846 4.2.4 names the alert for a version that changes after HelloRetryRequest",
	},
	"TLS13-OnlyPadding": {
		shimError:  "sent unexpected_message",
		localError: "remote error: unexpected message",
		reason:     "RFC 9846 5.4 names the alert",
	},
	"TLS13-EmptyRecords": {
		shimError:  "sent unexpected_message",
		localError: "remote error: unexpected message",
		reason:     "RFC 9846 5.4 names the alert",
	},
	"TrailingMessageData-TLS13-ServerFinished-TLS": {
		shimError:  "sent decode_error",
		localError: "remote error: error decoding message",
		reason:     "a Finished of the wrong length does not parse (RFC 9846 6.2)",
	},
	"GarbageCertificate-Client-TLS13": {
		shimError:  "sent bad_certificate",
		localError: "remote error: bad certificate",
		reason:     "the alert for a corrupt certificate (RFC 9846 6.2)",
	},

	"Ed25519DefaultDisable-NoAccept": {
		shimError:  "sent unsupported_certificate",
		localError: "remote error: unsupported certificate",
		reason:     keyTypeAtCertificate,
	},
	"Client-VerifyDefault-Ed25519-TLS13": {
		shimError:  "sent unsupported_certificate",
		localError: "remote error: unsupported certificate",
		reason:     keyTypeAtCertificate,
	},
	"Client-Verify-ECDSA_P224_SHA256-TLS13": {
		shimError:  "sent unsupported_certificate",
		localError: "remote error: unsupported certificate",
		reason:     keyTypeAtCertificate,
	},
	"Client-VerifyDefault-ECDSA_P224_SHA256-TLS13": {
		shimError:  "sent unsupported_certificate",
		localError: "remote error: unsupported certificate",
		reason:     keyTypeAtCertificate,
	},
	"Client-Sign-RSA_PKCS1_SHA1-TLS13":       emptyCertificate,
	"Client-Sign-RSA_PKCS1_SHA256-TLS13":     emptyCertificate,
	"Client-Sign-RSA_PKCS1_SHA384-TLS13":     emptyCertificate,
	"Client-Sign-RSA_PKCS1_SHA512-TLS13":     emptyCertificate,
	"Client-Sign-ECDSA_SHA1-TLS13":           emptyCertificate,
	"Client-TLS13-NoSign-RSA_PKCS1_MD5_SHA1": emptyCertificate,
}

var emptyCertificate = &difference{
	shimError:  "received certificate_required",
	localError: "client didn't provide a certificate",
	reason:     "without a suitable certificate a client sends an empty Certificate (RFC 9846 4.5.1)",
}
