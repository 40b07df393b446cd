/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_juju.h"
#include "lxd/client.h"
#include "x509_files.h"

static const struct certificate *presented_to(const struct lxd_client *client);

#define lxd_presented presented_to
#include "charm/relations.c"

#define IDS "relation-ids --format=json api"
#define HTTPS_IDS "relation-ids --format=json https"
#define LIST "relation-list --format=json -r "
#define APPLICATION "relation-list --format=json --app -r "
#define GET "relation-get --format=json -r "
#define GET_APPLICATION "relation-get --format=json --app -r "
#define NO_HTTPS                 \
    {                            \
        HTTPS_IDS, 0, "[]", NULL \
    }
#define DENIED "ERROR permission denied\n"

/* What every server presents. */
static struct certificate server_certificate;

static const struct certificate *presented_to(const struct lxd_client *client)
{
    (void)client;
    return &server_certificate;
}

static char our_application[] = "integrator";

/* What one pass reads. */
struct setting {
    struct fake_juju fake;
    struct juju_transport juju;
    struct event event;
    struct relations relations;
    struct error error;
};

static int read_all(struct setting *setting, const struct fake_answer *answers)
{
    setting->fake.answers = answers;
    setting->juju = fake_juju_transport(&setting->fake);
    setting->event.unit = "integrator/0";
    setting->event.application = our_application;
    if (setting->event.relation_id == NULL)
        setting->event.relation_id = setting->event.remote_unit = "";
    return relations_read(&setting->relations, &setting->juju, &setting->event, &setting->error);
}

static void setting_free(struct setting *setting)
{
    relations_free(&setting->relations);
    fake_juju_free(&setting->fake);
}

/* The settings of a member that asks for these certificates, as relation-get prints them. */
static char *settings_asking(const char *name, const char *other)
{
    cJSON *list = cJSON_CreateArray(), *settings = cJSON_CreateObject();
    const char *const names[] = {name, other};

    for (size_t i = 0; i < 2 && names[i] != NULL; i++) {
        char *text = x509_file(names[i]);

        cJSON_AddItemToArray(list, cJSON_CreateString(text));
        free(text);
    }
    char *value = json_print(list);
    cJSON_AddStringToObject(settings, "client_certificates", value);
    char *text = json_print(settings);
    cJSON_Delete(list);
    cJSON_Delete(settings);
    free(value);
    return text;
}

static void test_no_relation(void **state)
{
    static const struct fake_answer answers[] = {{IDS, 0, "[]", NULL}, NO_HTTPS, {0}};
    struct setting setting = {0};

    (void)state;
    assert_int_equal(read_all(&setting, answers), 0);
    assert_int_equal(setting.relations.count, 0);
    setting_free(&setting);
}

static void test_no_list(void **state)
{
    static const struct fake_answer answers[] = {{IDS, 1, NULL, DENIED}, {0}};
    struct setting setting = {0};

    (void)state;
    assert_int_equal(read_all(&setting, answers), -1);
    assert_int_equal(setting.error.kind, ERROR_HOOK);
    setting_free(&setting);
}

/* The union over units and the application, of relations in the order of their numbers. */
static void test_union_and_order(void **state)
{
    char *first = settings_asking("ec-p256.crt", "ec-p384.crt");
    char *second = settings_asking("ec-p384.crt", "ed25519.crt");
    char *third = settings_asking("leaf.crt", NULL);
    const struct fake_answer answers[] = {{IDS, 0, "[\"api:10\",\"api:9\"]", NULL},
                                          {LIST "api:10", 0, "[\"x/0\",\"x/1\"]", NULL},
                                          {GET "api:10 - x/0", 0, first, NULL},
                                          {GET "api:10 - x/1", 0, second, NULL},
                                          {GET_APPLICATION "api:10 - x", 0, third, NULL},
                                          {GET "api:10 - integrator/0", 0, "{\"a\":\"b\"}", NULL},
                                          {LIST "api:9", 0, "[]", NULL},
                                          {APPLICATION "api:9", 0, "\"y\"", NULL},
                                          {GET_APPLICATION "api:9 - y", 0, "{}", NULL},
                                          {GET "api:9 - integrator/0", 0, "null", NULL},
                                          NO_HTTPS,
                                          {0}};
    struct setting setting = {0};

    (void)state;
    assert_int_equal(read_all(&setting, answers), 0);
    assert_int_equal(setting.relations.count, 2);
    const struct relation *relation = &setting.relations.items[0];
    assert_string_equal(relation->id, "api:9");
    assert_int_equal(relation->number, 9);
    assert_string_equal(relation->application, "y");
    assert_true(relation->readable);
    assert_int_equal(relation->request.count, 0);
    relation = &setting.relations.items[1];
    assert_string_equal(relation->application, "x");
    assert_int_equal(relation->request.count, 4);
    assert_string_equal(json_string(relation->published, "a"), "b");
    setting_free(&setting);
    free(first);
    free(second);
    free(third);
}

