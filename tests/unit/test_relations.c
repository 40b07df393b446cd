/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "charm/relations.h"
#include "fake_juju.h"
#include "x509_files.h"

#define IDS "relation-ids --format=json api"
#define HTTPS_IDS "relation-ids --format=json https"
#define LIST "relation-list --format=json -r "
#define APPLICATION "relation-list --format=json --app -r "
#define GET "relation-get --format=json -r "
#define GET_APPLICATION "relation-get --format=json --app -r "
#define GOAL "goal-state --format=json"
#define MEMORY "state-get --format=json"
#define DENIED "ERROR permission denied\n"
#define NO_UNIT "ERROR relation unit not found\n"
#define MAX_ANSWERS 40

#define FP_A "63d52a6743358b17b2cbc8884520ebf6a639146a6ff0ee4f71f5114ce9ddb77a" /* ec-p256.crt */
#define FP_B "b148ac225ae7e054bb307ac77674c3401eb87e8ac0499919242b72099986a59e" /* ec-p384.crt */
#define FP_C "904aacfa3ef5250c5abe33ab0852303321bd7a8d95012ad134d61f912e4e3438" /* ed25519.crt */

/* What one pass reads. Two relations, with x (api:3) and with y (api:4), are there unless a test
 * says otherwise; x has x/0, who asks for A, and x/1, who asks for B. */
struct setting {
    struct fake_juju fake;
    struct juju_transport juju;
    struct fake_answer answers[MAX_ANSWERS];
    size_t count;
    struct event event;
    struct leadership leadership;
    struct goal goal;
    struct relations relations;
    struct error error;
    char *asking[2]; /* settings */
};

/* The settings of a member that asks for a certificate, as relation-get prints them. */
static char *settings_asking(const char *name)
{
    cJSON *list = cJSON_CreateArray(), *settings = cJSON_CreateObject();
    char *pem = x509_file(name);

    cJSON_AddItemToArray(list, cJSON_CreateString(pem));
    char *value = json_print(list);
    cJSON_AddStringToObject(settings, "client_certificates", value);
    char *text = json_print(settings);
    cJSON_Delete(list);
    cJSON_Delete(settings);
    free(value);
    free(pem);
    return text;
}

/* The first answer to a command counts: what a test says goes before the rest. */
static void answer(struct setting *setting, const char *command, const char *output)
{
    assert_in_range(setting->count, 0, MAX_ANSWERS - 2);
    setting->answers[setting->count++] = (struct fake_answer){command, 0, output, NULL};
}

static void refuse(struct setting *setting, const char *command, const char *message)
{
    assert_in_range(setting->count, 0, MAX_ANSWERS - 2);
    setting->answers[setting->count++] = (struct fake_answer){command, 1, NULL, message};
}

#define STAYS "\"units\":{\"i/0\":{\"status\":\"active\"}}"
#define GOAL_OF(units) "{" STAYS ",\"relations\":{\"api\":{\"x\":{}" units "}}}"

static int set_up(void **state)
{
    struct setting *setting = mem_alloc(sizeof *setting);

    setting->asking[0] = settings_asking("ec-p256.crt");
    setting->asking[1] = settings_asking("ec-p384.crt");
    setting->event = (struct event){.name = "config-changed",
                                    .unit = "i/0",
                                    .application = mem_string("i"),
                                    .model_uuid = "",
                                    .relation_id = "",
                                    .remote_unit = "",
                                    .remote_application = "",
                                    .departing_unit = ""};
    *state = setting;
    return 0;
}

static int tear_down(void **state)
{
    struct setting *setting = *state;

    relations_free(&setting->relations);
    goal_free(&setting->goal);
    fake_juju_free(&setting->fake);
    free(setting->event.application);
    free(setting->asking[0]);
    free(setting->asking[1]);
    free(setting);
    return 0;
}

