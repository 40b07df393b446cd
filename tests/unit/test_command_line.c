/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/sandbox.h"
#include "command_line.h"
#include "x509_files.h"

#define FILE_OF(name) VECTORS_DIR "/x509/" name
#define MAX_ARGUMENTS 12

/* In the place of the real one, which this process would not get out of again. */
const char *sandbox_enter(enum sandbox_kind kind)
{
    assert_int_equal(kind, SANDBOX_CLOSED);
    return NULL;
}

/* What a run said. */
struct outcome {
    int status;
    char output[4096];
    char message[4096];
};

static void replay(FILE *file, char *text, size_t size)
{
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

/* Run with these arguments (NULL ends them), standard input from a file. */
static void run(struct outcome *outcome, const char *input, ...)
{
    FILE *captured[2] = {tmpfile(), tmpfile()};
    char *arguments[MAX_ARGUMENTS + 1] = {(char *)"lxd-integrator"};
    int saved[3] = {dup(0), dup(1), dup(2)}, count = 1;
    int source = open(input, O_RDONLY | O_CLOEXEC);
    va_list list;

    va_start(list, input);
    while (count < MAX_ARGUMENTS && (arguments[count] = va_arg(list, char *)) != NULL)
        count++;
    va_end(list);

    fflush(stdout);
    dup2(source, 0);
    dup2(fileno(captured[0]), 1);
    dup2(fileno(captured[1]), 2);
    outcome->status = command_line_run(count, arguments);
    fflush(stdout);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    close(source);
    replay(captured[0], outcome->output, sizeof outcome->output);
    replay(captured[1], outcome->message, sizeof outcome->message);
}

static void assert_wrong_use(const struct outcome *outcome, const char *sentence)
{
    char *expected = mem_printf("lxd-integrator: %s; try lxd-integrator --help\n", sentence);

    assert_int_equal(outcome->status, 2);
    assert_string_equal(outcome->message, expected);
    assert_string_equal(outcome->output, "");
    free(expected);
}

static void test_version_and_help(void **state)
{
    struct outcome outcome;

    (void)state;
    run(&outcome, "/dev/null", "--version", NULL);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.output, "lxd-integrator " VERSION "\n");
    run(&outcome, "/dev/null", "--help", NULL);
    assert_int_equal(outcome.status, 0);
    assert_non_null(strstr(outcome.output, "probe --endpoint"));
    int lines = 0;
    for (const char *line = outcome.output; *line != '\0'; line += strcspn(line, "\n") + 1) {
        assert_in_range(strcspn(line, "\n"), 0, 80);
        lines++;
    }
    assert_in_range(lines, 1, 23); /* one screen of 80 by 24, with a prompt */
    assert_string_equal(outcome.message, "");
}

static void test_wrong_use(void **state)
{
    struct outcome outcome;

    (void)state;
    run(&outcome, "/dev/null", NULL);
    assert_wrong_use(&outcome, "started outside of a Juju hook, and nothing asked for");
    run(&outcome, "/dev/null", "frobnicate", NULL);
    assert_wrong_use(&outcome, "unknown command \"frobnicate\"");
    run(&outcome, "/dev/null", "--version", "x", NULL);
    assert_wrong_use(&outcome, "--version takes no argument but --verbose");
    run(&outcome, "/dev/null", "fingerprint", "a", "b", NULL);
    assert_wrong_use(&outcome, "fingerprint takes one file, not 2");
    run(&outcome, "/dev/null", "fingerprint", "--all", NULL);
    assert_wrong_use(&outcome, "fingerprint has no option \"--all\"");
}

