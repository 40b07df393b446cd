/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/sandbox.h"
#include "charm/credentials.h"
#include "charm/probe.h"
#include "lxd/stream.h"
#include "x509/certificate.h"

#define NAME "lxd-integrator"
#define MAX_FILE (64 * 1024)

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

/* The text of a file, or of standard input for "-"; the caller wipes it. */
static int read_text(const char *name, struct buffer *content, struct error *error)
{
    bool is_standard_input = strcmp(name, "-") == 0;
    const char *what = is_standard_input ? "standard input" : name;
    enum file_outcome outcome = is_standard_input
                                    ? file_read_open(content, STDIN_FILENO, what, MAX_FILE, error)
                                    : file_read(content, name, FILE_OF_USER, MAX_FILE, error);

    if (outcome != FILE_FINE)
        return -1;
    if (memchr(buffer_string(content), '\0', content->length) != NULL)
        return error_set(error, ERROR_INPUT, "%s: holds a NUL byte, so it is no PEM", what);
    return 0;
}

/* The file may turn out to be a key's. */
static int print_fingerprint(const char *name, struct error *error)
{
    struct certificate certificate;
    struct buffer text = {0};
    int result = read_text(name, &text, error);

    if (result == 0) {
        result = certificate_from_pem(&certificate, buffer_string(&text), error);
        if (result == 0) {
            puts(certificate.fingerprint);
            certificate_free(&certificate);
        } else {
            error_prefix(error, "%s", strcmp(name, "-") == 0 ? "standard input" : name);
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
        result = read_text(values[i], &files[i], error);
        texts[i] = buffer_string(&files[i]);
    }
    if (result == 0)
        result = credentials_parse(credentials, probe_options, texts, error);
    for (int i = 0; i < CREDENTIAL_PARTS; i++)
        buffer_wipe(&files[i]);
    return result;
}

/* Says step by step what is found, so that the last line tells how far it went. */
static int probe_all(const struct credentials *credentials)
{
    const struct strings nothing = {0};
    struct owner owner;
    struct interest interest = {
        .owner = &owner,
        .wanted = &nothing,
        .remedies = {lxd_trust_remedy(LXD_LXD), lxd_trust_remedy(LXD_INCUS)}};
    int status = EXIT_SUCCESS;

    owner_make(&owner, "", "", credentials->certificate.fingerprint);
    for (size_t i = 0; i < credentials->endpoints.count; i++) {
        const struct endpoint *endpoint = &credentials->endpoints.items[i];
        struct probe probe;

        printf("%-12s %s\n", "endpoint:", endpoint->url);
        probe_run(&probe, endpoint, credentials, &interest);
        for (size_t j = 0; j < probe.count; j++) {
            char *label = mem_printf("%s:", probe.steps[j].name);

            printf("%-12s %s\n", label, probe.steps[j].text);
            free(label);
        }
        fflush(stdout);
        if (probe.trouble.kind != 0)
            status = failed(&probe.trouble);
        probe_free(&probe);
    }
    owner_free(&owner);
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
