/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/net.h"
#include "charm/servers.h"
#include "fake_lxd.h"
#include "world.h"

#define URL(host) "https://10.0.0." host ":8443"
#define OURS WORLD_PREFIX "client.5"

/* LXDs at 10.0.0.1 to 10.0.0.3, of which the credentials name some. */
struct fixture {
    struct fake_lxd lxds[3];
    struct world world;
    struct member *member;
    struct credentials credentials;
    struct interest interest;
    struct strings wanted;
    struct servers servers;
};

static int set_up(void **state)
{
    static const char *const urls[] = {URL("1"), URL("2"), URL("3")};
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    for (size_t i = 0; i < 3; i++) {
        fixture->lxds[i].url = urls[i];
        fake_lxds[i] = &fixture->lxds[i];
        fake_lxd_put(&fixture->lxds[i], WORLD_OWN, "juju", "client", "");
    }
    world_open(&fixture->world);
    fixture->member = world_join(world_relate(&fixture->world, 5, "client"), "client/0");
    world_fingerprint(fixture->credentials.certificate.fingerprint, WORLD_OWN);
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

    servers_free(&fixture->servers);
    strings_free(&fixture->wanted);
    world_close(&fixture->world);
    endpoints_free(&fixture->credentials.endpoints);
    for (size_t i = 0; i < 3; i++) {
        fake_lxd_free(&fixture->lxds[i]);
        fake_lxds[i] = NULL;
    }
    free(fixture);
    return 0;
}

static void observe(struct fixture *fixture, const char *endpoints)
{
    struct error error;

    endpoints_free(&fixture->credentials.endpoints);
    assert_int_equal(endpoints_parse(&fixture->credentials.endpoints, endpoints, &error), 0);
    wishes_candidates(&fixture->world.relations, &fixture->wanted);
    servers_observe(&fixture->servers, &fixture->credentials.endpoints, &fixture->credentials,
                    &fixture->interest, net_clock_ms() + 60000);
}

static void carry_out(struct fixture *fixture)
{
    struct servers *servers = &fixture->servers;

    wishes_collect(&fixture->world.wishes, &fixture->world.relations,
                   &fixture->world.default_projects, servers_know, servers);
    servers_plan(servers, &fixture->world.terms);
    servers_apply(servers, &fixture->world.terms, net_clock_ms() + 60000);
    servers_judge(servers, &fixture->world.terms);
}

static void test_two_servers(void **state)
{
    struct fixture *fixture = *state;
    const struct server *server;

    fixture->lxds[1].presents = "leaf-rsa.crt";
    world_ask(fixture->member, 1);
    world_ask(fixture->member, 2);
    fake_lxd_put(&fixture->lxds[0], 7, OURS, "client", "");
    fixture->lxds[1].faults[0] = (struct fake_fault){"POST 2", 400, false, 0};
    observe(fixture, "10.0.0.1,10.0.0.2");
    assert_int_equal(servers_observed(&fixture->servers), 2);
    char unwished[65];
    world_fingerprint(unwished, 7);
    assert_true(servers_know(&fixture->servers, 5, unwished));
    assert_false(servers_know(&fixture->servers, 6, unwished));
    carry_out(fixture);
    for (size_t i = 0; i < 2; i++)
        assert_non_null(fake_lxd_find(&fixture->lxds[i], 1));
    assert_null(fake_lxd_find(&fixture->lxds[0], 7));
    assert_int_equal(servers_verdict(&fixture->servers, 0, &server), VERDICT_TRUSTED);
    assert_null(server);
    assert_int_equal(servers_verdict(&fixture->servers, 1, &server), VERDICT_REJECTED);
    assert_string_equal(server->endpoint.url, URL("2"));
    assert_int_equal(servers_due(&fixture->servers), 0);
    assert_null(servers_trouble(&fixture->servers));
    assert_string_equal(servers_first(&fixture->servers)->endpoint.url, URL("1"));
}

/* Trusted by all, or pending: what one of them did not do is not said to be done. */
static void test_one_of_two_fails(void **state)
{
    struct fixture *fixture = *state;
    const struct server *server;

    fixture->lxds[1].presents = "leaf-rsa.crt";
    world_ask(fixture->member, 1);
    fixture->lxds[1].faults[0] = (struct fake_fault){"POST 1", 500, false, 0};
    observe(fixture, "10.0.0.1,10.0.0.2");
    carry_out(fixture);
    assert_int_equal(servers_verdict(&fixture->servers, 0, &server), VERDICT_PENDING);
    assert_int_equal(servers_due(&fixture->servers), 1);
    assert_int_equal(servers_trouble(&fixture->servers)->kind, ERROR_UNREACHABLE);
}

/* One that cannot be asked is not waited for: the other ones' word counts. */
static void test_one_of_two_is_down(void **state)
{
    struct fixture *fixture = *state;
    const struct server *server;

    fixture->lxds[0].down = true;
    world_ask(fixture->member, 1);
    observe(fixture, "10.0.0.1,10.0.0.2");
    carry_out(fixture);
    assert_int_equal(servers_observed(&fixture->servers), 1);
    assert_int_equal(servers_verdict(&fixture->servers, 0, &server), VERDICT_TRUSTED);
    assert_null(servers_first(&fixture->servers));
    assert_int_equal(servers_trouble(&fixture->servers)->kind, ERROR_UNREACHABLE);
    fixture->lxds[1].untrusted = true; /* what needs a person goes before what time mends */
    servers_free(&fixture->servers);
    observe(fixture, "10.0.0.1,10.0.0.2");
    assert_int_equal(servers_trouble(&fixture->servers)->kind, ERROR_UNTRUSTED);
    assert_int_equal(servers_observed(&fixture->servers), 0);
}