static int read_all(struct setting *setting)
{
    answer(setting, IDS, "[\"api:4\",\"api:3\"]");
    answer(setting, HTTPS_IDS, "[]");
    answer(setting, LIST "api:3", "[\"x/1\",\"x/0\"]");
    answer(setting, LIST "api:4", "[]");
    answer(setting, APPLICATION "api:4", "\"y\"");
    answer(setting, GET "api:3 - i/0", "{\"a\":\"b\"}");
    answer(setting, GET "api:4 - i/0", "{}");
    answer(setting, GET "api:3 - x/0", setting->asking[0]);
    answer(setting, GET "api:3 - x/1", setting->asking[1]);
    answer(setting, GET_APPLICATION "api:3 - x", "{}");
    answer(setting, GET_APPLICATION "api:4 - y", "{}");
    answer(setting, GOAL, GOAL_OF(",\"x/0\":{},\"x/1\":{}"));
    answer(setting, MEMORY, "{}");
    setting->fake.answers = setting->answers;
    setting->juju = fake_juju_transport(&setting->fake);
    setting->leadership.juju = &setting->juju;
    goal_read(&setting->goal, &setting->juju);
    return relations_read(&setting->relations, &setting->juju, &setting->event, &setting->goal,
                          &setting->leadership, &setting->error);
}

static bool was_called(const struct setting *setting, const char *command)
{
    return strings_contain(&setting->fake.calls, command);
}

/* The one with this number. */
static const struct relation *of(const struct setting *setting, unsigned long number)
{
    const struct relation *relation = relations_find(&setting->relations, number);

    assert_non_null(relation);
    return relation;
}

static void assert_claims(const struct setting *setting, unsigned long number,
                          const char *fingerprint, enum relations_claim claim)
{
    assert_int_equal(relations_claim(&setting->relations, number, fingerprint), claim);
}

static void test_no_relation(void **state)
{
    struct setting *setting = *state;

    answer(setting, IDS, "[]");
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(setting->relations.count, 0);
    assert_true(relations_are_complete(&setting->relations));
    assert_claims(setting, 3, FP_A, CLAIM_PERHAPS);
}

static void test_no_list(void **state)
{
    struct setting *setting = *state;

    refuse(setting, IDS, DENIED);
    assert_int_equal(read_all(setting), -1);
    assert_int_equal(setting->error.kind, ERROR_HOOK);
}

/* Ascending, lists before databags, units before the application. */
static void test_what_is_read(void **state)
{
    struct setting *setting = *state;

    answer(setting, GET_APPLICATION "api:3 - x", setting->asking[0]);
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(setting->relations.count, 2);
    const struct relation *relation = &setting->relations.items[0];
    assert_string_equal(relation->id, "api:3");
    assert_int_equal(relation->number, 3);
    assert_int_equal(relation->state, RELATION_LIVING);
    assert_string_equal(relation->application, "x");
    assert_string_equal(json_string(relation->published, "a"), "b");
    assert_int_equal(relation->member_count, 3);
    assert_string_equal(relation->members[0].name, "x/0");
    assert_string_equal(relation->members[0].entries[0].certificate.fingerprint, FP_A);
    assert_string_equal(relation->members[1].name, "x/1");
    assert_string_equal(relation->members[2].name, "x");
    assert_true(relation->members[2].is_application);
    assert_true(relation->complete);
    assert_string_equal(setting->relations.items[1].application, "y");
    assert_false(setting->relations.items[1].complete); /* goal-state names no unit of it */
    assert_false(relations_are_complete(&setting->relations));
    bool databag = false;
    for (size_t i = 0; i < setting->fake.calls.count; i++) {
        const char *call = setting->fake.calls.items[i];

        databag = databag || strncmp(call, "relation-get", 12) == 0;
        assert_false(databag && strncmp(call, "relation-list", 13) == 0);
    }
    char *name = relation_describe(relation);
    assert_string_equal(name, "x (api:3)");
    free(name);
    assert_null(relations_find(&setting->relations, 5));
}

