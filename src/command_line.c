/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/net.h"
#include "base/sandbox.h"
#include "charm/credentials.h"
#include "lxd/client.h"
#include "lxd/stream.h"
#include "x509/certificate.h"

#define NAME "lxd-integrator"
#define MAX_FILE (64 * 1024)
#define PROBE_TIME_MS (60 * 1000)

/* What this program is made of, a line each: vendor/inventory.sh writes it. Tests do without. */
#ifndef PARTS
#define PARTS ""
#endif

enum { EXIT_WRONG_USE = 2 };

static const char usage[] =
    "Usage: " NAME " --version [--verbose]\n"
    "       " NAME " --help\n"
    "       " NAME " fingerprint [FILE]\n"
    "       " NAME " probe --endpoint URL --cert FILE --key FILE --server-cert FILE\n"
    "\n"
    "This program is a Juju charm: Juju starts it for every hook and tells it through the\n"
    "environment what has happened. Started by hand it can\n"
    "\n"
    "  --version    print the version; with --verbose also what else is inside, and the compiler\n"
    "  fingerprint  print LXD's fingerprint of a PEM certificate, read from FILE or, where\n"
    "               FILE is absent or \"-\", from standard input\n"
    "  probe        log in to an LXD server and say what it answers. Nothing is changed there\n";

__attribute__((format(printf, 1, 2))) static int wrong_use(const char *format, ...)
{
    va_list arguments;

    fputs(NAME ": ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("; try " NAME " --help\n", stderr);
    return EXIT_WRONG_USE;
}

static int failed(const struct error *error)
{
    fprintf(stderr, NAME ": %s\n", error->text);
    return EXIT_FAILURE;
}

static int read_all(int fd, struct buffer *content, const char *name, struct error *error)
{
    for (;;) {
        buffer_reserve(content, 4096);
        ssize_t got = read(fd, content->data + content->length, 4096);
        if (got == 0)
            break;
        if (got < 0)
            return error_set(error, ERROR_INPUT, "%s: %s", name, strerror(errno));
        content->length += (size_t)got;
        content->data[content->length] = '\0';
        if (content->length > MAX_FILE)
            return error_set(error, ERROR_INPUT, "%s: longer than %d KiB", name, MAX_FILE / 1024);
    }
    if (memchr(buffer_string(content), '\0', content->length) != NULL)
        return error_set(error, ERROR_INPUT, "%s: holds a NUL byte, so it is no PEM", name);
    return 0;
}

/* The content is text; the caller wipes it. */
static int read_file(const char *name, struct buffer *content, struct error *error)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(error, ERROR_INPUT, "%s: %s", name, strerror(errno));
    int result = read_all(fd, content, name, error);
    close(fd);
    return result;
}

/* The file may turn out to be a key's. */
static int print_fingerprint(const char *name, struct error *error)
{
    bool is_standard_input = strcmp(name, "-") == 0;
    const char *what = is_standard_input ? "standard input" : name;
    struct certificate certificate;
    struct buffer text = {0};

    int result = is_standard_input ? read_all(STDIN_FILENO, &text, what, error)
                                   : read_file(name, &text, error);
    if (result == 0) {
        result = certificate_from_pem(&certificate, buffer_string(&text), error);
        if (result == 0) {
            puts(certificate.fingerprint);
            certificate_free(&certificate);
        } else {
            error_prefix(error, "%s", what);
        }
    }
    buffer_wipe(&text);
    return result;
}

static int run_fingerprint(int argc, char *argv[])
{
    const char *name = argc > 1 ? argv[1] : "-";
    struct error error;

    if (argc > 2)
        return wrong_use("fingerprint takes one file, not %d", argc - 1);
    if (name[0] == '-' && name[1] != '\0')
        return wrong_use("fingerprint has no option \"%s\"", name);
    return print_fingerprint(name, &error) == 0 ? EXIT_SUCCESS : failed(&error);
}

/* ---- probe ---- */

static const char *const probe_options[CREDENTIAL_PARTS] = {"--endpoint", "--cert", "--key",
                                                            "--server-cert"};

static int find_option(const char *name)
{
    for (int i = 0; i < CREDENTIAL_PARTS; i++) {
        if (strcmp(name, probe_options[i]) == 0)
            return i;
    }
    return -1;
}

/* values[i] becomes the i-th option's argument. False after telling what is wrong. */
static bool parse_probe(char *argv[], const char *values[CREDENTIAL_PARTS])
{
    for (int i = 1; argv[i] != NULL; i += 2) {
        int part = find_option(argv[i]);

        if (part < 0) {
            wrong_use("probe does not know what to do with \"%s\"", argv[i]);
            return false;
        }
        if (argv[i + 1] == NULL) {
            wrong_use("%s needs a value", argv[i]);
            return false;
        }
        values[part] = argv[i + 1];
    }
    for (int part = 0; part < CREDENTIAL_PARTS; part++) {
        if (values[part] == NULL) {
            wrong_use("probe needs %s", probe_options[part]);
            return false;
        }
    }
    return true;
}

