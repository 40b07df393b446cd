/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "charm/report.h"
#include "fake_juju.h"
#include "served.h"

#define OURS WORLD_PREFIX "builder.3"
#define URL(host) "https://10.0.0." host ":8443"
#define DAY 86400

/* Relation 3 with builder, which has builder/0; one server of two, unless a test takes both. */
struct fixture {
    struct world world;
    struct member *member;
    struct relation *relation;
    struct served served;
    struct credentials credentials;
    struct strings left, left_remedies;
    struct error error;
    struct findings findings;
    struct report report;
};

static int set_up(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    world_open(&fixture->world);
    fixture->relation = world_relate(&fixture->world, 3, "builder");
    fixture->member = world_join(fixture->relation, "builder/0");
    served_open(&fixture->served);
    fixture->credentials.certificate.not_after = INT64_C(4000000000);
    fixture->findings = (struct findings){.relations = &fixture->world.relations,
                                          .wishes = &fixture->world.wishes,
                                          .servers = &fixture->served.servers,
                                          .answers = &fixture->served.answers,
                                          .credentials = &fixture->credentials,
                                          .left = &fixture->left,
                                          .left_remedies = &fixture->left_remedies,
                                          .changes_are_ours = true,
                                          .now = WORLD_NOW,
                                          .expiry_warning_days = 30};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    report_free(&fixture->report);
    served_close(&fixture->served);
    world_close(&fixture->world);
    strings_free(&fixture->left);
    strings_free(&fixture->left_remedies);
    free(fixture);
    return 0;
}

static void make(struct fixture *fixture)
{
    report_free(&fixture->report);
    served_judge(&fixture->served, &fixture->world);
    report_make(&fixture->report, &fixture->findings);
}

static void assert_status(struct fixture *fixture, const char *status, const char *message)
{
    make(fixture);
    assert_string_equal(fixture->report.message, message);
    assert_string_equal(fixture->report.status, status);
}

/* The server is in trouble; where it is unknown nothing is known of it. */
static void trouble(struct server *server, enum server_state state, enum error_kind kind,
                    const char *text)
{
    server->state = state;
    error_set(&server->trouble, kind, "%s", text);
}

static void trust(struct fixture *fixture, unsigned number)
{
    world_ask(fixture->member, number);
    world_store(&fixture->served.items[0].store, number, OURS, "client", "");
}

static void test_fine(void **state)
{
    struct fixture *fixture = *state;

    assert_status(fixture, "active", "0 certificates trusted, LXD 6.6, 1 node");
    trust(fixture, 1);
    assert_status(fixture, "active", "1 certificate trusted, LXD 6.6, 1 node");
    trust(fixture, 2);
    fixture->served.items[0].info.software = LXD_INCUS;
    assert_status(fixture, "active", "2 certificates trusted, Incus 6.6, 1 node");
    for (size_t kind = 0; kind < REPORT_KINDS; kind++)
        assert_int_equal(fixture->report.lines[kind].count, 0);
}

/* ---- what ended the pass ---- */

static void test_errors(void **state)
{
    static const struct {
        enum error_kind kind;
        const char *status, *text, *message;
        enum report_kind line;
    } cases[] = {
        {ERROR_INPUT, "blocked", "config: lxd_client_key: missing",
         "config: lxd_client_key: missing", REPORT_ERRORS},
        {ERROR_UNTRUSTED, "blocked", "LXD does not trust us: tell it",
         "LXD does not trust us: tell it", REPORT_ERRORS},
        {ERROR_NONSENSE, "blocked", "LXD at x answers HTTP 404", "LXD at x answers HTTP 404",
         REPORT_ERRORS},
        {ERROR_REFUSED, "blocked", "no", "no", REPORT_ERRORS},
        {ERROR_IDENTITY, "blocked", "LXD at x presents a, expected b",
         "LXD at x presents a, expected b: update lxd_server_cert", REPORT_ERRORS},
        {ERROR_UNREACHABLE, "waiting", "LXD at x unreachable: timed out",
         "LXD at x unreachable: timed out; retrying", REPORT_TROUBLES},
        {ERROR_WAITING, "waiting", "LXD at x: 3 changes are left for the next hook",
         "LXD at x: 3 changes are left for the next hook", REPORT_TROUBLES},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        error_set(&fixture->error, cases[i].kind, "%s", cases[i].text);
        fixture->findings.error = &fixture->error; /* of the pass */
        assert_status(fixture, cases[i].status, cases[i].message);
        assert_string_equal(fixture->report.lines[cases[i].line].items[0], cases[i].text);
        fixture->findings.error = NULL; /* and of the only server */
        trouble(&fixture->served.items[0], SERVER_UNKNOWN, cases[i].kind, cases[i].text);
        assert_status(fixture, cases[i].status, cases[i].message);
        assert_string_equal(fixture->report.lines[cases[i].line].items[0], cases[i].text);
        fixture->served.items[0].state = SERVER_OBSERVED;
    }
}

