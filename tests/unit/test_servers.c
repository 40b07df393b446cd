/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "charm/server.h"

/* The world: what is behind each endpoint. */
static void start_world(struct server *server, const struct endpoint *endpoint,
                        const struct lxd_credentials *credentials, int64_t deadline);
static void observe_world(struct server *servers, size_t count);
static void apply_world(struct server *servers, size_t count, bool removing, int64_t deadline);

#define server_start start_world
#define server_observe observe_world
#define server_apply apply_world
#include "charm/servers.c"

struct place {
    const char *host;
    enum error_kind fault; /* 0: it answers */
    const char *members;   /* hosts, separated by blanks; NULL: a server of its own */
};

static const struct place *world;
static struct buffer asked; /* hosts, with blanks between those that are asked at the same time */
static int64_t deadlines[8];
static size_t calls;

static void add_members(struct lxd_members *members, const char *hosts)
{
    struct error error;

    members->items = mem_alloc(8 * sizeof *members->items);
    while (*hosts != '\0') {
        size_t length = strcspn(hosts, " ");
        char *host = mem_string_n(hosts, length);
        struct lxd_member *member = &members->items[members->count++];

        assert_int_equal(endpoint_parse(&member->endpoint, host, &error), 0);
        member->active = true;
        free(host);
        hosts += length + strspn(hosts + length, " ");
    }
}

static void start_world(struct server *server, const struct endpoint *endpoint,
                        const struct lxd_credentials *credentials, int64_t deadline)
{
    (void)credentials;
    deadlines[calls++] = deadline;
    server->endpoint = *endpoint;
}

static void observe_place(struct server *server)
{
    const struct place *place = world;

    while (strcmp(place->host, server->endpoint.host) != 0)
        place++;
    server->observed = place->fault == 0;
    server->troubled = !server->observed;
    if (server->troubled) {
        error_set(&server->trouble, place->fault, "LXD at %s fails", place->host);
        return;
    }
    server->info.version = mem_string("5.0.2");
    server->info.clustered = place->members != NULL;
    if (place->members != NULL)
        add_members(&server->members, place->members);
}

static void observe_world(struct server *servers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_printf(&asked, "%s%s", i != 0 ? " " : "", servers[i].endpoint.host);
        observe_place(&servers[i]);
    }
    if (count != 0)
        buffer_append_string(&asked, ". ");
}

static void apply_world(struct server *servers, size_t count, bool removing, int64_t deadline)
{
    deadlines[calls++] = deadline;
    for (size_t i = 0; i < count; i++)
        buffer_printf(&asked, "%s%s ", servers[i].endpoint.host, removing ? "-" : "");
}

struct setting {
    struct credentials credentials;
    struct certificate expected[2];
    struct servers servers;
    int64_t deadline;
};

/* Endpoints of the configuration; so many certificates are expected. */
static void observe(struct setting *setting, const struct place *places, const char *endpoints,
                    size_t certificates)
{
    struct error error;

    *setting = (struct setting){.credentials.server.count = certificates};
    setting->credentials.server.expected = setting->expected;
    world = places;
    calls = 0;
    setting->deadline = net_clock_ms() + 60000;
    assert_int_equal(endpoints_parse(&setting->credentials.endpoints, endpoints, &error), 0);
    servers_observe(&setting->servers, &setting->credentials, setting->deadline);
}

static void detour(struct setting *setting, const char *nodes)
{
    struct endpoints known;
    struct error error;

    assert_int_equal(endpoints_parse(&known, nodes, &error), 0);
    servers_detour(&setting->servers, &known, setting->deadline);
    endpoints_free(&known);
}

/* Who was asked, and who is kept: "+" where it was observed. */
static void finish(struct setting *setting, const char *hosts, const char *kept)
{
    struct buffer found = {0};

    for (size_t i = 0; i < setting->servers.count; i++)
        buffer_printf(&found, "%s%s ", setting->servers.items[i].endpoint.host,
                      setting->servers.items[i].observed ? "+" : "");
    assert_string_equal(buffer_string(&asked), hosts);
    assert_string_equal(buffer_string(&found), kept);
    buffer_free(&found);
    buffer_free(&asked);
    servers_free(&setting->servers);
    endpoints_free(&setting->credentials.endpoints);
}

static const struct place places[] = {
    {"a", 0, NULL},
    {"b", 0, NULL},
    {"dead", ERROR_UNREACHABLE, NULL},
    {"other", ERROR_IDENTITY, NULL},
    {"c1", 0, "c1 c2 c3 gone"},
    {"c2", 0, "c1 c2 c3 gone"},
    {"c3", 0, "c1 c2 c3 gone"},
    {"name-of-c3", 0, "c1 c2 c3 gone"},
    {"gone", ERROR_UNREACHABLE, NULL},
    {"d1", 0, "d1 d2"},
    {"d2", ERROR_UNREACHABLE, NULL},
};

