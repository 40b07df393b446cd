/* SPDX-License-Identifier: Apache-2.0 */

/*
 * BoGo's shim: connects to the runner's server, shakes hands, sends every byte back inverted.
 * Exit status 0: as expected, 1: the connection failed (why is on stderr), 89: the test wants
 * something that this client refuses to have.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls/engine.h"
#include "x509/pem.h"
#include "x509/private_key.h"

#define EXIT_UNIMPLEMENTED 89
#define READ_SIZE 512 /* less than a record, so that records are read in pieces */

static struct options {
    /* Numbers */
    long port, shim_id;
    long resume_count;
    long max_version;
    long expect_group, expect_scheme, expect_suite_with_aes, expect_suite_without_aes;
    /* Texts */
    const char *certificate_file, *key_file, *host_name;
    /* Switches */
    bool asked_for_handshaker;
    bool byte_by_byte;
    bool verify_fail, verify_fail_later, custom_verify;
    bool writes_first, holds_write, shuts_down, check_close_notify;
    bool sends_alert, updates_keys;
    bool expect_retry;
} options;

/* ---- The command line ---- */

enum flag_kind {
    SWITCH,
    NUMBER,
    TEXT,
    ALWAYS,       /* what it asks for is always so */
    ALWAYS_VALUE, /* the same, with a value */
    REFUSED,
};