/* The beginning of every deployment is the status's to say, and no line in the log. */
static void test_beginning(void **state)
{
    struct fixture *fixture = *state;

    error_set(&fixture->error, ERROR_INPUT,
              "missing credentials: run \"juju trust lxd-integrator\", or set something");
    fixture->findings.error = &fixture->error;
    fixture->findings.beginning = true;
    assert_status(fixture, "blocked",
                  "missing credentials: run \"juju trust lxd-integrator\", or set something");
    assert_int_equal(fixture->report.lines[REPORT_ERRORS].count, 0);
}

static void test_several_servers(void **state)
{
    struct fixture *fixture = *state;

    fixture->served.servers.count = 2;
    assert_status(fixture, "active", "0 certificates trusted, LXD 6.6, 2 nodes");
    trouble(&fixture->served.items[1], SERVER_UNKNOWN, ERROR_UNREACHABLE,
            "LXD at x unreachable: no");
    assert_status(
        fixture, "waiting",
        "LXD at x unreachable: no; retrying; elsewhere 0 certificates trusted, LXD 6.6, 1 "
        "node");
    trouble(&fixture->served.items[0], SERVER_UNFINISHED, ERROR_UNTRUSTED, "LXD at y: we may not");
    assert_status(fixture, "blocked", "LXD at y: we may not; 1 more server in trouble");
}

/* ---- what goes along ---- */

static void test_rejected(void **state)
{
    struct fixture *fixture = *state;

    trust(fixture, 1);
    world_ask_junk(fixture->member, "junk");
    assert_status(
        fixture, "active",
        "1 certificate trusted, LXD 6.6, 1 node; 1 certificate rejected: builder (api:3)");
    assert_string_equal(fixture->report.lines[REPORT_REJECTIONS].items[0],
                        "builder (api:3): entry 1 of builder/0 rejected: it is no certificate");
}

/* One certificate that two ask for counts once; of many relations three are named. */
static void test_many_rejected(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned i = 4; i < 9; i++) {
        struct relation *relation = world_relate(&fixture->world, i, "r");

        world_ask(world_join(relation, "r/0"), 1);
    }
    world_store(&fixture->served.items[0].store, 1, "node", "server", "");
    assert_status(fixture, "active",
                  "0 certificates trusted, LXD 6.6, 1 node; 1 certificate rejected: r (api:4), r "
                  "(api:5), r (api:6) and 2 more");
    assert_int_equal(fixture->report.lines[REPORT_REJECTIONS].count, 5);
}

/* A certificate is let in to one of the two projects that it asks for. */
static void lack_a_project(struct fixture *fixture)
{
    strings_add(&fixture->served.items[0].projects, "blue");
    fixture->served.items[0].sees_projects = true;
    fixture->served.items[0].asked = ~0U;
    world_ask(fixture->member, 1);
    world_name_projects(fixture->member, "blue,gren");
    world_store(&fixture->served.items[0].store, 1, OURS, "client", "blue");
}

static void test_projects(void **state)
{
    struct fixture *fixture = *state;

    lack_a_project(fixture);
    assert_status(fixture, "active",
                  "1 certificate trusted, LXD 6.6, 1 node; project \"gren\" does not exist");
    assert_string_equal(fixture->report.lines[REPORT_PROJECTS].items[0],
                        "project \"gren\", which is asked for, does not exist in LXD at " URL("1"));
}

static void test_foreign(void **state)
{
    struct fixture *fixture = *state;

    world_ask(fixture->member, 1);
    projects_parse(&fixture->world.terms.limit, "a");
    world_store(&fixture->served.items[0].store, 1, "bob", "client", "");
    fixture->served.items[0].store.strangers = 2;
    assert_status(fixture, "active",
                  "1 certificate trusted, LXD 6.6, 1 node; 1 entry of others opens more than the "
                  "option projects allows; 2 entries of no...");
    assert_int_equal(fixture->report.lines[REPORT_FOREIGN].count, 2);
}