/* Older Jujus still list the relation that ends; nothing of it is touched. */
static void test_relation_that_ends(void **state)
{
    static const struct fake_answer answers[] = {{IDS, 0, "[\"api:3\"]", NULL}, NO_HTTPS, {0}};
    struct setting setting = {
        .event = {.kind = EVENT_RELATION_BROKEN, .relation_id = "api:3", .remote_unit = ""}};

    (void)state;
    assert_int_equal(read_all(&setting, answers), 0);
    assert_int_equal(setting.relations.count, 0);
    assert_int_equal(setting.fake.calls.count, 2);
    setting_free(&setting);
}

/* Older Jujus still list the unit that departs. */
static void test_unit_that_departs(void **state)
{
    char *asking = settings_asking("ec-p256.crt", NULL);
    const struct fake_answer answers[] = {{IDS, 0, "[\"api:3\"]", NULL},
                                          {LIST "api:3", 0, "[\"x/0\",\"x/1\"]", NULL},
                                          {GET "api:3 - x/0", 0, asking, NULL},
                                          {GET "api:3 - x/1", 0, "{}", NULL},
                                          {GET_APPLICATION "api:3 - x", 0, "{}", NULL},
                                          {GET "api:3 - integrator/0", 0, "{}", NULL},
                                          NO_HTTPS,
                                          {0}};
    struct setting setting = {
        .event = {.kind = EVENT_RELATION_DEPARTED, .relation_id = "api:3", .remote_unit = "x/0"}};

    (void)state;
    assert_int_equal(read_all(&setting, answers), 0);
    assert_true(setting.relations.items[0].readable);
    assert_int_equal(setting.relations.items[0].request.count, 0);
    setting_free(&setting);
    free(asking);
}

/* One that cannot be read is known as such, and does not keep the next from being read. */
static void test_unreadable_relation(void **state)
{
    static const struct fake_answer answers[] = {{IDS, 0, "[\"api:3\",\"api:4\"]", NULL},
                                                 {LIST "api:3", 0, "[\"x/0\"]", NULL},
                                                 {GET "api:3 - x/0", 1, NULL, DENIED},
                                                 {LIST "api:4", 0, "[]", NULL},
                                                 {APPLICATION "api:4", 0, "\"y\"", NULL},
                                                 {GET_APPLICATION "api:4 - y", 0, "{}", NULL},
                                                 {GET "api:4 - integrator/0", 0, "{}", NULL},
                                                 NO_HTTPS,
                                                 {0}};
    struct setting setting = {0};

    (void)state;
    assert_int_equal(read_all(&setting, answers), 0);
    assert_int_equal(setting.relations.count, 2);
    assert_false(setting.relations.items[0].readable);
    assert_true(setting.relations.items[1].readable);
    setting_free(&setting);
}

/* Settings that no parser takes are not a failure to read: else they could stop all removals. */
static void test_poisoned_settings(void **state)
{
    static const struct fake_answer answers[] = {
        {IDS, 0, "[\"api:3\"]", NULL},
        {LIST "api:3", 0, "[\"x/0\"]", NULL},
        {GET "api:3 - x/0", 0, "{\"a\":\"\\u0000\"}", NULL},
        {GET_APPLICATION "api:3 - x", 0, "{}", NULL},
        {GET "api:3 - integrator/0", 0, "{}", NULL},
        NO_HTTPS,
        {0}};
    struct setting setting = {0};

    (void)state;
    assert_int_equal(read_all(&setting, answers), 0);
    const struct relation *relation = &setting.relations.items[0];
    assert_true(relation->readable);
    assert_int_equal(relation->request.rejections.count, 1);
    assert_string_equal(relation->request.rejections.items[0].reason,
                        "x/0: unusable settings: relation-get is not JSON (near byte 7)");
    setting_free(&setting);
}

