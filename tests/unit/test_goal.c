/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "charm/goal.h"
#include "fake_juju.h"

#define GOAL "goal-state --format=json"
#define MEMORY "state-get --format=json"
#define SET "state-set --file -"
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct setting {
    struct fake_juju fake;
    struct juju_transport juju;
    struct fake_answer answers[3];
    struct goal goal;
};

/* NULL: Juju refuses it. */
static void read_goal(struct setting *setting, const char *state, const char *memory)
{
    setting->answers[0] = (struct fake_answer){GOAL, state == NULL, state, "ERROR timeout\n"};
    setting->answers[1] = (struct fake_answer){MEMORY, memory == NULL, memory, "ERROR timeout\n"};
    setting->fake.answers = setting->answers;
    setting->juju = fake_juju_transport(&setting->fake);
    goal_read(&setting->goal, &setting->juju);
}

static void setting_free(struct setting *setting)
{
    goal_free(&setting->goal);
    fake_juju_free(&setting->fake);
}

static size_t calls(const struct setting *setting, const char *command)
{
    size_t count = 0;

    for (size_t i = 0; i < setting->fake.calls.count; i++)
        count += strcmp(setting->fake.calls.items[i], command) == 0;
    return count;
}

static void test_reading(void **state)
{
    struct setting once = {0}, thrice = {0};

    (void)state;
    read_goal(&once, "{}", "{}");
    assert_int_equal(calls(&once, GOAL), 1);
    setting_free(&once);
    read_goal(&thrice, NULL, NULL);
    assert_int_equal(calls(&thrice, GOAL), 3);
    assert_null(thrice.goal.state);
    assert_null(thrice.goal.memory);
    goal_keep(&thrice.goal, "a", "b");
    goal_write(&thrice.goal, &thrice.juju); /* what is there is not to be overwritten unread */
    assert_int_equal(calls(&thrice, SET), 0);
    setting_free(&thrice);
}

/* ---- who stays ---- */

#define UNITS(...) "{\"units\":{" __VA_ARGS__ "},\"relations\":{}}"
#define UNIT(number, status) "\"i/" #number "\":{\"status\":\"" status "\"}"
#define OUR_STAY UNITS(UNIT(0, "active") "," UNIT(1, "active"))
#define OTHER_STAYS UNITS(UNIT(0, "dying") "," UNIT(1, "active"))
#define ALL_DIE UNITS(UNIT(0, "dying") "," UNIT(1, "dying"))
#define ALONE_DIES UNITS(UNIT(0, "dying"))
#define ALONE_STAYS UNITS(UNIT(0, "active"))
#define THROUGH UNITS(UNIT(1, "active"))
#define NOBODY UNITS("")