/* ---- the table, row by row ---- */

/* "the relation of relation-broken: over", whether Juju still lists it or not. */
static void check_broken(struct setting *setting, const char *ids)
{
    setting->event.kind = EVENT_RELATION_BROKEN;
    setting->event.relation_id = "api:3";
    setting->event.remote_application = "x";
    answer(setting, IDS, ids);
    answer(setting, GET "api:3 - i/0",
           "{\"nodes\":\"[{\\\"endpoint\\\":\\\"https://h:8443\\\",\\\"trusted_certs_fp\\\":"
           "[\\\"" FP_B "\\\"]}]\"}");
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(setting->relations.count, 2);
    assert_int_equal(of(setting, 3)->state, RELATION_ENDING);
    assert_int_equal(of(setting, 3)->member_count, 0);
    assert_claims(setting, 3, FP_A, CLAIM_OVER);
    assert_claims(setting, 9, FP_B, CLAIM_OVER); /* another relation named the entry */
    assert_claims(setting, 9, FP_A, CLAIM_PERHAPS);
    assert_false(was_called(setting, LIST "api:3"));
    assert_false(was_called(setting, GET "api:3 - x/0"));
}

static void test_relation_that_ends(void **state)
{
    check_broken(*state, "[\"api:3\",\"api:4\"]");
}

static void test_relation_that_ends_and_is_not_listed(void **state)
{
    check_broken(*state, "[\"api:4\"]");
}

/* "not in relation-ids: over, for update-status; elsewhere perhaps not seen yet" */
static void test_relation_that_is_not_listed(void **state)
{
    struct setting *setting = *state;

    assert_int_equal(read_all(setting), 0);
    assert_claims(setting, 9, FP_C, CLAIM_PERHAPS);
    assert_claims(setting, 0, FP_C, CLAIM_PERHAPS);
}

static void test_relation_that_is_not_listed_in_update_status(void **state)
{
    struct setting *setting = *state;

    setting->event.kind = EVENT_UPDATE_STATUS;
    assert_int_equal(read_all(setting), 0);
    assert_true(relations_are_complete(&setting->relations));
    assert_claims(setting, 9, FP_C, CLAIM_OVER);
    assert_claims(setting, 0, FP_C, CLAIM_OVER);
}

/* "our own databag is readable: living": what is over is what is known to be. */
static void test_claims_on_a_living_relation(void **state)
{
    struct setting *setting = *state;

    answer(setting, GET "api:4 - i/0",
           "{\"nodes\":\"[{\\\"endpoint\\\":\\\"https://h:8443\\\",\\\"trusted_certs_fp\\\":"
           "[\\\"" FP_C "\\\"]}]\"}");
    assert_int_equal(read_all(setting), 0);
    assert_claims(setting, 3, FP_C, CLAIM_OVER);    /* it is complete */
    assert_claims(setting, 4, FP_B, CLAIM_PERHAPS); /* it is not */
    assert_claims(setting, 4, FP_C, CLAIM_OVER);    /* but our databag holds it */
}

/* "another, higher number has the same endpoint and remote application: the lower is gone" */
static void test_relation_that_is_replaced(void **state)
{
    struct setting *setting = *state;

    answer(setting, IDS, "[\"api:3\",\"api:12\"]");
    answer(setting, LIST "api:12", "[\"x/0\"]");
    answer(setting, GET "api:12 - i/0", "{}");
    answer(setting, GET "api:12 - x/0", setting->asking[0]);
    answer(setting, GET_APPLICATION "api:12 - x", "{}");
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->state, RELATION_REPLACED);
    assert_int_equal(of(setting, 12)->state, RELATION_LIVING);
    assert_int_equal(of(setting, 12)->member_count, 2);
    /* A hook that touches one databag by both numbers fails for ever. */
    for (size_t i = 0; i < setting->fake.calls.count; i++)
        assert_int_not_equal(strncmp(setting->fake.calls.items[i], GET "api:3 ", sizeof GET + 5),
                             0);
    assert_claims(setting, 3, FP_A, CLAIM_OVER);
    assert_string_equal(json_string(setting->goal.kept, "gone"), "3");
}