static const struct flag {
    const char *name;
    enum flag_kind kind;
    size_t offset; /* in options */
    const char *why;
} flags[] = {
    {"-port", NUMBER, offsetof(struct options, port), NULL},
    {"-shim-id", NUMBER, offsetof(struct options, shim_id), NULL}, /* of newer runners */
    {"-ipv6", ALWAYS, 0, "it is tried first"},
    {"-is-handshaker-supported", SWITCH, offsetof(struct options, asked_for_handshaker), NULL},
    {"-resume-count", NUMBER, offsetof(struct options, resume_count), NULL},
    {"-max-version", NUMBER, offsetof(struct options, max_version), NULL},
    {"-cert-file", TEXT, offsetof(struct options, certificate_file), NULL},
    {"-key-file", TEXT, offsetof(struct options, key_file), NULL},
    {"-host-name", TEXT, offsetof(struct options, host_name), NULL},
    {"-async", SWITCH, offsetof(struct options, byte_by_byte), NULL},
    {"-verify-fail", SWITCH, offsetof(struct options, verify_fail), NULL},
    {"-on-resume-verify-fail", SWITCH, offsetof(struct options, verify_fail_later), NULL},
    {"-use-custom-verify-callback", SWITCH, offsetof(struct options, custom_verify), NULL},
    {"-shim-writes-first", SWITCH, offsetof(struct options, writes_first), NULL},
    {"-read-with-unfinished-write", SWITCH, offsetof(struct options, holds_write), NULL},
    {"-shim-shuts-down", SWITCH, offsetof(struct options, shuts_down), NULL},
    {"-check-close-notify", SWITCH, offsetof(struct options, check_close_notify), NULL},
    {"-send-alert", SWITCH, offsetof(struct options, sends_alert), NULL},
    {"-key-update", SWITCH, offsetof(struct options, updates_keys), NULL},
    {"-expect-peer-signature-algorithm", NUMBER, offsetof(struct options, expect_scheme), NULL},
    {"-expect-curve-id", NUMBER, offsetof(struct options, expect_group), NULL},
    {"-expect-cipher-aes", NUMBER, offsetof(struct options, expect_suite_with_aes), NULL},
    {"-expect-cipher-no-aes", NUMBER, offsetof(struct options, expect_suite_without_aes), NULL},
    {"-expect-hrr", SWITCH, offsetof(struct options, expect_retry), NULL},

    {"-verify-peer", ALWAYS, 0, "every server is verified"},
    {"-expect-verify-result", ALWAYS, 0, "every server is verified"},
    {"-expect-session-miss", ALWAYS, 0, "no session is resumed"},
    {"-reverify-on-resume", ALWAYS, 0, "no session is resumed"},
    {"-implicit-handshake", ALWAYS, 0, "the handshake needs no call of its own"},
    {"-no-op-extra-handshake", ALWAYS, 0, "the handshake needs no call of its own"},
    {"-use-old-client-cert-callback", ALWAYS, 0, "the certificate is set beforehand"},
    {"-renegotiate-freely", ALWAYS, 0, "TLS 1.3 has no renegotiation"},
    {"-expect-secure-renegotiation", ALWAYS, 0, "TLS 1.3 has no renegotiation"},
    {"-expect-extended-master-secret", ALWAYS, 0, "TLS 1.3 has nothing else"},
    {"-no-tls1", ALWAYS, 0, "TLS 1.3 only"},
    {"-no-tls11", ALWAYS, 0, "TLS 1.3 only"},
    {"-no-tls12", ALWAYS, 0, "TLS 1.3 only"},
    {"-require-any-client-certificate", ALWAYS, 0, "a server's flag"},
    {"-expect-no-ech-name-override", ALWAYS, 0, "no Encrypted ClientHello"},
    {"-min-version", ALWAYS_VALUE, 0, "TLS 1.3 only"},
    {"-curves", ALWAYS_VALUE, 0, "all groups are enabled; AllCurves of config.json lists them"},
    {"-verify-prefs", ALWAYS_VALUE, 0, "all algorithms are enabled; the runner uses the given one"},
    {"-signing-prefs", ALWAYS_VALUE, 0, "the runner checks which algorithm was used"},
    {"-expect-peer-verify-pref", ALWAYS_VALUE, 0, "the runner checks which algorithm was used"},
    {"-expect-client-ca-list", ALWAYS_VALUE, 0, "certificate_authorities is parsed and not used"},
    {"-expect-early-data-reason", ALWAYS_VALUE, 0, "0-RTT is never on"},
    {"-trust-cert", ALWAYS_VALUE, 0, "which server is right, each test says by -verify-fail"},
    {"-ocsp-response", ALWAYS_VALUE, 0, "nobody may ask for it"},
    {"-signed-cert-timestamps", ALWAYS_VALUE, 0, "nobody may ask for it"},
    {"-select-next-proto", ALWAYS_VALUE, 0, "TLS 1.3 has no NPN"},

    {"-no-tls13", REFUSED, 0, "TLS 1.2 and older"},
    {"-fallback-scsv", REFUSED, 0, "TLS 1.2 and older"},
    {"-advertise-alpn", REFUSED, 0, "ALPN"},
    {"-application-settings", REFUSED, 0, "ALPN"},
    {"-enable-ocsp-stapling", REFUSED, 0, "OCSP"},
    {"-enable-signed-cert-timestamps", REFUSED, 0, "Certificate Transparency"},
    {"-install-cert-compression-algs", REFUSED, 0, "certificate compression"},
    {"-send-channel-id", REFUSED, 0, "Channel ID"},
    {"-ech-config-list", REFUSED, 0, "Encrypted ClientHello"},
    {"-enable-ech-grease", REFUSED, 0, "Encrypted ClientHello"},
    {"-quic-transport-params", REFUSED, 0, "QUIC"},
    {"-srtp-profiles", REFUSED, 0, "SRTP"},
    {"-enable-early-data", REFUSED, 0, "0-RTT"},
    {"-expect-ticket-supports-early-data", REFUSED, 0, "0-RTT"},
    {"-resumption-delay", REFUSED, 0, "resumption"},
    {"-psk", REFUSED, 0, "pre-shared keys"},
    {"-cipher", REFUSED, 0, "another choice of cipher suites"},
    {"-export-keying-material", REFUSED, 0, "exporters"},
    {"-export-traffic-secrets", REFUSED, 0, "exporters"},
    {"-tls-unique", REFUSED, 0, "exporters"},
    {"-peek-then-read", REFUSED, 0, "reading without taking"},
    {"-fail-cert-callback", REFUSED, 0, "a callback for the client certificate"},
    {"-enable-grease", REFUSED, 0, "GREASE"},
    {"-permute-extensions", REFUSED, 0, "extensions in random order"},
    {"-max-cert-list", REFUSED, 0, "another limit of message size"},
    {"-fips-202205", REFUSED, 0, "policies of suites and groups"},
    {"-wpa-202304", REFUSED, 0, "policies of suites and groups"},
    {"-enforce-rsa-key-usage", REFUSED, 0, "key usage: a server is known by its certificate"},
    {"-expect-msg-callback", REFUSED, 0, "a log of messages"},
};

static void refuse(const char *flag, const char *why)
{
    fprintf(stderr, "%s: not here: %s\n", flag, why);
    exit(EXIT_UNIMPLEMENTED);
}

static const struct flag *find_flag(const char *name)
{
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strcmp(flags[i].name, name) == 0)
            return &flags[i];
    }
    fprintf(stderr, "unknown flag %s\n", name);
    exit(1);
}

static void parse_flags(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const struct flag *flag = find_flag(argv[i]);
        char *field = (char *)&options + flag->offset;
        if (flag->kind == REFUSED)
            refuse(flag->name, flag->why);
        if (flag->kind == SWITCH)
            *(bool *)field = true;
        if (flag->kind == SWITCH || flag->kind == ALWAYS)
            continue;
        if (++i == argc) {
            fprintf(stderr, "%s needs a value\n", flag->name);
            exit(1);
        }
        if (flag->kind == NUMBER)
            *(long *)field = strtol(argv[i], NULL, 10);
        if (flag->kind == TEXT)
            *(const char **)field = argv[i];
    }
    if (options.max_version != 0 && options.max_version < 0x0304)
        refuse("-max-version", "TLS 1.2 and older");
}