static void test_fate(void **state)
{
    static const struct {
        enum event_kind kind;
        const char *departing; /* "" but in departed */
        const char *goal, *memory;
        enum fate fate;
        const char *kept; /* under "dying"; NULL: nothing new */
    } cases[] = {
        {EVENT_OTHER, "", ALONE_STAYS, "{}", FATE_STAYS, NULL},
        {EVENT_OTHER, "", OTHER_STAYS, "{}", FATE_LEAVES, "others"},
        {EVENT_OTHER, "", ALL_DIE, "{}", FATE_LAST, "last"},
        {EVENT_OTHER, "", ALONE_DIES, "{}", FATE_LAST, "last"},
        {EVENT_OTHER, "", NULL, "{}", FATE_UNKNOWN, NULL},
        {EVENT_OTHER, "", NULL, NULL, FATE_UNKNOWN, NULL},
        {EVENT_ACTION, "", NULL, "{}", FATE_UNKNOWN, NULL},
        {EVENT_ACTION, "", OTHER_STAYS, "{}", FATE_LEAVES, "others"},
        {EVENT_OTHER, "", THROUGH, "{}", FATE_UNKNOWN, NULL},
        {EVENT_OTHER, "", NOBODY, "{}", FATE_UNKNOWN, NULL},
        /* update-status: a dying unit starts none */
        {EVENT_UPDATE_STATUS, "", NULL, NULL, FATE_STAYS, NULL},
        {EVENT_UPDATE_STATUS, "", NULL, "{}", FATE_STAYS, NULL},
        /* departed tells who goes */
        {EVENT_RELATION_DEPARTED, "c/0", NULL, "{}", FATE_STAYS, NULL},
        {EVENT_RELATION_DEPARTED, "", NULL, "{}", FATE_UNKNOWN, NULL},
        {EVENT_RELATION_DEPARTED, "i/0", OTHER_STAYS, "{}", FATE_LEAVES, "others"},
        {EVENT_RELATION_DEPARTED, "i/0", NULL, "{}", FATE_UNKNOWN, NULL},
        {EVENT_RELATION_DEPARTED, "i/0", NULL, "{\"dying\":\"others\"}", FATE_LEAVES, NULL},
        {EVENT_RELATION_DEPARTED, "c/0", OTHER_STAYS, "{}", FATE_LEAVES, "others"},
        {EVENT_RELATION_DEPARTED, "i/1", OUR_STAY, "{}", FATE_STAYS, NULL},
        /* dying never ends */
        {EVENT_OTHER, "", NULL, "{\"dying\":\"others\"}", FATE_LEAVES, NULL},
        {EVENT_RELATION_BROKEN, "", NULL, "{\"dying\":\"others\"}", FATE_LEAVES, NULL},
        {EVENT_STOP, "", NULL, "{\"dying\":\"others\"}", FATE_LEAVES, NULL},
        {EVENT_OTHER, "", THROUGH, "{\"dying\":\"others\"}", FATE_LEAVES, NULL},
        {EVENT_OTHER, "", ALL_DIE, "{\"dying\":\"others\"}", FATE_LAST, "last"},
        {EVENT_OTHER, "", OTHER_STAYS, "{\"dying\":\"last\"}", FATE_LEAVES, "others"},
        /* the last: goal-state may fail at the end */
        {EVENT_RELATION_BROKEN, "", NULL, "{\"dying\":\"last\"}", FATE_LAST, NULL},
        {EVENT_STOP, "", NULL, "{\"dying\":\"last\"}", FATE_LAST, NULL},
        {EVENT_OTHER, "", NULL, "{\"dying\":\"last\"}", FATE_UNKNOWN, NULL},
        {EVENT_RELATION_BROKEN, "", NULL, "{}", FATE_UNKNOWN, NULL},
        {EVENT_STOP, "", NULL, "{}", FATE_UNKNOWN, NULL},
        {EVENT_STOP, "", NOBODY, "{}", FATE_LAST, "last"},
        {EVENT_STOP, "", THROUGH, "{}", FATE_LEAVES, "others"},
        /* Kubernetes stops a pod that is moved */
        {EVENT_STOP, "", ALONE_STAYS, "{}", FATE_STAYS, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct event event = {
            .kind = cases[i].kind, .unit = "i/0", .departing_unit = cases[i].departing};
        struct setting setting = {0};

        read_goal(&setting, cases[i].goal, cases[i].memory);
        enum fate fate = goal_fate(&setting.goal, &event);
        if (fate != cases[i].fate)
            print_message("case %zu: fate %d, not %d\n", i, (int)fate, (int)cases[i].fate);
        assert_int_equal(fate, cases[i].fate);
        const char *kept = json_string(setting.goal.kept, "dying");
        if (cases[i].kept != NULL)
            assert_string_equal(kept, cases[i].kept);
        else
            assert_null(kept);
        setting_free(&setting);
    }
}

static void test_who_is_named(void **state)
{
    struct setting setting = {0}, none = {0};

    (void)state;
    read_goal(&setting, OTHER_STAYS, "{}");
    assert_true(goal_names_our(&setting.goal, "i/0"));
    assert_false(goal_names_our(&setting.goal, "i/2"));
    assert_true(goal_is_dying(&setting.goal, "i/0"));
    assert_false(goal_is_dying(&setting.goal, "i/1"));
    assert_false(goal_is_dying(&setting.goal, "i/2"));
    setting_free(&setting);
    read_goal(&none, NULL, "{}");
    assert_false(goal_names_our(&none.goal, "i/0"));
    assert_false(goal_is_dying(&none.goal, "i/0"));
    setting_free(&none);
}

/* ---- related applications ---- */

static void list(struct strings *strings, const char *names)
{
    char *text = mem_string(names);

    for (char *name = strtok(text, " "); name != NULL; name = strtok(NULL, " "))
        strings_add(strings, name);
    free(text);
}

/* By endpoint; under any counts. */
#define RELATED                                                                               \
    "{\"relations\":{\"api\":{\"c\":{\"status\":\"joined\"},\"c/0\":{\"status\":\"active\"}," \
    "\"c/2\":{\"status\":\"waiting\"},\"cc/7\":{}},\"https\":{\"d\":{},\"d/1\":{}}}}"

static void assert_complete(const char *state, const char *application, const char *names,
                            const char *leaving, bool complete)
{
    struct setting setting = {0};
    struct strings listed = {0};

    read_goal(&setting, state, "{}");
    list(&listed, names);
    assert_int_equal(goal_is_complete(&setting.goal, application, &listed, leaving), complete);
    strings_free(&listed);
    setting_free(&setting);
}

static void test_completeness(void **state)
{
    (void)state;
    assert_complete(RELATED, "c", "c/0 c/2", "", true);
    assert_complete(RELATED, "c", "c/0 c/1 c/2", "", true);
    assert_complete(RELATED, "c", "c/0", "", false);
    assert_complete(RELATED, "c", "c/0", "c/2", true);
    assert_complete(RELATED, "c", "", "c/2", false);
    assert_complete(RELATED, "d", "d/1", "", true);
    /* Of cross-model ones, and applications without units, goal-state names none. */
    assert_complete(RELATED, "remote-1", "remote-1/0", "", false);
    assert_complete(RELATED, "remote-1", "", "", false);
    assert_complete(NULL, "c", "c/0 c/2", "", false);
}

/* What a pass keeps, and who has left in it, of relation 3. */
static void assert_left(const char *state, const char *memory, const char *listed_names,
                        const char *left_names, const char *kept)
{
    struct setting setting = {0};
    struct strings listed = {0}, left = {0}, expected = {0};
    struct error error;

    read_goal(&setting, state, memory);
    list(&listed, listed_names);
    list(&expected, left_names);
    assert_int_equal(goal_find_left(&setting.goal, 3, &listed, &left, &error), 0);
    assert_int_equal(left.count, expected.count);
    for (size_t i = 0; i < left.count; i++)
        assert_string_equal(left.items[i], expected.items[i]);
    char *text = json_print(setting.goal.kept);
    assert_string_equal(text, kept);
    free(text);
    strings_free(&listed);
    strings_free(&left);
    strings_free(&expected);
    setting_free(&setting);
}

static void test_who_has_left(void **state)
{
    struct setting setting = {0};
    struct strings listed = {0}, left = {0};
    struct error error;

    (void)state;
    assert_left(RELATED, "{}", "c/0 c/2", "", "{\"shown-3\":\"0,2\"}");
    assert_left(RELATED, "{\"shown-3\":\"0,2\"}", "c/0 c/2", "", "{}");
    /* Never shown: a subordinate of another principal, or from another model. */
    assert_left(RELATED, "{}", "x/0 x/1", "", "{}");
    /* Shown once, and not now. */
    assert_left(RELATED, "{\"shown-3\":\"0-2\"}", "c/0 c/1 c/2", "c/1", "{\"left-3\":\"1\"}");
    /* What is listed no more is forgotten; a new unit never has an old one's number. */
    assert_left(RELATED, "{\"shown-3\":\"0-9\",\"left-3\":\"1\"}", "c/0 c/2", "",
                "{\"shown-3\":\"0,2\",\"left-3\":\"\"}");
    /* Where goal-state fails those that have left stay away, and nobody else leaves. */
    assert_left(NULL, "{\"shown-3\":\"0-2\",\"left-3\":\"1\"}", "c/0 c/1 c/2", "c/1", "{}");
    assert_left(NULL, "{\"shown-3\":\"0-2\"}", "c/0 c/1 c/2", "", "{}");
    /* Shown anew, it is back. */
    assert_left(RELATED, "{\"shown-3\":\"0-2\",\"left-3\":\"0\"}", "c/0", "",
                "{\"shown-3\":\"0\",\"left-3\":\"\"}");
    /* Without the memory nobody who is not named may be taken for a member. */
    read_goal(&setting, RELATED, NULL);
    list(&listed, "c/0 c/2");
    assert_int_equal(goal_find_left(&setting.goal, 3, &listed, &left, &error), 0);
    strings_add(&listed, "c/3");
    assert_int_equal(goal_find_left(&setting.goal, 3, &listed, &left, &error), -1);
    assert_int_equal(error.kind, ERROR_HOOK);
    strings_free(&listed);
    strings_free(&left);
    setting_free(&setting);
}

/* ---- the memory ---- */

static void test_numbers(void **state)
{
    static const unsigned long numbers[] = {7, 3, 0, 3, 1, 2, 4294967295};
    struct numbers set = {0};

    (void)state;
    assert_false(numbers_contain(&set, 0));
    for (size_t i = 0; i < COUNT(numbers); i++)
        numbers_add(&set, numbers[i]);
    assert_int_equal(set.count, 6);
    for (size_t i = 0; i < COUNT(numbers); i++)
        assert_true(numbers_contain(&set, numbers[i]));
    assert_false(numbers_contain(&set, 4));
    free(set.items);
}

static void test_relations_that_are_gone(void **state)
{
    struct setting setting = {0};
    struct numbers gone = {0}, listed = {0};

    (void)state;
    read_goal(
        &setting, "{}",
        "{\"gone\":\"1,3\",\"shown-1\":\"0\",\"left-1\":\"0\",\"shown-9\":\"5\",\"peers\":\"x\","
        "\"shown-off\":\"x\"}");
    goal_recall_gone(&setting.goal, &gone);
    assert_int_equal(gone.count, 2);
    free(gone.items);
    gone = (struct numbers){0};
    numbers_add(&gone, 9);
    numbers_add(&listed, 9);
    goal_keep_relations(&setting.goal, &gone, &listed);
    char *kept = json_print(setting.goal.kept);
    assert_string_equal(kept,
                        "{\"gone\":\"9\",\"shown-1\":\"\",\"left-1\":\"\",\"shown-off\":\"\"}");
    free(kept);
    free(gone.items);
    free(listed.items);
    setting_free(&setting);
}

static void test_writing(void **state)
{
    struct setting setting = {0};

    (void)state;
    read_goal(&setting, "{}", "{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}");
    goal_keep(&setting.goal, "a", "1"); /* as it is */
    goal_keep(&setting.goal, "b", NULL);
    goal_keep(&setting.goal, "c", "4");
    goal_keep(&setting.goal, "d", NULL);
    assert_null(goal_recall(&setting.goal, "b"));
    assert_string_equal(goal_recall(&setting.goal, "c"), "4");
    goal_write(&setting.goal, &setting.juju);
    assert_int_equal(calls(&setting, "state-delete b"), 1);
    assert_int_equal(calls(&setting, "state-delete d"), 0);
    assert_int_equal(calls(&setting, SET), 1);
    assert_string_equal(setting.fake.inputs.items[setting.fake.inputs.count - 1], "{\"c\":\"4\"}");
    setting_free(&setting);
}

/* A value ends at 64 KiB. What does not fit is left out: it says less, never what is not so. */
static void test_large_memory(void **state)
{
    struct setting setting = {0}, again = {0};
    struct strings listed = {0}, left = {0};
    struct buffer goal = {0};
    struct error error;

    (void)state;
    buffer_append_string(&goal, "{\"relations\":{\"api\":{\"c\":{}");
    for (unsigned i = 0; i < 9000; i++) {
        char *name = mem_printf("c/%u", 1000000 + 2 * i);

        buffer_printf(&goal, ",\"%s\":{\"status\":\"active\",\"since\":\"2026-01-02 15:04:05Z\"}",
                      name);
        strings_add(&listed, name);
        free(name);
    }
    buffer_append_string(&goal, "}}}");
    read_goal(&setting, goal.data, "{}");
    assert_int_equal(goal_find_left(&setting.goal, 3, &listed, &left, &error), 0);
    const char *shown = json_string(setting.goal.kept, "shown-3");
    assert_in_range(strlen(shown), 64 * 1024 - 200, 64 * 1024);
    char *memory = mem_printf("{\"shown-3\":\"%s\"}", shown);
    read_goal(&again, "{}", memory);
    assert_int_equal(goal_find_left(&again.goal, 3, &listed, &left, &error), 0);
    assert_string_equal(left.items[0], "c/1000000");
    assert_in_range(left.count, 8000, listed.count - 1);
    free(memory);
    buffer_free(&goal);
    strings_free(&listed);
    strings_free(&left);
    setting_free(&setting);
    setting_free(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_fate),
        cmocka_unit_test(test_who_is_named),
        cmocka_unit_test(test_completeness),
        cmocka_unit_test(test_who_has_left),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_relations_that_are_gone),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_large_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