/* The same application at our other endpoint, or another one at the same, is no such thing. */
static void test_relations_that_are_not_replaced(void **state)
{
    struct setting *setting = *state;

    answer(setting, HTTPS_IDS, "[\"https:12\"]");
    answer(setting, LIST "https:12", "[\"x/0\"]");
    answer(setting, GET "https:12 - i/0", "{}");
    answer(setting, GET "https:12 - x/0", "{}");
    answer(setting, GET_APPLICATION "https:12 - x", "{}");
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->state, RELATION_LIVING);
    assert_int_equal(of(setting, 12)->state, RELATION_LIVING);
}

/* "The number of relation-broken still counts as the higher." */
static void test_higher_one_that_ends(void **state)
{
    struct setting *setting = *state;

    setting->event.kind = EVENT_RELATION_BROKEN;
    setting->event.relation_id = "api:12";
    setting->event.remote_application = "x";
    answer(setting, GET "api:12 - i/0", "{}");
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->state, RELATION_REPLACED);
    assert_int_equal(of(setting, 12)->state, RELATION_ENDING);
}

/* "our own databag is refused, and goal-state names our unit: gone" */
static void test_relation_that_is_gone(void **state)
{
    struct setting *setting = *state;

    refuse(setting, GET "api:3 - i/0", DENIED);
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->state, RELATION_GONE);
    assert_int_equal(of(setting, 4)->state, RELATION_LIVING);
    assert_claims(setting, 3, FP_A, CLAIM_OVER);
    assert_string_equal(json_string(setting->goal.kept, "gone"), "3");
    assert_false(was_called(setting, GET "api:3 - x/0"));
}

/* "... or, in update-status, another own databag is readable" */
static void test_relation_that_is_gone_without_goal_state(void **state)
{
    struct setting *setting = *state;

    setting->event.kind = EVENT_UPDATE_STATUS;
    refuse(setting, GOAL, "ERROR timeout\n");
    refuse(setting, GET "api:3 - i/0", DENIED);
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->state, RELATION_GONE);
}

/* Neither of them: Juju may deny everything to everybody just now. */
static void test_denied_without_proof(void **state)
{
    struct setting *setting = *state;

    refuse(setting, GOAL, "ERROR timeout\n");
    refuse(setting, GET "api:3 - i/0", DENIED);
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->state, RELATION_UNKNOWN);
    assert_claims(setting, 3, FP_A, CLAIM_UNKNOWN);
    assert_false(relations_are_complete(&setting->relations));
}

static void test_all_denied_in_update_status(void **state)
{
    struct setting *setting = *state;

    setting->event.kind = EVENT_UPDATE_STATUS;
    refuse(setting, GOAL, "ERROR timeout\n");
    refuse(setting, GET "api:3 - i/0", DENIED);
    refuse(setting, GET "api:4 - i/0", DENIED);
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->state, RELATION_UNKNOWN);
    assert_int_equal(of(setting, 4)->state, RELATION_UNKNOWN);
    assert_claims(setting, 3, FP_A, CLAIM_UNKNOWN);
}

/* Only the whole line means it. */
static void test_other_denials(void **state)
{
    struct setting *setting = *state;

    refuse(setting, GET "api:3 - i/0", "ERROR cannot read: permission denied\n");
    refuse(setting, GET "api:4 - i/0", NO_UNIT);
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->state, RELATION_UNKNOWN);
    assert_int_equal(of(setting, 4)->state, RELATION_UNKNOWN);
}

