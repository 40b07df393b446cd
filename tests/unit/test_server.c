/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/net.h"
#include "charm/server.h"
#include "fake_lxd.h"
#include "world.h"

#define URL "https://10.0.0.1:8443"
#define AT "LXD at " URL " "
#define OURS WORLD_PREFIX "client.5"
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* One LXD, and a world whose first relation has two members: client/0 asks for all of LXD,
 * client/1 for the projects a and b. */
struct fixture {
    struct fake_lxd lxd;
    struct world world;
    struct member *all, *some;
    struct certificate ours;
    struct lxd_credentials credentials;
    struct server_identity expected; /* none */
    struct interest interest;
    struct strings wanted;
    struct server server;
};

static int set_up(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    fixture->lxd.url = URL;
    fixture->lxd.projects = "default a b";
    fake_lxds[0] = &fixture->lxd;
    fake_lxd_put(&fixture->lxd, WORLD_OWN, "juju", "client", "");
    world_open(&fixture->world);
    struct relation *relation = world_relate(&fixture->world, 5, "client");
    fixture->all = world_join(relation, "client/0");
    fixture->some = world_join(relation, "client/1");
    world_name_projects(fixture->some, "a,b");
    world_fingerprint(fixture->ours.fingerprint, WORLD_OWN);
    fixture->credentials.certificate = &fixture->ours;
    fixture->credentials.server = &fixture->expected;
    fixture->interest = (struct interest){.owner = &fixture->world.terms.owner,
                                          .wanted = &fixture->wanted,
                                          .remedies = {"tell LXD", "tell Incus"},
                                          .start = fake_lxd_start};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    server_free(&fixture->server);
    strings_free(&fixture->wanted);
    world_close(&fixture->world);
    fake_lxd_free(&fixture->lxd);
    fake_lxds[0] = NULL;
    free(fixture);
    return 0;
}

/* ---- observing ---- */

static void observe(struct fixture *fixture)
{
    struct server *server = &fixture->server;
    struct endpoint endpoint;
    struct error error;

    strings_free(&fixture->wanted);
    wishes_candidates(&fixture->world.relations, &fixture->wanted);
    server_free(server);
    endpoint_parse(&endpoint, URL, &error);
    server_start(server, &endpoint, &fixture->credentials, &fixture->interest,
                 net_clock_ms() + 60000);
    lxd_connect(&server->client, 1);
    if (!server_opened(server))
        return;
    while (lxd_wait(&server->client, 1) == 0 && server_observe_step(server))
        ;
}

static void assert_journal(const struct fixture *fixture, size_t from, const char *expected)
{
    char *text = fake_lxd_journal(&fixture->lxd, from);

    assert_string_equal(text, expected);
    free(text);
}

static void assert_trouble(const struct fixture *fixture, enum error_kind kind, const char *text)
{
    assert_int_equal(fixture->server.state, SERVER_UNKNOWN);
    assert_string_equal(fixture->server.trouble.text, text);
    assert_int_equal(fixture->server.trouble.kind, kind);
}

static void test_observing(void **state)
{
    struct fixture *fixture = *state;
    struct server *server = &fixture->server;

    fixture->interest.projects = true;
    world_ask(fixture->all, 2);
    fake_lxd_put(&fixture->lxd, 1, OURS, "client", "a");
    fake_lxd_put(&fixture->lxd, 2, "bob", "client", "");
    fake_lxd_put(&fixture->lxd, 3, "stranger", "client", "");
    observe(fixture);
    assert_int_equal(server->state, SERVER_OBSERVED);
    assert_journal(fixture, 0, "GET /1.0, GET certificates, GET projects");
    assert_int_equal(server->store.total, 4);
    assert_int_equal(server->store.count, 3);
    assert_true(server->sees_projects);
    assert_false(server->filtered);
    struct surroundings surroundings = server_surroundings(server);
    assert_string_equal(surroundings.version, "6.6");
    assert_true(surroundings.restricts);
    assert_int_equal(surroundings.projects->count, 3);
    assert_int_equal(server_nodes(server), 1);
    char *certificate = server_certificate(server);
    assert_non_null(strstr(certificate, "BEGIN CERTIFICATE"));
    free(certificate);
}