/* A standalone server with its plan, or one that could not be asked. */
static void open_server(struct server *server, const char *url, bool observed)
{
    struct error error;

    *server = (struct server){.observed = observed};
    assert_int_equal(endpoint_parse(&server->endpoint, url, &error), 0);
    server->info.name = mem_string("node-1");
}

static void plan_server(struct server *server, const struct relation *relation)
{
    struct plan_self self = {"9f1c1ab0-1d2e-4f3a-8b4c-5d6e7f801234", "integrator", "own", {0}};
    struct plan_demand demand = {relation->number, relation->application, &relation->request};

    plan_make(&server->plan, &self, &demand, 1, &server->info, &server->store);
    if (server->plan.count > 0)
        server->plan.certificates[0].state = PLAN_PRESENT;
    if (server->plan.count > 1)
        plan_refuse(&server->plan.certificates[1], "too weak");
}

/* One relation with one unit is read. */
static void read_one(struct setting *setting, const char *asking, const char *published)
{
    const struct fake_answer answers[] = {{IDS, 0, "[\"api:3\"]", NULL},
                                          {LIST "api:3", 0, "[\"x/0\"]", NULL},
                                          {GET "api:3 - x/0", 0, asking, NULL},
                                          {GET_APPLICATION "api:3 - x", 0, "{}", NULL},
                                          {GET "api:3 - integrator/0", 0, published, NULL},
                                          NO_HTTPS,
                                          {0}};

    assert_int_equal(read_all(setting, answers), 0);
    setting->fake.answers = NULL;
}

static void publish_to(struct setting *setting, const struct servers *servers)
{
    assert_int_equal(
        relation_publish(&setting->relations.items[0], &setting->juju, servers, &setting->error),
        0);
}

/* One relation with one unit; its first certificate is trusted, its second one refused. */
static void publish(struct setting *setting, const char *asking, const char *published)
{
    struct server server;
    struct servers servers = {.items = &server, .count = 1};

    read_one(setting, asking, published);
    open_server(&server, "10.0.0.1", true);
    plan_server(&server, &setting->relations.items[0]);
    publish_to(setting, &servers);
    server_free(&server);
}

/* What relation-set got as its input; NULL where it was not called. */
static const char *written(const struct setting *setting)
{
    for (size_t i = 0; i < setting->fake.calls.count; i++) {
        if (strcmp(setting->fake.calls.items[i], "relation-set -r api:3 --file -") == 0)
            return setting->fake.inputs.items[i];
    }
    return NULL;
}

static void test_answer_to_one_that_asks_nothing(void **state)
{
    struct setting setting = {0};

    (void)state;
    publish(&setting, "{}", "{}");
    assert_string_equal(written(&setting),
                        "{\"version\":\"1.0\",\"nodes\":\"[{\\\"endpoint\\\":"
                        "\\\"https://10.0.0.1:8443\\\",\\\"name\\\":\\\"node-1\\\","
                        "\\\"trusted_certs_fp\\\":[]}]\",\"registered_certificates\":\"[]\"}");
    assert_int_equal(setting.relations.items[0].rejected, 0);
    setting_free(&setting);
}

/* What was written once is not written again, and a rejection is gone when its cause is. */
static void test_only_changes_are_written(void **state)
{
    char *asking = settings_asking("ec-p256.crt", "ec-p384.crt");
    struct setting first = {0}, second = {0}, third = {0};

    (void)state;
    publish(&first, asking, "{}");
    const char *published = written(&first);
    assert_non_null(published);
    assert_non_null(strstr(published, "too weak"));
    assert_int_equal(first.relations.items[0].rejected, 1);

    publish(&second, asking, published);
    assert_null(written(&second));
    assert_int_equal(second.relations.items[0].rejected, 1);

    publish(&third, "{}", published);
    cJSON *changes = cJSON_Parse(written(&third));
    assert_int_equal(cJSON_GetArraySize(changes), 3);
    assert_null(json_string(changes, "version"));
    assert_string_equal(json_string(changes, "rejected_certificates"), "");
    cJSON_Delete(changes);

    setting_free(&first);
    setting_free(&second);
    setting_free(&third);
    free(asking);
}

/* ---- several servers ---- */

static void assert_written(const struct setting *setting, const char *key, const char *value)
{
    cJSON *settings = cJSON_Parse(written(setting));

    assert_string_equal(json_string(settings, key), value);
    cJSON_Delete(settings);
}

