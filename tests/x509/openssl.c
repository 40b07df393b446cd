/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL's verdict on chains, in the format of judge.c. With the argument "strict" it checks what
 * RFC 5280 wants of certificates besides (X509_V_FLAG_X509_STRICT).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

static unsigned long more_flags;

/* NULL where one of them cannot be parsed, as a TLS client gives up then. */
static STACK_OF(X509) * split(char *list)
{
    STACK_OF(X509) *certificates = sk_X509_new_null();

    for (char *item = strtok(list, ","); item != NULL; item = strtok(NULL, ",")) {
        size_t length = strlen(item);
        unsigned char *der = malloc(length);
        int size = EVP_DecodeBlock(der, (unsigned char *)item, (int)length);
        const unsigned char *at = der;

        for (; length > 0 && item[length - 1] == '='; length--)
            size--;
        X509 *certificate = size > 0 ? d2i_X509(NULL, &at, size) : NULL;
        free(der);
        if (certificate == NULL) {
            sk_X509_pop_free(certificates, X509_free);
            return NULL;
        }
        sk_X509_push(certificates, certificate);
    }
    return certificates;
}

static const char *verify(const char *host, long now, STACK_OF(X509) * pins, STACK_OF(X509) * chain)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    const char *text;

    for (int i = 0; i < sk_X509_num(pins); i++)
        X509_STORE_add_cert(store, sk_X509_value(pins, i));
    X509_STORE_CTX_init(context, store, sk_X509_value(chain, 0), chain);
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
    /* A pinned certificate is an anchor, whoever signed it. */
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN | more_flags);
    X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_auth_level(parameters, 2);
    X509_VERIFY_PARAM_set_time(parameters, now);
    if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host) != 1)
        X509_VERIFY_PARAM_set1_host(parameters, host, 0);
    text = X509_verify_cert(context) == 1
               ? ""
               : X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return text;
}

int main(int argc, char *argv[])
{
    char *line = NULL;
    size_t size = 0;

    if (argc > 1 && strcmp(argv[1], "strict") == 0)
        more_flags = X509_V_FLAG_X509_STRICT;
    while (getline(&line, &size, stdin) > 0) {
        char *rest = line, *field[5];
        const char *text = "malformed";

        for (int i = 0; i < 5; i++)
            field[i] = strtok_r(rest, " \n", &rest);
        if (field[4] == NULL)
            return EXIT_FAILURE;
        STACK_OF(X509) *pins = split(field[3]), *chain = split(field[4]);
        if (pins != NULL && chain != NULL)
            text = verify(field[1], strtol(field[2], NULL, 10), pins, chain);
        printf("%s %s %s\n", field[0], text[0] == '\0' ? "accept" : "refuse", text);
        sk_X509_pop_free(pins, X509_free);
        sk_X509_pop_free(chain, X509_free);
    }
    free(line);
    return EXIT_SUCCESS;
}
