/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "charm/server.h"

#define lxd_start fake_start
#define lxd_connect fake_connect
#define lxd_opened fake_opened
#define lxd_wait fake_wait
#define lxd_ahead_get fake_ahead_get
#define lxd_ahead_add fake_ahead_add
#define lxd_ahead_remove fake_ahead_remove
#define lxd_ahead_change fake_ahead_change
#define lxd_close fake_close
#define lxd_get_server fake_get_server
#define lxd_list_members fake_list_members
#define lxd_list_certificates fake_list_certificates
#define lxd_add_certificate fake_add_certificate
#define lxd_remove_certificate fake_remove_certificate
#define lxd_change_certificate fake_change_certificate
#define lxd_set_deadline fake_set_deadline
#define lxd_is_connected fake_is_connected
#define lxd_warning fake_warning

/* An LXD as the client shows it: what it answers, and a word for each request. */
struct lxd_client {
    bool untrusted, clustered, restricted, gone;
    bool hangs;         /* the others answer first */
    const char *faulty; /* the request that fails, ... */
    enum error_kind fault;
    bool breaks;         /* ... and takes the connection with it */
    struct buffer ahead; /* requests that were sent ahead, a blank behind each */
    struct buffer requests;
};

static struct lxd_client lxd, other;
static struct lxd_client second; /* another connection to host "many" */
static struct buffer journal;    /* of all; "other" has a colon, the second connection a 2 */

static void note_in_journal(const struct lxd_client *client, char sign, const char *request)
{
    const char *name = client == &other ? ":" : client == &second ? "2" : "";

    buffer_printf(&journal, "%s%c%s ", name, sign, request);
}

static void ahead(struct lxd_client *client, const char *request)
{
    note_in_journal(client, '?', request);
    buffer_printf(&client->ahead, "%s ", request);
}

/* What was sent ahead is asked for in the same order. */
static void collect_ahead(struct lxd_client *client, const char *request)
{
    char *rest = client->ahead.data;
    size_t length = strlen(request);

    if (client->ahead.length == 0)
        return;
    assert_memory_equal(rest, request, length);
    assert_int_equal(rest[length], ' ');
    memmove(rest, rest + length + 1, client->ahead.length - length);
    client->ahead.length -= length + 1;
}

static int ask_lxd(struct lxd_client *client, const char *request, struct error *error)
{
    collect_ahead(client, request);
    note_in_journal(client, '!', request);
    buffer_printf(&client->requests, "%s ", request);
    if (client->faulty == NULL || strcmp(client->faulty, request) != 0)
        return 0;
    client->gone = client->breaks;
    return error_set(error, client->fault, "%s fails", request);
}

static int ask_change(struct lxd_client *client, char sign, const char *fingerprint,
                      struct error *error)
{
    const char request[] = {sign, fingerprint[0], '\0'};

    return ask_lxd(client, request, error);
}

static void ahead_change(struct lxd_client *client, char sign, const char *fingerprint)
{
    const char request[] = {sign, fingerprint[0], '\0'};

    ahead(client, request);
}

static struct lxd_client *fake_start(const struct endpoint *endpoint,
                                     const struct lxd_credentials *credentials, int64_t deadline)
{
    (void)credentials;
    (void)deadline;
    if (strcmp(endpoint->host, "many") == 0)
        return &second;
    return strcmp(endpoint->host, "other") == 0 ? &other : &lxd;
}