/* Where nobody names a project it does not matter which there are. */
static void test_observing_without_projects(void **state)
{
    struct fixture *fixture = *state;

    observe(fixture);
    assert_journal(fixture, 0, "GET /1.0, GET certificates");
    assert_null(server_surroundings(&fixture->server).projects);
}

static void test_observing_a_cluster(void **state)
{
    struct fixture *fixture = *state;
    struct endpoint endpoint;
    struct error error;

    fixture->lxd.clustered = true;
    fixture->lxd.addresses = "\"10.0.0.9:8443\"";
    fixture->lxd.members = FAKE_MEMBER("n1", URL, "Online") "," FAKE_MEMBER(
        "n2", "https://10.0.0.2:8443", "Offline") "," FAKE_MEMBER("n3", "https://10.0.0.3:8443",
                                                                  "Evacuated");
    observe(fixture);
    assert_int_equal(fixture->server.state, SERVER_OBSERVED);
    assert_journal(fixture, 0, "GET /1.0, GET certificates, GET members");
    assert_int_equal(server_nodes(&fixture->server), 2);
    for (int i = 1; i < 5; i++) {
        char *url = mem_printf("https://10.0.0.%d:8443", i);

        endpoint_parse(&endpoint, url, &error);
        assert_int_equal(server_lists(&fixture->server, &endpoint), i < 4);
        free(url);
    }
    endpoint_parse(&endpoint, "10.0.0.9", &error);
    assert_true(server_lists(&fixture->server, &endpoint));
}

static void test_server_that_does_not_trust_us(void **state)
{
    struct fixture *fixture = *state;

    fixture->lxd.untrusted = true;
    observe(fixture);
    assert_trouble(fixture, ERROR_UNTRUSTED,
                   AT "does not trust the client certificate 000000000063...: tell LXD");
}

static void test_server_that_restricts_us(void **state)
{
    struct fixture *fixture = *state;

    fixture->lxd.entries[0].projects.restricted = true;
    observe(fixture);
    assert_trouble(fixture, ERROR_UNTRUSTED,
                   AT "restricts the client certificate 000000000063... to projects: it may not "
                      "manage the trust store");
}

/* In no group either, nor perhaps shown: entitlements would not help. */
static void test_server_with_identities_that_restricts_us(void **state)
{
    struct fixture *fixture = *state;

    fixture->lxd.identities = fixture->lxd.hides_own = true;
    test_server_that_restricts_us(state);
}

static void test_server_that_is_down(void **state)
{
    struct fixture *fixture = *state;

    fixture->lxd.down = true;
    observe(fixture);
    assert_trouble(fixture, ERROR_UNREACHABLE, AT "unreachable: connection refused");
    assert_null(fixture->server.client);
}

/* Whatever goes wrong with whichever request, nothing is believed. */
static void test_observing_fails(void **state)
{
    static const char *const requests[] = {"GET /1.0", "GET certificates", "GET projects",
                                           "GET members", "GET identity"};
    static const struct {
        int status;
        enum error_kind kind;
    } faults[] = {{500, ERROR_UNREACHABLE},
                  {-1, ERROR_UNREACHABLE},
                  {403, ERROR_UNTRUSTED},
                  {404, ERROR_NONSENSE}};
    struct fixture *fixture = *state;

    fixture->interest.projects = fixture->lxd.clustered = fixture->lxd.identities = true;
    fixture->lxd.hides_own = true;
    for (size_t i = 0; i < COUNT(requests) * COUNT(faults); i++) {
        size_t fault = i / COUNT(requests);

        fixture->lxd.faults[0] =
            (struct fake_fault){requests[i % COUNT(requests)], faults[fault].status, false, 0};
        observe(fixture);
        assert_int_equal(fixture->server.state, SERVER_UNKNOWN);
        assert_int_equal(fixture->server.trouble.kind, faults[fault].kind);
    }
}

/* ---- what our certificate may do ---- */

#define MAY(entitlement)               \
    "{\"type\":\"server\",\"url\":\"/" \
    "1.0\",\"entity_type\":\"server\",\"entitlement\":\"" entitlement "\"}"

