/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "lxd/projects.h"

static void assert_parsed(const char *text, const char *description)
{
    struct projects projects;

    projects_parse(&projects, text);
    char *described = projects_describe(&projects);
    assert_string_equal(described, description);
    free(described);
    projects_free(&projects);
}

static void test_parsing(void **state)
{
    (void)state;
    assert_parsed("", "all of LXD");
    assert_parsed(" ,, \t", "all of LXD");
    assert_parsed("foo", "project foo");
    assert_parsed(" foo , my bar,foo,\n", "projects foo, my bar");
}

/* What is left out must not open more. */
static void test_bounds(void **state)
{
    char name[PROJECTS_MAX_NAME + 2];
    struct projects projects;
    struct buffer text = {0};

    (void)state;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_parsed(name, "no project");
    for (int i = 0; i <= PROJECTS_MAX; i++)
        buffer_printf(&text, "p%d,", i);
    projects_parse(&projects, text.data);
    assert_int_equal(projects.names.count, PROJECTS_MAX);
    assert_string_equal(projects.names.items[PROJECTS_MAX - 1], "p255");
    projects_free(&projects);
    buffer_free(&text);
}

static void assert_read(const char *entry, const char *description, const char *written)
{
    cJSON *json = cJSON_Parse(entry), *out = cJSON_CreateObject();
    struct projects projects;

    projects_from_json(&projects, json);
    char *described = projects_describe(&projects);
    assert_string_equal(described, description);
    projects_to_json(&projects, out);
    char *text = json_print(out);
    assert_string_equal(text, written);
    free(text);
    free(described);
    projects_free(&projects);
    cJSON_Delete(json);
    cJSON_Delete(out);
}

static void test_json(void **state)
{
    (void)state;
    assert_read("{}", "all of LXD", "{\"restricted\":false,\"projects\":[]}");
    assert_read("{\"restricted\":false,\"projects\":[\"a\"]}", "all of LXD",
                "{\"restricted\":false,\"projects\":[]}");
    assert_read("{\"restricted\":true,\"projects\":null}", "no project",
                "{\"restricted\":true,\"projects\":[]}");
    assert_read("{\"restricted\":true,\"projects\":[\"a\",7,\"b\",\"a\"]}", "projects a, b",
                "{\"restricted\":true,\"projects\":[\"a\",\"b\"]}");
}

static void assert_narrowed(const char *text, const char *other, const char *description)
{
    struct projects projects, others;

    projects_parse(&projects, text);
    projects_parse(&others, other);
    projects_narrow(&projects, &others);
    char *described = projects_describe(&projects);
    assert_string_equal(described, description);
    free(described);
    projects_free(&projects);
    projects_free(&others);
}

static void test_narrowing(void **state)
{
    (void)state;
    assert_narrowed("", "", "all of LXD");
    assert_narrowed("a", "", "project a");
    assert_narrowed("", "a,b", "projects a, b");
    assert_narrowed("a,b", "b,c", "project b");
    assert_narrowed("a", "b", "no project");
}

static void test_copy_and_equality(void **state)
{
    struct projects projects, copy, none = {.restricted = true};

    (void)state;
    projects_parse(&projects, "a,b");
    projects_copy(&copy, &projects);
    assert_true(projects_equal(&projects, &copy));
    projects_free(&copy);
    assert_false(projects_equal(&projects, &copy));
    assert_false(projects_equal(&none, &copy));
    projects_parse(&copy, "b,c");
    assert_false(projects_equal(&projects, &copy));
    projects_free(&copy);
    projects_free(&projects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parsing),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_narrowing),
        cmocka_unit_test(test_copy_and_equality),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