/* ---- Which signature scheme the server used: the engine keeps no note of it ---- */

static bool scheme_is_acceptable(uint16_t scheme);
#define tls_signature_acceptable scheme_is_acceptable
#include "tls/signature.c"
#undef tls_signature_acceptable

static uint16_t server_scheme;

bool tls_signature_acceptable(uint16_t scheme)
{
    server_scheme = scheme;
    return scheme_is_acceptable(scheme);
}

/* ---- Configuration ---- */

static unsigned certificates_checked;

static int check_certificate(void *context, const uint8_t *const der[], const size_t length[],
                             size_t count)
{
    (void)context;
    (void)der;
    (void)length;
    (void)count;
    certificates_checked++;
    if (!options.verify_fail)
        return 0;
    return options.custom_verify ? TLS_ALERT_CERTIFICATE_UNKNOWN : TLS_ALERT_HANDSHAKE_FAILURE;
}

static void fill_random(void *context, void *data, size_t length)
{
    (void)context;
    if (getrandom(data, length, 0) != (ssize_t)length)
        abort();
}

static char *read_file(const char *path)
{
    static char text[2][65536];
    static size_t next;
    FILE *file = fopen(path, "r");

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    char *into = text[next++ % 2];
    into[fread(into, 1, sizeof text[0] - 1, file)] = '\0';
    fclose(file);
    return into;
}

static void load_certificate(struct tls_configuration *configuration)
{
    static struct pem_block block;
    static struct private_key key;
    struct error error = {0};
    const char *text;

    if (options.certificate_file == NULL)
        return;
    text = read_file(options.certificate_file);
    if (pem_next(&text, &block, &error) != 1 ||
        private_key_from_pem(&key, read_file(options.key_file), &error) != 0) {
        fprintf(stderr, "%s or %s: %s\n", options.certificate_file, options.key_file, error.text);
        exit(1);
    }
    configuration->certificate = block.der;
    configuration->certificate_length = block.length;
    if (key.type == BR_KEYTYPE_EC)
        configuration->ec_key = &key.ec;
    else
        configuration->rsa_key = &key.rsa;
}

/* ---- A connection ---- */

struct connection {
    struct tls tls;
    int fd;
    bool holding; /* output is held back */
};

static void send_some(struct connection *connection, size_t most)
{
    size_t length;
    const uint8_t *data = tls_output(&connection->tls, &length);

    if (length == 0)
        return;
    ssize_t sent = send(connection->fd, data, length < most ? length : most, MSG_NOSIGNAL);
    /* The runner may have closed; what it sent before is still to be read. */
    tls_output_done(&connection->tls, sent < 0 ? length : (size_t)sent);
}

/* Returns whether there was anything. */
static bool send_all(struct connection *connection)
{
    size_t length;
    bool any = false;

    while (!connection->holding && (tls_output(&connection->tls, &length), length != 0)) {
        send_some(connection, SIZE_MAX);
        any = true;
    }
    return any;
}

static void receive_some(struct connection *connection)
{
    size_t room;
    uint8_t *input = tls_input(&connection->tls, &room);
    ssize_t length = recv(connection->fd, input, options.byte_by_byte ? 1 : room, 0);

    if (length > 0)
        tls_input_done(&connection->tls, (size_t)length);
    else
        tls_input_end(&connection->tls);
}

static void write_all(struct connection *connection, const uint8_t *data, size_t length)
{
    while (length != 0 && tls_state(&connection->tls) == TLS_OPEN) {
        size_t taken = tls_write(&connection->tls, data, length);
        data += taken;
        length -= taken;
        if (taken == 0 && !send_all(connection))
            return; /* closed on our side: it takes no more */
    }
}

static void write_greeting(struct connection *connection)
{
    if (!options.writes_first && !options.holds_write)
        return;
    write_all(connection, (const uint8_t *)"hello", 5);
    if (options.holds_write)
        send_some(connection, 1);
    connection->holding = options.holds_write;
}

/* Send back what came, inverted. Returns false where there is nothing now. */
static bool echo(struct connection *connection)
{
    uint8_t data[READ_SIZE];
    size_t length = tls_read(&connection->tls, data, sizeof data);

    for (size_t i = 0; i < length; i++)
        data[i] ^= 0xff;
    if (length != 0) {
        connection->holding = false;
        if (options.updates_keys)
            connection->tls.key_update_owed = true;
        write_all(connection, data, length);
    }
    return length != 0;
}

static void serve(struct connection *connection)
{
    while (tls_state(&connection->tls) == TLS_OPEN) {
        if (!echo(connection)) {
            send_all(connection);
            receive_some(connection);
        }
    }
}