static void fake_connect(struct lxd_client *const clients[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_non_null(clients[i]);
}

static int fake_opened(struct lxd_client **client, struct error *error)
{
    struct buffer sent = (*client)->ahead;

    (*client)->ahead = (struct buffer){0};
    int result = ask_lxd(*client, "open", error);
    (*client)->ahead = sent;
    if (result != 0) {
        buffer_free(&(*client)->ahead);
        *client = NULL;
    }
    return result;
}

static size_t fake_wait(struct lxd_client *const clients[], size_t count)
{
    size_t next = count;

    for (size_t i = 0; i < count; i++) {
        if (clients[i] == NULL)
            continue;
        if (clients[i]->ahead.length == 0)
            return i;
        if (next == count || clients[next]->hangs)
            next = i;
    }
    return next;
}

static void fake_ahead_get(struct lxd_client *client, enum lxd_resource resource)
{
    static const char *const names[] = {"server", "members", "certificates"};

    ahead(client, names[resource]);
}

static void fake_ahead_add(struct lxd_client *client, const struct certificate *certificate,
                           const char *name, const struct projects *projects)
{
    (void)name;
    (void)projects;
    ahead_change(client, '+', certificate->fingerprint);
}

static void fake_ahead_remove(struct lxd_client *client, const char *fingerprint)
{
    ahead_change(client, '-', fingerprint);
}

static void fake_ahead_change(struct lxd_client *client, const char *fingerprint, const char *name,
                              const struct projects *projects)
{
    (void)name;
    (void)projects;
    ahead_change(client, '=', fingerprint);
}

static void fake_close(struct lxd_client *client)
{
    (void)client;
}

static void fake_set_deadline(struct lxd_client *client, int64_t deadline)
{
    (void)client;
    (void)deadline;
}

static bool fake_is_connected(const struct lxd_client *client)
{
    return !client->gone;
}

static const char *fake_warning(const struct lxd_client *client)
{
    (void)client;
    return "old";
}

static int fake_get_server(struct lxd_client *client, struct lxd_server *server,
                           struct error *error)
{
    if (ask_lxd(client, "server", error) != 0)
        return -1;
    *server = (struct lxd_server){.trusted = !client->untrusted, .clustered = client->clustered};
    return 0;
}

static int fake_list_members(struct lxd_client *client, struct lxd_members *list,
                             struct error *error)
{
    (void)list;
    return ask_lxd(client, "members", error);
}

static int fake_list_certificates(struct lxd_client *client, struct lxd_certificates *list,
                                  struct error *error)
{
    if (ask_lxd(client, "certificates", error) != 0)
        return -1;
    list->items = mem_alloc(sizeof *list->items);
    list->count = 1;
    list->items[0] = (struct lxd_certificate){.fingerprint = "own",
                                              .name = mem_string("juju"),
                                              .type = mem_string("client"),
                                              .projects.restricted = client->restricted};
    return 0;
}

static int fake_add_certificate(struct lxd_client *client, const struct certificate *certificate,
                                const char *name, const struct projects *projects,
                                struct lxd_certificate *entry, struct error *error)
{
    (void)projects;
    if (ask_change(client, '+', certificate->fingerprint, error) != 0)
        return -1;
    *entry = (struct lxd_certificate){.name = mem_string(name), .type = mem_string("client")};
    entry->projects.restricted = client->restricted;
    memcpy(entry->fingerprint, certificate->fingerprint, sizeof entry->fingerprint);
    return 0;
}

static int fake_change_certificate(struct lxd_client *client, const char *fingerprint,
                                   const char *name, const struct projects *projects,
                                   struct error *error)
{
    (void)name;
    (void)projects;
    return ask_change(client, '=', fingerprint, error);
}

static int fake_remove_certificate(struct lxd_client *client, const char *fingerprint,
                                   struct error *error)
{
    return ask_change(client, '-', fingerprint, error);
}

#include "charm/server.c"

static void finish(void)
{
    buffer_free(&lxd.requests);
    buffer_free(&lxd.ahead);
    buffer_free(&other.requests);
    buffer_free(&other.ahead);
    buffer_free(&second.requests);
    buffer_free(&second.ahead);
    buffer_free(&journal);
}

/* ---- observing ---- */

static void assert_observed(struct lxd_client fake, const char *requests, const char *trouble)
{
    struct certificate ours = {.fingerprint = "own"};
    struct lxd_credentials credentials = {.certificate = &ours};
    struct endpoint endpoint = {.url = "https://h:8443"};
    struct server server = {0};
    bool observed = trouble == NULL;

    lxd = fake;
    server_start(&server, &endpoint, &credentials, 1);
    assert_string_equal(lxd.ahead.data, "server certificates ");
    server_observe(&server, 1);
    assert_int_equal(server.observed, observed);
    assert_int_equal(server.troubled, !observed);
    assert_string_equal(lxd.requests.data, requests);
    if (!observed)
        assert_string_equal(server.trouble.text, trouble);
    if (server.client != NULL)
        assert_string_equal(server_warning(&server), "old");
    else
        assert_null(server_warning(&server));
    server_free(&server);
    finish();
}

static void test_observing(void **state)
{
    (void)state;
    assert_observed((struct lxd_client){0}, "open server certificates ", NULL);
    assert_observed((struct lxd_client){.clustered = true}, "open server certificates members ",
                    NULL);
    assert_observed((struct lxd_client){.untrusted = true}, "open server ",
                    "LXD at https://h:8443 does not trust the client certificate own...: run \"lxc "
                    "config trust add\"");
    assert_observed((struct lxd_client){.restricted = true}, "open server certificates ",
                    "LXD at https://h:8443 restricts the client certificate own... to projects: it "
                    "may not manage the trust store");
}

static void test_observing_fails(void **state)
{
    static const char *const requests[] = {"open", "server", "certificates", "members"};
    struct buffer before = {0};

    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        char *trouble = mem_printf("%s fails", requests[i]);

        buffer_printf(&before, "%s ", requests[i]);
        assert_observed((struct lxd_client){.clustered = true,
                                            .faulty = requests[i],
                                            .fault = ERROR_UNREACHABLE},
                        before.data, trouble);
        free(trouble);
    }
    buffer_free(&before);
}