#define NODE(number, trusted)                                                         \
    "{\"endpoint\":\"https://10.0.0." number ":8443\",\"name\":\"node-1\",\"trusted_" \
    "certs_fp\":[" trusted "]}"

/* Each node has what its own server trusts; registered is what all trust. */
static void test_two_servers(void **state)
{
    char *asking = settings_asking("ec-p256.crt", "ec-p384.crt");
    struct server items[2];
    struct servers servers = {.items = items, .count = 2};
    struct setting setting = {0};

    (void)state;
    read_one(&setting, asking, "{}");
    const struct relation *relation = &setting.relations.items[0];
    const char *first = relation->request.wishes[0].certificate.fingerprint;
    const char *second = relation->request.wishes[1].certificate.fingerprint;
    for (int i = 0; i < 2; i++) {
        open_server(&items[i], i == 0 ? "10.0.0.2" : "10.0.0.1", true);
        plan_server(&items[i], relation);
    }
    items[1].plan.certificates[1].state = PLAN_PRESENT;
    publish_to(&setting, &servers);

    char *nodes = mem_printf("[" NODE("1", "\"%s\",\"%s\"") "," NODE("2", "\"%s\"") "]", first,
                             second, first);
    char *rejected = mem_printf(
        "[{\"fingerprint\":\"%s\",\"reason\":\"LXD at https://10.0.0.2:8443: too weak\"}]", second);
    cJSON *list = cJSON_CreateArray();
    cJSON_AddItemToArray(list, cJSON_CreateString(relation->request.wishes[0].text));
    char *registered = json_print(list);
    assert_written(&setting, "nodes", nodes);
    assert_written(&setting, "registered_certificates", registered);
    assert_written(&setting, "rejected_certificates", rejected);
    assert_int_equal(relation->rejected, 1);
    cJSON_Delete(list);
    free(registered);
    free(rejected);
    free(nodes);
    server_free(&items[0]);
    server_free(&items[1]);
    setting_free(&setting);
    free(asking);
}

#define PUBLISHED                                                                              \
    "{\"nodes\":\"[{\\\"endpoint\\\":\\\"https://10.0.0.2:8443\\\",\\\"trusted_certs_fp\\\":[" \
    "\\\"f\\\"]},{\\\"endpoint\\\":\\\"https://10.0.0.9:8443\\\"}]\"}"

/* What was said of a server that cannot be asked stays; what is new waits. */
static void test_server_that_cannot_be_asked(void **state)
{
    struct server items[2];
    struct servers servers = {.items = items, .count = 2};
    struct setting setting = {0};

    (void)state;
    read_one(&setting, "{}", PUBLISHED);
    open_server(&items[0], "10.0.0.1", true);
    open_server(&items[1], "10.0.0.2", false);
    publish_to(&setting, &servers);
    assert_written(&setting, "nodes",
                   "[" NODE("1", "") ",{\"endpoint\":\"https://10.0.0.2:8443\",\"trusted_certs_"
                                     "fp\":[\"f\"]},{\"endpoint\":\"https://10.0.0.9:8443\"}]");
    assert_written(&setting, "registered_certificates", "[]");
    server_free(&items[0]);
    server_free(&items[1]);
    setting_free(&setting);
}

/* Only active members are nodes; one that is not is no reason to keep what was said of it. */
static void test_cluster(void **state)
{
    static const char *const urls[] = {"10.0.0.9", "10.0.0.1", "10.0.0.2"};
    struct server items[2];
    struct servers servers = {.items = items, .count = 2};
    struct setting setting = {0};

    (void)state;
    read_one(&setting, "{}", PUBLISHED);
    open_server(&items[0], "10.0.0.1", true);
    open_server(&items[1], "10.0.0.3", false);
    items[0].info.clustered = true;
    items[0].members.items = mem_alloc(3 * sizeof *items[0].members.items);
    for (; items[0].members.count < 3; items[0].members.count++) {
        struct lxd_member *member = &items[0].members.items[items[0].members.count];

        member->name = mem_string("node-1");
        member->active = items[0].members.count != 2;
        endpoint_parse(&member->endpoint, urls[items[0].members.count], &setting.error);
    }
    publish_to(&setting, &servers);
    assert_written(&setting, "nodes", "[" NODE("1", "") "," NODE("9", "") "]");
    server_free(&items[0]);
    server_free(&items[1]);
    setting_free(&setting);
}

