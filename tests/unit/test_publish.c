/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "charm/publish.h"
#include "fake_juju.h"
#include "served.h"
#include "x509_files.h"

#define OURS WORLD_PREFIX "client.5"
#define URL(host) "https://10.0.0." host ":8443"

/* Two servers of which a test takes one or both, and relation 5 with client/0. */
struct fixture {
    struct world world;
    struct member *member;
    struct relation *relation;
    struct served served;
    struct fake_juju fake;
};

static int set_up(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    world_open(&fixture->world);
    fixture->relation = world_relate(&fixture->world, 5, "client");
    fixture->relation->published = cJSON_CreateObject();
    fixture->member = world_join(fixture->relation, "client/0");
    served_open(&fixture->served);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    served_close(&fixture->served);
    world_close(&fixture->world);
    fake_juju_free(&fixture->fake);
    free(fixture);
    return 0;
}

/* Judge by what the stores have, and publish. */
static void publish_all(struct fixture *fixture)
{
    struct juju_transport juju = fake_juju_transport(&fixture->fake);
    struct error error;

    fake_juju_free(&fixture->fake);
    fixture->fake = (struct fake_juju){0};
    served_judge(&fixture->served, &fixture->world);
    assert_int_equal(publish(&fixture->served.answers, &fixture->world.relations,
                             &fixture->served.servers, &fixture->world.wishes, &juju, &error),
                     0);
}

/* What a relation-set got as its input, to be deleted; NULL where it was not called. */
static cJSON *input_of(const struct fixture *fixture, const char *command)
{
    for (size_t i = 0; i < fixture->fake.calls.count; i++) {
        if (strcmp(fixture->fake.calls.items[i], command) == 0)
            return cJSON_Parse(fixture->fake.inputs.items[i]);
    }
    return NULL;
}

static cJSON *written(const struct fixture *fixture)
{
    return input_of(fixture, "relation-set -r api:5 --file -");
}

/* It is in our databag from now on. */
static void keep_written(struct fixture *fixture)
{
    cJSON *settings = written(fixture);

    assert_non_null(settings);
    cJSON_Delete(fixture->relation->published);
    fixture->relation->published = settings;
}

static void assert_written(const struct fixture *fixture, const char *key, const char *value)
{
    cJSON *settings = written(fixture);

    if (value != NULL)
        assert_string_equal(json_string(settings, key), value);
    else
        assert_null(json_string(settings, key));
    cJSON_Delete(settings);
}

#define FP1 "0000000000010000000000000000000000000000000000000000000000000001"
#define FP2 "0000000000020000000000000000000000000000000000000000000000000002"

/* "https://10.0.0.1:8443 FP FP, ..." of what was written under nodes; owned. */
static char *nodes_of(const struct fixture *fixture)
{
    cJSON *settings = written(fixture);
    struct nodes nodes = {0};
    struct buffer text = {0};

    nodes_read(&nodes, settings);
    for (size_t i = 0; i < nodes.count; i++) {
        struct strings fingerprints = {0};

        node_fingerprints(nodes.items[i], &fingerprints);
        buffer_printf(&text, "%s%s", i != 0 ? ", " : "", node_endpoint(nodes.items[i]));
        for (size_t j = 0; j < fingerprints.count; j++)
            buffer_printf(&text, " %s", fingerprints.items[j]);
        strings_free(&fingerprints);
    }
    buffer_append_string(&text, "");
    nodes_free(&nodes);
    cJSON_Delete(settings);
    return text.data;
}

static void assert_nodes(const struct fixture *fixture, const char *expected)
{
    char *text = nodes_of(fixture);

    assert_string_equal(text, expected);
    free(text);
}

