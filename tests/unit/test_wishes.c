/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "charm/wishes.h"
#include "world.h"

static size_t count_wishes_of(const struct world *world, const struct member *member)
{
    size_t count = 0;

    for (size_t i = 0; i < world->wishes.count; i++)
        count += world->wishes.items[i].member == member;
    return count;
}

static const struct wish *find_wish(const struct world *world, unsigned number)
{
    char fingerprint[65];

    world_fingerprint(fingerprint, number);
    for (size_t i = 0; i < world->wishes.count; i++) {
        if (strcmp(wish_fingerprint(&world->wishes.items[i]), fingerprint) == 0)
            return &world->wishes.items[i];
    }
    return NULL;
}

static void test_nothing(void **state)
{
    struct strings candidates = {0};
    struct world world;

    (void)state;
    world_open(&world);
    world_collect(&world);
    assert_int_equal(world.wishes.count, 0);
    world_close(&world);
    world_open(&world);
    world_relate(&world, 1, "client"); /* without any member that can be read */
    world_collect(&world);
    assert_int_equal(world.wishes.count, 0);
    wishes_candidates(&world.relations, &candidates);
    assert_int_equal(candidates.count, 0);
    world_close(&world);
}

/* By certificate, then relation, then member: those of one certificate are side by side. */
static void test_order(void **state)
{
    struct strings candidates = {0};
    struct world world;

    (void)state;
    world_open(&world);
    struct relation *first = world_relate(&world, 3, "a"), *second = world_relate(&world, 20, "b");
    struct member *late = world_join(second, "b/0"), *early = world_join(first, "a/0"),
                  *other = world_join(first, "a/1");
    world_ask(late, 2);
    world_ask(late, 1);
    world_ask(other, 2);
    world_ask(early, 2);
    world_collect(&world);
    assert_int_equal(world.wishes.count, 4);
    assert_ptr_equal(world.wishes.items[0].member, late);
    assert_ptr_equal(world.wishes.items[1].member, early);
    assert_ptr_equal(world.wishes.items[2].member, other);
    assert_ptr_equal(world.wishes.items[3].member, late);
    assert_int_equal(wishes_next(&world.wishes, 0), 1);
    assert_int_equal(wishes_next(&world.wishes, 1), 4);
    wishes_candidates(&world.relations, &candidates);
    assert_int_equal(candidates.count, 2);
    strings_free(&candidates);
    world_close(&world);
}

/* Only relations that live wish something. */
static void test_states(void **state)
{
    static const enum relation_state states[] = {RELATION_UNKNOWN, RELATION_ENDING,
                                                 RELATION_REPLACED, RELATION_GONE};

    (void)state;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct strings candidates = {0};
        struct world world;

        world_open(&world);
        struct relation *relation = world_relate(&world, 3, "a");
        world_ask(world_join(relation, "a/0"), 1);
        world_ask_junk(world_join(relation, "a/1"), "junk");
        relation->state = states[i];
        world_collect(&world);
        wishes_candidates(&world.relations, &candidates);
        assert_int_equal(world.wishes.count, 0);
        assert_int_equal(world.wishes.rejections[0].count, 0);
        assert_int_equal(candidates.count, 0);
        world_close(&world);
    }
}

/* Opens a world in which a/0 asks for 1, a/1 for 2 in the project red, a/2 for nothing; returns the
 * application's member, which asks for nothing yet. */
static struct member *open_with_projects(struct world *world)
{
    world_open(world);
    struct relation *relation = world_relate(world, 3, "a");
    world_ask(world_join(relation, "a/0"), 1);
    struct member *own = world_join(relation, "a/1");
    world_ask(own, 2);
    world_name_projects(own, "red");
    world_join(relation, "a/2");
    return world_join(relation, "a");
}