/* All are asked before the first one is waited for, and one that hangs comes last. */
static void test_observing_several(void **state)
{
    struct certificate ours = {.fingerprint = "own"};
    struct lxd_credentials credentials = {.certificate = &ours};
    struct endpoint endpoint = {.host = "h"}, another = {.host = "other"};
    struct server servers[2] = {0};

    (void)state;
    lxd = (struct lxd_client){.hangs = true, .faulty = "certificates", .fault = ERROR_UNREACHABLE};
    other = (struct lxd_client){.clustered = true};
    server_start(&servers[0], &endpoint, &credentials, 1);
    server_start(&servers[1], &another, &credentials, 1);
    server_observe(servers, 2);
    assert_string_equal(journal.data,
                        "?server ?certificates :?server :?certificates !open :!open "
                        ":!server :!certificates :?members :!members !server !certificates ");
    assert_true(servers[0].troubled && !servers[0].observed);
    assert_true(servers[1].observed && !servers[1].troubled);
    server_free(&servers[0]);
    server_free(&servers[1]);
    finish();
}

/* ---- applying ---- */

static char ours[] = "juju.9f1c1ab0.integrator.x.1", client[] = "client", bob[] = "bob";

/* Certificates 1, 2, 3 are wanted, 7 and 8 are there; what becomes of that, and of 1, 2, 3. */
static void assert_applied(struct lxd_client fake, bool removing, const char *requests,
                           const char *states, const char *trouble)
{
    struct wish wishes[3] = {0};
    struct request request = {.wishes = wishes, .count = 3};
    struct plan_demand demand = {1, "x", &request};
    struct plan_self self = {"9f1c1ab0", "integrator", "own", {0}};
    struct lxd_certificate entries[2] = {{.fingerprint = "7", .name = ours, .type = client},
                                         {.fingerprint = "8", .name = ours, .type = client}};
    struct lxd_certificates store = {.items = entries, .count = 2};
    struct server server = {.client = &lxd, .observed = true};

    lxd = fake;
    for (size_t i = 0; i < 3; i++) {
        wishes[i].certificate.fingerprint[0] = (char)('1' + i);
        wishes[i].certificate.common_name = bob;
    }
    plan_make(&server.plan, &self, &demand, 1, &server.info, &store);
    server_apply(&server, 1, removing, 1);
    assert_int_equal(lxd.ahead.length, 0);
    assert_string_equal(lxd.requests.data, requests);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal("MCPR"[server.plan.certificates[i].state], states[i]);
    assert_int_equal(server.troubled, trouble != NULL);
    if (trouble != NULL)
        assert_string_equal(server.trouble.text, trouble);
    server_free(&server);
    finish();
}

static void test_applying(void **state)
{
    (void)state;
    assert_applied((struct lxd_client){0}, true, "-7 -8 +1 +2 +3 ", "PPP", NULL);
    assert_applied((struct lxd_client){0}, false, "+1 +2 +3 ", "PPP", NULL);
}

/* Each at its own pace: one that hangs keeps no other from going on. */
static void test_applying_to_several(void **state)
{
    struct lxd_certificate entries[2] = {{.fingerprint = "7", .name = ours, .type = client},
                                         {.fingerprint = "8", .name = ours, .type = client}};
    struct lxd_certificates store = {.items = entries, .count = 2};
    struct plan_self self = {"9f1c1ab0", "integrator", "own", {0}};
    struct server servers[3] = {{.client = &lxd, .observed = true},
                                {.troubled = true},
                                {.client = &other, .observed = true}};

    (void)state;
    lxd = (struct lxd_client){
        .hangs = true, .faulty = "-7", .fault = ERROR_UNREACHABLE, .breaks = true};
    other = (struct lxd_client){0};
    plan_make(&servers[0].plan, &self, NULL, 0, &servers[0].info, &store);
    plan_make(&servers[2].plan, &self, NULL, 0, &servers[2].info, &store);
    server_apply(servers, 3, true, 1);
    assert_string_equal(journal.data, "?-7 :?-7 :!-7 :?-8 :!-8 !-7 ");
    assert_true(servers[0].troubled);
    assert_false(servers[2].troubled);
    server_free(&servers[0]);
    server_free(&servers[2]);
    finish();
}

