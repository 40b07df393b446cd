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
    struct projects limit;
    struct lxd_server server;
    struct plan plan;
};

static void setting_open(struct setting *setting)
{
    char *own = fingerprint_of(OWN);

    *setting = (struct setting){.store.items = setting->entries, .server.restricts = true};
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
        .name = mem_string(name), .type = mem_string(type), .projects.restricted = restricted};
    memcpy(entry->fingerprint, fingerprint, sizeof entry->fingerprint);
    free(fingerprint);
}

static void make(struct setting *setting)
{
    struct plan_self self = {"9f1c1ab0-1d2e-4f3a-8b4c-5d6e7f801234", "integrator", setting->own,
                             setting->limit};

    plan_make(&setting->plan, &self, setting->demands, setting->demand_count, &setting->server,
              &setting->store);
}

static void setting_close(struct setting *setting)
{
    plan_free(&setting->plan);
    for (size_t i = 0; i < setting->demand_count; i++)
        request_free(&setting->requests[i]);
    for (size_t i = 0; i < setting->store.count; i++) {
        free(setting->entries[i].name);
        free(setting->entries[i].type);
        projects_free(&setting->entries[i].projects);
    }
    projects_free(&setting->limit);
}

/* The last relation wants its last certificate for these projects only. */
static void restrict_last(struct setting *setting, const char *names)
{
    struct request *request = &setting->requests[setting->demand_count - 1];

    projects_parse(&request->wishes[request->count - 1].projects, names);
}

/* What the first entry of the store opens. */
static void restrict_entry(struct setting *setting, const char *names)
{
    projects_free(&setting->entries[0].projects);
    projects_parse(&setting->entries[0].projects, names);
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

        enum plan_state expected = PLAN_REFUSED;
        if (name == NULL)
            expected = PLAN_MISSING;
        else if (is_client && !entries[i / 8].restricted)
            expected = PLAN_PRESENT;
        else if (is_client && strcmp(name, OURS) == 0 && number != OWN)
            expected = PLAN_CHANGED;
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
                        "LXD has it as \"bob\", restricted to no project");
    setting_close(&setting);
}

/* Two relations and the operator have each their say. */
static void assert_agreed(const char *first, const char *second, const char *limit,
                          const char *agreed, bool narrowed)
{
    struct setting setting;

    setting_open(&setting);
    relate(&setting, 5, "client", 1, 0);
    restrict_last(&setting, first);
    relate(&setting, 6, "client", 1, 0);
    restrict_last(&setting, second);
    projects_parse(&setting.limit, limit);
    make(&setting);
    const struct plan_certificate *wanted = planned(&setting, 1);
    char *projects = projects_describe(&wanted->projects);
    assert_string_equal(projects, agreed);
    assert_int_equal(wanted->narrowed, narrowed);
    assert_int_equal(wanted->state == PLAN_REFUSED, strcmp(agreed, "no project") == 0);
    free(projects);
    setting_close(&setting);
}

static void test_projects(void **state)
{
    (void)state;
    assert_agreed("", "", "", "all of LXD", false);
    assert_agreed("a", "", "", "project a", false);
    assert_agreed("", "", "a,b", "projects a, b", false);
    assert_agreed("a,b", "b,c", "", "project b", true);
    assert_agreed("a,b", "b,a", "", "projects b, a", false);
    assert_agreed("a,b,c", "", "c", "project c", true);
    assert_agreed("a", "b", "", "no project", true);
    assert_agreed("a", "", "b", "no project", true);
}

static void assert_settled(const char *name, const char *has, const char *wants,
                           enum plan_state expected)
{
    struct setting setting;

    setting_open(&setting);
    relate(&setting, 5, "client", 1, 0);
    restrict_last(&setting, wants);
    store(&setting, 1, name, "client", false);
    restrict_entry(&setting, has);
    make(&setting);
    assert_int_equal(planned(&setting, 1)->state, expected);
    setting_close(&setting);
}

static void test_projects_of_entries(void **state)
{
    (void)state;
    assert_settled(OURS, "a,b", "b,a", PLAN_PRESENT);
    assert_settled(OURS, "a", "b", PLAN_CHANGED);
    assert_settled(OURS, "", "b", PLAN_CHANGED);
    assert_settled(OURS, "a", "", PLAN_CHANGED);
    assert_settled("bob", "a", "a", PLAN_PRESENT);
    assert_settled("bob", "", "a", PLAN_PRESENT);
    assert_settled("bob", "a,b", "a", PLAN_REFUSED);
    assert_settled("juju.9f1c1ab0.integrator-2.client.5", "a,b", "a", PLAN_REFUSED);
}

/* What opens more than is agreed on does not stay. */
static void test_refused_entry_of_ours_is_removed(void **state)
{
    static char version[] = "4.0.9";
    struct setting setting;

    (void)state;
    setting_open(&setting);
    setting.server.restricts = false;
    setting.server.version = version;
    relate(&setting, 5, "client", 1, 0);
    restrict_last(&setting, "a");
    store(&setting, 1, OURS, "client", false);
    make(&setting);
    assert_int_equal(planned(&setting, 1)->state, PLAN_REFUSED);
    assert_string_equal(planned(&setting, 1)->reason,
                        "LXD 4.0.9 cannot restrict certificates to projects: this one would "
                        "open all of it");
    assert_true(is_removed(&setting, 1));
    setting_close(&setting);
}

static void test_own_certificate_is_not_restricted(void **state)
{
    struct setting setting;

    (void)state;
    setting_open(&setting);
    relate(&setting, 5, "client", OWN, 0);
    restrict_last(&setting, "a");
    store(&setting, OWN, OURS, "client", false);
    make(&setting);
    assert_int_equal(planned(&setting, OWN)->state, PLAN_REFUSED);
    assert_false(is_removed(&setting, OWN));
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

static void test_whose_an_entry_is(void **state)
{
    static char client[] = "client", server[] = "server", ours[] = PREFIX "my-client.12",
                other[] = "juju.9f1c1ab0.integrator-2.client.5", odd[] = PREFIX "x";
    const struct plan_self self = {"9f1c1ab0-1d2e-4f3a-8b4c-5d6e7f801234", "integrator", "", {0}};
    struct lxd_certificate entry = {.name = ours, .type = client};
    unsigned long relation;
    char *application;

    (void)state;
    assert_true(plan_owns(&self, &entry, NULL, NULL));
    assert_true(plan_owns(&self, &entry, &application, &relation));
    assert_string_equal(application, "my-client");
    assert_int_equal(relation, 12);
    free(application);
    entry.type = server;
    assert_false(plan_owns(&self, &entry, &application, &relation));
    entry = (struct lxd_certificate){.name = other, .type = client};
    assert_false(plan_owns(&self, &entry, &application, &relation));
    entry.name = odd;
    assert_true(plan_owns(&self, &entry, &application, &relation));
    assert_string_equal(application, "x");
    assert_int_equal(relation, 0);
    free(application);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whose_an_entry_is),
        cmocka_unit_test(test_projects),
        cmocka_unit_test(test_projects_of_entries),
        cmocka_unit_test(test_refused_entry_of_ours_is_removed),
        cmocka_unit_test(test_own_certificate_is_not_restricted),
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
