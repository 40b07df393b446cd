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
    assert_wrong_use(&outcome, "probe needs --endpoint");
    run(&outcome, "/dev/null", "probe", "--endpoint", "h", "--cert", "c", "--server-cert", "s",
        NULL);
    assert_wrong_use(&outcome, "probe needs --key");
    run(&outcome, "/dev/null", "probe", "--endpoint", NULL);
    assert_wrong_use(&outcome, "--endpoint needs a value");
    run(&outcome, "/dev/null", "probe", "--insecure", NULL);
    assert_wrong_use(&outcome, "probe does not know what to do with \"--insecure\"");
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
        cmocka_unit_test(test_version_and_help),   cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_wrong_use_of_probe), cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_no_fingerprint),     cmocka_unit_test(test_probe_of_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