/* A fine-grained identity stands in no list. */
static void test_fine_grained_identity(void **state)
{
    struct fixture *fixture = *state;

    fixture->lxd.identities = fixture->lxd.hides_own = true;
    fixture->lxd.permissions = MAY("permission_manager");
    observe(fixture);
    assert_int_equal(fixture->server.state, SERVER_OBSERVED);
    assert_false(fixture->server.filtered);
    assert_false(fixture->server.sees_projects);
    fixture->lxd.permissions = MAY("admin");
    fixture->interest.projects = true;
    observe(fixture);
    assert_true(fixture->server.sees_projects);
    assert_non_null(server_surroundings(&fixture->server).projects);
}

static void test_identity_that_lacks_something(void **state)
{
    struct fixture *fixture = *state;

    fixture->lxd.identities = fixture->lxd.hides_own = true;
    fixture->lxd.permissions = MAY("can_view_identities") "," MAY("can_create_identities");
    observe(fixture);
    assert_trouble(fixture, ERROR_UNTRUSTED,
                   "LXD at " URL ": the client certificate 000000000063... lacks "
                   "can_edit_identities, can_delete_identities: run \"lxc auth group permission "
                   "add GROUP server ENTITLEMENT\" for each");
}

/* A list that may hide entries is believed in what it shows, not in what it lacks. */
static void test_filtered_list(void **state)
{
    struct fixture *fixture = *state;
    const struct lxd_certificate *entry;

    fixture->lxd.hides_own = fixture->lxd.hides_all = true;
    world_ask(fixture->all, 1);
    world_ask(fixture->all, 2);
    world_ask(fixture->all, 3);
    fake_lxd_put(&fixture->lxd, 1, OURS, "client", "");
    fake_lxd_put(&fixture->lxd, 2, "bob", "client", "");
    observe(fixture);
    assert_int_equal(fixture->server.state, SERVER_OBSERVED);
    assert_true(fixture->server.filtered);
    assert_journal(fixture, 0, "GET /1.0, GET certificates, GET 2, GET 3");
    entry = store_find(&fixture->server.store, fixture->wanted.items[1]);
    assert_string_equal(entry->name, "bob");
    assert_null(store_find(&fixture->server.store, fixture->wanted.items[2]));
}

static void test_filtered_list_that_cannot_be_completed(void **state)
{
    struct fixture *fixture = *state;

    fixture->lxd.hides_own = true;
    fixture->lxd.faults[0] = (struct fake_fault){"GET 2", 500, false, 0};
    world_ask(fixture->all, 1);
    world_ask(fixture->all, 2);
    observe(fixture);
    assert_int_equal(fixture->server.state, SERVER_UNKNOWN);
}

/* ---- applying ---- */

/* Make the plan, carry it out, judge. */
static void apply(struct fixture *fixture)
{
    struct server *server = &fixture->server;

    world_collect(&fixture->world);
    const struct surroundings surroundings = server_surroundings(server);
    plan_make(&server->plan, &fixture->world.terms, &surroundings, &server->store);
    if (server_apply_begin(server, net_clock_ms() + 60000)) {
        while (lxd_wait(&server->client, 1) == 0 &&
               server_apply_step(server, &fixture->world.terms))
            ;
    }
    server_judge(server, &fixture->world.terms);
}

static void run(struct fixture *fixture)
{
    fixture->interest.projects = true;
    observe(fixture);
    assert_int_equal(fixture->server.state, SERVER_OBSERVED);
    apply(fixture);
}

/* What LXD has of a certificate: "OURS: projects a, b", or "". Owned. */
static char *has(const struct fixture *fixture, unsigned number)
{
    const struct lxd_certificate *entry = fake_lxd_find(&fixture->lxd, number);

    if (entry == NULL)
        return mem_string("");
    char *projects = projects_describe(&entry->projects);
    char *text = mem_printf("%s: %s", entry->name, projects);
    free(projects);
    return text;
}

static void assert_has(const struct fixture *fixture, unsigned number, const char *expected)
{
    char *text = has(fixture, number);

    assert_string_equal(text, expected);
    free(text);
}