static int report(const struct connection *connection)
{
    const struct tls *tls = &connection->tls;
    static const char *const verbs[] = {
        [TLS_ORIGIN_NONE] = "stopped with",
        [TLS_ORIGIN_US] = "sent",
        [TLS_ORIGIN_PEER] = "received",
        [TLS_ORIGIN_ANYBODY] = "received",
        [TLS_ORIGIN_CERTIFICATE] = "sent, for its certificate,",
        [TLS_ORIGIN_TRUNCATION] = "truncation, no",
    };

    fprintf(stderr, "%s %s: the server %s\n", verbs[tls_origin(tls)],
            tls_alert_name(tls_alert(tls)), tls_failure(tls));
    return -1;
}

static int expect(const char *what, long expected, long actual)
{
    if (expected == 0 || expected == actual)
        return 0;
    fprintf(stderr, "%s is %ld, not %ld\n", what, actual, expected);
    return -1;
}

static int check_expectations(const struct connection *connection)
{
    const struct tls *tls = &connection->tls;
    size_t count;
    bool has_aes = (*tls_suites(&count))->is_aes;

    if (certificates_checked != 1) {
        fprintf(stderr, "the certificate was checked %u times\n", certificates_checked);
        return -1;
    }
    if (expect("the group", options.expect_group, tls->group) != 0 ||
        expect("the signature scheme", options.expect_scheme, server_scheme) != 0 ||
        expect("the suite",
               has_aes ? options.expect_suite_with_aes : options.expect_suite_without_aes,
               tls->suite->id) != 0 ||
        expect("HelloRetryRequest", options.expect_retry,
               tls->retry_group != 0 || tls->cookie_length != 0) != 0)
        return -1;
    return 0;
}

static int shake_hands(struct connection *connection, const struct tls_configuration *configuration)
{
    certificates_checked = 0;
    tls_start(&connection->tls, configuration);
    while (tls_state(&connection->tls) == TLS_HANDSHAKE) {
        send_all(connection);
        receive_some(connection);
    }
    send_all(connection);
    if (tls_state(&connection->tls) == TLS_FAILED)
        return report(connection);
    return check_expectations(connection);
}

static int close_down(struct connection *connection)
{
    tls_close(&connection->tls);
    send_all(connection);
    if (options.shuts_down && options.check_close_notify)
        serve(connection); /* nothing goes out any more */
    return tls_state(&connection->tls) == TLS_FAILED ? report(connection) : 0;
}

static int exchange(struct connection *connection, const struct tls_configuration *configuration)
{
    if (shake_hands(connection, configuration) != 0)
        return -1;
    if (options.sends_alert) {
        tls_fail(&connection->tls, (enum tls_alert)30, "is told so"); /* decompression_failure */
        send_all(connection);
        return 0;
    }
    write_greeting(connection);
    send_all(connection);
    if (!options.shuts_down)
        serve(connection);
    if (tls_state(&connection->tls) == TLS_FAILED) {
        send_all(connection);
        return report(connection);
    }
    return close_down(connection);
}

static int connect_to_runner(void)
{
    const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                                    .sin6_port = htons((uint16_t)options.port),
                                    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const struct sockaddr_in v4 = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)options.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&v6, sizeof v6) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&v4, sizeof v4) == 0)
        return fd;
    perror("connect");
    exit(1);
}

/* Newer runners have one port for all shims, and want to know which this is. */
static void introduce(int fd)
{
    uint8_t id[8];

    for (size_t i = 0; i < sizeof id; i++)
        id[i] = (uint8_t)((uint64_t)options.shim_id >> 8 * i);
    if (options.shim_id >= 0 && send(fd, id, sizeof id, MSG_NOSIGNAL) != sizeof id)
        exit(1);
}

/* Closing with bytes unread would reset the connection, and the alert may be lost on its way. */
static void hang_up(int fd)
{
    char dropped[4096];

    shutdown(fd, SHUT_WR);
    while (recv(fd, dropped, sizeof dropped, 0) > 0)
        ;
    close(fd);
}

int main(int argc, char **argv)
{
    static struct connection connection;
    struct tls_configuration configuration = {.check_certificate = check_certificate,
                                              .random = fill_random};
    int result = 0;

    options.shim_id = -1;
    parse_flags(argc, argv);
    if (options.asked_for_handshaker) {
        puts("No");
        return 0;
    }
    configuration.server_name = options.host_name;
    load_certificate(&configuration);
    for (long i = 0; i <= options.resume_count && result == 0; i++) {
        connection.fd = connect_to_runner();
        introduce(connection.fd);
        connection.holding = false;
        options.verify_fail |= i > 0 && options.verify_fail_later;
        result = exchange(&connection, &configuration);
        hang_up(connection.fd);
        tls_wipe(&connection.tls);
    }
    return result == 0 ? 0 : 1;
}