static void test_servers_of_their_own(void **state)
{
    struct setting setting;

    (void)state;
    observe(&setting, places, "a", 1);
    assert_null(servers_trouble(&setting.servers));
    assert_string_equal(servers_version(&setting.servers), "5.0.2");
    finish(&setting, "a. ", "a+ ");

    observe(&setting, places, "a,dead,b", 2);
    assert_true(servers_need_detour(&setting.servers));
    assert_int_equal(servers_observed(&setting.servers), 2);
    assert_string_equal(servers_trouble(&setting.servers)->text, "LXD at dead fails");
    finish(&setting, "a dead b. ", "a+ dead b+ ");

    /* They may share one certificate: nothing of it makes them a cluster. */
    observe(&setting, places, "dead,a,b", 1);
    finish(&setting, "dead. a. b. ", "dead a+ b+ ");
}

static void test_first_member_serves(void **state)
{
    struct setting setting;

    (void)state;
    observe(&setting, places, "c1,c2,c3", 1);
    finish(&setting, "c1. ", "c1+ ");
    observe(&setting, places, "c2,name-of-c3", 1);
    finish(&setting, "c2. ", "c2+ ");
    /* By the list of members, where the certificates do not tell. */
    observe(&setting, places, "c1,c2,c3", 2);
    finish(&setting, "c1 c2 c3. ", "c1+ ");
    observe(&setting, places, "c2,name-of-c3", 2);
    finish(&setting, "c2 name-of-c3. ", "c2+ ");
    observe(&setting, places, "c1,gone", 2);
    assert_int_equal(setting.servers.detours.count, 0);
    finish(&setting, "c1 gone. ", "c1+ ");
}

static void test_member_that_is_down(void **state)
{
    struct setting setting;

    (void)state;
    observe(&setting, places, "gone,c2,c3", 2);
    assert_false(servers_need_detour(&setting.servers));
    assert_null(servers_trouble(&setting.servers));
    assert_int_equal(setting.servers.detours.count, 1);
    assert_string_equal(setting.servers.detours.items[0],
                        "LXD at gone fails: going on through https://c2:8443");
    finish(&setting, "gone c2 c3. ", "c2+ ");
    /* A name that no list of members has: one certificate makes it a member, two do not. */
    observe(&setting, places, "dead,c2", 1);
    finish(&setting, "dead. c2. ", "c2+ ");
    observe(&setting, places, "dead,c2", 2);
    finish(&setting, "dead c2. ", "dead c2+ ");
}

/* A CA's certificate may stand for many servers. */
static void test_certificate_of_a_ca(void **state)
{
    struct setting setting;

    (void)state;
    observe(&setting, places, "a", 1);
    setting.expected[0].is_ca = true;
    assert_false(is_one_certificate(&setting.credentials.server));
    finish(&setting, "a. ", "a+ ");
}

static void test_mixture(void **state)
{
    struct setting setting;

    (void)state;
    observe(&setting, places, "c1,a,d1,c2,d2,dead", 2);
    finish(&setting, "c1 a d1 c2 d2 dead. ", "c1+ a+ d1+ dead ");
}

/* Somebody else in a member's place is never excused. */
static void test_wrong_identity_stays(void **state)
{
    struct setting setting;

    (void)state;
    observe(&setting, places, "other,c1", 1);
    assert_int_equal(servers_trouble(&setting.servers)->kind, ERROR_IDENTITY);
    assert_false(servers_need_detour(&setting.servers));
    finish(&setting, "other. c1. ", "other c1+ ");
    observe(&setting, places, "dead,other", 2);
    assert_int_equal(servers_trouble(&setting.servers)->kind, ERROR_IDENTITY);
    finish(&setting, "dead other. ", "dead other ");
}

static void test_detour_through_known_node(void **state)
{
    struct setting setting;

    (void)state;
    observe(&setting, places, "gone", 1);
    detour(&setting, "gone,c2,c3");
    assert_null(servers_trouble(&setting.servers));
    assert_string_equal(setting.servers.detours.items[0],
                        "LXD at gone fails: going on through https://c2:8443");
    finish(&setting, "gone. c2. ", "c2+ ");
    observe(&setting, places, "gone", 1);
    detour(&setting, "dead,gone,c3");
    finish(&setting, "gone. dead. c3. ", "c3+ ");
    observe(&setting, places, "gone", 2);
    detour(&setting, "dead,gone,c3,c2,name-of-c3");
    assert_int_equal(setting.servers.detours.count, 1);
    finish(&setting, "gone. dead c3 c2 name-of-c3. ", "c3+ ");
}

/* Nodes of a former configuration, which a CA's certificate may let pass. */
static void test_no_detour_to_strangers(void **state)
{
    struct setting setting;

    (void)state;
    observe(&setting, places, "dead", 2);
    detour(&setting, "c1,a,d2");
    finish(&setting, "dead. c1 a d2. ", "dead ");
    /* No server of its own stands in for another one, whatever it presents. */
    observe(&setting, places, "dead", 1);
    detour(&setting, "a,b");
    finish(&setting, "dead. a. b. ", "dead ");
}