/* ---- lxd-https ---- */

#define LEADER "is-leader --format=json"
#define UNIT_SET "relation-set -r https:4 --file -"
#define APPLICATION_SET "relation-set -r https:4 --file - --app"

/* One server, or a cluster of three of which one is away; its relation has one unit. */
struct https_setting {
    struct setting setting;
    struct endpoints endpoints;
    struct server server;
    struct servers servers;
    const char *published;             /* by our unit, "{}" */
    const char *application_published; /* NULL: we do not lead */
};

static void https_read(struct https_setting *https, const char *asking)
{
    bool leads = https->application_published != NULL;
    const struct fake_answer answers[] = {
        {IDS, 0, "[]", NULL},
        {HTTPS_IDS, 0, "[\"https:4\"]", NULL},
        {LIST "https:4", 0, "[\"x/0\"]", NULL},
        {GET "https:4 - x/0", 0, asking, NULL},
        {GET_APPLICATION "https:4 - x", 0, "{}", NULL},
        {GET "https:4 - integrator/0", 0, https->published, NULL},
        {GET_APPLICATION "https:4 - integrator", !leads, https->application_published, DENIED},
        {LEADER, 0, leads ? "true" : "false", NULL},
        {0}};

    assert_int_equal(read_all(&https->setting, answers), 0);
    assert_true(https->setting.relations.items[0].readable);
    https->setting.fake.answers = NULL;
}

static void https_serve(struct https_setting *https, const char *members)
{
    struct server *server = &https->server;
    struct endpoints listed = {0};

    if (https->endpoints.count == 0)
        endpoints_add(&https->endpoints, "lxd.example:8443", &https->setting.error);
    open_server(server, "lxd.example", true);
    endpoints_parse(&server->info.addresses, "10.0.0.1:8443,[fd00::1]:8443", &https->setting.error);
    if (members != NULL) {
        endpoints_parse(&listed, members, &https->setting.error);
        server->info.clustered = true;
        server->members.items = mem_alloc(listed.count * sizeof *server->members.items);
        for (; server->members.count < listed.count; server->members.count++)
            server->members.items[server->members.count] =
                (struct lxd_member){mem_string("node"), listed.items[server->members.count],
                                    server->members.count != 1};
        endpoints_free(&listed);
    }
    server_certificate = x509_certificate("leaf.crt");
    plan_server(server, &https->setting.relations.items[0]);
    https->servers = (struct servers){.items = server, .count = 1, .endpoints = &https->endpoints};
    publish_to(&https->setting, &https->servers);
}

static void https_free(struct https_setting *https)
{
    server_free(&https->server);
    endpoints_free(&https->endpoints);
    certificate_free(&server_certificate);
    setting_free(&https->setting);
}

/* What this command got as its input; the caller deletes it. NULL where it was not called. */
static cJSON *input_of(const struct https_setting *https, const char *command)
{
    const struct fake_juju *fake = &https->setting.fake;

    for (size_t i = 0; i < fake->calls.count; i++) {
        if (strcmp(fake->calls.items[i], command) == 0)
            return cJSON_Parse(fake->inputs.items[i]);
    }
    return NULL;
}

static char *asking_https(const char *name)
{
    cJSON *settings = cJSON_CreateObject();
    char *text = x509_file(name);

    cJSON_AddStringToObject(settings, "certificate", text);
    char *printed = json_print(settings);
    cJSON_Delete(settings);
    free(text);
    return printed;
}

static char *print_and_delete(cJSON *settings)
{
    char *text = json_print(settings);

    cJSON_Delete(settings);
    return text;
}

static void assert_bag(const cJSON *bag, const char *addresses)
{
    struct certificate expected = x509_certificate("leaf.crt"), found;
    struct error error;

    assert_int_equal(cJSON_GetArraySize(bag), 4);
    assert_string_equal(json_string(bag, "version"), "1.0");
    assert_string_equal(json_string(bag, "addresses"), addresses);
    assert_string_equal(json_string(bag, "certificate_fingerprint"), expected.fingerprint);
    assert_int_equal(certificate_from_pem(&found, json_string(bag, "certificate"), &error), 0);
    assert_string_equal(found.fingerprint, expected.fingerprint);
    certificate_free(&expected);
    certificate_free(&found);
}