/* The application's list serves for units that have none. */
static void test_projects_of_the_application(void **state)
{
    struct world world;
    struct member *application = open_with_projects(&world);

    (void)state;
    world_ask(application, 3);
    world_collect(&world);
    assert_false(find_wish(&world, 1)->projects->restricted);
    world_name_projects(application, "blue");
    world_collect(&world);
    assert_string_equal(find_wish(&world, 1)->projects->names.items[0], "blue");
    assert_string_equal(find_wish(&world, 2)->projects->names.items[0], "red");
    assert_string_equal(find_wish(&world, 3)->projects->names.items[0], "blue");
    world_close(&world);
}

/* The operator's default serves where neither has any. */
static void test_default_projects(void **state)
{
    struct world world;

    (void)state;
    world_open(&world);
    struct relation *relation = world_relate(&world, 3, "a");
    struct member *plain = world_join(relation, "a/0"), *own = world_join(relation, "a/1"),
                  *application = world_join(relation, "a");
    world_ask(plain, 1);
    world_ask(own, 2);
    world_name_projects(own, "red");
    world_ask(application, 3);
    projects_parse(&world.default_projects, "green");
    world_collect(&world);
    assert_string_equal(find_wish(&world, 1)->projects->names.items[0], "green");
    assert_string_equal(find_wish(&world, 2)->projects->names.items[0], "red");
    assert_string_equal(find_wish(&world, 3)->projects->names.items[0], "green");
    world_name_projects(application, "blue");
    world_collect(&world);
    assert_string_equal(find_wish(&world, 1)->projects->names.items[0], "blue");
    assert_string_equal(find_wish(&world, 3)->projects->names.items[0], "blue");
    world_close(&world);
}

/* An application's list that cannot be read does not mean all of LXD. */
static void test_unusable_projects_of_the_application(void **state)
{
    struct world world;
    struct member *application = open_with_projects(&world);

    (void)state;
    application->names_projects = true;
    application->reason = mem_string("projects names no project");
    world_collect(&world);
    assert_int_equal(world.wishes.count, 1);
    assert_non_null(find_wish(&world, 2));
    const struct rejections *rejections = &world.wishes.rejections[0];
    assert_int_equal(rejections->count, 2);
    assert_string_equal(rejections->items[0].unit, "a/0");
    assert_string_equal(rejections->items[0].reason, "projects names no project");
    assert_null(rejections->items[1].unit);
    world_close(&world);
}

static void test_what_is_no_wish(void **state)
{
    struct world world;

    (void)state;
    world_open(&world);
    struct relation *relation = world_relate(&world, 3, "a");
    struct member *member = world_join(relation, "a/0"), *refused = world_join(relation, "a/1");
    world_ask_junk(member, "junk");
    world_ask(member, 1);
    world_ask(refused, 2);
    refused->reason = mem_string("version \"2\" is not supported");
    world_collect(&world);
    assert_int_equal(world.wishes.count, 1);
    const struct rejections *rejections = &world.wishes.rejections[0];
    assert_int_equal(rejections->count, 2);
    assert_int_equal(rejections->items[0].index, 0);
    assert_string_equal(rejections->items[0].fingerprint, "");
    assert_string_equal(rejections->items[0].unit, "a/0");
    assert_int_equal(rejections->items[1].index, -1);
    assert_string_equal(rejections->items[1].unit, "a/1");
    world_close(&world);
}

/* ---- places in rounds ---- */

