/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "charm/peers.h"
#include "fake_juju.h"
#include "world.h"

#define URL "https://10.0.0.1:8443"
#define GET "relation-get --format=json --app -r peers:1 - i"

/* One server with two certificates to be added, 7 and 8, by i/0, which leads, or i/1. */
struct fixture {
    struct fake_answer answers[8];
    struct fake_juju fake;
    struct juju_transport juju;
    struct event event;
    struct goal goal;
    struct leadership leadership;
    struct server server;
    struct servers servers;
    struct step steps[2];
};

static int set_up(void **state)
{
    static char application[] = "i";
    struct fixture *fixture = mem_alloc(sizeof *fixture);
    struct error error;

    fixture->answers[0] =
        (struct fake_answer){"relation-ids --format=json peers", 0, "[\"peers:1\"]", NULL};
    fixture->fake.answers = fixture->answers;
    fixture->juju = fake_juju_transport(&fixture->fake);
    fixture->event =
        (struct event){.name = "update-status", .unit = "i/0", .application = application};
    fixture->goal = (struct goal){.memory = cJSON_CreateObject(), .kept = cJSON_CreateObject()};
    fixture->leadership = (struct leadership){&fixture->juju, LEADERSHIP_HELD};
    fixture->goal.state = cJSON_Parse("{\"units\":{\"i/0\":{\"status\":\"dying\"},\"i/1\":{}}}");
    assert_int_equal(endpoint_parse(&fixture->server.endpoint, URL, &error), 0);
    fixture->server.state = SERVER_OBSERVED;
    for (unsigned i = 0; i < 2; i++) {
        fixture->steps[i] = (struct step){.kind = STEP_ADD};
        world_fingerprint(fixture->steps[i].fingerprint, 7 + i);
    }
    fixture->server.plan = (struct plan){.steps = fixture->steps, .count = 2};
    fixture->servers = (struct servers){.items = &fixture->server, .count = 1};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < 2; i++)
        free(fixture->steps[i].reason);
    fake_juju_free(&fixture->fake);
    goal_free(&fixture->goal);
    free(fixture);
    return 0;
}

/* The settings that were written with the last call; NULL where nothing was. */
static cJSON *tell(struct fixture *fixture, bool going)
{
    struct error error;

    fake_juju_free(&fixture->fake);
    fixture->fake.answers = fixture->answers;
    assert_int_equal(peers_tell(&fixture->servers, &fixture->goal, going, &fixture->leadership,
                                &fixture->event, &error),
                     0);
    if (fixture->fake.calls.count == 0)
        return NULL;
    const char *last = fixture->fake.calls.items[fixture->fake.calls.count - 1];
    assert_string_equal(last, "relation-set -r peers:1 --file - --app");
    cJSON *settings = cJSON_Parse(fixture->fake.inputs.items[fixture->fake.inputs.count - 1]);
    assert_non_null(settings);
    return settings;
}

static void assert_says(const cJSON *settings, const char *key, const char *value)
{
    const char *said = json_string(settings, key);

    assert_string_equal(said != NULL ? said : "", value);
}

static void refuse(struct fixture *fixture, size_t i, const char *reason)
{
    fixture->steps[i].outcome = STEP_REFUSED;
    fixture->steps[i].reason = mem_string(reason);
}

