/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "charm/options.h"
#include "fake_juju.h"

static int read_with(struct options *options, struct fake_juju *fake, const char *output, int code,
                     struct error *error)
{
    const struct fake_answer answers[] = {
        {"config-get --format=json", code, output, "ERROR lost\n"}, {0}};

    fake->answers = answers;
    struct juju_transport juju = fake_juju_transport(fake);
    int result = options_read(options, &juju, error);
    if (!fake->dead)
        assert_int_equal(fake->calls.count, 1);
    fake->answers = NULL;
    fake_juju_free(fake);
    return result;
}

static void assert_wiped(struct options *options)
{
    struct options zero;

    memset(&zero, 0, sizeof zero);
    options_wipe(options);
    assert_memory_equal(options, &zero, sizeof zero);
}

static void test_all(void **state)
{
    struct fake_juju fake = {0};
    struct options options;
    struct error error;

    (void)state;
    assert_int_equal(
        read_with(&options, &fake,
                  "{\"lxd_endpoint\":\" 10.0.0.1\\n\",\"lxd_client_cert\":\"c\","
                  "\"lxd_client_key\":\"k\",\"lxd_server_cert\":\"s\\r\\n\","
                  "\"lxd_credentials\":\"\\tsecret:abc \",\"lxd_trust_token\":\"a b:\\nt\\n\","
                  "\"lxd_expiry_warning_days\":7,\"projects\":\" blue, \","
                  "\"default-projects\":\"green\",\"else\":true}",
                  0, &error),
        0);
    assert_string_equal(options.parts[CREDENTIAL_ENDPOINT], "10.0.0.1");
    assert_string_equal(options.parts[CREDENTIAL_CERTIFICATE], "c");
    assert_string_equal(options.parts[CREDENTIAL_KEY], "k");
    assert_string_equal(options.parts[CREDENTIAL_SERVER], "s");
    assert_string_equal(options.credentials, "secret:abc");
    assert_string_equal(options.trust_token, "a b:\nt");
    assert_string_equal(options.projects, " blue, ");
    assert_string_equal(options.default_projects, "green");
    assert_int_equal(options.expiry_warning_days, 7);
    assert_wiped(&options);
}

static void test_none(void **state)
{
    static const char *const texts[] = {
        "{}", "null",
        "{\"lxd_endpoint\":\"\",\"lxd_client_cert\":\" \\n\",\"lxd_client_key\":null,"
        "\"lxd_server_cert\":7,\"lxd_credentials\":\" \",\"lxd_trust_token\":[],"
        "\"lxd_expiry_warning_days\":\"7\",\"projects\":null}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct fake_juju fake = {0};
        struct options options;
        struct error error;

        assert_int_equal(read_with(&options, &fake, texts[i], 0, &error), 0);
        for (int part = 0; part < CREDENTIAL_PARTS; part++)
            assert_null(options.parts[part]);
        assert_null(options.credentials);
        assert_null(options.trust_token);
        assert_null(options.projects);
        assert_int_equal(options.expiry_warning_days, 30);
        assert_wiped(&options);
    }
}

/* Set, but naming nothing: that is for others to judge. */
static void test_projects_as_they_are(void **state)
{
    struct fake_juju fake = {0};
    struct options options;
    struct error error;

    (void)state;
    assert_int_equal(read_with(&options, &fake, "{\"projects\":\"\"}", 0, &error), 0);
    assert_string_equal(options.projects, "");
    assert_wiped(&options);
}

static void test_failures(void **state)
{
    struct fake_juju fake = {0}, dead = {.dead = true};
    struct options options;
    struct error error;

    (void)state;
    assert_int_equal(read_with(&options, &fake, NULL, 1, &error), -1);
    assert_int_equal(error.kind, ERROR_HOOK);
    assert_int_equal(read_with(&options, &dead, NULL, 0, &error), -1);
    assert_int_equal(error.kind, ERROR_HOOK);
    assert_int_equal(read_with(&options, &fake, "[]", 0, &error), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_projects_as_they_are),
        cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