/* What was to be added is there, and opens too much: that is changed in the next step. */
static void test_addition_that_turns_out_to_be_a_change(void **state)
{
    (void)state;
    assert_applied((struct lxd_client){.restricted = true}, false, "+1 =1 +2 =2 +3 =3 ", "PPP",
                   NULL);
}

/* LXD refuses one certificate: that is told on its relation. */
static void test_refusal(void **state)
{
    (void)state;
    assert_applied((struct lxd_client){.faulty = "+2", .fault = ERROR_REFUSED}, true,
                   "-7 -8 +1 +2 +3 ", "PRP", NULL);
}

/* One certificate on which LXD fails keeps no other from going or coming. */
static void test_failure_of_one(void **state)
{
    struct lxd_client fake = {.faulty = "+1", .fault = ERROR_UNREACHABLE};

    (void)state;
    assert_applied(fake, true, "-7 -8 +1 +2 +3 ", "MPP", "+1 fails");
    fake.faulty = "-7";
    assert_applied(fake, true, "-7 -8 +1 +2 +3 ", "PPP", "-7 fails");
    fake.fault = ERROR_REFUSED;
    assert_applied(fake, true, "-7 -8 +1 +2 +3 ", "PPP",
                   "LXD at  does not let certificate 7... be removed: -7 fails");
}

/* Where LXD answers no more, or does not let us, nothing further is tried. */
static void test_end_of_service(void **state)
{
    struct lxd_client fake = {.faulty = "+1", .fault = ERROR_UNREACHABLE, .breaks = true};

    (void)state;
    assert_applied(fake, true, "-7 -8 +1 ", "MMM", "+1 fails");
    fake.faulty = "-7";
    assert_applied(fake, true, "-7 ", "MMM", "-7 fails");
    assert_applied((struct lxd_client){.faulty = "-7", .fault = ERROR_UNTRUSTED}, true, "-7 ",
                   "MMM", "-7 fails");
}

/* Certificates A to T are wanted, enough for two connections. */
static void assert_many_applied(const char *start, const char *states, const char *trouble)
{
    struct wish wishes[MANY_CHANGES] = {0};
    struct request request = {.wishes = wishes, .count = MANY_CHANGES};
    struct plan_demand demand = {1, "x", &request};
    struct plan_self self = {"9f1c1ab0", "integrator", "own", {0}};
    struct lxd_certificates store = {0};
    struct server server = {.client = &lxd, .observed = true, .endpoint.host = "many"};

    for (size_t i = 0; i < MANY_CHANGES; i++) {
        wishes[i].certificate.fingerprint[0] = (char)('A' + i);
        wishes[i].certificate.common_name = bob;
    }
    plan_make(&server.plan, &self, &demand, 1, &server.info, &store);
    server_apply(&server, 1, true, 1);
    assert_memory_equal(journal.data, start, strlen(start));
    for (size_t i = 0; i < MANY_CHANGES; i++)
        assert_int_equal("MCPR"[server.plan.certificates[i].state], states[i]);
    assert_int_equal(server.troubled, trouble != NULL);
    if (trouble != NULL)
        assert_string_equal(server.trouble.text, trouble);
    assert_int_equal(lxd.ahead.length, 0);
    assert_int_equal(second.ahead.length, 0);
    server_free(&server);
}

/* Each connection takes what no other has taken, as soon as it is free. */
static void test_many_changes_side_by_side(void **state)
{
    static const char all[] = "PPPPPPPPPPPPPPPPPPPP";

    (void)state;
    lxd = (struct lxd_client){.hangs = true};
    second = (struct lxd_client){0};
    assert_many_applied("2!open ?+A 2?+B 2!+B 2?+C 2!+C 2?+D ", all, NULL);
    assert_string_equal(lxd.requests.data, "+A ");
    finish();
}

static void test_a_second_connection_fails(void **state)
{
    static const char all[] = "PPPPPPPPPPPPPPPPPPPP";

    (void)state;
    lxd = (struct lxd_client){.hangs = true};
    second = (struct lxd_client){.faulty = "open", .fault = ERROR_UNREACHABLE};
    assert_many_applied("2!open ?+A !+A ?+B !+B ?+C ", all, NULL);
    finish();
}

/* What the others have asked for already is collected: what the plan says is true. */
static void test_one_of_many_ends_the_service(void **state)
{
    (void)state;
    lxd = (struct lxd_client){.hangs = true};
    second = (struct lxd_client){.faulty = "+D", .fault = ERROR_UNTRUSTED};
    assert_many_applied("2!open ?+A 2?+B 2!+B 2?+C 2!+C 2?+D 2!+D !+A ", "PPPMMMMMMMMMMMMMMMMM",
                        "+D fails");
    finish();
}

