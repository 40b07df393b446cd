/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "charm/event.h"

#define UUID "9f1c1ab0-1d2e-4f3a-8b4c-5d6e7f801234"

/* An environment of pairs; every test begins without Juju's variables. */
static void set_environment(const char *const pairs[][2])
{
    clearenv();
    for (size_t i = 0; pairs[i][0] != NULL; i++)
        assert_int_equal(setenv(pairs[i][0], pairs[i][1], 1), 0);
}

static void read_event(struct event *event, const char *const pairs[][2])
{
    struct error error;

    set_environment(pairs);
    if (event_read(event, &error) != 0)
        fail_msg("%s", error.text);
}

static void read_hook(struct event *event, const char *name)
{
    const char *const pairs[][2] = {{"JUJU_UNIT_NAME", "lxd-integrator/0"},
                                    {"JUJU_MODEL_UUID", UUID},
                                    {"JUJU_HOOK_NAME", name},
                                    {"JUJU_RELATION_ID", "api:3"},
                                    {"JUJU_REMOTE_UNIT", "client/1"},
                                    {NULL, NULL}};

    read_event(event, pairs);
}

static void assert_malformed(const char *unit, const char *uuid, const char *sentence)
{
    const char *const pairs[][2] = {
        {"JUJU_UNIT_NAME", unit}, {"JUJU_MODEL_UUID", uuid}, {NULL, NULL}};
    struct event event;
    struct error error;

    set_environment(pairs);
    assert_int_equal(event_read(&event, &error), -1);
    assert_int_equal(error.kind, ERROR_HOOK);
    assert_string_equal(error.text, sentence);
}

static void test_relation_hook(void **state)
{
    const char *const pairs[][2] = {{"JUJU_UNIT_NAME", "my-lxd2/17"},
                                    {"JUJU_MODEL_UUID", UUID},
                                    {"JUJU_HOOK_NAME", "api-relation-changed"},
                                    {"JUJU_RELATION_ID", "api:3"},
                                    {"JUJU_REMOTE_UNIT", "client/1"},
                                    {"JUJU_CHARM_DIR", "/charm"},
                                    {NULL, NULL}};
    struct event event;

    (void)state;
    read_event(&event, pairs);
    assert_int_equal(event.kind, EVENT_OTHER);
    assert_string_equal(event.name, "api-relation-changed");
    assert_string_equal(event.unit, "my-lxd2/17");
    assert_string_equal(event.application, "my-lxd2");
    assert_string_equal(event.model_uuid, UUID);
    assert_string_equal(event.relation_id, "api:3");
    assert_string_equal(event.remote_unit, "client/1");
    assert_string_equal(event.charm_folder, "/charm");
    event_free(&event);
}

static void test_bare_environment(void **state)
{
    const char *const pairs[][2] = {
        {"JUJU_UNIT_NAME", "a/0"}, {"JUJU_MODEL_UUID", UUID}, {NULL, NULL}};
    struct event event;

    (void)state;
    read_event(&event, pairs);
    assert_int_equal(event.kind, EVENT_OTHER);
    assert_string_equal(event.name, "");
    assert_string_equal(event.relation_id, "");
    assert_string_equal(event.remote_unit, "");
    assert_string_equal(event.charm_folder, ".");
    event_free(&event);
}

