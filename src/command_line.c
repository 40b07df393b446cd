/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/sandbox.h"
#include "charm/credentials.h"
#include "charm/probe.h"
#include "lxd/client.h"
#include "lxd/stream.h"
#include "lxd/token.h"
#include "x509/certificate.h"
#include "x509/pem.h"

#define NAME "lxd-integrator"
#define MAX_FILE (64 * 1024)

/* What this program is made of, a line each: vendor/inventory.sh writes it. Tests do without. */
#ifndef PARTS
#define PARTS ""
#endif

enum { EXIT_WRONG_USE = 2 };

static const char usage[] =
    "Usage: " NAME " probe --endpoint URL --cert FILE --key FILE\n"
    "                            --server-cert FILE [--proxy URL]\n"
    "       " NAME " probe --token FILE [--proxy URL]\n"
    "       " NAME " fingerprint [FILE]\n"
    "       " NAME " --version [--verbose] | --help\n"
    "\n"
    "This program is a Juju charm: Juju starts it for every hook and tells it through\n"
    "the environment what has happened. Started by hand it can\n"
    "\n"
    "  probe         log in to an LXD server, and say step by step what it answers;\n"
    "                or, with --token, say whether the server that made a trust token\n"
    "                is reached. Changes nothing, and does not use the token\n"
    "  fingerprint   print LXD's fingerprint of a certificate, out of what a tool has\n"
    "                printed: PEM, \"lxc info\", \"lxc query /1.0\", \"openssl x509\",\n"
    "                \"openssl s_client\", a fingerprint, a trust token; or DER\n"
    "  --version     with --verbose also what is inside, and the compiler\n"
    "\n"
    "  FILE          \"-\", and for fingerprint none, is standard input\n"
    "  --server-cert FILE may also hold the certificate's fingerprint\n"
    "  --proxy URL   for probe: through http://[USER:PASSWORD@]HOST:PORT, else\n"
    "                through the HTTP proxy of JUJU_CHARM_HTTPS_PROXY, if any\n"
    "\n"
    "Exit status: 0, 1 where what was asked for failed, 2 for wrong use.\n";

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

    return outcome == FILE_FINE ? 0 : -1;
}

static bool has_nul(struct buffer *content)
{
    return memchr(buffer_string(content), '\0', content->length) != NULL;
}

/* ---- fingerprint ---- */

/* JSON has line ends as \n: blanks in PEM. */
static void unescape_line_ends(char *text)
{
    while ((text = strchr(text, '\\')) != NULL) {
        if (text[1] == 'n')
            memcpy(text, "\n\n", 2);
        text++;
    }
}

/* Of the certificate that the text is about, where that is no PEM. */
static bool read_other_form(char fingerprint[65], const char *text)
{
    struct token token;
    struct error ignored;

    if (certificate_read_fingerprint(fingerprint, text))
        return true;
    if (token_parse(&token, text, &ignored) != 0)
        return false;
    memcpy(fingerprint, token.fingerprint, sizeof token.fingerprint);
    token_wipe(&token);
    return true;
}

static int find_fingerprint(char fingerprint[65], struct buffer *content, struct error *error)
{
    const char *text = buffer_string(content), *cursor = text;
    struct certificate certificate;
    struct pem_block block;
    bool is_text = !has_nul(content);

    if (is_text && content->length != 0)
        unescape_line_ends(content->data);
    int found = pem_next(&cursor, &block, error);
    pem_block_free(&block);
    if (found == 0 && read_other_form(fingerprint, text))
        return 0;
    if ((is_text ? certificate_from_pem(&certificate, text, error)
                 : certificate_from_der(&certificate, (const uint8_t *)content->data,
                                        content->length, error)) != 0)
        return -1;
    memcpy(fingerprint, certificate.fingerprint, sizeof certificate.fingerprint);
    certificate_free(&certificate);
    return 0;
}