/* "once found gone: stays gone while it is listed, whatever can be read of it later" */
static void test_relation_that_was_gone(void **state)
{
    struct setting *setting = *state;

    answer(setting, MEMORY, "{\"gone\":\"3,7\"}");
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->state, RELATION_GONE);
    assert_false(was_called(setting, GET "api:3 - i/0"));
    assert_false(was_called(setting, GET "api:3 - x/0"));
    assert_string_equal(json_string(setting->goal.kept, "gone"), "3"); /* api:7 is listed no more */
}

/* "a member, relation unit not found, while our own databag is readable: has left" */
static void test_member_that_juju_does_not_have(void **state)
{
    struct setting *setting = *state;

    refuse(setting, GET "api:3 - x/0", NO_UNIT);
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->state, RELATION_LIVING);
    assert_int_equal(of(setting, 3)->member_count, 2);
    assert_string_equal(of(setting, 3)->members[0].name, "x/1");
}

static void test_nobody_whom_juju_has(void **state)
{
    struct setting *setting = *state;

    refuse(setting, GET_APPLICATION "api:4 - y", NO_UNIT);
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 4)->state, RELATION_LIVING);
    assert_int_equal(of(setting, 4)->member_count, 0);
}

/* "a member that goal-state has once shown to this unit, and does not show now: has left" */
static void test_member_that_was_removed_by_force(void **state)
{
    struct setting *setting = *state;

    answer(setting, GOAL, GOAL_OF(",\"x/1\":{}"));
    answer(setting, MEMORY, "{\"shown-3\":\"0-1\"}");
    assert_int_equal(read_all(setting), 0);
    const struct relation *relation = of(setting, 3);
    assert_int_equal(relation->member_count, 2);
    assert_string_equal(relation->members[0].name, "x/1");
    assert_true(strings_contain(&relation->ended, FP_A));
    assert_claims(setting, 9, FP_A, CLAIM_OVER);
    assert_string_equal(json_string(setting->goal.kept, "left-3"), "0");
}

/* Goal-state fails in the next hook: who has left does not come back for that. */
static void test_member_that_has_left_stays_away(void **state)
{
    struct setting *setting = *state;

    refuse(setting, GOAL, "ERROR timeout\n");
    answer(setting, MEMORY, "{\"shown-3\":\"0-1\",\"left-3\":\"0\"}");
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->member_count, 2);
    assert_string_equal(of(setting, 3)->members[0].name, "x/1");
}

/* Nor does one whom nobody remembers: the relation is left as it is. */
static void test_members_without_the_memory(void **state)
{
    struct setting *setting = *state;

    answer(setting, GOAL, GOAL_OF(",\"x/1\":{}"));
    refuse(setting, MEMORY, "ERROR timeout\n");
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->state, RELATION_UNKNOWN);
    assert_int_equal(of(setting, 4)->state, RELATION_LIVING);
}

static void test_member_that_was_never_shown(void **state)
{
    struct setting *setting = *state;

    answer(setting, GOAL, GOAL_OF(""));
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->member_count, 3);
    assert_false(of(setting, 3)->complete);
}

/* "anything else that fails: unknown, of that relation alone". What its members are seen to ask for
 * is left as it is, too. */
static void check_unknown(struct setting *setting, const char *command, enum relations_claim asked)
{
    refuse(setting, command, "ERROR connection is shut down\n");
    answer(setting, GET "api:3 - i/0",
           "{\"nodes\":\"[{\\\"endpoint\\\":\\\"https://h:8443\\\",\\\"trusted_certs_fp\\\":"
           "[\\\"" FP_B "\\\"]}]\"}");
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->state, RELATION_UNKNOWN);
    assert_int_equal(of(setting, 4)->state, RELATION_LIVING);
    assert_claims(setting, 3, FP_C, CLAIM_UNKNOWN);
    assert_claims(setting, 9, FP_A, asked);
    assert_claims(setting, 9, FP_C, CLAIM_PERHAPS);
    assert_false(relations_are_complete(&setting->relations));
}

