/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/internal.h"

static size_t open_extension(struct tls *tls, struct writer *writer, enum tls_extension type)
{
    tls->offered |= UINT64_C(1) << type;
    writer_number(writer, 2, type);
    return writer_open(writer, 2);
}

/* RFC 6066 3 */
static void write_server_name(struct tls *tls, struct writer *writer)
{
    const char *name = tls->configuration.server_name;
    size_t extension = open_extension(tls, writer, TLS_EXTENSION_SERVER_NAME);
    size_t list = writer_open(writer, 2);

    writer_number(writer, 1, 0); /* host_name */
    size_t host = writer_open(writer, 2);
    writer_bytes(writer, name, strlen(name));
    writer_close(writer, host, 2);
    writer_close(writer, list, 2);
    writer_close(writer, extension, 2);
}

/* RFC 9846 4.3.7 */
static void write_supported_groups(struct tls *tls, struct writer *writer)
{
    size_t extension = open_extension(tls, writer, TLS_EXTENSION_SUPPORTED_GROUPS);
    size_t list = writer_open(writer, 2);

    tls_groups_offer(&tls->configuration, writer);
    writer_close(writer, list, 2);
    writer_close(writer, extension, 2);
}

static void write_signature_algorithms(struct tls *tls, struct writer *writer)
{
    size_t extension = open_extension(tls, writer, TLS_EXTENSION_SIGNATURE_ALGORITHMS);
    size_t list = writer_open(writer, 2);

    tls_signature_offer(writer);
    writer_close(writer, list, 2);
    writer_close(writer, extension, 2);
}

static void write_supported_versions(struct tls *tls, struct writer *writer)
{
    size_t extension = open_extension(tls, writer, TLS_EXTENSION_SUPPORTED_VERSIONS);
    size_t list = writer_open(writer, 1);

    writer_number(writer, 2, 0x0304);
    writer_close(writer, list, 1);
    writer_close(writer, extension, 2);
}

static void write_cookie(struct tls *tls, struct writer *writer)
{
    size_t extension = open_extension(tls, writer, TLS_EXTENSION_COOKIE);
    size_t cookie = writer_open(writer, 2);

    writer_bytes(writer, tls->cookie, tls->cookie_length);
    writer_close(writer, cookie, 2);
    writer_close(writer, extension, 2);
}

/* RFC 9846 4.3.8 */
static void write_key_share(struct tls *tls, struct writer *writer)
{
    size_t extension = open_extension(tls, writer, TLS_EXTENSION_KEY_SHARE);
    size_t list = writer_open(writer, 2);

    tls_key_exchange_write(&tls->exchange, writer);
    writer_close(writer, list, 2);
    writer_close(writer, extension, 2);
}

static void write_cipher_suites(struct writer *writer)
{
    size_t count;
    const struct tls_suite *const *suites = tls_suites(&count);
    size_t list = writer_open(writer, 2);

    for (size_t i = 0; i < count; i++)
        writer_number(writer, 2, suites[i]->id);
    writer_close(writer, list, 2);
}

/* Fresh values for the first hello; the second repeats them, but for the share that was asked for
 * (RFC 9846 4.2.2). */
static void prepare(struct tls *tls)
{
    const struct tls_configuration *configuration = &tls->configuration;
    bool first = tls->expectation == TLS_WAIT_SERVER_HELLO;

    if (first) {
        configuration->random(configuration->random_context, tls->random, sizeof tls->random);
        configuration->random(configuration->random_context, tls->session_id,
                              sizeof tls->session_id);
        tls->session_id_length = sizeof tls->session_id;
    }
    if (first || tls->retry_group != 0)
        tls_key_exchange_start(&tls->exchange,
                               first ? tls_group_first(configuration) : tls->retry_group,
                               configuration->random, configuration->random_context);
}

void tls_client_hello(struct tls *tls, struct writer *writer)
{
    prepare(tls);
    writer_number(writer, 1, TLS_CLIENT_HELLO);
    size_t message = writer_open(writer, 3);
    writer_number(writer, 2, 0x0303);
    writer_bytes(writer, tls->random, sizeof tls->random);
    size_t session_id = writer_open(writer, 1);
    writer_bytes(writer, tls->session_id, tls->session_id_length);
    writer_close(writer, session_id, 1);
    write_cipher_suites(writer);
    writer_number(writer, 2, 0x0100); /* compression: null only */

    size_t extensions = writer_open(writer, 2);
    if (tls->configuration.server_name != NULL)
        write_server_name(tls, writer);
    write_supported_groups(tls, writer);
    write_signature_algorithms(tls, writer);
    write_supported_versions(tls, writer);
    if (tls->cookie_length != 0)
        write_cookie(tls, writer);
    write_key_share(tls, writer);
    writer_close(writer, extensions, 2);
    writer_close(writer, message, 3);
}
