/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "charm/store.h"
#include "world.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void open_owner(struct owner *owner, char own[65])
{
    world_fingerprint(own, WORLD_OWN);
    owner_make(owner, WORLD_UUID, "integrator", own);
}

static void test_whose_is_it(void **state)
{
    static const struct {
        const char *name, *type;
        bool ours;
        unsigned long relation;
    } entries[] = {
        {WORLD_PREFIX "client.5", "client", true, 5},
        {WORLD_PREFIX "my-client-2.12.0123456789ab", "client", true, 12},
        {WORLD_PREFIX "remote-0123456789abcdef0123456789abcdef.7.0123456789ab", "client", true, 7},
        {WORLD_PREFIX "anything", "client", true, 0},
        {WORLD_PREFIX "x.y", "client", true, 0},
        {WORLD_PREFIX, "client", true, 0},
        {WORLD_PREFIX "client.5", "server", false, 0},
        {WORLD_PREFIX "client.5", "metrics", false, 0},
        {WORLD_PREFIX "client.5", "new-type", false, 0},
        {"juju.9f1c1ab0.integrator", "client", false, 0},
        {"juju.9f1c1ab0.integrator2.client.5", "client", false, 0},
        {"juju.9f1c1ab0.integrator-2.client.5", "client", false, 0},
        {"juju.9f1c1ab1.integrator.client.5", "client", false, 0},
        {"Juju.9f1c1ab0.integrator.client.5", "client", false, 0},
        {" " WORLD_PREFIX "client.5", "client", false, 0},
        {"juju-9f1c1ab0-integrator", "client", false, 0}, /* tokens are asked for by this name */
        {"juju", "client", false, 0},
        {"", "client", false, 0},
    };
    struct owner owner;
    char own[65];

    (void)state;
    open_owner(&owner, own);
    for (size_t i = 0; i < COUNT(entries); i++) {
        struct lxd_certificate entry;

        world_entry(&entry, 1, entries[i].name, entries[i].type, "");
        assert_int_equal(owner_has(&owner, &entry), entries[i].ours);
        if (entries[i].ours)
            assert_int_equal(owner_relation(&owner, &entry), entries[i].relation);
        lxd_certificate_free(&entry);
        world_entry(&entry, WORLD_OWN, entries[i].name, entries[i].type, "");
        assert_false(owner_has(&owner, &entry)); /* the certificate that we log in with */
        lxd_certificate_free(&entry);
    }
    owner_free(&owner);
}

static void test_name(void **state)
{
    struct owner owner;
    char own[65];

    (void)state;
    open_owner(&owner, own);
    char *name = owner_name(&owner, "builder", 3,
                            "63d52a6743358b17b2cbc8884520ebf6a639146a6ff0ee4f71f5114ce9ddb77a");
    assert_string_equal(name, WORLD_PREFIX "builder.3.63d52a674335");
    free(name);
    owner_free(&owner);
}

static void note(struct store *store, const struct owner *owner, const struct strings *wanted,
                 unsigned number, const char *name, const char *type, const char *projects)
{
    struct lxd_certificate entry;

    world_entry(&entry, number, name, type, projects);
    store_note(store, owner, wanted, &entry);
    lxd_certificate_free(&entry);
}

/* Of 100,000 entries only those of interest are kept; the others are counted. */
static void test_what_is_kept(void **state)
{
    struct strings wanted = {0};
    struct store store = {0};
    struct owner owner;
    char own[65], fingerprint[65];

    (void)state;
    open_owner(&owner, own);
    world_fingerprint(fingerprint, 2);
    strings_add(&wanted, fingerprint);
    for (unsigned i = 1000; i < 101000; i++)
        note(&store, &owner, &wanted, i, "stranger", "client", "");
    note(&store, &owner, &wanted, 3, WORLD_PREFIX "a.1", "client", "blue");
    note(&store, &owner, &wanted, 2, "bob", "client", "");
    note(&store, &owner, &wanted, 1, WORLD_PREFIX "a.1", "server", "");
    assert_false(store.shows_own);
    note(&store, &owner, &wanted, WORLD_OWN, "juju", "client", "blue");
    store_sort(&store);
    assert_int_equal(store.total, 100004);
    assert_int_equal(store.count, 4);
    assert_int_equal(store.strangers, 1);
    assert_true(store.shows_own);
    assert_true(store.own_restricted);
    for (size_t i = 1; i < store.count; i++)
        assert_true(strcmp(store.items[i - 1].fingerprint, store.items[i].fingerprint) < 0);
    assert_string_equal(store_find(&store, fingerprint)->name, "bob");
    world_fingerprint(fingerprint, 1000);
    assert_null(store_find(&store, fingerprint));
    store_free(&store);
    strings_free(&wanted);
    owner_free(&owner);
}

static void test_changes(void **state)
{
    struct store store = {0};
    char fingerprint[65];

    (void)state;
    world_fingerprint(fingerprint, 2);
    store_remove(&store, fingerprint);
    assert_null(store_find(&store, fingerprint));
    world_store(&store, 3, "c", "client", "");
    world_store(&store, 1, "a", "client", "");
    world_store(&store, 2, "b", "client", "");
    world_store(&store, 2, "b2", "client", "blue");
    assert_int_equal(store.count, 3);
    assert_string_equal(store_find(&store, fingerprint)->name, "b2");
    assert_true(store_find(&store, fingerprint)->projects.restricted);
    store_remove(&store, fingerprint);
    store_remove(&store, fingerprint);
    assert_int_equal(store.count, 2);
    assert_null(store_find(&store, fingerprint));
    world_fingerprint(fingerprint, 3);
    assert_string_equal(store_find(&store, fingerprint)->name, "c");
    store_free(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whose_is_it),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_what_is_kept),
        cmocka_unit_test(test_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