/* 1 is to go, 2 is narrowed, 3 widened, 4 and 5 are added, 6 is somebody else's. */
static void set_all_steps(struct fixture *fixture)
{
    world_ask(fixture->some, 2);
    world_ask(fixture->all, 3);
    world_ask(fixture->all, 4);
    world_ask(fixture->some, 5);
    world_ask(fixture->all, 6);
    fake_lxd_put(&fixture->lxd, 1, OURS, "client", "");
    fake_lxd_put(&fixture->lxd, 2, OURS ".000000000002", "client", "");
    fake_lxd_put(&fixture->lxd, 3, OURS ".000000000003", "client", "a");
    fake_lxd_put(&fixture->lxd, 6, "bob", "client", "");
}

static void assert_all_done(const struct fixture *fixture)
{
    assert_has(fixture, 1, "");
    assert_has(fixture, 2, OURS ".000000000002: projects a, b");
    assert_has(fixture, 3, OURS ".000000000003: all of LXD");
    assert_has(fixture, 4, OURS ".000000000004: all of LXD");
    assert_has(fixture, 5, OURS ".000000000005: projects a, b");
    assert_has(fixture, 6, "bob: all of LXD");
    assert_has(fixture, WORLD_OWN, "juju: all of LXD");
}

static void test_all_steps(void **state)
{
    struct fixture *fixture = *state;

    set_all_steps(fixture);
    run(fixture);
    assert_all_done(fixture);
    assert_journal(fixture, 3, "DELETE 1, PATCH 2, GET 2, PATCH 3, GET 3, POST 4, POST 5");
    assert_int_equal(fixture->server.state, SERVER_OBSERVED);
    assert_int_equal(plan_due(&fixture->server.plan), 0);
    assert_int_equal(fixture->server.changes.count, 4);
    assert_int_equal(fixture->server.widened.count, 1);
    assert_int_equal(fixture->server.wider.count, 0);
    for (size_t i = 0; i < fixture->server.judged; i++)
        assert_int_equal(fixture->server.judgements[i].verdict, VERDICT_TRUSTED);
    run(fixture); /* and nothing is left to be done */
    assert_journal(fixture, 10, "GET /1.0, GET certificates, GET projects");
}

/* Is what the server believes to be in LXD there? */
static void assert_believes_the_truth(const struct fixture *fixture)
{
    const struct server *server = &fixture->server;

    for (size_t i = 0; i < server->judged; i++) {
        const struct wish *wish = &fixture->world.wishes.items[i];
        unsigned number = (unsigned)strtoul((char *)wish->entry->certificate.der, NULL, 10);
        const struct lxd_certificate *entry = fake_lxd_find(&fixture->lxd, number);

        if (server->judgements[i].verdict != VERDICT_TRUSTED)
            continue;
        assert_non_null(entry);
        assert_true(projects_cover(&entry->projects, wish->projects));
    }
}

/* Is one of ours open wider than its wishes, without a word? */
static void assert_closed_in_doubt(const struct fixture *fixture)
{
    const struct lxd_certificate *gone = fake_lxd_find(&fixture->lxd, 1),
                                 *narrowed = fake_lxd_find(&fixture->lxd, 2);

    if (gone != NULL || (narrowed != NULL && !narrowed->projects.restricted))
        assert_true(
            fixture->server.wider.count != 0 ||
            (fixture->server.trouble.kind != 0 && fixture->server.state == SERVER_UNFINISHED));
}

/* Each request fails in each way, done or not; then a pass in which all is well. */
static void check_fault(void **state, const char *request, int status, bool applies, int times)
{
    struct fixture *fixture;

    set_up(state);
    fixture = *state;
    set_all_steps(fixture);
    fixture->lxd.faults[0] = (struct fake_fault){request, status, applies, times};
    run(fixture);
    assert_believes_the_truth(fixture);
    assert_closed_in_doubt(fixture);
    assert_has(fixture, 6, "bob: all of LXD");
    assert_has(fixture, WORLD_OWN, "juju: all of LXD");
    if (status >= 400 && status != 403) { /* the others have had their turn */
        if (strcmp(request, "DELETE 1") != 0)
            assert_has(fixture, 1, "");
        if (strcmp(request, "POST 4") != 0)
            assert_has(fixture, 4, OURS ".000000000004: all of LXD");
        if (strcmp(request, "POST 5") != 0)
            assert_has(fixture, 5, OURS ".000000000005: projects a, b");
    }
    if (applies && status != 403) {
        assert_int_equal(fixture->server.wider.count, 0);
        assert_all_done(fixture);
    }
    fixture->lxd.faults[0] = (struct fake_fault){0};
    run(fixture);
    assert_all_done(fixture);
    assert_believes_the_truth(fixture);
    tear_down(state);
}