static void test_wrong_use_of_probe(void **state)
{
    struct outcome outcome;

    (void)state;
    run(&outcome, "/dev/null", "probe", NULL);
    assert_wrong_use(&outcome, "probe needs --endpoint, or --token");
    run(&outcome, "/dev/null", "probe", "--endpoint", "h", "--cert", "c", "--server-cert", "s",
        NULL);
    assert_wrong_use(&outcome, "probe needs --key");
    run(&outcome, "/dev/null", "probe", "--endpoint", NULL);
    assert_wrong_use(&outcome, "--endpoint needs a value");
    run(&outcome, "/dev/null", "probe", "--insecure", NULL);
    assert_wrong_use(&outcome, "probe does not know what to do with \"--insecure\"");
    run(&outcome, "/dev/null", "probe", "--token", "t", "--key", "k", NULL);
    assert_wrong_use(&outcome, "a token stands alone: --token and --key do not go together");
    run(&outcome, "/dev/null", "probe", "--proxy", "http://p:1", NULL);
    assert_wrong_use(&outcome, "probe needs --endpoint, or --token");
    run(&outcome, "/dev/null", "probe", "--endpoint", "h", "host", NULL);
    assert_wrong_use(&outcome, "probe does not know what to do with \"host\"");
}

static void test_fingerprint(void **state)
{
    struct certificate certificate = x509_certificate("ec-p256.crt");
    char *expected = mem_printf("%s\n", certificate.fingerprint);
    struct outcome outcome;

    (void)state;
    run(&outcome, "/dev/null", "fingerprint", FILE_OF("ec-p256.crt"), NULL);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.output, expected);
    run(&outcome, FILE_OF("ec-p256.crt"), "fingerprint", "-", NULL);
    assert_string_equal(outcome.output, expected);
    run(&outcome, FILE_OF("ec-p256.crt"), "fingerprint", NULL);
    assert_string_equal(outcome.output, expected);
    free(expected);
    certificate_free(&certificate);
}

static void assert_fingerprint_fails(const char *file, const char *sentence)
{
    struct outcome outcome;

    run(&outcome, "/dev/null", "fingerprint", file, NULL);
    assert_int_equal(outcome.status, 1);
    assert_string_equal(outcome.message, sentence);
    assert_string_equal(outcome.output, "");
}

static void test_no_fingerprint(void **state)
{
    (void)state;
    assert_fingerprint_fails("/no/such/file",
                             "lxd-integrator: /no/such/file: No such file or directory\n");
    assert_fingerprint_fails("/dev/zero", "lxd-integrator: /dev/zero: longer than 64 KiB\n");
    assert_fingerprint_fails("-", "lxd-integrator: standard input: holds no PEM block, expected "
                                  "\"-----BEGIN CERTIFICATE-----\"\n");
}

/* A file with this text; run through standard input. */
static void run_with_text(struct outcome *outcome, const char *text, const char *verb,
                          const char *option, const char *value)
{
    char path[] = "/tmp/test-command-line-XXXXXX";
    int fd = mkstemp(path);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    run(outcome, path, verb, option, value, NULL);
    unlink(path);
}

/* {"client_name":"juju","fingerprint":"00..ff","addresses":["127.0.0.1:1"],"secret":"s",
 * "expires_at":"..."}, as base64. */
static char *make_token(const char *expires)
{
    char *json =
        mem_printf("{\"client_name\":\"juju\",\"fingerprint\":\"%s%s\",\"addresses\":["
                   "\"127.0.0.1:1\"],\"secret\":\"s3cret\",\"expires_at\":\"%s\"}",
                   "00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff", expires);
    char *token = base64_encode((const uint8_t *)json, strlen(json));

    free(json);
    return token;
}

/* What tools print, in one form or another. */
static void test_forms_of_a_fingerprint(void **state)
{
    static const char expected[] =
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
    char *token = make_token("0001-01-01T00:00:00Z");
    char *printed = mem_printf("Client juju certificate add token:\n%s\n", token);
    const char *const forms[] = {
        "  00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\n",
        "sha256 Fingerprint=00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
        "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\n",
        "  certificate_fingerprint: "
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n",
        token,
        printed,
    };
    struct outcome outcome;

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        run_with_text(&outcome, forms[i], "fingerprint", NULL, NULL);
        assert_string_equal(outcome.message, "");
        assert_string_equal(outcome.output, expected);
    }
    free(printed);
    free(token);
}