static void test_answer_to_one_that_asks_nothing(void **state)
{
    struct fixture *fixture = *state;

    publish_all(fixture);
    assert_written(fixture, "version", "1.0");
    assert_written(fixture, "registered_certificates", "[]");
    assert_written(fixture, "rejected_certificates", NULL);
    assert_nodes(fixture, URL("1"));
    assert_int_equal(fixture->served.answers.rejected, 0);
    assert_string_equal(fixture->served.answers.items[0].written,
                        "version, nodes, registered_certificates");
}

/* What was written once is not written again, and a rejection is gone when its cause is. */
static void test_only_changes_are_written(void **state)
{
    struct fixture *fixture = *state;

    world_ask(fixture->member, 1);
    world_ask(fixture->member, 2);
    world_ask_junk(fixture->member, "junk");
    world_store(&fixture->served.items[0].store, 1, OURS, "client", "");
    world_store(&fixture->served.items[0].store, 2, "node", "server", "");
    publish_all(fixture);
    assert_nodes(fixture, URL("1") " " FP1);
    assert_written(fixture, "registered_certificates", "[\"pem-1\"]");
    assert_written(fixture, "rejected_certificates",
                   "[{\"index\":2,\"reason\":\"it is no certificate\",\"unit\":\"client/0\"},"
                   "{\"fingerprint\":\"" FP2 "\",\"index\":1,\"reason\":\"LXD has it as a "
                   "certificate of type server, named \\\"node\\\"\",\"unit\":\"client/0\"}]");
    assert_int_equal(fixture->served.answers.trusted, 1);
    assert_int_equal(fixture->served.answers.rejected, 2);
    keep_written(fixture);
    publish_all(fixture);
    assert_null(written(fixture));
    assert_null(fixture->served.answers.items[0].written);
    world_store(&fixture->served.items[0].store, 2, OURS, "client", "");
    fixture->member->count = 2;
    publish_all(fixture);
    assert_written(fixture, "version", NULL);
    assert_written(fixture, "rejected_certificates", "");
    assert_nodes(fixture, URL("1") " " FP1 " " FP2);
    fixture->member->count = 3;
}

/* Not yet let in is neither registered nor rejected. */
static void test_pending(void **state)
{
    struct fixture *fixture = *state;

    world_ask(fixture->member, 1);
    publish_all(fixture);
    assert_nodes(fixture, URL("1"));
    assert_written(fixture, "registered_certificates", "[]");
    assert_written(fixture, "rejected_certificates", NULL);
}

/* Let in to less than it asked for: trusted, registered, and listed with what is missing. */
static void test_let_in_to_less(void **state)
{
    struct fixture *fixture = *state;

    world_ask(fixture->member, 1);
    world_name_projects(fixture->member, "a,b");
    projects_parse(&fixture->world.terms.limit, "a");
    world_store(&fixture->served.items[0].store, 1, OURS, "client", "a");
    publish_all(fixture);
    assert_nodes(fixture, URL("1") " " FP1);
    assert_written(fixture, "registered_certificates", "[\"pem-1\"]");
    assert_written(fixture, "rejected_certificates",
                   "[{\"fingerprint\":\"" FP1 "\",\"index\":0,\"reason\":\"the integrator's option "
                   "projects excludes \\\"b\\\"\",\"unit\":\"client/0\"}]");
    assert_int_equal(fixture->served.answers.trusted, 1);
    assert_int_equal(fixture->served.answers.rejected, 0);
}

/* Of one certificate all texts are registered, also that of a wish which came to nothing. */
static void test_one_of_two_wishes(void **state)
{
    struct fixture *fixture = *state;
    struct member *other = world_join(fixture->relation, "client/1");
    struct entry *entry = world_ask(other, 1);

    free(entry->text);
    entry->text = mem_string("another pem-1");
    world_name_projects(other, "b");
    world_ask(fixture->member, 1);
    world_name_projects(fixture->member, "a");
    projects_parse(&fixture->world.terms.limit, "a");
    world_store(&fixture->served.items[0].store, 1, OURS, "client", "a");
    publish_all(fixture);
    assert_nodes(fixture, URL("1") " " FP1);
    assert_written(fixture, "registered_certificates", "[\"another pem-1\",\"pem-1\"]");
    assert_written(fixture, "rejected_certificates",
                   "[{\"fingerprint\":\"" FP1 "\",\"index\":0,\"reason\":\"the integrator's option "
                   "projects excludes \\\"b\\\"\",\"unit\":\"client/1\"}]");
    assert_int_equal(fixture->served.answers.trusted, 1);
    assert_int_equal(fixture->served.answers.rejected, 1);
}