static void test_every_fault(void **state)
{
    static const char *const requests[] = {"DELETE 1", "PATCH 2", "PATCH 3", "POST 4", "POST 5"};
    static const int statuses[] = {400, 403, 404, 409, 500, 503, 0, -1};

    for (size_t i = 0; i < COUNT(requests) * COUNT(statuses) * 4; i++) {
        const char *request = requests[i % COUNT(requests)];
        int status = statuses[i / COUNT(requests) % COUNT(statuses)];
        size_t flags = i / COUNT(requests) / COUNT(statuses);

        if (status == 404 && strcmp(request, "DELETE 1") == 0)
            continue; /* that is what it says where there is none */
        check_fault(state, request, status, (flags & 1) != 0, (flags & 2) != 0);
    }
}

/* What cannot be narrowed is removed in the same pass. */
static void test_closed_in_doubt(void **state)
{
    struct fixture *fixture = *state;

    set_all_steps(fixture);
    fixture->lxd.faults[0] = (struct fake_fault){"PATCH 2", 400, false, 0};
    run(fixture);
    assert_has(fixture, 2, "");
    assert_journal(fixture, 3,
                   "DELETE 1, PATCH 2, GET 2, DELETE 2, PATCH 3, GET 3, POST 4, POST 5");
    assert_int_equal(fixture->server.wider.count, 0);
    assert_int_equal(fixture->server.judgements[0].verdict, VERDICT_REJECTED);
    assert_string_equal(fixture->server.judgements[0].reason, "it does not want to");
}

/* That LXD says 200 is not enough. */
static void test_change_that_was_none(void **state)
{
    struct fixture *fixture = *state;

    set_all_steps(fixture);
    fixture->lxd.faults[0] = (struct fake_fault){"PATCH 2", 200, false, 0};
    fixture->lxd.faults[1] = (struct fake_fault){"PATCH 3", 200, false, 0};
    run(fixture);
    assert_has(fixture, 2, "");
    assert_has(fixture, 3, OURS ".000000000003: project a");
    assert_int_equal(fixture->server.wider.count, 0);
    assert_int_equal(fixture->server.widened.count, 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(fixture->server.judgements[i].verdict, VERDICT_REJECTED);
        assert_string_equal(fixture->server.judgements[i].reason,
                            "LXD says that it has changed the entry, and has not");
    }
}

/* If that fails too, it is said. */
static void test_wider_than_it_should(void **state)
{
    struct fixture *fixture = *state;

    set_all_steps(fixture);
    fixture->lxd.faults[0] = (struct fake_fault){"PATCH 2", 400, false, 0};
    fixture->lxd.faults[1] = (struct fake_fault){"DELETE 2", 500, false, 0};
    fixture->lxd.faults[2] = (struct fake_fault){"DELETE 1", 400, false, 0};
    run(fixture);
    assert_int_equal(fixture->server.wider.count, 2);
    assert_string_equal(fixture->server.wider.items[0],
                        "certificate 000000000001... (" OURS ") cannot be taken out of LXD at " URL
                        ": it does not want to");
}

/* One project of two is deleted between reading the projects and the change. */
static void test_project_that_went(void **state)
{
    struct fixture *fixture = *state;

    set_all_steps(fixture);
    fixture->interest.projects = true;
    observe(fixture);
    fixture->lxd.projects = "default a";
    apply(fixture);
    assert_has(fixture, 2, OURS ".000000000002: project a");
    assert_has(fixture, 5, OURS ".000000000005: project a");
    assert_has(fixture, 4, OURS ".000000000004: all of LXD");
    assert_int_equal(fixture->server.plan.missing.count, 1);
    assert_string_equal(fixture->server.plan.missing.items[0], "b");
    assert_int_equal(fixture->server.wider.count, 0);
    assert_int_equal(plan_due(&fixture->server.plan), 0);
    for (size_t i = 0; i < fixture->server.judged; i++)
        assert_int_equal(fixture->server.judgements[i].verdict, VERDICT_TRUSTED);
    assert_string_equal(fixture->server.judgements[0].reason, "no such project in LXD: \"b\"");
}