static void test_telling(void **state)
{
    struct fixture *fixture = *state;
    cJSON *settings = tell(fixture, false);

    assert_says(settings, "leader", "i/0");
    assert_says(settings, "refused", "");
    assert_int_equal(strlen(json_string(settings, "digest")), 16);
    cJSON_Delete(settings);
    assert_null(tell(fixture, false)); /* nothing new */
    refuse(fixture, 1, "no \"such\" curve");
    settings = tell(fixture, false);
    char *expected = mem_printf("[{\"endpoint\":\"" URL "\",\"fingerprint\":\"%s\","
                                "\"reason\":\"no \\\"such\\\" curve\"}]",
                                fixture->steps[1].fingerprint);
    assert_says(settings, "refused", expected);
    free(expected);
    cJSON_Delete(settings);
    fixture->event.name = "leader-elected"; /* the other unit that led may have said more since */
    cJSON_Delete(tell(fixture, false));
    assert_int_equal(fixture->fake.calls.count, 2);
    fixture->leadership.answer = LEADERSHIP_NOT_HELD;
    assert_null(tell(fixture, false));
    fixture->leadership.answer = LEADERSHIP_HELD;
    settings = tell(fixture, true);
    assert_says(settings, "leader", "");
    assert_says(settings, "digest", "");
    assert_says(settings, "refused", "");
    cJSON_Delete(settings);
}

/* What the leader has told, as relation-get prints it. */
static char *hear(struct fixture *fixture, const char *leader, const char *refused)
{
    cJSON *settings = cJSON_CreateObject();

    cJSON_AddStringToObject(settings, "leader", leader);
    cJSON_AddStringToObject(settings, "refused", refused);
    char *text = json_print(settings);
    fixture->answers[1] = (struct fake_answer){GET, 0, text, NULL};
    fixture->event.unit = "i/1";
    char *leaving = peers_hear(&fixture->servers, &fixture->goal, &fixture->event, &fixture->juju);
    fixture->answers[1] = (struct fake_answer){0};
    cJSON_Delete(settings);
    free(text);
    return leaving;
}

static void test_hearing(void **state)
{
    struct fixture *fixture = *state;
    char *refused = mem_printf("[{\"endpoint\":\"" URL "\",\"fingerprint\":\"%s\","
                               "\"reason\":\"no such curve\"},"
                               "{\"endpoint\":\"https://10.0.0.2:8443\",\"fingerprint\":\"%s\","
                               "\"reason\":\"another LXD\"}]",
                               fixture->steps[1].fingerprint, fixture->steps[0].fingerprint);

    char *leaving = hear(fixture, "i/0", refused);
    assert_string_equal(leaving, "i/0");
    assert_int_equal(fixture->steps[0].outcome, STEP_DUE);
    assert_int_equal(fixture->steps[1].outcome, STEP_REFUSED);
    assert_string_equal(fixture->steps[1].reason, "no such curve");
    assert_int_equal(servers_due(&fixture->servers), 1);
    free(leaving);
    assert_null(hear(fixture, "i/1", refused)); /* twice is once */
    free(refused);
}

/* Whatever stands there: only this charm writes it, but of whatever version. */
static void test_hearing_nonsense(void **state)
{
    struct fixture *fixture = *state;
    static const char *const values[] = {
        "",
        "x",
        "7",
        "{}",
        "[7]",
        "[{}]",
        "[{\"endpoint\":\"" URL "\"}]",
        "[{\"endpoint\":7,\"fingerprint\":7,\"reason\":7}]",
        "[{\"endpoint\":\"ftp://x\",\"fingerprint\":\"x\",\"reason\":\"x\"}]"};

    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_null(hear(fixture, "i/9", values[i]));
    assert_int_equal(servers_due(&fixture->servers), 2);
}

static void test_who_is_gone(void **state)
{
    struct fixture *fixture = *state;

    fixture->answers[1] =
        (struct fake_answer){"relation-list --format=json -r peers:1", 0, "[\"i/0\"]", NULL};
    assert_true(peers_are_gone(&fixture->goal, &fixture->juju));
    fixture->answers[1].output = "[\"i/0\",\"i/1\"]";
    assert_false(peers_are_gone(&fixture->goal, &fixture->juju));
    fixture->answers[1].output = "[]";
    assert_true(peers_are_gone(&fixture->goal, &fixture->juju));
    fixture->answers[0].output = "[]"; /* nobody says */
    assert_false(peers_are_gone(&fixture->goal, &fixture->juju));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_telling),
        TEST(test_hearing),
        TEST(test_hearing_nonsense),
        TEST(test_who_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
