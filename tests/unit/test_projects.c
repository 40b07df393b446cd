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

static void assert_parsed(const char *text, enum projects_text kind, const char *description)
{
    struct projects projects;

    assert_int_equal(projects_parse(&projects, text), kind);
    char *described = projects_describe(&projects);
    assert_string_equal(described, description);
    free(described);
    projects_free(&projects);
}

static void test_parsing(void **state)
{
    (void)state;
    assert_parsed("", PROJECTS_ALL, "all of LXD");
    assert_parsed("foo", PROJECTS_NAMED, "project foo");
    assert_parsed(" foo , my bar,foo,\n", PROJECTS_NAMED, "projects foo, my bar");
    assert_parsed("b,c,a,b , a", PROJECTS_NAMED, "projects a, b, c");
}

/* Whoever writes such a list has a restriction in mind. */
static void test_lists_without_a_name(void **state)
{
    static const char *const texts[] = {",", " ", "\n", ", ,", " ,, \t"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_parsed(texts[i], PROJECTS_NAMELESS, "no project");
}

/* Nothing is left out in silence. */
static void test_bounds(void **state)
{
    char name[PROJECTS_MAX_NAME + 2];
    struct projects projects;
    struct buffer text = {0};

    (void)state;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_parsed(name, PROJECTS_TOO_MANY, "no project");
    assert_int_equal(projects_parse(&projects, name + 1), PROJECTS_NAMED);
    projects_free(&projects);
    for (int i = 0; i < PROJECTS_MAX; i++)
        buffer_printf(&text, "p%d,", i);
    assert_int_equal(projects_parse(&projects, text.data), PROJECTS_NAMED);
    assert_int_equal(projects.names.count, PROJECTS_MAX);
    projects_free(&projects);
    buffer_append_string(&text, "p0,p256");
    assert_parsed(text.data, PROJECTS_TOO_MANY, "no project");
    buffer_clear(&text);
    while (text.length < PROJECTS_MAX_TEXT)
        buffer_append_string(&text, "a,");
    assert_parsed(text.data, PROJECTS_NAMED, "project a");
    buffer_append_string(&text, "a");
    assert_parsed(text.data, PROJECTS_TOO_MANY, "no project");
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

static void assert_united(const char *text, const char *other, const char *description)
{
    struct projects projects, others;

    projects_parse(&projects, text);
    projects_parse(&others, other);
    projects_union(&projects, &others);
    char *described = projects_describe(&projects);
    assert_string_equal(described, description);
    assert_true(projects_cover(&projects, &others));
    free(described);
    projects_free(&projects);
    projects_free(&others);
}

static void test_union(void **state)
{
    (void)state;
    assert_united("", "", "all of LXD");
    assert_united("a", "", "all of LXD");
    assert_united("", "a,b", "all of LXD");
    assert_united("b,d", "c,a,b", "projects a, b, c, d");
    assert_united(",", "a", "project a");
    assert_united("a", ",", "project a");
    assert_united(",", ",", "no project");
}

/* Against what the words say, for all sets of three projects and no restriction. */
static void test_sets_against_each_other(void **state)
{
    struct projects sets[9];

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        char *text = mem_printf(",%s%s%s", i & 4 ? "z," : "", i & 2 ? "b," : "", i & 1 ? "a" : "");

        projects_parse(&sets[i], text);
        free(text);
    }
    projects_parse(&sets[8], "");
    for (unsigned i = 0; i < 9; i++) {
        for (unsigned j = 0; j < 9; j++) {
            unsigned a = i == 8 ? 15 : i, b = j == 8 ? 15 : j; /* 8: all other projects */
            struct projects both, either;

            projects_copy(&both, &sets[i]);
            projects_narrow(&both, &sets[j]);
            assert_true(projects_equal(&both, &sets[(a & b) == 15 ? 8 : (a & b)]));
            projects_copy(&either, &sets[i]);
            projects_union(&either, &sets[j]);
            assert_true(projects_equal(&either, &sets[(a | b) == 15 ? 8 : (a | b)]));
            assert_int_equal(projects_cover(&sets[i], &sets[j]), (b & ~a) == 0);
            assert_int_equal(projects_equal(&sets[i], &sets[j]), i == j);
            projects_free(&both);
            projects_free(&either);
        }
    }
    for (unsigned i = 0; i < 9; i++)
        projects_free(&sets[i]);
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
        cmocka_unit_test(test_lists_without_a_name),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_narrowing),
        cmocka_unit_test(test_union),
        cmocka_unit_test(test_sets_against_each_other),
        cmocka_unit_test(test_copy_and_equality),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