/* The file may turn out to be a key's. */
static int print_fingerprint(const char *name, struct error *error)
{
    char fingerprint[65];
    struct buffer content = {0};
    int result = read_text(name, &content, error);

    if (result == 0) {
        result = find_fingerprint(fingerprint, &content, error);
        if (result == 0)
            puts(fingerprint);
        else
            error_prefix(error, "%s", strcmp(name, "-") == 0 ? "standard input" : name);
    }
    buffer_wipe(&content);
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

static const char *const credential_options[CREDENTIAL_PARTS] = {"--endpoint", "--cert", "--key",
                                                                 "--server-cert"};

/* What probe was given; NULL where it was not. */
struct probe_arguments {
    const char *credentials[CREDENTIAL_PARTS];
    const char *token, *proxy;
};

static const char **find_option(struct probe_arguments *arguments, const char *name)
{
    for (int i = 0; i < CREDENTIAL_PARTS; i++) {
        if (strcmp(name, credential_options[i]) == 0)
            return &arguments->credentials[i];
    }
    if (strcmp(name, "--token") == 0)
        return &arguments->token;
    return strcmp(name, "--proxy") == 0 ? &arguments->proxy : NULL;
}

/* 0, or EXIT_WRONG_USE after telling what is wrong. */
static int parse_probe(char *argv[], struct probe_arguments *arguments)
{
    for (int i = 1; argv[i] != NULL; i += 2) {
        const char **value = find_option(arguments, argv[i]);

        if (value == NULL)
            return wrong_use("probe does not know what to do with \"%s\"", argv[i]);
        if (argv[i + 1] == NULL)
            return wrong_use("%s needs a value", argv[i]);
        *value = argv[i + 1];
    }
    for (int part = 0; part < CREDENTIAL_PARTS; part++) {
        bool given = arguments->credentials[part] != NULL;

        if (given && arguments->token != NULL)
            return wrong_use("a token stands alone: --token and %s do not go together",
                             credential_options[part]);
        if (!given && arguments->token == NULL)
            return wrong_use("probe needs %s%s", credential_options[part],
                             part == CREDENTIAL_ENDPOINT ? ", or --token" : "");
    }
    return 0;
}

static int read_credentials(struct credentials *credentials,
                            const char *const values[CREDENTIAL_PARTS], struct error *error)
{
    struct buffer files[CREDENTIAL_PARTS] = {{0}};
    const char *texts[CREDENTIAL_PARTS] = {values[CREDENTIAL_ENDPOINT]};
    int result = 0;

    for (int i = CREDENTIAL_CERTIFICATE; i < CREDENTIAL_PARTS && values[i] != NULL && result == 0;
         i++) {
        result = read_text(values[i], &files[i], error);
        texts[i] = buffer_string(&files[i]);
        if (result == 0 && has_nul(&files[i]))
            result =
                error_set(error, ERROR_INPUT, "%s: holds a NUL byte, so it is no PEM", values[i]);
    }
    if (result == 0)
        result = credentials_parse(credentials, credential_options, texts, error);
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

static void read_network_configuration(const char *proxy)
{
    struct strings warnings = {0};

    net_read_configuration(NET_RESOLV_CONF, NET_HOSTS, &warnings);
    if (proxy != NULL)
        stream_use_proxy(proxy, NULL);
    else
        stream_use_proxy(getenv("JUJU_CHARM_HTTPS_PROXY"), getenv("JUJU_CHARM_NO_PROXY"));
    for (size_t i = 0; i < warnings.count; i++)
        fprintf(stderr, NAME ": %s\n", warnings.items[i]);
    strings_free(&warnings);
}

static int probe_with_credentials(const struct probe_arguments *arguments)
{
    struct credentials credentials;
    struct error error;

    if (read_credentials(&credentials, arguments->credentials, &error) != 0)
        return failed(&error);
    read_network_configuration(arguments->proxy);
    sandbox_enter(SANDBOX_CLOSED); /* every file is read */
    int status = probe_all(&credentials);
    credentials_wipe(&credentials);
    return status;
}

/* ---- probe --token ---- */

static int read_token(struct token *token, const char *name, struct error *error)
{
    struct buffer text = {0};
    int result = read_text(name, &text, error);

    if (result == 0 && token_parse(token, buffer_string(&text), error) != 0)
        result = error_prefix(error, "%s", strcmp(name, "-") == 0 ? "standard input" : name);
    buffer_wipe(&text);
    return result;
}

/* As a stranger, who has no certificate. */
static int probe_address(const struct token *token, const struct endpoint *endpoint,
                         const struct server_identity *identity, struct error *error)
{
    const struct certificate nobody = {0};
    const struct private_key no_key = {0};
    const struct lxd_credentials credentials = {&nobody, &no_key, identity};
    struct lxd_client *client;
    struct lxd_server server;
    struct endpoint peer;

    printf("%-12s %s\n", "endpoint:", endpoint->url);
    if (lxd_open(&client, endpoint, &credentials, net_clock_ms() + LXD_REQUEST_MS, error) != 0)
        return -1;
    if (lxd_peer(client, &peer))
        printf("%-12s %s\n", "address:", peer.host);
    printf("%-12s %s, as the token has it\n", "certificate:", lxd_presented(client)->fingerprint);
    lxd_ask_server(client);
    int result = lxd_answer_server(client, &server, error);
    if (result == 0) {
        const char *software = server.software == LXD_INCUS ? "Incus" : "LXD";

        if (token->kind == LXD_TOKEN_IDENTITY && !server.has_identities)
            result = error_set(error, ERROR_INPUT, "%s at %s knows no fine-grained identities",
                               software, endpoint->url);
        else
            printf("%-12s %s answers; whether it still takes the token is not tried\n",
                   "token:", software);
        lxd_server_free(&server);
    }
    lxd_close(client);
    return result;
}

/* One address that leads to the server is enough. */
static int probe_addresses(const struct token *token, const struct server_identity *identity)
{
    int status = EXIT_FAILURE;
    struct error error;

    for (size_t i = 0; i < token->addresses.count; i++) {
        if (probe_address(token, &token->addresses.items[i], identity, &error) == 0)
            status = EXIT_SUCCESS;
        else
            printf("%-12s %s\n", "problem:", error.text);
        fflush(stdout);
    }
    if (status != EXIT_SUCCESS)
        error_set(&error, ERROR_INPUT, "no address in the token leads to the LXD that made it");
    return status == EXIT_SUCCESS ? status : failed(&error);
}

static int probe_token(const struct probe_arguments *arguments)
{
    struct server_identity identity;
    struct token token;
    struct error error;
    char date[CERTIFICATE_DATE_SIZE] = "it is used";
    int status = EXIT_FAILURE;

    if (read_token(&token, arguments->token, &error) != 0)
        return failed(&error);
    read_network_configuration(arguments->proxy);
    sandbox_enter(SANDBOX_CLOSED);
    if (token.expires != 0)
        certificate_date(date, token.expires);
    printf("%-12s \"%s\", of \"%s\", good until %s\n", "token:", token.name,
           token.kind == LXD_TOKEN_IDENTITY ? "lxc auth identity create" : "lxc config trust add",
           date);
    if (token.expires != 0 && token.expires < time(NULL)) {
        error_set(&error, ERROR_INPUT, "the token has expired");
        status = failed(&error);
    } else if (server_identity_parse(&identity, token.fingerprint, &error) == 0) {
        status = probe_addresses(&token, &identity);
        server_identity_free(&identity);
    }
    token_wipe(&token);
    return status;
}

static int run_probe(int argc, char *argv[])
{
    struct probe_arguments arguments = {0};

    (void)argc;
    if (parse_probe(argv, &arguments) != 0)
        return EXIT_WRONG_USE;
    return arguments.token != NULL ? probe_token(&arguments) : probe_with_credentials(&arguments);
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