/* Nobody's first entry falls to somebody's many, and junk costs only who wrote it. */
static void test_rounds(void **state)
{
    struct world world;

    (void)state;
    world_open(&world);
    struct relation *relation = world_relate(&world, 3, "a");
    struct member *many = world_join(relation, "a/0"), *junk = world_join(relation, "a/1"),
                  *one = world_join(relation, "a/2"), *application = world_join(relation, "a");
    for (unsigned i = 0; i < DATABAG_MAX_ENTRIES; i++) {
        world_ask(many, 10000 + i);
        world_ask_junk(junk, "junk");
    }
    many->beyond = 17;
    world_ask(one, 1);
    world_ask(application, 2);
    world_ask(application, 3);
    world_collect(&world);
    assert_int_equal(count_wishes_of(&world, one), 1);
    assert_int_equal(count_wishes_of(&world, application), 2);
    size_t placed = count_wishes_of(&world, many);
    assert_in_range(placed, 498, 499);
    /* Of the junk, 498 or 499 are listed, and two members are told that they had too many. */
    const struct rejections *rejections = &world.wishes.rejections[0];
    assert_int_equal(rejections->count, DATABAG_MAX_ENTRIES - 3 - placed + 2);
    char *reason =
        mem_printf("%zu of its 1017 entries found no place: a relation has 1000 at most, "
                   "of 1024 KiB together",
                   1017 - placed);
    assert_string_equal(rejections->items[rejections->count - 2].reason, reason);
    assert_string_equal(rejections->items[rejections->count - 2].unit, "a/0");
    assert_int_equal(rejections->items[rejections->count - 2].index, -1);
    free(reason);
    world_close(&world);
}

/* Within a round first those that are known already. */
static bool knows(const void *context, unsigned long relation, const char *fingerprint)
{
    return relation == 3 && strcmp(fingerprint, context) == 0;
}

static void test_known_ones_first(void **state)
{
    char known[65], held[65];
    struct world world;

    (void)state;
    world_open(&world);
    struct relation *relation = world_relate(&world, 3, "a");
    for (unsigned i = 0; i < 3; i++) {
        char name[] = "a/0";

        name[2] = (char)('0' + i);
        struct member *member = world_join(relation, name);
        for (unsigned j = 0; j < 334; j++) /* 1,002 of them: two find no place */
            world_ask(member, 1000 * (i + 1) + j);
    }
    world_fingerprint(known, 2333); /* in the last round ... */
    world_fingerprint(held, 3333);
    strings_add(&relation->held, held);
    wishes_free(&world.wishes, &world.relations);
    wishes_collect(&world.wishes, &world.relations, &world.default_projects, knows, known);
    assert_int_equal(world.wishes.count, DATABAG_MAX_ENTRIES);
    assert_null(find_wish(&world, 1333));
    assert_int_equal((find_wish(&world, 2333) != NULL) + (find_wish(&world, 3333) != NULL), 1);
    world_close(&world);
}

/* What grows when it is published counts as it is printed. */
static void test_escaped_text(void **state)
{
    char text[1025] = "";
    struct world world;

    (void)state;
    memset(text, '\x01', sizeof text - 1);
    world_open(&world);
    struct member *member = world_join(world_relate(&world, 3, "a"), "a/0");
    for (unsigned i = 0; i < 1000; i++) {
        struct entry *entry = world_ask(member, 100 + i);

        free(entry->text);
        entry->text = mem_string(text);
    }
    world_collect(&world);
    assert_int_equal(world.wishes.count, 1024 / 6);
    world_close(&world);
}

/* An entry that is too large for what is left does not keep smaller ones from their place. */
static void test_text(void **state)
{
    size_t size = 60 * 1024;
    char *text = mem_alloc(size + 1);
    struct world world;

    (void)state;
    memset(text, 'x', size);
    world_open(&world);
    struct relation *relation = world_relate(&world, 3, "a");
    struct member *large = world_join(relation, "a/0"), *small = world_join(relation, "a/1");
    for (unsigned i = 0; i < 20; i++) {
        struct entry *entry = world_ask(large, 100 + i);

        free(entry->text);
        entry->text = mem_string(text);
        world_ask(small, 1 + i);
    }
    world_collect(&world);
    assert_int_equal(count_wishes_of(&world, small), 20);
    assert_int_equal(count_wishes_of(&world, large), 17); /* 1,020 KiB */
    assert_int_equal(world.wishes.rejections[0].count, 1);
    free(text);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_projects_of_the_application),
        cmocka_unit_test(test_default_projects),
        cmocka_unit_test(test_unusable_projects_of_the_application),
        cmocka_unit_test(test_what_is_no_wish),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_known_ones_first),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_escaped_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