static void test_all_projects_that_went(void **state)
{
    struct fixture *fixture = *state;

    set_all_steps(fixture);
    fixture->interest.projects = true;
    observe(fixture);
    fixture->lxd.projects = "default";
    apply(fixture);
    assert_has(fixture, 2, "");
    assert_has(fixture, 5, "");
    assert_int_equal(fixture->server.judgements[0].verdict, VERDICT_REJECTED);
}

/* Where we do not see all projects LXD's answer to the change decides. */
static void test_project_that_nobody_shows(void **state)
{
    struct fixture *fixture = *state;

    set_all_steps(fixture);
    fixture->lxd.projects = "default a";
    observe(fixture); /* without projects */
    apply(fixture);
    assert_has(fixture, 2, "");
    assert_has(fixture, 5, "");
    assert_has(fixture, 4, OURS ".000000000004: all of LXD");
    assert_int_equal(fixture->server.judgements[0].verdict, VERDICT_REJECTED);
    assert_string_equal(fixture->server.judgements[0].reason, "Project not found");
    assert_int_equal(plan_due(&fixture->server.plan), 0);
}

/* Names are unique: another entry has ours, of another certificate. */
static void test_name_that_is_taken(void **state)
{
    struct fixture *fixture = *state;

    set_all_steps(fixture);
    fake_lxd_put(&fixture->lxd, 40, OURS ".000000000004", "server", "");
    run(fixture);
    assert_has(fixture, 4, "");
    assert_has(fixture, 5, OURS ".000000000005: projects a, b");
    assert_int_equal(fixture->server.judgements[2].verdict, VERDICT_REJECTED);
    assert_string_equal(fixture->server.judgements[2].reason,
                        "LXD has another entry named \"" OURS ".000000000004\", or has this "
                        "certificate as an identity: see \"lxc config trust list\" and \"lxc auth "
                        "identity list\"");
}

/* Somebody was faster. */
static void test_entry_that_came_meanwhile(void **state)
{
    struct fixture *fixture = *state;

    set_all_steps(fixture);
    fixture->interest.projects = true;
    observe(fixture);
    fake_lxd_put(&fixture->lxd, 4, "bob-2", "client", "a");
    fake_lxd_put(&fixture->lxd, 5, OURS ".000000000005", "client", "");
    apply(fixture);
    assert_has(fixture, 4, "bob-2: project a");
    assert_has(fixture, 5, OURS ".000000000005: projects a, b"); /* it is ours: it is narrowed */
    assert_int_equal(fixture->server.judgements[2].verdict, VERDICT_REJECTED);
    assert_string_equal(fixture->server.judgements[2].reason,
                        "LXD has it as \"bob-2\", which opens project a");
    assert_believes_the_truth(fixture);
}

/* An entry of ours is gone when it is to be changed: it is added anew. */
static void test_entry_that_went_meanwhile(void **state)
{
    struct fixture *fixture = *state;

    set_all_steps(fixture);
    fixture->interest.projects = true;
    observe(fixture);
    lxd_certificate_free(&fixture->lxd.entries[2]);
    fixture->lxd.entries[2] = fixture->lxd.entries[--fixture->lxd.count];
    apply(fixture);
    assert_all_done(fixture);
}

/* We may not: it would be the same with the others. */
static void test_refusal_of_all(void **state)
{
    struct fixture *fixture = *state;

    set_all_steps(fixture);
    fixture->lxd.faults[0] = (struct fake_fault){"DELETE 1", 403, false, 0};
    run(fixture);
    assert_journal(fixture, 3, "DELETE 1, GET 1");
    assert_int_equal(fixture->server.state, SERVER_UNFINISHED);
    assert_int_equal(fixture->server.trouble.kind, ERROR_UNTRUSTED);
    assert_int_equal(fixture->server.wider.count, 1);
    assert_int_equal(plan_due(&fixture->server.plan), 5);
}