static void test_kinds(void **state)
{
    static const struct {
        const char *name;
        enum event_kind kind;
    } hooks[] = {
        {"install", EVENT_OTHER},
        {"update-status", EVENT_UPDATE_STATUS},
        {"api-relation-joined", EVENT_OTHER},
        {"api-relation-departed", EVENT_RELATION_DEPARTED},
        {"api-relation-broken", EVENT_RELATION_BROKEN},
        {"https-relation-changed", EVENT_OTHER},
        {"https-relation-departed", EVENT_RELATION_DEPARTED},
        {"https-relation-broken", EVENT_RELATION_BROKEN},
        {"stop", EVENT_STOP},
        {"remove", EVENT_STOP},
        {"stopped", EVENT_OTHER},
        {"relation-broken", EVENT_OTHER},
        {"something-nobody-knows", EVENT_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++) {
        struct event event;

        read_hook(&event, hooks[i].name);
        assert_int_equal(event.kind, hooks[i].kind);
        event_free(&event);
    }
}

static void test_name_from_dispatch_path(void **state)
{
    const char *const pairs[][2] = {{"JUJU_UNIT_NAME", "a/0"},
                                    {"JUJU_MODEL_UUID", UUID},
                                    {"JUJU_HOOK_NAME", ""},
                                    {"JUJU_DISPATCH_PATH", "hooks/stop"},
                                    {NULL, NULL}};
    struct event event;

    (void)state;
    read_event(&event, pairs);
    assert_string_equal(event.name, "stop");
    assert_int_equal(event.kind, EVENT_STOP);
    event_free(&event);
}

static void test_action(void **state)
{
    const char *const pairs[][2] = {{"JUJU_UNIT_NAME", "a/0"},
                                    {"JUJU_MODEL_UUID", UUID},
                                    {"JUJU_ACTION_NAME", "stop"},
                                    {"JUJU_DISPATCH_PATH", "actions/stop"},
                                    {NULL, NULL}};
    struct event event;

    (void)state;
    read_event(&event, pairs);
    assert_int_equal(event.kind, EVENT_ACTION);
    assert_string_equal(event.name, "stop");
    event_free(&event);
}

static void test_departing_unit(void **state)
{
    struct event event;

    (void)state;
    read_hook(&event, "api-relation-departed");
    assert_true(event_departs(&event, "api:3", "client/1"));
    assert_false(event_departs(&event, "api:3", "client/0"));
    assert_false(event_departs(&event, "api:4", "client/1"));
    assert_false(event_breaks(&event, "api:3"));
    event_free(&event);
    read_hook(&event, "api-relation-changed");
    assert_false(event_departs(&event, "api:3", "client/1"));
    event_free(&event);
}

static void test_breaking_relation(void **state)
{
    struct event event;

    (void)state;
    read_hook(&event, "api-relation-broken");
    assert_true(event_breaks(&event, "api:3"));
    assert_false(event_breaks(&event, "api:33"));
    assert_false(event_departs(&event, "api:3", "client/1"));
    event_free(&event);
    read_hook(&event, "api-relation-changed");
    assert_false(event_breaks(&event, "api:3"));
    event_free(&event);
}

static void test_malformed(void **state)
{
    (void)state;
    assert_malformed("", UUID, "JUJU_UNIT_NAME \"\" is no unit's name");
    assert_malformed("a", UUID, "JUJU_UNIT_NAME \"a\" is no unit's name");
    assert_malformed("a/", UUID, "JUJU_UNIT_NAME \"a/\" is no unit's name");
    assert_malformed("/1", UUID, "JUJU_UNIT_NAME \"/1\" is no unit's name");
    assert_malformed("a/1x", UUID, "JUJU_UNIT_NAME \"a/1x\" is no unit's name");
    assert_malformed("a.b/1", UUID, "JUJU_UNIT_NAME \"a.b/1\" is no unit's name");
    assert_malformed("a/0", "", "JUJU_MODEL_UUID \"\" is no UUID");
    assert_malformed("a/0", UUID "0", "JUJU_MODEL_UUID \"" UUID "0\" is no UUID");
    assert_malformed("a/0", "9f1c1ab0x1d2e-4f3a-8b4c-5d6e7f801234",
                     "JUJU_MODEL_UUID \"9f1c1ab0x1d2e-4f3a-8b4c-5d6e7f801234\" is no UUID");
    assert_malformed("a/0", "9f1c1abg-1d2e-4f3a-8b4c-5d6e7f801234",
                     "JUJU_MODEL_UUID \"9f1c1abg-1d2e-4f3a-8b4c-5d6e7f801234\" is no UUID");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relation_hook),
        cmocka_unit_test(test_bare_environment),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_name_from_dispatch_path),
        cmocka_unit_test(test_action),
        cmocka_unit_test(test_departing_unit),
        cmocka_unit_test(test_breaking_relation),
        cmocka_unit_test(test_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
