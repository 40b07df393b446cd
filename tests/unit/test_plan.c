/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "charm/plan.h"

#define PREFIX "juju.9f1c1ab0.integrator."
#define OURS PREFIX "client.5"
#define OWN 99

/* Only fingerprints matter to a plan: a certificate is a number here. */
static char *fingerprint_of(unsigned number)
{
    return mem_printf("%064x", number);
}

struct setting {
    struct request requests[4];
    struct plan_demand demands[4];
    size_t demand_count;
    struct lxd_certificate entries[16];
    struct lxd_certificates store;
    char own[65];
    struct plan plan;
};

static void setting_open(struct setting *setting)
{
    char *own = fingerprint_of(OWN);

    *setting = (struct setting){.store.items = setting->entries};
    memcpy(setting->own, own, sizeof setting->own);
    free(own);
}

/* A relation with a client application that wants these certificates; 0 ends the list. */
static void relate(struct setting *setting, unsigned long number, const char *application, ...)
{
    struct request *request = &setting->requests[setting->demand_count];
    va_list numbers;
    unsigned certificate;

    va_start(numbers, application);
    while ((certificate = va_arg(numbers, unsigned)) != 0) {
        char *fingerprint = fingerprint_of(certificate);
        struct wish wish = {.text = mem_string("pem")};

        memcpy(wish.certificate.fingerprint, fingerprint, 65);
        request->wishes =
            mem_resize(request->wishes, (request->count + 1) * sizeof *request->wishes);
        request->wishes[request->count++] = wish;
        free(fingerprint);
    }
    va_end(numbers);
    setting->demands[setting->demand_count++] = (struct plan_demand){number, application, request};
}

static void store(struct setting *setting, unsigned number, const char *name, const char *type,
                  bool restricted)
{
    struct lxd_certificate *entry = &setting->entries[setting->store.count++];
    char *fingerprint = fingerprint_of(number);

    *entry = (struct lxd_certificate){
        .name = mem_string(name), .type = mem_string(type), .restricted = restricted};
    memcpy(entry->fingerprint, fingerprint, sizeof entry->fingerprint);
    free(fingerprint);
}

static void make(struct setting *setting)
{
    struct plan_self self = {"9f1c1ab0-1d2e-4f3a-8b4c-5d6e7f801234", "integrator", setting->own};

    plan_make(&setting->plan, &self, setting->demands, setting->demand_count, &setting->store);
}

static void setting_close(struct setting *setting)
{
    plan_free(&setting->plan);
    for (size_t i = 0; i < setting->demand_count; i++)
        request_free(&setting->requests[i]);
    for (size_t i = 0; i < setting->store.count; i++) {
        free(setting->entries[i].name);
        free(setting->entries[i].type);
    }
}

static const struct plan_certificate *planned(const struct setting *setting, unsigned number)
{
    char *fingerprint = fingerprint_of(number);
    const struct plan_certificate *found = plan_find(&setting->plan, fingerprint);

    free(fingerprint);
    return found;
}

static size_t count_present(const struct plan *plan)
{
    size_t present = 0;

    for (size_t i = 0; i < plan->count; i++)
        present += plan->certificates[i].state == PLAN_PRESENT;
    return present;
}

static bool is_removed(const struct setting *setting, unsigned number)
{
    char *fingerprint = fingerprint_of(number);
    bool found = false;

    for (size_t i = 0; i < setting->plan.removal_count; i++)
        found = found || strcmp(setting->plan.removals[i]->fingerprint, fingerprint) == 0;
    free(fingerprint);
    return found;
}

static void test_nothing(void **state)
{
    struct setting setting;

    (void)state;
    setting_open(&setting);
    make(&setting);
    assert_int_equal(setting.plan.count, 0);
    assert_int_equal(setting.plan.removal_count, 0);
    assert_null(planned(&setting, 1));
    assert_int_equal(count_present(&setting.plan), 0);
    setting_close(&setting);
}

static void test_addition_and_its_name(void **state)
{
    struct setting setting;

    (void)state;
    setting_open(&setting);
    relate(&setting, 12, "client", 1, 0);
    make(&setting);
    assert_int_equal(setting.plan.count, 1);
    assert_int_equal(planned(&setting, 1)->state, PLAN_MISSING);
    assert_string_equal(planned(&setting, 1)->name, PREFIX "client.12");
    setting_close(&setting);
}

/* Numbers, not text: api:9 comes before api:10. */
static void test_lowest_relation_names(void **state)
{
    struct setting setting;

    (void)state;
    setting_open(&setting);
    relate(&setting, 10, "late", 1, 2, 0);
    relate(&setting, 9, "early", 1, 0);
    make(&setting);
    assert_int_equal(setting.plan.count, 2);
    assert_string_equal(planned(&setting, 1)->name, PREFIX "early.9");
    assert_string_equal(planned(&setting, 2)->name, PREFIX "late.10");
    setting_close(&setting);
}

/* What stays wanted by one relation stays, although another has let it go. */
static void test_withdrawn_from_one_of_two(void **state)
{
    struct setting setting;

    (void)state;
    setting_open(&setting);
    relate(&setting, 5, "client", 2, 0);
    relate(&setting, 6, "client", 1, 0);
    store(&setting, 1, OURS, "client", false);
    store(&setting, 2, OURS, "client", false);
    store(&setting, 3, OURS, "client", false);
    make(&setting);
    assert_int_equal(setting.plan.removal_count, 1);
    assert_true(is_removed(&setting, 3));
    assert_int_equal(count_present(&setting.plan), 2);
    setting_close(&setting);
}