/* Nodes that are configured, or belong to what is reached, have had their turn. */
static void test_no_needless_detour(void **state)
{
    struct setting setting;

    (void)state;
    observe(&setting, places, "a,dead,c1", 2);
    detour(&setting, "a,dead,c1,c2,c3");
    finish(&setting, "a dead c1. ", "a+ dead c1+ ");
}

static void test_detour_for_one_of_two_clusters(void **state)
{
    struct setting setting;

    (void)state;
    observe(&setting, places, "c1,d2", 2);
    detour(&setting, "c1,c2,d1,d2");
    finish(&setting, "c1 d2. d1. ", "c1+ d1+ ");
}

/* Nobody eats the time of those behind: there is none, or they have their share. */
static void test_shares_of_time(void **state)
{
    struct setting setting;

    (void)state;
    observe(&setting, places, "a,b,dead", 1);
    assert_in_range(setting.deadline - deadlines[0], 39000, 41000);
    assert_in_range(setting.deadline - deadlines[1], 29000, 31000);
    assert_in_range(setting.deadline - deadlines[2], 0, 1000);
    finish(&setting, "a. b. dead. ", "a+ b+ dead ");
    observe(&setting, places, "a,b,dead", 2);
    servers_apply(&setting.servers, true, setting.deadline);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(deadlines[i], setting.deadline);
    finish(&setting, "a b dead. a- b- dead- ", "a+ b+ dead ");
}

static void test_nodes(void **state)
{
    struct setting setting;

    (void)state;
    observe(&setting, places, "a,dead,c1", 2);
    setting.servers.items[2].members.items[1].active = false;
    assert_true(servers_have_node(&setting.servers, "https://a:8443"));
    assert_true(servers_have_node(&setting.servers, "https://c1:8443"));
    assert_true(servers_have_node(&setting.servers, "https://c2:8443"));
    assert_false(servers_have_node(&setting.servers, "https://dead:8443"));
    assert_false(servers_have_node(&setting.servers, "https://b:8443"));
    assert_false(servers_have_node(&setting.servers, "nonsense/"));
    assert_int_equal(server_nodes(&setting.servers.items[0]), 1);
    assert_int_equal(server_nodes(&setting.servers.items[2]), 3);
    finish(&setting, "a dead c1. ", "a+ dead c1+ ");
}

/* The host of what is behind the first of these endpoints, or NULL. */
static void assert_first(const char *endpoints, size_t certificates, const char *expected)
{
    struct setting setting;

    observe(&setting, places, endpoints, certificates);
    const struct server *first = servers_first(&setting.servers);
    assert_int_equal(first != NULL, expected != NULL);
    if (first != NULL)
        assert_string_equal(first->endpoint.host, expected);
    servers_free(&setting.servers);
    buffer_free(&asked);
    endpoints_free(&setting.credentials.endpoints);
}

static void test_first(void **state)
{
    (void)state;
    assert_first("a,b", 2, "a");
    assert_first("dead,a", 2, NULL);
    assert_first("other,a", 2, NULL);
    /* A cluster is one server, however it is reached. */
    assert_first("c1,a", 2, "c1");
    assert_first("gone,a,c2", 2, "c2");
    assert_first("dead,c2", 1, "c2");
    assert_first("dead,c2", 2, NULL);
}

static void test_what_all_trust(void **state)
{
    struct certificate certificates[2] = {{.fingerprint = "1"}, {.fingerprint = "2"}};
    struct wish wishes[2] = {{.certificate = certificates[0]}, {.certificate = certificates[1]}};
    struct request request = {.wishes = wishes, .count = 2};
    struct plan_demand demand = {1, "x", &request};
    struct plan_self self = {"9f1c1ab0", "integrator", "own", {0}};
    struct setting setting;

    (void)state;
    observe(&setting, places, "a,dead,b", 2);
    servers_plan(&setting.servers, &self, &demand, 1);
    assert_int_equal(servers_present(&setting.servers), 0);
    assert_false(servers_hold_surplus(&setting.servers));
    setting.servers.items[0].plan.certificates[0].state = PLAN_PRESENT;
    setting.servers.items[0].plan.certificates[1].state = PLAN_PRESENT;
    assert_int_equal(servers_present(&setting.servers), 0);
    setting.servers.items[2].plan.certificates[1].state = PLAN_PRESENT;
    assert_int_equal(servers_present(&setting.servers), 1);
    setting.servers.items[2].troubled = true;
    assert_int_equal(servers_present(&setting.servers), 2);
    finish(&setting, "a dead b. ", "a+ dead b+ ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_servers_of_their_own),
        cmocka_unit_test(test_first_member_serves),
        cmocka_unit_test(test_member_that_is_down),
        cmocka_unit_test(test_certificate_of_a_ca),
        cmocka_unit_test(test_mixture),
        cmocka_unit_test(test_wrong_identity_stays),
        cmocka_unit_test(test_detour_through_known_node),
        cmocka_unit_test(test_no_detour_to_strangers),
        cmocka_unit_test(test_no_needless_detour),
        cmocka_unit_test(test_detour_for_one_of_two_clusters),
        cmocka_unit_test(test_shares_of_time),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_what_all_trust),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