/* ---- which endpoints are one server ---- */

static void assert_count(struct fixture *fixture, size_t count)
{
    observe(fixture, "10.0.0.1,10.0.0.2");
    assert_int_equal(servers_observed(&fixture->servers), count);
}

/* The same certificate alone may be a clone's, which is to be visited. */
static void test_clones_are_two(void **state)
{
    assert_count(*state, 2);
}

static void test_one_that_lists_the_other(void **state)
{
    struct fixture *fixture = *state;

    fixture->lxds[1].addresses = "\"10.0.0.1:8443\",\"10.0.0.2:8443\"";
    assert_count(fixture, 1);
    assert_string_equal(fixture->servers.items[0].endpoint.url, URL("1"));
}

static void test_one_that_lists_the_other_but_is_not_it(void **state)
{
    struct fixture *fixture = *state;

    fixture->lxds[0].addresses = "\"10.0.0.2:8443\"";
    fixture->lxds[1].presents = "leaf-rsa.crt";
    assert_count(fixture, 2);
}

#define CLUSTER FAKE_MEMBER("n1", URL("1"), "Online") "," FAKE_MEMBER("n2", URL("2"), "Online")

static void test_members_are_one(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < 2; i++) {
        fixture->lxds[i].clustered = true;
        fixture->lxds[i].members = CLUSTER;
    }
    assert_count(fixture, 1);
}

/* A member that is down is no trouble where its cluster is reached through another one. */
static void test_member_that_is_down(void **state)
{
    struct fixture *fixture = *state;

    fixture->lxds[0].down = fixture->lxds[1].clustered = true;
    fixture->lxds[1].members = CLUSTER;
    observe(fixture, "10.0.0.1,10.0.0.2");
    assert_int_equal(fixture->servers.count, 1);
    assert_null(servers_trouble(&fixture->servers));
    assert_string_equal(
        fixture->servers.detours.items[0],
        "LXD at " URL("1") " unreachable: connection refused: going on through " URL("2"));
    assert_string_equal(servers_first(&fixture->servers)->endpoint.url, URL("2"));
}

/* ---- what was published ---- */

static void publish(struct nodes *known, const char *url, const char *certificate)
{
    const struct strings none = {0};

    nodes_add(known, url, "", &none, certificate);
}

static void test_detour(void **state)
{
    struct fixture *fixture = *state;
    struct nodes known = {0};

    fixture->lxds[0].down = fixture->lxds[1].clustered = true;
    fixture->lxds[1].members = CLUSTER;
    publish(&known, URL("3"), "pem"); /* another server */
    publish(&known, URL("2"), "pem");
    observe(fixture, "10.0.0.1");
    assert_int_equal(servers_observed(&fixture->servers), 0);
    servers_detour(&fixture->servers, &known, net_clock_ms() + 60000);
    assert_int_equal(fixture->servers.count, 1);
    assert_string_equal(fixture->servers.items[0].endpoint.url, URL("2"));
    assert_null(servers_trouble(&fixture->servers));
    nodes_free(&known);
}

static void test_no_detour(void **state)
{
    struct fixture *fixture = *state;
    struct nodes known = {0};

    fixture->lxds[0].down = true;
    publish(&known, URL("3"), "pem");
    observe(fixture, "10.0.0.1");
    servers_detour(&fixture->servers, &known, net_clock_ms() + 60000);
    assert_int_equal(fixture->servers.count, 1);
    assert_int_equal(fixture->servers.items[0].state, SERVER_UNKNOWN);
    assert_int_equal(servers_trouble(&fixture->servers)->kind, ERROR_UNREACHABLE);
    nodes_free(&known);
}

/* 10.0.0.1 is asked, 10.0.0.2 is down; 10.0.0.3 was taken out of the option. */
static void test_nodes_that_stay_and_that_go(void **state)
{
    struct fixture *fixture = *state;
    struct nodes known = {0}, dropped = {0};

    fixture->lxds[1].down = true;
    publish(&known, URL("1"), "pem 1");
    publish(&known, URL("2"), "pem 2");
    publish(&known, URL("3"), "pem 3");
    publish(&known, URL("22"), "pem 2"); /* another member of the cluster that is down */
    publish(&known, "no endpoint:", "pem 3");
    observe(fixture, "10.0.0.1,10.0.0.2");
    assert_false(servers_keep_node(&fixture->servers, &known, known.items[0]));
    assert_true(servers_keep_node(&fixture->servers, &known, known.items[1]));
    assert_false(servers_keep_node(&fixture->servers, &known, known.items[2]));
    assert_true(servers_keep_node(&fixture->servers, &known, known.items[3]));
    assert_false(servers_keep_node(&fixture->servers, &known, known.items[4]));
    servers_find_dropped(&fixture->servers, &known, &dropped);
    assert_int_equal(dropped.count, 1);
    assert_string_equal(node_endpoint(dropped.items[0]), URL("3"));
    nodes_free(&known);
    nodes_free(&dropped);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_two_servers),
        TEST(test_one_of_two_fails),
        TEST(test_one_of_two_is_down),
        TEST(test_clones_are_two),
        TEST(test_one_that_lists_the_other),
        TEST(test_one_that_lists_the_other_but_is_not_it),
        TEST(test_members_are_one),
        TEST(test_member_that_is_down),
        TEST(test_detour),
        TEST(test_no_detour),
        TEST(test_nodes_that_stay_and_that_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
