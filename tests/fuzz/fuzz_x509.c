/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PEM texts as operators configure them, and certificates as servers present them. The first byte
 * of the input chooses whether the rest is PEM or DER.
 */
#include "fuzz.h"

#include <ctype.h>

#include "base/buffer.h"
#include "x509/certificate.h"
#include "x509/private_key.h"
#include "x509/server_identity.h"

#define NOW 1780000000 /* 2026-05-28 */

/* It survives a round through PEM. */
static void check_certificate(const struct certificate *certificate)
{
    char *pem = pem_encode("CERTIFICATE", certificate->der, certificate->length);
    struct certificate again;
    struct error error;

    MUST(certificate_from_pem(&again, pem, &error) == 0);
    MUST(strcmp(again.fingerprint, certificate->fingerprint) == 0);
    MUST(strcmp(again.common_name, certificate->common_name) == 0);
    MUST(again.length == certificate->length);
    certificate_free(&again);
    free(pem);
}

/* A fingerprint as people write it ends in its 64 digits, with blanks and colons among them. */
static bool ends_in(const char *text, const char *fingerprint)
{
    size_t left = strlen(fingerprint);

    for (size_t i = strlen(text); i-- > 0 && left != 0;) {
        if (strchr(" \t\r\n:", text[i]) != NULL)
            continue;
        if (tolower((unsigned char)text[i]) != fingerprint[--left])
            return false;
    }
    return left == 0;
}

/* Whoever presents what is expected is the server, unless its key is of no use to TLS; a
 * fingerprint alone cannot be presented. */
static void identity(const struct server_identity *identity, const char *text)
{
    const uint8_t *der[SERVER_IDENTITY_MAX];
    size_t length[SERVER_IDENTITY_MAX];
    const struct server_chain chain = {der, length, identity->count};
    char remark[SERVER_IDENTITY_REMARK_SIZE];
    struct error error;

    if (identity->expected[0].der == NULL) {
        MUST(identity->count == 1 && ends_in(text, identity->expected[0].fingerprint));
        return;
    }
    for (size_t i = 0; i < identity->count; i++) {
        der[i] = identity->expected[i].der;
        length[i] = identity->expected[i].length;
    }
    MUST(server_identity_check(identity, &chain, "node-1", NOW, remark, &error) == 0 ||
         strstr(error.text, " the expected certificate ") != NULL);
}

static void pem(const char *text)
{
    struct certificate certificate;
    struct private_key key;
    struct server_identity server;
    struct error error = {0};
    bool has_certificate = certificate_from_pem(&certificate, text, &error) == 0;

    MUST(has_certificate || error.kind == ERROR_INPUT);
    if (has_certificate)
        check_certificate(&certificate);
    if (private_key_from_pem(&key, text, &error) == 0) {
        if (has_certificate)
            private_key_matches(&key, &certificate, &error);
        private_key_wipe(&key);
    }
    if (has_certificate)
        certificate_free(&certificate);
    if (server_identity_parse(&server, text, &error) == 0) {
        identity(&server, text);
        server_identity_free(&server);
    }
}

/* As a server's leaf, and as its issuer, where a CA is expected. */
static void der(const struct input *input)
{
    static struct server_identity ca;
    struct certificate certificate;
    struct error error = {0};

    if (ca.count == 0) {
        const char *path = VECTORS_DIR "/x509/ca.crt";
        char text[8192] = "";
        FILE *file = fopen(path, "r");
        MUST(file != NULL && fread(text, 1, sizeof text - 1, file) > 0);
        fclose(file);
        MUST(server_identity_parse(&ca, text, &error) == 0);
    }
    const uint8_t *chain[] = {input->data, input->data, ca.expected[0].der};
    const size_t length[] = {input->size, input->size, ca.expected[0].length};
    const struct server_chain presented = {chain, length, 3};
    char remark[SERVER_IDENTITY_REMARK_SIZE];
    if (server_identity_check(&ca, &presented, "node-1", NOW, remark, &error) != 0)
        MUST(error.kind == ERROR_IDENTITY && error.text[0] != '\0');
    if (certificate_from_der(&certificate, input->data, input->size, &error) == 0) {
        check_certificate(&certificate);
        certificate_free(&certificate);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    if ((input_byte(&input) & 1) != 0) {
        der(&input);
    } else {
        char *text = input_text(&input);
        pem(text);
        free(text);
    }
    return 0;
}