/* An expired certificate is not trusted, whatever the trust store lists. */
static void test_expired(void **state)
{
    struct fixture *fixture = *state;

    world_ask(fixture->member, 1)->certificate.not_after = WORLD_NOW - 1;
    world_store(&fixture->served.items[0].store, 1, OURS, "client", "");
    publish_all(fixture);
    assert_nodes(fixture, URL("1"));
    assert_written(fixture, "registered_certificates", "[]");
    assert_int_equal(fixture->served.answers.rejected, 1);
}

/* Each relation is told of its own certificates; one certificate counts once. */
static void test_two_relations(void **state)
{
    struct fixture *fixture = *state;
    struct relation *other = world_relate(&fixture->world, 6, "other");

    other->published = cJSON_CreateObject();
    world_ask(fixture->member, 1);
    world_ask(world_join(other, "other/0"), 1);
    world_ask(world_join(other, "other/1"), 2);
    world_store(&fixture->served.items[0].store, 1, OURS, "client", "");
    world_store(&fixture->served.items[0].store, 2, OURS, "client", "");
    publish_all(fixture);
    assert_nodes(fixture, URL("1") " " FP1);
    assert_int_equal(fixture->served.answers.trusted, 2);
    assert_int_equal(fixture->served.answers.items[1].registered.count, 2);
}

/* Each node has what its own server trusts; registered is what all trust. */
static void test_two_servers(void **state)
{
    struct fixture *fixture = *state;

    fixture->served.servers.count = 2;
    world_ask(fixture->member, 1);
    world_ask(fixture->member, 2);
    for (size_t i = 0; i < 2; i++)
        world_store(&fixture->served.items[i].store, 1, OURS, "client", "");
    world_store(&fixture->served.items[0].store, 2, OURS, "client", "");
    world_store(&fixture->served.items[1].store, 2, "bob", "metrics", "");
    publish_all(fixture);
    assert_nodes(fixture, URL("1") " " FP1 " " FP2 ", " URL("2") " " FP1);
    assert_written(fixture, "registered_certificates", "[\"pem-1\"]");
    assert_written(
        fixture, "rejected_certificates",
        "[{\"fingerprint\":\"" FP2 "\",\"index\":1,\"reason\":\"LXD at " URL(
            "2") ": LXD has it as a certificate of type metrics, named \\\"bob\\\"\",\"unit\":"
                 "\"client/0\"}]");
}

/* What was said of a server that cannot be asked stays; what is new waits. */
static void test_server_that_cannot_be_asked(void **state)
{
    struct fixture *fixture = *state;

    cJSON_AddStringToObject(fixture->relation->published, "nodes",
                            "[{\"endpoint\":\"" URL("2") "\",\"trusted_certs_fp\":[\"" FP2 "\"]}]");
    fixture->served.servers.count = 2;
    fixture->served.items[1].state = SERVER_UNKNOWN;
    publish_all(fixture);
    assert_nodes(fixture, URL("1") ", " URL("2") " " FP2);
}

static void test_no_server_can_be_asked(void **state)
{
    struct fixture *fixture = *state;

    fixture->served.items[0].state = SERVER_UNKNOWN;
    world_ask(fixture->member, 1);
    publish_all(fixture);
    assert_int_equal(fixture->fake.calls.count, 0);
}

