/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "charm/pass.h"
#include "fake_juju.h"
#include "x509_files.h"

#define MAX_ANSWERS 24
#define CONFIG "config-get --format=json"
#define GOAL "goal-state --format=json"
#define STAYS "{\"units\":{\"i/0\":{\"status\":\"active\"}},\"relations\":{}}"
#define LEAVES "{\"units\":{\"i/0\":{\"status\":\"dying\"},\"i/1\":{}},\"relations\":{}}"
#define PUBLISHED                                                                              \
    "{\"version\":\"1.0\",\"nodes\":\"[{\\\"endpoint\\\":\\\"https://127.0.0.1:1\\\","         \
    "\\\"trusted_certs_fp\\\":[\\\"63d52a6743358b17b2cbc8884520ebf6a639146a6ff0ee4f71f5114ce9" \
    "ddb77a\\\"]}]\"}"

/* One pass of the leader without an LXD: i/0, with relation api:3 to x/0, who asks for nothing any
 * more. */
struct fixture {
    struct fake_juju fake;
    struct juju_transport juju;
    struct fake_answer answers[MAX_ANSWERS];
    size_t count;
    struct event event;
    struct error error;
    char *config;
};

/* The first answer to a command counts. */
static void answer(struct fixture *fixture, const char *command, const char *output)
{
    assert_in_range(fixture->count, 0, MAX_ANSWERS - 2);
    fixture->answers[fixture->count++] = (struct fake_answer){command, 0, output, NULL};
}

static void refuse(struct fixture *fixture, const char *command, const char *message)
{
    assert_in_range(fixture->count, 0, MAX_ANSWERS - 2);
    fixture->answers[fixture->count++] = (struct fake_answer){command, 1, NULL, message};
}

static int set_up(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    fixture->event = (struct event){.name = "config-changed",
                                    .unit = "i/0",
                                    .application = mem_string("i"),
                                    .model_uuid = "9f1c1ab0-1d2e-4f3a-8b4c-5d6e7f801234",
                                    .relation_id = "",
                                    .remote_unit = "",
                                    .remote_application = "",
                                    .departing_unit = "",
                                    .charm_folder = "/nonexistent",
                                    .juju_major = 3};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    fake_juju_free(&fixture->fake);
    free(fixture->event.application);
    free(fixture->config);
    free(fixture);
    return 0;
}

/* Credentials that lead to a port where nothing listens. */
static void set_credentials(struct fixture *fixture)
{
    static const char *const names[] = {"lxd_client_cert", "lxd_client_key", "lxd_server_cert"};
    static const char *const files[] = {"ec-p256.crt", "ec-p256.key", "leaf.crt"};
    cJSON *config = cJSON_CreateObject();

    cJSON_AddStringToObject(config, "lxd_endpoint", "127.0.0.1:1");
    for (size_t i = 0; i < 3; i++) {
        char *text = x509_file(files[i]);

        cJSON_AddStringToObject(config, names[i], text);
        free(text);
    }
    fixture->config = json_print(config);
    cJSON_Delete(config);
    answer(fixture, CONFIG, fixture->config);
}

/* The pass; its status as "active: message", owned, "" where it has set none. */
static char *run(struct fixture *fixture, int expected)
{
    struct pass pass;
    char *status = NULL;

    answer(fixture, CONFIG, "{}");
    answer(fixture, GOAL, STAYS);
    answer(fixture, "state-get --format=json", "{}");
    answer(fixture, "is-leader --format=json", "true");
    answer(fixture, "relation-ids --format=json api", "[\"api:3\"]");
    answer(fixture, "relation-ids --format=json https", "[]");
    answer(fixture, "relation-ids --format=json peers", "[]");
    answer(fixture, "relation-list --format=json -r api:3", "[\"x/0\"]");
    answer(fixture, "relation-get --format=json -r api:3 - i/0", PUBLISHED);
    answer(fixture, "relation-get --format=json -r api:3 - x/0", "{}");
    answer(fixture, "relation-get --format=json --app -r api:3 - x", "{}");
    refuse(fixture, "credential-get --format=json", "ERROR permission denied\n");
    refuse(fixture, "secret-get --refresh --format=json --label lxd-enrolment",
           "ERROR secret not found\n");
    fixture->fake.answers = fixture->answers;
    fixture->juju = fake_juju_transport(&fixture->fake);
    fixture->juju.captured = true; /* so that every line of the log is a call */
    pass_begin(&pass, &fixture->juju, &fixture->event);
    assert_int_equal(pass_run(&pass, &fixture->error), expected);
    pass_end(&pass);
    for (size_t i = 0; i < fixture->fake.calls.count; i++) {
        if (strncmp(fixture->fake.calls.items[i], "status-set -- ", 14) != 0)
            continue;
        assert_null(status);
        status = mem_string(fixture->fake.calls.items[i] + 14);
    }
    return status != NULL ? status : mem_string("");
}