static void assert_emptied(const cJSON *bag)
{
    const cJSON *item;

    assert_int_equal(cJSON_GetArraySize(bag), 4);
    cJSON_ArrayForEach(item, bag)
    {
        assert_string_equal(item->valuestring, "");
    }
}

/* The address that was configured comes first, then those that LXD knows of itself. */
static void test_https_standalone(void **state)
{
    char *asking = asking_https("ec-p256.crt");
    struct https_setting first = {.published = "{}", .application_published = "{}"};
    struct https_setting again = {.application_published = "{}"};

    (void)state;
    https_read(&first, asking);
    assert_int_equal(first.setting.relations.items[0].request.count, 1);
    https_serve(&first, NULL);
    cJSON *bag = input_of(&first, UNIT_SET);
    assert_bag(bag, "lxd.example:8443,10.0.0.1:8443,[fd00::1]:8443");
    assert_null(input_of(&first, APPLICATION_SET));
    https_free(&first);

    char *published = print_and_delete(bag);
    again.published = published;
    https_read(&again, asking);
    https_serve(&again, NULL);
    assert_null(input_of(&again, UNIT_SET));
    https_free(&again);
    free(published);
    free(asking);
}

/* The leader alone writes, for all units; what was there before LXD was clustered goes. */
static void test_https_cluster(void **state)
{
    char *asking = asking_https("ec-p256.crt");
    struct https_setting leader = {.application_published = "{}"}, follower = {.published = "{}"};

    (void)state;
    leader.published = "{\"version\":\"1.0\",\"certificate\":\"c\",\"addresses\":\"a\","
                       "\"certificate_fingerprint\":\"f\"}";
    https_read(&leader, asking);
    https_serve(&leader, "10.0.0.9,10.0.0.1,10.0.0.2");
    cJSON *bag = input_of(&leader, APPLICATION_SET);
    assert_bag(bag, "lxd.example:8443,10.0.0.2:8443,10.0.0.9:8443");
    cJSON_Delete(bag);
    bag = input_of(&leader, UNIT_SET);
    assert_emptied(bag);
    cJSON_Delete(bag);
    https_free(&leader);

    https_read(&follower, asking);
    https_serve(&follower, "10.0.0.9,10.0.0.1,10.0.0.2");
    assert_null(input_of(&follower, APPLICATION_SET));
    assert_null(input_of(&follower, UNIT_SET));
    https_free(&follower);
    free(asking);
}

/* That it is there says that a certificate of the relation is trusted. */
static void test_https_without_a_trusted_certificate(void **state)
{
    struct https_setting nothing = {.published = "{}"}, withdrawn = {0}, rejected = {0};

    (void)state;
    https_read(&nothing, "{}");
    https_serve(&nothing, NULL);
    assert_null(input_of(&nothing, UNIT_SET));
    https_free(&nothing);

    withdrawn.published = rejected.published =
        "{\"version\":\"1.0\",\"certificate\":\"c\",\"addresses\":\"a\","
        "\"certificate_fingerprint\":\"f\"}";
    https_read(&withdrawn, "{\"version\":\"1.0\"}");
    https_serve(&withdrawn, NULL);
    cJSON *bag = input_of(&withdrawn, UNIT_SET);
    assert_emptied(bag);
    cJSON_Delete(bag);
    https_free(&withdrawn);

    https_read(&rejected, "{\"certificate\":\"junk\"}");
    https_serve(&rejected, NULL);
    bag = input_of(&rejected, UNIT_SET);
    assert_emptied(bag);
    cJSON_Delete(bag);
    assert_int_equal(rejected.setting.relations.items[0].rejected, 1);
    https_free(&rejected);
}

/* Only the first server is told of. */
static void test_https_first_server_cannot_be_asked(void **state)
{
    struct https_setting https = {.published = "{\"addresses\":\"a\"}"};
    char *asking = asking_https("ec-p256.crt");

    (void)state;
    https_read(&https, asking);
    endpoints_add(&https.endpoints, "first.example", &https.setting.error);
    endpoints_add(&https.endpoints, "lxd.example", &https.setting.error);
    https_serve(&https, NULL);
    assert_null(input_of(&https, UNIT_SET));
    https_free(&https);
    free(asking);
}