static void test_relations(void **state)
{
    struct fixture *fixture = *state;

    fixture->relation->state = RELATION_REPLACED;
    world_relate(&fixture->world, 4, "x")->state = RELATION_UNKNOWN;
    assert_status(fixture, "active",
                  "0 certificates trusted, LXD 6.6, 1 node; unreadable: x (api:4); only the newer "
                  "relation is served: not builder (api:3)");
    assert_int_equal(fixture->report.lines[REPORT_REPLACED].count, 1);
}

/* What could not be taken away comes first, whatever else there is to say. */
static void test_wider(void **state)
{
    struct fixture *fixture = *state;

    strings_add(&fixture->served.items[0].wider, "certificate 1... cannot be taken out of LXD");
    trouble(&fixture->served.items[0], SERVER_UNFINISHED, ERROR_UNREACHABLE,
            "LXD at x unreachable: no");
    make(fixture);
    assert_string_equal(fixture->report.status, "blocked");
    assert_memory_equal(fixture->report.message,
                        "certificate 1... cannot be taken out of LXD; LXD at x unreachable: no; "
                        "retrying",
                        80);
    assert_int_equal(fixture->report.lines[REPORT_WIDER].count, 1);
}

static void test_followers(void **state)
{
    struct fixture *fixture = *state;

    world_ask(fixture->member, 1);
    fixture->findings.changes_are_ours = false;
    assert_status(fixture, "active",
                  "0 certificates trusted, LXD 6.6, 1 node; 1 change left to the leader");
    fixture->findings.leaving_leader = "lxd-integrator/0";
    make(fixture);
    assert_string_equal(fixture->report.status, "waiting");
    assert_memory_equal(fixture->report.message, "lxd-integrator/0 is leaving", 27);
}

static void test_what_may_stay(void **state)
{
    struct fixture *fixture = *state;

    strings_add(&fixture->left, "2 entries may stay");
    strings_add(&fixture->left_remedies, "run \"lxc config trust remove x\"");
    assert_status(fixture, "active", "0 certificates trusted, LXD 6.6, 1 node; 2 entries may stay");
    assert_string_equal(fixture->report.lines[REPORT_LEFT].items[0],
                        "2 entries may stay: there, run \"lxc config trust remove x\"");
}

static void test_expiring(void **state)
{
    struct fixture *fixture = *state;

    trust(fixture, 1);
    fixture->credentials.certificate.not_after = WORLD_NOW + 10 * DAY;
    fixture->member->entries[0].certificate.not_after = WORLD_NOW + 5 * DAY;
    assert_status(fixture, "active",
                  "1 certificate trusted, LXD 6.6, 1 node; 2 certificates to renew, the first by "
                  "2027-01-20");
    /* One that has ended is no "to renew by" a day that has passed. */
    fixture->member->entries[0].certificate.not_after = WORLD_NOW - 1;
    fixture->credentials.certificate.not_after = WORLD_NOW + 31 * DAY;
    assert_status(
        fixture, "active",
        "0 certificates trusted, LXD 6.6, 1 node; 1 certificate rejected: builder (api:3)");
    assert_int_equal(fixture->report.lines[REPORT_EXPIRING].count, 0);
}

/* ---- bounds ---- */

/* One line of 120 characters, whatever LXD and others say. */
static void test_length(void **state)
{
    struct fixture *fixture = *state;

    for (size_t length = 90; length < 200; length++) {
        char *text = mem_alloc(length + 1);

        memset(text, 'x', length);
        error_set(&fixture->error, ERROR_INPUT, "%s", text);
        fixture->findings.error = &fixture->error;
        make(fixture);
        size_t expected = length <= 120 ? length : 120;
        assert_int_equal(strlen(fixture->report.message), expected);
        assert_int_equal(strcmp(fixture->report.message + expected - 3, "...") == 0, length > 120);
        free(text);
    }
    fixture->findings.error = NULL;
    strings_add(&fixture->left, "two\nlines \x1b[31m \xc3\xa9");
    strings_add(&fixture->left_remedies, "x");
    assert_status(fixture, "active", "0 certificates trusted, LXD 6.6, 1 node; two?lines ?[31m ??");
}

/* How often was a line logged that begins so? The fake's journal has them all. */
static size_t count_logged(const struct fake_juju *fake, const char *level, const char *begin)
{
    size_t count = 0;

    for (size_t i = 0; i < fake->calls.count; i++)
        count += strstr(fake->calls.items[i], level) != NULL &&
                 strstr(fake->calls.items[i], begin) != NULL;
    return count;
}