static size_t calls(const struct fixture *fixture, const char *begin)
{
    size_t count = 0;

    for (size_t i = 0; i < fixture->fake.calls.count; i++)
        count += strncmp(fixture->fake.calls.items[i], begin, strlen(begin)) == 0;
    return count;
}

static void assert_status(struct fixture *fixture, const char *begin)
{
    char *status = run(fixture, 0);

    if (strncmp(status, begin, strlen(begin)) != 0)
        fail_msg("status-set %s", status);
    free(status);
}

/* The beginning of every deployment: the status says it, the log has no ERROR. What is published
 * stays, and what may stay in LXD is said. */
static void test_no_credentials(void **state)
{
    struct fixture *fixture = *state;

    assert_status(fixture, "blocked 1 entry named juju.9f1c1ab0.i.* may stay in LXD at "
                           "https://127.0.0.1:1; missing credentials: run \"juju trust i\"");
    assert_int_equal(calls(fixture, "juju-log -l ERROR"), 0);
    assert_int_equal(calls(fixture,
                           "juju-log -l WARNING -- 1 entry named juju.9f1c1ab0.i.* may stay "
                           "in LXD at https://127.0.0.1:1: there, run \"lxc config trust "),
                     1);
    assert_int_equal(calls(fixture, "relation-set"), 0);
}

/* Set, but naming no project: it does not mean all of LXD. */
static void test_option_that_names_no_project(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, CONFIG, "{\"projects\":\" , \"}");
    assert_status(fixture, "blocked projects is \" , \", which names no project");
    assert_int_equal(calls(fixture, "relation-set"), 0);
}

static void test_option_that_is_empty(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, CONFIG, "{\"projects\":\"\"}");
    assert_status(fixture, "blocked projects is \"\", which names no project");
    assert_int_equal(calls(fixture, "relation-set"), 0);
}

static void test_default_that_is_empty(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, CONFIG, "{\"default-projects\":\"\"}");
    assert_status(fixture, "blocked default-projects is \"\", which names no project");
    assert_int_equal(calls(fixture, "relation-set"), 0);
}

/* What Juju refuses is the operator's to mend: no hook fails for it. */
static void test_secret_that_is_not_granted(void **state)
{
    struct fixture *fixture = *state;

    answer(fixture, CONFIG, "{\"lxd_credentials\":\"secret:abc\"}");
    refuse(fixture, "secret-get --refresh --format=json secret:abc",
           "ERROR \"i/0\" is not allowed to read this secret\n");
    assert_status(fixture,
                  "blocked lxd_credentials: \"i/0\" is not allowed to read this secret: to grant "
                  "it run \"juju grant-secret abc i\"");
}

/* LXD cannot be asked: what was published stays, and nothing new is claimed. */
static void test_unreachable(void **state)
{
    struct fixture *fixture = *state;

    set_credentials(fixture);
    assert_status(fixture, "waiting LXD at https://127.0.0.1:1 unreachable: ");
    assert_int_equal(calls(fixture, "relation-set"), 0);
}

/* A unit that leaves while others stay says nothing, and changes nothing. */
static void test_unit_that_leaves(void **state)
{
    struct fixture *fixture = *state;

    set_credentials(fixture);
    answer(fixture, GOAL, LEAVES);
    assert_status(fixture, "");
    assert_int_equal(calls(fixture, "status-set"), 0);
    assert_int_equal(calls(fixture, "relation-set"), 0);
    assert_int_equal(calls(fixture, "state-set"), 1); /* that it is leaving: it never ends */
}

static void test_juju_that_cannot_be_asked(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, "relation-ids --format=json api", "ERROR timeout\n");
    set_credentials(fixture);
    free(run(fixture, -1));
    assert_int_equal(fixture->error.kind, ERROR_HOOK);
    assert_int_equal(calls(fixture, "status-set"), 0);
    assert_int_equal(calls(fixture, "state-set"), 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_no_credentials),
        TEST(test_option_that_names_no_project),
        TEST(test_option_that_is_empty),
        TEST(test_default_that_is_empty),
        TEST(test_secret_that_is_not_granted),
        TEST(test_unreachable),
        TEST(test_unit_that_leaves),
        TEST(test_juju_that_cannot_be_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