/* Whether we lead decides what we may know, so it is a reason to leave the relation alone. */
static void test_https_leadership_in_doubt(void **state)
{
    static const struct fake_answer answers[] = {{IDS, 0, "[]", NULL},
                                                 {HTTPS_IDS, 0, "[\"https:4\"]", NULL},
                                                 {LIST "https:4", 0, "[\"x/0\"]", NULL},
                                                 {GET "https:4 - x/0", 0, "{}", NULL},
                                                 {GET_APPLICATION "https:4 - x", 0, "{}", NULL},
                                                 {GET "https:4 - integrator/0", 0, "{}", NULL},
                                                 {LEADER, 1, NULL, "ERROR lost the controller\n"},
                                                 {0}};
    struct setting setting = {0};

    (void)state;
    assert_int_equal(read_all(&setting, answers), 0);
    assert_false(setting.relations.items[0].readable);
    setting_free(&setting);
}

static void test_both_endpoints(void **state)
{
    static const struct fake_answer answers[] = {
        {IDS, 0, "[\"api:5\",\"api:3\"]", NULL}, {HTTPS_IDS, 0, "[\"https:4\"]", NULL}, {0}};
    static const struct fake_answer half[] = {
        {IDS, 0, "[\"api:5\"]", NULL}, {HTTPS_IDS, 1, NULL, DENIED}, {0}};
    struct setting setting = {0}, failing = {0};

    (void)state;
    assert_int_equal(read_all(&setting, answers), 0);
    assert_int_equal(setting.relations.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(setting.relations.items[i].number, 3 + i);
        assert_int_equal(setting.relations.items[i].https, i == 1);
    }
    setting_free(&setting);
    assert_int_equal(read_all(&failing, half), -1);
    assert_int_equal(failing.error.kind, ERROR_HOOK);
    setting_free(&failing);
}

/* ---- known nodes ---- */

static void test_known_nodes(void **state)
{
    static const struct fake_answer answers[] = {
        {GET "api:4 - integrator/0", 0,
         "{\"nodes\":\"[{\\\"endpoint\\\":\\\"https://10.0.0.3:8443\\\"}]\"}", NULL},
        {GET "https:6 - integrator/0", 0, "{\"addresses\":\"10.0.0.4:8443\"}", NULL},
        {GET_APPLICATION "https:6 - integrator", 0,
         "{\"addresses\":\"10.0.0.4:8443,10.0.0.5:8443\"}", NULL},
        {0}};
    struct endpoints known = {0};
    struct setting setting = {0};

    (void)state;
    read_one(&setting, "{}", PUBLISHED);
    setting.fake.answers = answers;
    relations_known_nodes(&setting.relations, &setting.juju, &setting.event, &known);
    assert_int_equal(known.count, 2);
    assert_string_equal(known.items[0].url, "https://10.0.0.2:8443");
    assert_string_equal(known.items[1].url, "https://10.0.0.9:8443");
    /* The databag of a relation that ends can still be read. */
    setting.event.kind = EVENT_RELATION_BROKEN;
    setting.event.relation_id = "api:4";
    relations_known_nodes(&setting.relations, &setting.juju, &setting.event, &known);
    assert_int_equal(known.count, 3);
    assert_string_equal(known.items[2].url, "https://10.0.0.3:8443");
    setting.event.relation_id = "https:6";
    relations_known_nodes(&setting.relations, &setting.juju, &setting.event, &known);
    assert_int_equal(known.count, 5);
    assert_string_equal(known.items[3].url, "https://10.0.0.4:8443");
    assert_string_equal(known.items[4].url, "https://10.0.0.5:8443");
    endpoints_free(&known);
    setting_free(&setting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_relation),
        cmocka_unit_test(test_no_list),
        cmocka_unit_test(test_union_and_order),
        cmocka_unit_test(test_relation_that_ends),
        cmocka_unit_test(test_unit_that_departs),
        cmocka_unit_test(test_unreadable_relation),
        cmocka_unit_test(test_poisoned_settings),
        cmocka_unit_test(test_answer_to_one_that_asks_nothing),
        cmocka_unit_test(test_only_changes_are_written),
        cmocka_unit_test(test_two_servers),
        cmocka_unit_test(test_server_that_cannot_be_asked),
        cmocka_unit_test(test_cluster),
        cmocka_unit_test(test_https_standalone),
        cmocka_unit_test(test_https_cluster),
        cmocka_unit_test(test_https_without_a_trusted_certificate),
        cmocka_unit_test(test_https_first_server_cannot_be_asked),
        cmocka_unit_test(test_https_leadership_in_doubt),
        cmocka_unit_test(test_both_endpoints),
        cmocka_unit_test(test_known_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
