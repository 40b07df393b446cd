/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A client for the peers of tests/tls/peers/run: TLS over TCP and HTTP as the charm uses them.
 *
 *   client [-p SIZE] HOST PORT EXPECTED_CERTIFICATES CERTIFICATE KEY PATH...
 *
 * Requests each PATH over one connection; with -p by POST, with a body of SIZE bytes. CERTIFICATE
 * and KEY are files, or "-" for a client without certificate. Prints what was negotiated and, for
 * each response, its status with length and SHA-256 of the body; why it failed goes to stderr.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/net.h"
#include "lxd/http.h"
#include "lxd/stream.h"
#include "x509/certificate.h"
#include "x509/private_key.h"
#include "x509/server_identity.h"

#define REQUEST_MS 10000

static struct error error;

static void demand(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "%s: %s\n", what, error.text);
    exit(1);
}

static char *read_file(const char *path)
{
    static char text[3][65536];
    static size_t next;
    FILE *file = fopen(path, "r");

    snprintf(error.text, sizeof error.text, "cannot be read");
    demand(file != NULL, path);
    char *into = text[next++ % 3];
    into[fread(into, 1, sizeof text[0] - 1, file)] = '\0';
    fclose(file);
    return into;
}

static int check_certificate(void *context, const uint8_t *const der[], const size_t length[],
                             size_t count)
{
    const struct server_chain chain = {der, length, count};
    char remark[SERVER_IDENTITY_REMARK_SIZE];

    return server_identity_check(context, &chain, "127.0.0.1", time(NULL), remark, &error) != 0
               ? TLS_ALERT_CERTIFICATE_UNKNOWN
               : 0;
}

static void load_client(struct tls_configuration *configuration, const char *certificate_file,
                        const char *key_file)
{
    static struct certificate certificate;
    static struct private_key key;

    if (strcmp(certificate_file, "-") == 0)
        return;
    demand(certificate_from_pem(&certificate, read_file(certificate_file), &error) == 0,
           certificate_file);
    demand(private_key_from_pem(&key, read_file(key_file), &error) == 0, key_file);
    configuration->certificate = certificate.der;
    configuration->certificate_length = certificate.length;
    configuration->ec_key = key.type == BR_KEYTYPE_EC ? &key.ec : NULL;
    configuration->rsa_key = key.type == BR_KEYTYPE_RSA ? &key.rsa : NULL;
}

static void print_negotiated(const struct tls *tls)
{
    printf("suite=%04x group=%u retry=%u cookie=%zu asked=%d scheme=%04x\n", tls->suite->id,
           tls->group, tls->retry_group, tls->cookie_length, tls->certificate_requested,
           tls->signature_scheme);
}

static void print_response(const struct http_response *response)
{
    br_sha256_context hash;
    uint8_t digest[br_sha256_SIZE];
    char hex[2 * sizeof digest + 1];

    br_sha256_init(&hash);
    br_sha256_update(&hash, response->body.data, response->body.length);
    br_sha256_out(&hash, digest);
    bytes_to_hex(hex, digest, sizeof digest);
    printf("%d %zu %s\n", response->status, response->body.length, hex);
}

static void request(struct http_connection *connection, const struct endpoint *endpoint,
                    const char *path, const char *body)
{
    int64_t deadline = net_clock_ms() + REQUEST_MS;
    struct http_response response;
    struct buffer text = {0};

    http_compose(&text, endpoint->host, body != NULL ? "POST" : "GET", path, body);
    demand(http_send(connection, &text, deadline, &error) == 0, path);
    demand(http_receive(connection, deadline, deadline, NULL, &response, &error) == 0, path);
    print_response(&response);
    buffer_free(&response.body);
    buffer_free(&text);
}

int main(int argc, char **argv)
{
    static struct stream stream;
    static struct server_identity server;
    static char data[(1 << 20) + 1];
    struct tls_configuration configuration = {.check_certificate = check_certificate,
                                              .check_context = &server};
    struct endpoint endpoint = {0};
    size_t length = 0;

    if (argc > 2 && strcmp(argv[1], "-p") == 0) {
        length = strtoul(argv[2], NULL, 10);
        argv += 2;
        argc -= 2;
    }
    if (argc < 7 || length >= sizeof data)
        return 2;
    memset(data, 'x', length);
    snprintf(endpoint.host, sizeof endpoint.host, "%s", argv[1]);
    endpoint.port = (uint16_t)strtoul(argv[2], NULL, 10);
    demand(server_identity_parse(&server, read_file(argv[3]), &error) == 0, argv[3]);
    load_client(&configuration, argv[4], argv[5]);

    stream_start(&stream, &endpoint, &configuration, net_clock_ms() + STREAM_OPEN_MS);
    stream_open((struct stream *[]){&stream}, 1);
    error = stream.error;
    demand(stream.fd >= 0, "handshake");
    print_negotiated(&stream.tls);
    struct http_connection connection = {.stream = stream_http(&stream)};
    for (char **path = argv + 6; *path != NULL; path++)
        request(&connection, &endpoint, *path, length != 0 ? data : NULL);
    http_connection_free(&connection);
    stream_close(&stream);
    return 0;
}
