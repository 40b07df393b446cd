/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes what servers say in whole connections, as inputs for fuzz_tls.c, to the folder that is its
 * argument. Linked with unprotected.c it makes those of fuzz_tls_unprotected.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls_server.h"

static struct tls tls;
static struct server server;

static void fixed_random(void *context, void *data, size_t length) /* as in fuzz_tls.c */
{
    (void)context;
    memset(data, 0x42, length);
}

static void start(uint16_t suite, uint16_t group)
{
    struct tls_configuration configuration = server_client_configuration();

    configuration.random = fixed_random;
    server_init(&server, &tls);
    server.suite_id = suite;
    server.group = group;
    tls_start(&tls, &configuration);
}

static void write_session(const char *folder, const char *name, char choice)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fputc(choice, file) == EOF ||
        fwrite(server.wire, 1, server.wire_length, file) != server.wire_length ||
        fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void finish(void)
{
    static const uint8_t close_notify[] = {1, TLS_ALERT_CLOSE_NOTIFY};

    if (tls_state(&tls) != TLS_OPEN) {
        fprintf(stderr, "not connected: %s\n", tls_failure(&tls));
        exit(1);
    }
    server_send(&server, TLS_ALERT, close_notify, sizeof close_notify);
}

static void say_everything(void)
{
    static const uint8_t ticket[] = {
        TLS_NEW_SESSION_TICKET, 0, 0, 14, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 1, 'T', 0, 0};
    static const uint8_t update[] = {TLS_KEY_UPDATE, 0, 0, 1, 0};
    static const uint8_t update_please[] = {TLS_KEY_UPDATE, 0, 0, 1, 1};
    char data[8];

    server_send(&server, TLS_HANDSHAKE_RECORD, ticket, sizeof ticket);
    server_send(&server, TLS_HANDSHAKE_RECORD, update, sizeof update);
    server_update_keys(&server);
    server_send(&server, TLS_HANDSHAKE_RECORD, update_please, sizeof update_please);
    server_update_keys(&server);
    server_send(&server, TLS_APPLICATION_DATA, "data", 4);
    tls_read(&tls, data, sizeof data);
    server_send(&server, TLS_APPLICATION_DATA, NULL, 0);
}

int main(int argc, char **argv)
{
    const char *folder = argv[1];

    if (argc != 2)
        return 2;
    start(0x1301, TLS_X25519);
    server_handshake(&server);
    say_everything();
    finish();
    write_session(folder, "everything", 4);

    start(0x1302, TLS_SECP384R1);
    server.request_certificate = true;
    server_handshake(&server);
    finish();
    write_session(folder, "secp384r1-aes-256-authenticated", 0);

    start(0x1303, TLS_SECP256R1);
    server.send_retry = true;
    server.request_certificate = true;
    server_handshake(&server);
    finish();
    write_session(folder, "secp256r1-chacha20-cookie-no-certificate", 1);

    start(0x1302, TLS_X25519MLKEM768);
    server.send_retry = true;
    server.cookie_length = 2000;
    server_handshake(&server);
    finish();
    write_session(folder, "x25519mlkem768-aes-256-large-cookie", 4);

    start(0x1301, TLS_X25519);
    server.one_record = true;
    server_handshake(&server);
    finish();
    write_session(folder, "one-record-byte-by-byte", 2);
    write_session(folder, "one-record-closes", 8);

    static const uint8_t fatal[] = {2, TLS_ALERT_CERTIFICATE_REQUIRED};
    start(0x1301, TLS_X25519);
    server_handshake(&server);
    server_send(&server, TLS_ALERT, fatal, sizeof fatal);
    write_session(folder, "refused-after-the-handshake", 4);

    start(0x1301, TLS_X25519);
    server_send(&server, TLS_ALERT, fatal, sizeof fatal);
    write_session(folder, "refused-at-once", 0);
    return 0;
}