static void test_changes_are_noted(void **state)
{
    struct certificate certificate = {.fingerprint = "1", .common_name = bob};
    struct plan_certificate wanted = {.certificate = &certificate, .name = ours};
    struct lxd_certificate entry = {.fingerprint = "7", .name = ours};
    struct server server = {.client = &lxd, .endpoint.url = "https://h:8443"};
    struct error error;

    (void)state;
    lxd = (struct lxd_client){0};
    assert_int_equal(add(&(struct lane){.server = &server, .client = &lxd}, &wanted, &error), 0);
    assert_int_equal(server_remove(&server, &entry, &error), 0);
    assert_int_equal(server.changes.count, 2);
    assert_string_equal(server.changes.items[0],
                        "certificate 1... (bob) is now in the trust store "
                        "of LXD at https://h:8443 as juju.9f1c1ab0.integrator.x.1");
    assert_string_equal(server.changes.items[1],
                        "certificate 7... (juju.9f1c1ab0.integrator.x.1) is removed from the "
                        "trust store of LXD at https://h:8443");
    server_free(&server);
    finish();
}

/* An entry of ours that opens something else is changed, or refused where LXD does so. */
static void test_changing_projects(void **state)
{
    struct certificate certificate = {.fingerprint = "1", .common_name = bob};
    struct plan_certificate wanted = {
        .certificate = &certificate, .name = ours, .state = PLAN_CHANGED};
    struct server server = {.client = &lxd, .endpoint.url = "https://h:8443"};
    struct lane lane = {.server = &server, .client = &lxd};
    struct error error;

    (void)state;
    lxd = (struct lxd_client){0};
    projects_parse(&wanted.projects, "blue");
    assert_int_equal(restrict_to_plan(&lane, &wanted, &error), 0);
    assert_int_equal(wanted.state, PLAN_PRESENT);
    assert_string_equal(lxd.requests.data, "=1 ");
    assert_string_equal(server.changes.items[0],
                        "certificate 1... (juju.9f1c1ab0.integrator.x.1) in the trust store of LXD "
                        "at https://h:8443 now opens project blue");
    wanted.state = PLAN_CHANGED;
    lxd.faulty = "=1";
    lxd.fault = ERROR_REFUSED;
    assert_int_equal(restrict_to_plan(&lane, &wanted, &error), 0);
    assert_int_equal(wanted.state, PLAN_REFUSED);
    wanted.state = PLAN_CHANGED;
    lxd.fault = ERROR_UNREACHABLE;
    assert_int_equal(restrict_to_plan(&lane, &wanted, &error), -1);
    free(wanted.reason);
    projects_free(&wanted.projects);
    server_free(&server);
    finish();
}

static void test_renaming(void **state)
{
    struct lxd_certificate entry = {.fingerprint = "7", .name = bob};
    struct server server = {.client = &lxd, .endpoint.url = "https://h:8443", .store = {&entry, 1}};
    struct error error;

    (void)state;
    lxd = (struct lxd_client){0};
    assert_ptr_equal(server_find(&server, "7"), &entry);
    assert_null(server_find(&server, "8"));
    assert_int_equal(server_rename(&server, &entry, ours, &error), 0);
    assert_string_equal(lxd.requests.data, "=7 ");
    assert_string_equal(server.changes.items[0],
                        "certificate 7... (bob) in the trust store of LXD at https://h:8443 is now "
                        "called juju.9f1c1ab0.integrator.x.1");
    lxd.faulty = "=7";
    lxd.fault = ERROR_REFUSED;
    assert_int_equal(server_rename(&server, &entry, ours, &error), -1);
    assert_string_equal(error.text,
                        "LXD at https://h:8443 does not let certificate 7... be renamed: =7 fails");
    server.store = (struct lxd_certificates){0};
    server_free(&server);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_observing),
        cmocka_unit_test(test_observing_fails),
        cmocka_unit_test(test_applying),
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_failure_of_one),
        cmocka_unit_test(test_end_of_service),
        cmocka_unit_test(test_many_changes_side_by_side),
        cmocka_unit_test(test_a_second_connection_fails),
        cmocka_unit_test(test_one_of_many_ends_the_service),
        cmocka_unit_test(test_changes_are_noted),
        cmocka_unit_test(test_renaming),
        cmocka_unit_test(test_changing_projects),
        cmocka_unit_test(test_observing_several),
        cmocka_unit_test(test_applying_to_several),
        cmocka_unit_test(test_addition_that_turns_out_to_be_a_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