/* At most ten lines of a kind, then one that says how many more; once, as long as nothing changes.
 */
static void test_log(void **state)
{
    static const struct fake_answer answers[] = {{"goal-state --format=json", 0, "{}", NULL},
                                                 {"state-get --format=json", 0, "{}", NULL},
                                                 {0}};
    struct fixture *fixture = *state;
    struct fake_juju fake = {.answers = answers};
    struct juju_transport juju = fake_juju_transport(&fake);
    struct goal goal;

    juju.captured = true; /* so that every line is a juju-log */
    goal_read(&goal, &juju);
    for (unsigned i = 0; i < 1000; i++)
        world_ask_junk(fixture->member, "junk");
    strings_add(&fixture->served.items[0].changes, "something was changed");
    make(fixture);
    report_log(&fixture->report, &goal, &juju);
    assert_int_equal(count_logged(&fake, "WARNING", "rejected: it is no certificate"), 10);
    assert_int_equal(count_logged(&fake, "WARNING", "990 more rejections"), 1);
    assert_int_equal(count_logged(&fake, "INFO", "something was changed"), 1);
    report_log(&fixture->report, &goal, &juju); /* the next hook */
    assert_int_equal(count_logged(&fake, "WARNING", "rejected: it is no certificate"), 10);
    assert_int_equal(count_logged(&fake, "WARNING", "990 more rejections"), 1);
    assert_int_equal(count_logged(&fake, "INFO", "something was changed"), 2);
    free(fixture->member->entries[3].reason);
    fixture->member->entries[3].reason = mem_string("it is too old");
    make(fixture);
    report_log(&fixture->report, &goal, &juju); /* one has changed */
    assert_int_equal(count_logged(&fake, "WARNING", "it is too old"), 1);
    assert_int_equal(count_logged(&fake, "WARNING", "rejected: it is no certificate"), 10);
    assert_in_range(strlen(goal_recall(&goal, "told")), 1, 1024);
    goal_free(&goal);
    fake_juju_free(&fake);
}

/* Only who is not let in counts as rejected, in the status and in the log. */
static void test_let_in_to_less(void **state)
{
    struct fixture *fixture = *state;
    const struct strings *lines = &fixture->report.lines[REPORT_REJECTIONS];

    lack_a_project(fixture);
    world_ask_junk(world_join(world_relate(&fixture->world, 4, "other"), "other/0"), "junk");
    make(fixture);
    assert_non_null(strstr(fixture->report.message, "1 certificate rejected: other (api:4)"));
    assert_int_equal(lines->count, 2);
    assert_non_null(strstr(lines->items[0], " let in to less than it asks for: no such project"));
    assert_non_null(strstr(lines->items[1], " rejected: "));
}

static void assert_beyond(struct fixture *fixture)
{
    projects_parse(&fixture->world.terms.limit, "a");
    make(fixture);
    assert_int_equal(fixture->report.lines[REPORT_FOREIGN].count, 1);
    assert_non_null(strstr(fixture->report.message, "1 entry of others opens"));
}

/* Whatever the wishes for it come to. */
static void test_foreign_entry_beyond_what_is_refused(void **state)
{
    struct fixture *fixture = *state;

    world_ask(fixture->member, 1);
    world_name_projects(fixture->member, "a");
    world_store(&fixture->served.items[0].store, 1, "bob", "client", "b");
    assert_beyond(fixture);
}

static void test_foreign_entry_beyond_the_second_wish(void **state)
{
    struct fixture *fixture = *state;
    struct member *second = world_join(world_relate(&fixture->world, 4, "other"), "other/0");

    world_ask(fixture->member, 1);
    world_name_projects(fixture->member, "c");
    world_ask(second, 1);
    world_name_projects(second, "a");
    world_store(&fixture->served.items[0].store, 1, "bob", "client", "a,b");
    assert_beyond(fixture);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_fine),
        TEST(test_errors),
        TEST(test_beginning),
        TEST(test_several_servers),
        TEST(test_rejected),
        TEST(test_many_rejected),
        TEST(test_projects),
        TEST(test_foreign),
        TEST(test_relations),
        TEST(test_wider),
        TEST(test_followers),
        TEST(test_what_may_stay),
        TEST(test_expiring),
        TEST(test_length),
        TEST(test_log),
        TEST(test_let_in_to_less),
        TEST(test_foreign_entry_beyond_what_is_refused),
        TEST(test_foreign_entry_beyond_the_second_wish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