static void test_whose_is_it(void **state)
{
    static const struct {
        const char *name;
        bool ours;
    } names[] = {
        {PREFIX "client.5", true},
        {PREFIX "anything", true},
        {PREFIX, true},
        {"juju.9f1c1ab0.integrator", false},
        {"juju.9f1c1ab0.integrator2.client.5", false},
        {"juju.9f1c1ab1.integrator.client.5", false},
        {"Juju.9f1c1ab0.integrator.client.5", false},
        {" " PREFIX "client.5", false},
        {"juju", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct setting setting;

        setting_open(&setting);
        store(&setting, 1, names[i].name, "client", false);
        make(&setting);
        assert_int_equal(is_removed(&setting, 1), names[i].ours);
        setting_close(&setting);
    }
}

/* Every combination of who wants a certificate, as what LXD has it, and whether it is our own. */
static void test_all_combinations(void **state)
{
    static const struct {
        const char *name; /* NULL: not there */
        const char *type;
        bool restricted;
    } entries[] = {
        {NULL, NULL, false},       {OURS, "client", false},   {OURS, "client", true},
        {"bob", "client", false},  {"bob", "client", true},   {"node-1", "server", false},
        {OURS, "server", false},   {"prom", "metrics", true}, {OURS, "metrics", false},
        {OURS, "new-type", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof entries / sizeof *entries * 8; i++) {
        bool first = (i & 1) != 0, second = (i & 2) != 0;
        unsigned number = (i & 4) != 0 ? OWN : 1;
        const char *name = entries[i / 8].name, *type = entries[i / 8].type;
        bool is_client = name != NULL && strcmp(type, "client") == 0;
        struct setting setting;

        setting_open(&setting);
        if (first)
            relate(&setting, 5, "client", number, 0);
        if (second)
            relate(&setting, 6, "client", number, 0);
        if (name != NULL)
            store(&setting, number, name, type, entries[i / 8].restricted);
        make(&setting);

        enum plan_state expected = name == NULL                              ? PLAN_MISSING
                                   : is_client && !entries[i / 8].restricted ? PLAN_PRESENT
                                                                             : PLAN_REFUSED;
        const struct plan_certificate *certificate = planned(&setting, number);
        assert_int_equal(certificate != NULL, first || second);
        if (certificate != NULL) {
            assert_int_equal(certificate->state, expected);
            assert_int_equal(certificate->reason != NULL, expected == PLAN_REFUSED);
        }
        bool removed = !first && !second && is_client && strcmp(name, OURS) == 0 && number != OWN;
        assert_int_equal(is_removed(&setting, number), removed);
        setting_close(&setting);
    }
}

static void test_reasons(void **state)
{
    struct setting setting;

    (void)state;
    setting_open(&setting);
    relate(&setting, 5, "client", 1, 2, 0);
    store(&setting, 1, "node-1", "server", false);
    store(&setting, 2, "bob", "client", true);
    make(&setting);
    assert_string_equal(planned(&setting, 1)->reason,
                        "LXD has it as a certificate of type server named \"node-1\"");
    assert_string_equal(planned(&setting, 2)->reason,
                        "LXD has it as \"bob\", restricted to projects");
    setting_close(&setting);
}

/* What LXD says when the addition turns out to be there already. */
static void test_settling(void **state)
{
    struct setting setting;

    (void)state;
    setting_open(&setting);
    relate(&setting, 5, "client", 1, 2, 3, 0);
    make(&setting);
    store(&setting, 1, "bob", "client", false);
    store(&setting, 2, "bob", "client", true);
    plan_settle(&setting.plan.certificates[0], &setting.entries[0]);
    plan_settle(&setting.plan.certificates[1], &setting.entries[1]);
    plan_refuse(&setting.plan.certificates[2], "too weak");
    plan_refuse(&setting.plan.certificates[2], "expired");
    assert_int_equal(planned(&setting, 1)->state, PLAN_PRESENT);
    assert_int_equal(planned(&setting, 2)->state, PLAN_REFUSED);
    assert_int_equal(planned(&setting, 3)->state, PLAN_REFUSED);
    assert_string_equal(planned(&setting, 3)->reason, "expired");
    assert_int_equal(count_present(&setting.plan), 1);
    setting_close(&setting);
}

static void test_sorted_by_fingerprint(void **state)
{
    struct setting setting;

    (void)state;
    setting_open(&setting);
    relate(&setting, 5, "client", 7, 3, 5, 0);
    relate(&setting, 4, "client", 4, 5, 7, 0);
    make(&setting);
    assert_int_equal(setting.plan.count, 4);
    for (size_t i = 1; i < setting.plan.count; i++)
        assert_true(strcmp(setting.plan.certificates[i - 1].certificate->fingerprint,
                           setting.plan.certificates[i].certificate->fingerprint) < 0);
    setting_close(&setting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_addition_and_its_name),
        cmocka_unit_test(test_lowest_relation_names),
        cmocka_unit_test(test_withdrawn_from_one_of_two),
        cmocka_unit_test(test_whose_is_it),
        cmocka_unit_test(test_all_combinations),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_settling),
        cmocka_unit_test(test_sorted_by_fingerprint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