/* As JSON has it, indented as YAML has it, and bare DER. */
static void test_forms_of_a_certificate(void **state)
{
    struct certificate certificate = x509_certificate("ec-p256.crt");
    char *expected = mem_printf("%s\n", certificate.fingerprint);
    char *pem = x509_file("ec-p256.crt");
    struct buffer json = {0}, yaml = {0};
    struct outcome outcome;

    (void)state;
    buffer_append_string(&json, "{\"environment\":{\"certificate\":\"");
    buffer_append_string(&yaml, "environment:\n  certificate: |\n    ");
    for (const char *c = pem; *c != '\0'; c++) {
        buffer_printf(&json, *c == '\n' ? "\\n" : "%c", *c);
        buffer_printf(&yaml, *c == '\n' ? "\n    " : "%c", *c);
    }
    buffer_append_string(&json, "\",\"certificate_fingerprint\":\"");
    buffer_append_string(&json, certificate.fingerprint);
    buffer_append_string(&json, "\"}}");
    run_with_text(&outcome, buffer_string(&json), "fingerprint", NULL, NULL);
    assert_string_equal(outcome.output, expected);
    run_with_text(&outcome, buffer_string(&yaml), "fingerprint", NULL, NULL);
    assert_string_equal(outcome.output, expected);

    char path[] = "/tmp/test-command-line-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, certificate.der, certificate.length), certificate.length);
    close(fd);
    run(&outcome, path, "fingerprint", NULL);
    assert_string_equal(outcome.output, expected);
    unlink(path);
    buffer_free(&json);
    buffer_free(&yaml);
    free(pem);
    free(expected);
    certificate_free(&certificate);
}

static void test_probe_of_a_token(void **state)
{
    char *token = make_token("0001-01-01T00:00:00Z"), *old = make_token("2020-03-01T10:00:00Z");
    struct outcome outcome;

    (void)state;
    run_with_text(&outcome, token, "probe", "--token", "-");
    assert_int_equal(outcome.status, 1);
    assert_string_equal(
        outcome.output,
        "token:       \"juju\", of \"lxc config trust add\", good until it is used\n"
        "endpoint:    https://127.0.0.1:1\n"
        "problem:     LXD at https://127.0.0.1:1 unreachable: connection refused\n");
    assert_string_equal(outcome.message, "lxd-integrator: no address in the token leads to the LXD "
                                         "that made it\n");
    run_with_text(&outcome, old, "probe", "--token", "-");
    assert_int_equal(outcome.status, 1);
    assert_non_null(strstr(outcome.output, "good until 2020-03-01\n"));
    assert_null(strstr(outcome.output, "endpoint:"));
    assert_string_equal(outcome.message, "lxd-integrator: the token has expired\n");
    run_with_text(&outcome, "junk", "probe", "--token", "-");
    assert_int_equal(outcome.status, 1);
    assert_string_equal(outcome.message, "lxd-integrator: standard input: not a trust token\n");
    free(old);
    free(token);
}

static void test_probe_of_nobody(void **state)
{
    struct outcome outcome;

    (void)state;
    run(&outcome, "/dev/null", "probe", "--endpoint", "127.0.0.1:1", "--cert",
        FILE_OF("ec-p256.crt"), "--key", FILE_OF("ec-p256.key"), "--server-cert",
        FILE_OF("leaf.crt"), NULL);
    assert_int_equal(outcome.status, 1);
    assert_string_equal(outcome.message, "lxd-integrator: LXD at https://127.0.0.1:1 unreachable: "
                                         "connection refused\n");
    run(&outcome, "/dev/null", "probe", "--endpoint", "h", "--cert", FILE_OF("ec-p256.crt"),
        "--key", FILE_OF("leaf.key"), "--server-cert", FILE_OF("leaf.crt"), NULL);
    assert_int_equal(outcome.status, 1);
    assert_non_null(strstr(outcome.message, "lxd-integrator: --key: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_and_help),
        cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_wrong_use_of_probe),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_no_fingerprint),
        cmocka_unit_test(test_probe_of_nobody),
        cmocka_unit_test(test_forms_of_a_fingerprint),
        cmocka_unit_test(test_forms_of_a_certificate),
        cmocka_unit_test(test_probe_of_a_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