static void test_time_that_is_over(void **state)
{
    struct fixture *fixture = *state;
    struct server *server = &fixture->server;

    set_all_steps(fixture);
    observe(fixture);
    world_collect(&fixture->world);
    const struct surroundings surroundings = server_surroundings(server);
    plan_make(&server->plan, &fixture->world.terms, &surroundings, &server->store);
    assert_false(server_apply_begin(server, net_clock_ms() - 1));
    assert_journal(fixture, 2, "");
    assert_int_equal(server->state, SERVER_UNFINISHED);
    assert_int_equal(server->trouble.kind, ERROR_WAITING);
    assert_string_equal(server->trouble.text,
                        "LXD at " URL ": 5 changes are left for the next hook");
}

static void test_renaming(void **state)
{
    static const int statuses[] = {0, 409, 500};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(statuses); i++) {
        fixture->lxd.faults[0] = (struct fake_fault){"PATCH 1", statuses[i], i == 0, 0};
        if (i == 0) {
            world_ask(fixture->all, 1);
            fake_lxd_put(&fixture->lxd, 1, "cn-1", "client", "");
        } else {
            free(fixture->lxd.entries[1].name);
            fixture->lxd.entries[1].name = mem_string("cn-1");
        }
        observe(fixture);
        world_collect(&fixture->world);
        plan_adopt(&fixture->server.plan, &fixture->world.terms, &fixture->server.store);
        assert_int_equal(fixture->server.plan.count, 1);
        if (server_apply_begin(&fixture->server, net_clock_ms() + 60000)) {
            while (lxd_wait(&fixture->server.client, 1) == 0 &&
                   server_apply_step(&fixture->server, &fixture->world.terms))
                ;
        }
        assert_has(fixture, 1, i == 0 ? OURS ".000000000001: all of LXD" : "cn-1: all of LXD");
        assert_int_equal(fixture->server.plan.steps[0].outcome, i == 0   ? STEP_DONE
                                                                : i == 1 ? STEP_REFUSED
                                                                         : STEP_FAILED);
    }
}

/* LXD has widened it, and only asking what came of that fails: it is not refused. */
static void test_answer_about_a_change_that_is_lost(void **state)
{
    struct fixture *fixture = *state;

    world_ask(fixture->some, 3);
    fake_lxd_put(&fixture->lxd, 3, OURS ".000000000003", "client", "a");
    fixture->lxd.faults[0] = (struct fake_fault){"GET 3", 500, false, 0};
    run(fixture);
    assert_has(fixture, 3, OURS ".000000000003: projects a, b");
    assert_int_equal(fixture->server.judgements[0].verdict, VERDICT_PENDING);
    assert_int_equal(fixture->server.state, SERVER_UNFINISHED);
    assert_int_equal(fixture->server.trouble.kind, ERROR_UNREACHABLE);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_observing),
        TEST(test_observing_without_projects),
        TEST(test_observing_a_cluster),
        TEST(test_server_that_does_not_trust_us),
        TEST(test_server_that_restricts_us),
        TEST(test_server_with_identities_that_restricts_us),
        TEST(test_server_that_is_down),
        TEST(test_observing_fails),
        TEST(test_fine_grained_identity),
        TEST(test_identity_that_lacks_something),
        TEST(test_filtered_list),
        TEST(test_filtered_list_that_cannot_be_completed),
        TEST(test_all_steps),
        cmocka_unit_test(test_every_fault),
        TEST(test_closed_in_doubt),
        TEST(test_change_that_was_none),
        TEST(test_wider_than_it_should),
        TEST(test_project_that_went),
        TEST(test_all_projects_that_went),
        TEST(test_project_that_nobody_shows),
        TEST(test_name_that_is_taken),
        TEST(test_entry_that_came_meanwhile),
        TEST(test_entry_that_went_meanwhile),
        TEST(test_refusal_of_all),
        TEST(test_time_that_is_over),
        TEST(test_renaming),
        TEST(test_answer_about_a_change_that_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