/* Only active members are nodes. */
static void test_cluster(void **state)
{
    static const char *const urls[] = {"10.0.0.9", "10.0.0.1", "10.0.0.2"};
    struct fixture *fixture = *state;
    struct lxd_members *members = &fixture->served.items[0].members;
    struct error error;

    fixture->served.items[0].info.clustered = true;
    members->items = mem_alloc(3 * sizeof *members->items);
    for (; members->count < 3; members->count++) {
        struct lxd_member *member = &members->items[members->count];

        member->name = mem_string("node");
        member->active = members->count != 2;
        endpoint_parse(&member->endpoint, urls[members->count], &error);
    }
    publish_all(fixture);
    assert_nodes(fixture, URL("1") ", " URL("9"));
}

/* Nothing is written where a relation does not live. */
static void test_states(void **state)
{
    static const enum relation_state states[] = {RELATION_UNKNOWN, RELATION_ENDING,
                                                 RELATION_REPLACED, RELATION_GONE};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        fixture->relation->state = states[i];
        publish_all(fixture);
        assert_int_equal(fixture->fake.calls.count, 0);
    }
}

static void test_juju_refuses(void **state)
{
    struct fixture *fixture = *state;
    struct juju_transport juju;
    struct error error;

    publish_all(fixture);
    fixture->fake.dead = true;
    juju = fake_juju_transport(&fixture->fake);
    assert_int_equal(publish(&fixture->served.answers, &fixture->world.relations,
                             &fixture->served.servers, &fixture->world.wishes, &juju, &error),
                     -1);
    assert_int_equal(error.kind, ERROR_HOOK);
}

/* ---- lxd-https ---- */

#define UNIT_SET "relation-set -r api:5 --file -"
#define APPLICATION_SET "relation-set -r api:5 --file - --app"

static void serve_https(struct fixture *fixture)
{
    struct error error;

    fixture->relation->https = true;
    world_ask(fixture->member, 1);
    world_store(&fixture->served.items[0].store, 1, OURS, "client", "");
    endpoints_parse(&fixture->served.items[0].info.addresses, "10.0.0.7:8443,[fd00::1]:8443",
                    &error);
}

static void assert_bag(cJSON *bag, const char *addresses)
{
    struct certificate expected = x509_certificate("leaf.crt");

    assert_string_equal(json_string(bag, "version"), "1.0");
    assert_string_equal(json_string(bag, "addresses"), addresses);
    assert_string_equal(json_string(bag, "certificate_fingerprint"), expected.fingerprint);
    assert_non_null(json_string(bag, "certificate"));
    assert_string_equal(json_string(bag, "trusted_certs_fp"), "[\"" FP1 "\"]");
    assert_int_equal(cJSON_GetArraySize(bag), 5);
    certificate_free(&expected);
    cJSON_Delete(bag);
}

/* The address that was configured comes first, then those that LXD knows of itself. */
static void test_https_standalone(void **state)
{
    struct fixture *fixture = *state;

    serve_https(fixture);
    fixture->relation->application_published = cJSON_CreateObject();
    publish_all(fixture);
    assert_bag(input_of(fixture, UNIT_SET), "10.0.0.1:8443,10.0.0.7:8443,[fd00::1]:8443");
    assert_null(input_of(fixture, APPLICATION_SET));
    keep_written(fixture);
    publish_all(fixture);
    assert_null(written(fixture));
    store_free(&fixture->served.items[0].store); /* not trusted any more: nothing is offered */
    publish_all(fixture);
    cJSON *bag = written(fixture);
    assert_string_equal(json_string(bag, "addresses"), "");
    cJSON_Delete(bag);
}

static void test_https_cluster(void **state)
{
    struct fixture *fixture = *state;

    serve_https(fixture);
    fixture->served.items[0].info.clustered = true;
    fixture->relation->application_published = cJSON_CreateObject();
    publish_all(fixture);
    assert_null(input_of(fixture, UNIT_SET));
    assert_bag(input_of(fixture, APPLICATION_SET), "10.0.0.1:8443");
    cJSON_Delete(fixture->relation->application_published);
    fixture->relation->application_published = NULL; /* a follower */
    publish_all(fixture);
    assert_int_equal(fixture->fake.calls.count, 0);
}