static int load_credentials(struct credentials *credentials,
                            const char *const values[CREDENTIAL_PARTS], struct error *error)
{
    struct buffer files[CREDENTIAL_PARTS] = {{0}};
    const char *texts[CREDENTIAL_PARTS] = {values[CREDENTIAL_ENDPOINT]};
    int result = 0;

    for (int i = CREDENTIAL_CERTIFICATE; i < CREDENTIAL_PARTS && result == 0; i++) {
        result = read_file(values[i], &files[i], error);
        texts[i] = buffer_string(&files[i]);
    }
    if (result == 0)
        result = credentials_parse(credentials, probe_options, texts, error);
    for (int i = 0; i < CREDENTIAL_PARTS; i++)
        buffer_wipe(&files[i]);
    return result;
}

static void describe_own_entry(const struct lxd_certificates *store, const char *fingerprint)
{
    for (size_t i = 0; i < store->count; i++) {
        const struct lxd_certificate *entry = &store->items[i];

        if (strcmp(entry->fingerprint, fingerprint) == 0) {
            printf("Our entry:          \"%s\", %s\n", entry->name,
                   entry->projects.restricted
                       ? "restricted to projects: it may not manage the trust store"
                       : "unrestricted");
            return;
        }
    }
    puts("Our entry:          not in the list (a fine-grained identity, or trusted through a CA)");
}

static int describe_trusted(struct lxd_client *client, const struct lxd_server *server,
                            const char *fingerprint, struct error *error)
{
    struct lxd_certificates store = {0};

    printf("Server:             %s, LXD %s, %s\n", server->name, server->version,
           server->clustered ? "member of a cluster" : "standalone");
    if (lxd_list_certificates(client, &store, error) != 0)
        return -1;
    printf("Trust store:        %zu certificate%s\n", store.count, store.count != 1 ? "s" : "");
    describe_own_entry(&store, fingerprint);
    lxd_certificates_free(&store);
    return 0;
}

/* Says step by step what is found, so that the last line tells how far it went. */
static int probe(const struct credentials *credentials, const struct endpoint *endpoint,
                 struct error *error)
{
    struct lxd_credentials ours = {&credentials->certificate, &credentials->key,
                                   &credentials->server};
    const char *fingerprint = credentials->certificate.fingerprint;
    struct lxd_client *client = NULL;
    struct lxd_server server = {0};
    int result = -1;

    printf("Endpoint:           %s\n", endpoint->url);
    if (lxd_open(&client, endpoint, &ours, net_clock_ms() + PROBE_TIME_MS, error) != 0)
        goto out;
    puts("Server certificate: as expected");
    if (lxd_warning(client) != NULL)
        printf("Warning:            %s\n", lxd_warning(client));
    if (lxd_get_server(client, &server, error) != 0)
        goto out;
    printf("Client certificate: %s, %s\n", fingerprint, server.trusted ? "trusted" : "not trusted");
    if (!server.trusted)
        error_set(error, ERROR_UNTRUSTED,
                  "LXD at %s does not trust the client certificate: run \"lxc config trust add\"",
                  endpoint->url);
    else
        result = describe_trusted(client, &server, fingerprint, error);
out:
    lxd_server_free(&server);
    lxd_close(client);
    return result;
}

static int probe_all(const struct credentials *credentials)
{
    int status = EXIT_SUCCESS;

    for (size_t i = 0; i < credentials->endpoints.count; i++) {
        struct error error;

        if (probe(credentials, &credentials->endpoints.items[i], &error) == 0)
            continue;
        fflush(stdout);
        status = failed(&error);
    }
    fflush(stdout);
    return status;
}

static void read_network_configuration(void)
{
    struct strings warnings = {0};

    net_read_configuration(NET_RESOLV_CONF, NET_HOSTS, &warnings);
    stream_use_proxy(getenv("JUJU_CHARM_HTTPS_PROXY"), getenv("JUJU_CHARM_NO_PROXY"));
    for (size_t i = 0; i < warnings.count; i++)
        fprintf(stderr, NAME ": %s\n", warnings.items[i]);
    strings_free(&warnings);
}

static int run_probe(int argc, char *argv[])
{
    const char *values[CREDENTIAL_PARTS] = {NULL};
    struct credentials credentials;
    struct error error;

    (void)argc;
    if (!parse_probe(argv, values))
        return EXIT_WRONG_USE;
    if (load_credentials(&credentials, values, &error) != 0)
        return failed(&error);
    read_network_configuration();
    sandbox_enter(SANDBOX_CLOSED); /* every file is read */
    int status = probe_all(&credentials);
    credentials_wipe(&credentials);
    return status;
}

/* ---- verbs ---- */

static int run_version(int argc, char *argv[])
{
    bool verbose = argc == 2 && strcmp(argv[1], "--verbose") == 0;

    if (argc > 1 && !verbose)
        return wrong_use("%s takes no argument but --verbose", argv[0]);
    puts(NAME " " VERSION);
    if (verbose)
        fputs(PARTS, stdout);
    return EXIT_SUCCESS;
}

static int run_help(int argc, char *argv[])
{
    if (argc > 1)
        return wrong_use("%s takes no argument", argv[0]);
    fputs(usage, stdout);
    return EXIT_SUCCESS;
}

static const struct {
    const char *name;
    int (*run)(int argc, char *argv[]); /* argv[0] is the verb */
} verbs[] = {
    {"--version", run_version},
    {"--help", run_help},
    {"fingerprint", run_fingerprint},
    {"probe", run_probe},
};

int command_line_run(int argc, char *argv[])
{
    if (argc < 2)
        return wrong_use("started outside of a Juju hook, and nothing asked for");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    }
    return wrong_use("unknown command \"%s\"", argv[1]);
}
