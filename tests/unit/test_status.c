/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "charm/status.h"

static void assert_summary(const struct status_summary *summary, const char *message)
{
    struct status status;

    status_of_summary(&status, summary);
    assert_string_equal(status.name, "active");
    assert_string_equal(status.message, message);
}

static void assert_error(enum error_kind kind, const char *text, const char *name,
                         const char *message)
{
    struct error error;
    struct status status;

    error_set(&error, kind, "%s", text);
    status_of_error(&status, &error, 0, NULL);
    assert_string_equal(status.name, name);
    assert_string_equal(status.message, message);
}

static void test_fine(void **state)
{
    struct status_summary summary = {.certificates = 3, .nodes = 1};

    (void)state;
    strings_add(&summary.versions, "5.0.2");
    assert_summary(&summary, "3 certificates trusted, LXD 5.0.2, 1 node");
    strings_add(&summary.versions, "6.1");
    summary.certificates = 1;
    summary.nodes = 3;
    assert_summary(&summary, "1 certificate trusted, LXD 5.0.2/6.1, 3 nodes");
    summary.certificates = 0;
    assert_summary(&summary, "0 certificates trusted, LXD 5.0.2/6.1, 3 nodes");
    strings_free(&summary.versions);
}

static void test_rejected(void **state)
{
    struct status_summary summary = {.certificates = 2, .nodes = 1, .rejected = 1};

    (void)state;
    strings_add(&summary.versions, "5.0.2");
    strings_add(&summary.rejecting, "api:3");
    assert_summary(&summary, "2 certificates trusted, LXD 5.0.2, 1 node; "
                             "1 certificate rejected (api:3)");
    summary.rejected = 4;
    strings_add(&summary.rejecting, "api:12");
    strings_add(&summary.unreadable, "api:5");
    assert_summary(&summary,
                   "2 certificates trusted, LXD 5.0.2, 1 node; "
                   "4 certificates rejected (api:3, api:12); 1 relation unreadable (api:5)");
    strings_free(&summary.versions);
    strings_free(&summary.rejecting);
    strings_free(&summary.unreadable);
}

/* One of several servers is in trouble: it comes first, and what is served elsewhere follows. */
static void test_trouble_and_service(void **state)
{
    struct status_summary summary = {.certificates = 2, .nodes = 1};
    struct status status;
    struct error error;

    (void)state;
    strings_add(&summary.versions, "5.0.2");
    error_set(&error, ERROR_UNREACHABLE, "LXD at b unreachable: connection refused");
    status_of_error(&status, &error, 0, &summary);
    assert_string_equal(status.name, "waiting");
    assert_string_equal(status.message, "LXD at b unreachable: connection refused; retrying; "
                                        "elsewhere 2 certificates trusted, LXD 5.0.2, 1 node");
    status_of_error(&status, &error, 2, NULL);
    assert_string_equal(status.message, "LXD at b unreachable: connection refused; retrying; "
                                        "2 more servers in trouble");
    error.kind = ERROR_UNTRUSTED;
    status_of_error(&status, &error, 1, &summary);
    assert_string_equal(status.name, "blocked");
    assert_string_equal(status.message,
                        "LXD at b unreachable: connection refused; 1 more server in trouble; "
                        "elsewhere 2 certificates trusted, LXD 5.0.2, 1 node");
    strings_free(&summary.versions);
}

static void test_errors(void **state)
{
    (void)state;
    assert_error(ERROR_INPUT, "lxd_client_key: no PEM", "blocked", "lxd_client_key: no PEM");
    assert_error(ERROR_UNTRUSTED, "LXD at x does not trust", "blocked", "LXD at x does not trust");
    assert_error(ERROR_REFUSED, "LXD keeps it", "blocked", "LXD keeps it");
    assert_error(ERROR_UNREACHABLE, "LXD at x unreachable: connection refused", "waiting",
                 "LXD at x unreachable: connection refused; retrying");
    assert_error(ERROR_IDENTITY, "LXD at x presents certificate a..., expected b...", "blocked",
                 "LXD at x presents certificate a..., expected b...: update the credential, "
                 "lxd_server_cert or lxd_trust_token");
}

/* Whatever LXD says ends up as one line of bounded length. */
static void test_one_line_that_fits(void **state)
{
    struct status_summary summary = {0};
    struct status status;

    (void)state;
    strings_add(&summary.versions, "5\n\x1b[31m\xc3\xa4");
    assert_summary(&summary, "0 certificates trusted, LXD 5??[31m??, 0 nodes");
    for (int i = 0; i < 100; i++)
        strings_add(&summary.rejecting, "api:123");
    summary.rejected = 100;
    status_of_summary(&status, &summary);
    assert_int_equal(strlen(status.message), sizeof status.message - 1);
    assert_string_equal(status.message + sizeof status.message - 1 - 3, "...");
    strings_free(&summary.versions);
    strings_free(&summary.rejecting);
}

/* A message that just fits is not cut. */
static void test_length_limit(void **state)
{
    enum { ROOM = sizeof((struct status *)NULL)->message - 1 };
    char text[ROOM + 2];
    struct error error = {.kind = ERROR_INPUT};
    struct status status;

    (void)state;
    memset(text, 'x', sizeof text);
    text[ROOM] = '\0';
    memcpy(error.text, text, ROOM + 1);
    status_of_error(&status, &error, 0, NULL);
    assert_string_equal(status.message, text);
    text[ROOM] = 'x';
    text[ROOM + 1] = '\0';
    memcpy(error.text, text, ROOM + 2);
    status_of_error(&status, &error, 0, NULL);
    assert_int_equal(strlen(status.message), ROOM);
    assert_string_equal(status.message + ROOM - 4, "x...");
}

static void test_expiring(void **state)
{
    struct status_summary summary = {.nodes = 1, .expiring = 1, .first_expiry = 1769817600};

    (void)state;
    strings_add(&summary.versions, "6.1");
    assert_summary(&summary, "0 certificates trusted, LXD 6.1, 1 node; "
                             "1 certificate to renew, by 2026-01-31");
    summary.expiring = 2;
    assert_summary(&summary, "0 certificates trusted, LXD 6.1, 1 node; "
                             "2 certificates to renew, the first by 2026-01-31");
    strings_free(&summary.versions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fine),         cmocka_unit_test(test_rejected),
        cmocka_unit_test(test_expiring),     cmocka_unit_test(test_trouble_and_service),
        cmocka_unit_test(test_errors),       cmocka_unit_test(test_one_line_that_fits),
        cmocka_unit_test(test_length_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