/* Nothing is offered, and what was refused is told all the same: where the rest would be. */
static void test_https_rejections(void **state)
{
    struct fixture *fixture = *state;

    fixture->relation->https = true;
    member_free(fixture->member);
    member_refuse(fixture->member, "client/0", false, "for a reason");
    publish_all(fixture);
    assert_written(fixture, "addresses", NULL);
    assert_written(fixture, "rejected_certificates",
                   "[{\"reason\":\"for a reason\",\"unit\":\"client/0\"}]");
    fixture->served.items[0].info.clustered = true;
    fixture->relation->application_published = cJSON_CreateObject();
    publish_all(fixture);
    assert_null(input_of(fixture, UNIT_SET));
    cJSON *bag = input_of(fixture, APPLICATION_SET);
    assert_non_null(json_string(bag, "rejected_certificates"));
    assert_int_equal(cJSON_GetArraySize(bag), 1);
    cJSON_Delete(bag);
}

static void test_https_first_server_is_down(void **state)
{
    struct fixture *fixture = *state;

    serve_https(fixture);
    fixture->served.servers.count = 2;
    fixture->served.items[0].state = SERVER_UNKNOWN;
    publish_all(fixture);
    assert_int_equal(fixture->fake.calls.count, 0);
}

/* ---- bounds ---- */

/* Whatever one relation writes, Juju's answer about our own databag can be read again: 8 MiB. */
static void test_our_databag_can_be_read_back(void **state)
{
    struct fixture *fixture = *state;
    struct lxd_members *members = &fixture->served.items[0].members;
    struct error error;

    for (unsigned i = 0; i < DATABAG_MAX_ENTRIES; i++) {
        struct entry *entry = world_ask(fixture->member, 1000 + i);
        char padding[513] = ""; /* the worst: four bytes each in what relation-get prints */

        memset(padding, i % 2 == 0 ? '\\' : '"', sizeof padding - 1);
        free(entry->text);
        entry->text = mem_printf("%s%04u", padding, i);
        world_store(&fixture->served.items[0].store, 1000 + i, OURS, "client", "");
    }
    world_join(fixture->relation, "client/1")->beyond = 1000000;
    fixture->served.items[0].info.clustered = true;
    members->items = mem_alloc(50 * sizeof *members->items);
    for (; members->count < 50; members->count++) {
        char *url = mem_printf("10.0.0.%zu", members->count + 1);
        struct lxd_member *member = &members->items[members->count];

        *member = (struct lxd_member){.name = mem_string("node"), .active = true};
        endpoint_parse(&member->endpoint, url, &error);
        free(url);
    }
    publish_all(fixture);
    assert_int_equal(fixture->served.answers.trusted, DATABAG_MAX_ENTRIES);
    cJSON *settings = written(fixture);
    char *text = json_print(settings);
    assert_in_range(strlen(text), 4 * 1024 * 1024, JUJU_MAX_OUTPUT);
    free(text);
    cJSON_Delete(settings);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_answer_to_one_that_asks_nothing),
        TEST(test_only_changes_are_written),
        TEST(test_pending),
        TEST(test_let_in_to_less),
        TEST(test_one_of_two_wishes),
        TEST(test_expired),
        TEST(test_two_relations),
        TEST(test_two_servers),
        TEST(test_server_that_cannot_be_asked),
        TEST(test_no_server_can_be_asked),
        TEST(test_cluster),
        TEST(test_states),
        TEST(test_juju_refuses),
        TEST(test_https_standalone),
        TEST(test_https_cluster),
        TEST(test_https_rejections),
        TEST(test_https_first_server_is_down),
        TEST(test_our_databag_can_be_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