static void test_unknown_own_databag(void **state)
{
    check_unknown(*state, GET "api:3 - i/0", CLAIM_UNKNOWN);
}

static void test_unknown_list(void **state)
{
    struct setting *setting = *state;

    check_unknown(setting, LIST "api:3", CLAIM_PERHAPS);
    assert_claims(setting, 9, FP_B, CLAIM_UNKNOWN); /* it stands in our own databag */
}

static void test_unknown_member(void **state)
{
    struct setting *setting = *state;

    check_unknown(setting, GET "api:3 - x/1", CLAIM_UNKNOWN);
    assert_claims(setting, 9, FP_B, CLAIM_UNKNOWN); /* it stands in our own databag */
}

static void test_unknown_application_databag(void **state)
{
    check_unknown(*state, GET_APPLICATION "api:3 - x", CLAIM_UNKNOWN);
}

/* In update-status too: an unknown relation keeps its entries. */
static void test_unknown_in_update_status(void **state)
{
    struct setting *setting = *state;

    setting->event.kind = EVENT_UPDATE_STATUS;
    refuse(setting, GET "api:3 - x/1", "ERROR timeout\n");
    assert_int_equal(read_all(setting), 0);
    assert_claims(setting, 3, FP_A, CLAIM_UNKNOWN);
    assert_claims(setting, 9, FP_A, CLAIM_UNKNOWN);
    assert_claims(setting, 9, FP_C, CLAIM_OVER);
}

/* "what the other side wrote is no JSON, ...: that member has no wishes, and is rejected" */
static void test_poisoned_settings(void **state)
{
    struct setting *setting = *state;

    answer(setting, GET "api:3 - x/0", "{\"a\":\"\\u0000\"}");
    answer(setting, GET_APPLICATION "api:3 - x", "[");
    assert_int_equal(read_all(setting), 0);
    const struct relation *relation = of(setting, 3);
    assert_int_equal(relation->state, RELATION_LIVING);
    assert_int_equal(relation->member_count, 3);
    assert_string_equal(relation->members[0].reason, "relation-get is not JSON (near byte 7)");
    assert_int_equal(relation->members[0].count, 0);
    assert_int_equal(relation->members[1].count, 1);
    assert_non_null(relation->members[2].reason);
}

/* ---- who departs ---- */

/* Its databag may still be read, and tells what is over; goal-state may name it still. */
static void check_departed(struct setting *setting, const char *list)
{
    setting->event.kind = EVENT_RELATION_DEPARTED;
    setting->event.relation_id = "api:3";
    setting->event.remote_unit = "x/0";
    setting->event.departing_unit = "x/0";
    answer(setting, LIST "api:3", list);
    assert_int_equal(read_all(setting), 0);
    const struct relation *relation = of(setting, 3);
    assert_int_equal(relation->member_count, 2);
    assert_string_equal(relation->members[0].name, "x/1");
    assert_true(relation->complete);
    assert_claims(setting, 9, FP_A, CLAIM_OVER);
    assert_claims(setting, 9, FP_B, CLAIM_PERHAPS);
}

static void test_unit_that_departs(void **state)
{
    check_departed(*state, "[\"x/1\"]");
}

static void test_unit_that_departs_and_is_listed(void **state)
{
    check_departed(*state, "[\"x/0\",\"x/1\"]");
}

/* The last one: the application's name comes from elsewhere. */
static void test_last_unit_that_departs(void **state)
{
    struct setting *setting = *state;

    setting->event.kind = EVENT_RELATION_DEPARTED;
    setting->event.relation_id = "api:3";
    setting->event.remote_unit = "x/0";
    answer(setting, LIST "api:3", "[]");
    answer(setting, APPLICATION "api:3", "\"x\"");
    refuse(setting, GET "api:3 - x/0", NO_UNIT);
    assert_int_equal(read_all(setting), 0);
    assert_int_equal(of(setting, 3)->state, RELATION_LIVING);
    assert_int_equal(of(setting, 3)->member_count, 1);
    assert_false(of(setting, 3)->complete);
}

/* ---- lxd-https ---- */

static void read_https(struct setting *setting, bool leader, const char *ours)
{
    setting->leadership.answer = leader ? LEADERSHIP_HELD : LEADERSHIP_NOT_HELD;
    answer(setting, IDS, "[]");
    answer(setting, HTTPS_IDS, "[\"https:5\"]");
    answer(setting, LIST "https:5", "[\"x/0\"]");
    answer(setting, GET "https:5 - i/0",
           "{\"addresses\":\"10.0.0.1:8443,h:1\",\"certificate\":\"pem\"}");
    answer(setting, GET "https:5 - x/0", "{\"certificate\":\"junk\"}");
    answer(setting, GET_APPLICATION "https:5 - x", "{}");
    if (ours != NULL)
        answer(setting, GET_APPLICATION "https:5 - i", ours);
    else
        refuse(setting, GET_APPLICATION "https:5 - i", DENIED);
    assert_int_equal(read_all(setting), 0);
}

static void test_https(void **state)
{
    struct setting *setting = *state;
    struct nodes known = {0};

    read_https(setting, true, "{}");
    const struct relation *relation = of(setting, 5);
    assert_true(relation->https);
    assert_int_equal(relation->state, RELATION_LIVING);
    assert_non_null(relation->application_published);
    assert_int_equal(relation->members[0].count, 1);
    assert_non_null(relation->members[0].entries[0].reason);
    relations_known_nodes(&setting->relations, &known);
    assert_int_equal(known.count, 2);
    assert_string_equal(node_endpoint(known.items[0]), "https://10.0.0.1:8443");
    assert_string_equal(node_certificate(known.items[1]), "pem");
    nodes_free(&known);
}

/* Only the leader may read its application's databag. */
static void test_https_follower(void **state)
{
    struct setting *setting = *state;

    read_https(setting, false, NULL);
    assert_int_equal(of(setting, 5)->state, RELATION_LIVING);
    assert_null(of(setting, 5)->application_published);
    assert_false(was_called(setting, GET_APPLICATION "https:5 - i"));
}

static void test_https_unknown(void **state)
{
    struct setting *setting = *state;

    read_https(setting, true, NULL);
    assert_int_equal(of(setting, 5)->state, RELATION_UNKNOWN);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_no_relation),
        TEST(test_no_list),
        TEST(test_what_is_read),
        TEST(test_relation_that_ends),
        TEST(test_relation_that_ends_and_is_not_listed),
        TEST(test_relation_that_is_not_listed),
        TEST(test_relation_that_is_not_listed_in_update_status),
        TEST(test_claims_on_a_living_relation),
        TEST(test_relation_that_is_replaced),
        TEST(test_relations_that_are_not_replaced),
        TEST(test_higher_one_that_ends),
        TEST(test_relation_that_is_gone),
        TEST(test_relation_that_is_gone_without_goal_state),
        TEST(test_denied_without_proof),
        TEST(test_all_denied_in_update_status),
        TEST(test_other_denials),
        TEST(test_relation_that_was_gone),
        TEST(test_member_that_juju_does_not_have),
        TEST(test_nobody_whom_juju_has),
        TEST(test_member_that_was_removed_by_force),
        TEST(test_member_that_has_left_stays_away),
        TEST(test_members_without_the_memory),
        TEST(test_member_that_was_never_shown),
        TEST(test_unknown_own_databag),
        TEST(test_unknown_list),
        TEST(test_unknown_member),
        TEST(test_unknown_application_databag),
        TEST(test_unknown_in_update_status),
        TEST(test_poisoned_settings),
        TEST(test_unit_that_departs),
        TEST(test_unit_that_departs_and_is_listed),
        TEST(test_last_unit_that_departs),
        TEST(test_https),
        TEST(test_https_follower),
        TEST(test_https_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
