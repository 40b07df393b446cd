/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"
#include "charm/enrolment.h"
#include "fake_juju.h"

#define PIN "57bb0ff4340b5bb28517e062023101adf788c37846dc8b619eb2c3cb4ef29436"
#define NOBODY "127.0.0.1:1"
#define GET "secret-get --refresh --format=json --label lxd-enrolment"
#define INFO "secret-info-get --format=json --label lxd-enrolment"
#define COMMAND "lxc config trust add --name juju-9f1c1ab0-integrator"
#define NO_TOKEN "not a trust token: set what \"" COMMAND "\" prints"
#define SERVES_ON "; what was enrolled before serves on"

/* ---- the decision: all that can be, against the rules in words ---- */

/* Is there a key that LXD has taken, wherever it is kept? */
static bool something_serves(const struct enrolment_facts *facts)
{
    switch (facts->file) {
    case ENROLMENT_FILE_ENROLLED:
        return true;
    case ENROLMENT_FILE_PENDING:
    case ENROLMENT_FILE_LOST:
        return facts->secret || facts->file_has_former;
    default:
        return facts->secret;
    }
}

/* Did one of them come of the token that is set? */
static bool is_done(const struct enrolment_facts *facts)
{
    bool by_file =
        facts->file == ENROLMENT_FILE_ENROLLED && facts->file_match == ENROLMENT_OF_TOKEN;
    bool by_secret = facts->secret && facts->secret_match == ENROLMENT_OF_TOKEN;

    return facts->token == ENROLMENT_TOKEN && (by_file || by_secret);
}

static void check_who_enrols(const struct enrolment_facts *facts,
                             const struct enrolment_decision *decision)
{
    bool enrols = decision->step == ENROLMENT_BEGIN || decision->step == ENROLMENT_GO_ON;
    bool pending = facts->file == ENROLMENT_FILE_PENDING && facts->file_match == ENROLMENT_OF_TOKEN;
    bool lost = facts->file == ENROLMENT_FILE_LOST && facts->file_match == ENROLMENT_OF_TOKEN;
    bool due = facts->token == ENROLMENT_TOKEN && !is_done(facts) &&
               facts->role == ENROLMENT_ENROLS && !lost && facts->file != ENROLMENT_FILE_FOLDER;

    assert_int_equal(enrols, due);
    /* A key that LXD may have taken is never thrown away for the same token. */
    assert_int_equal(decision->step == ENROLMENT_GO_ON, due && pending);
}

static void check_what_serves(const struct enrolment_facts *facts,
                              const struct enrolment_decision *decision)
{
    bool serves = decision->serving != ENROLMENT_NONE_SERVE;

    assert_int_equal(serves, something_serves(facts));
    switch (decision->serving) {
    case ENROLMENT_SECRET_SERVES:
        assert_true(facts->secret);
        break;
    case ENROLMENT_FILE_SERVES:
        assert_int_equal(facts->file, ENROLMENT_FILE_ENROLLED);
        /* Before the secret, which is everybody's, only where it alone came of the token. */
        if (facts->secret)
            assert_true(is_done(facts) && facts->secret_match == ENROLMENT_OF_ANOTHER);
        break;
    case ENROLMENT_FORMER_SERVE:
        assert_true(facts->file_has_former && !facts->secret);
        break;
    default:
        break;
    }
    assert_int_equal(decision->step == ENROLMENT_USE_AND_SAVE,
                     decision->serving == ENROLMENT_FILE_SERVES &&
                         facts->role == ENROLMENT_ENROLS && facts->juju_has_secrets &&
                         decision->step != ENROLMENT_BEGIN && decision->step != ENROLMENT_GO_ON &&
                         decision->step != ENROLMENT_FAIL);
    /* Nothing fails, and nothing is said to be missing, as long as something serves. */
    if (serves) {
        assert_int_not_equal(decision->step, ENROLMENT_FAIL);
        assert_int_not_equal(decision->step, ENROLMENT_NOTHING);
    }
}

static void check_what_is_said(const struct enrolment_facts *facts,
                               const struct enrolment_decision *decision)
{
    bool serves = decision->serving != ENROLMENT_NONE_SERVE;
    enum enrolment_problem expected = ENROLMENT_NO_PROBLEM;

    if (facts->token == ENROLMENT_UNREADABLE_TOKEN) {
        expected = ENROLMENT_TOKEN_UNREADABLE;
    } else if (facts->token == ENROLMENT_TOKEN && !is_done(facts)) {
        if (facts->role == ENROLMENT_ENROLS && facts->file == ENROLMENT_FILE_FOLDER)
            expected = ENROLMENT_FOLDER;
        if (facts->role == ENROLMENT_ENROLS && facts->file == ENROLMENT_FILE_LOST &&
            facts->file_match == ENROLMENT_OF_TOKEN)
            expected = ENROLMENT_NAME_TAKEN;
        if (facts->role == ENROLMENT_LEADS && !serves)
            expected = ENROLMENT_NEXT_HOOK;
        if (facts->role == ENROLMENT_FOLLOWS && !serves)
            expected = facts->juju_has_secrets ? ENROLMENT_LEADER_FIRST : ENROLMENT_NO_SECRETS;
    }
    assert_int_equal(decision->problem, expected);
    assert_int_equal(decision->step == ENROLMENT_FAIL, expected != ENROLMENT_NO_PROBLEM && !serves);
    if (facts->token == ENROLMENT_NO_TOKEN)
        assert_int_equal(decision->step == ENROLMENT_NOTHING, !serves);
}

/* A file of no use counts for nothing, but that a folder is in the way of a new key. */
static void check_damage(const struct enrolment_facts *facts,
                         const struct enrolment_decision *decision)
{
    struct enrolment_facts without = *facts;

    without.file = ENROLMENT_FILE_ABSENT;
    struct enrolment_decision other = enrolment_decide(&without);
    if (facts->file != ENROLMENT_FILE_DAMAGED &&
        (facts->file != ENROLMENT_FILE_FOLDER || decision->problem == ENROLMENT_FOLDER))
        return;
    assert_int_equal(decision->step, other.step);
    assert_int_equal(decision->serving, other.serving);
    assert_int_equal(decision->problem, other.problem);
}

static void test_all_decisions(void **state)
{
    unsigned count = 0;

    (void)state;
    for (unsigned bits = 0; bits < 3 * 6 * 3 * 32; bits++) {
        unsigned flags = bits % 32;
        const struct enrolment_facts facts = {
            .token = bits / 32 % 3,
            .file = bits / 96 % 6,
            .role = bits / 576,
            .file_match = flags & 1,
            .file_has_former = (flags & 2) != 0,
            .secret = (flags & 4) != 0,
            .secret_match = flags >> 3 & 1,
            .juju_has_secrets = (flags & 16) != 0,
        };
        const struct enrolment_decision decision = enrolment_decide(&facts);

        check_who_enrols(&facts, &decision);
        check_what_serves(&facts, &decision);
        check_what_is_said(&facts, &decision);
        check_damage(&facts, &decision);
        count++;
    }
    assert_int_equal(count, 1728);
}

/* ---- the verdict ---- */

#define NOW 1700000000
#define LONG_AGO (NOW - ENROLMENT_PATIENCE)
#define JUST_NOW (NOW - ENROLMENT_PATIENCE + 1)

static const int statuses[] = {0, 400, 401, 403, 404, 409, 412, 500, 501, 503};
static const int64_t askings[] = {0, JUST_NOW, NOW, LONG_AGO, 1, NOW + ENROLMENT_PATIENCE};
static const int64_t ends[] = {0, NOW, NOW - 1, NOW + 1};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void check_verdict(const struct enrolment_answer *answer)
{
    enum enrolment_verdict verdict = enrolment_judge(answer);
    bool in_time = answer->asked == JUST_NOW || answer->asked == NOW;

    assert_int_equal(verdict == ENROLMENT_TRUSTED, answer->trusted);
    if (answer->trusted)
        return;
    /* Nobody knows as long as no answer came, now or to an earlier request. */
    if (answer->status == 0 || in_time)
        assert_int_equal(verdict, ENROLMENT_UNDECIDED);
    if (verdict == ENROLMENT_UNDECIDED)
        assert_true(answer->status == 0 || in_time || answer->status >= 500);
    /* "Used up" is said of no token that this key may have used, nor is it called a stranger's. */
    if (answer->asked != 0)
        assert_int_not_equal(verdict, ENROLMENT_USED_UP);
    else
        assert_int_not_equal(verdict, ENROLMENT_UNFINISHED);
    if (verdict == ENROLMENT_EXPIRED)
        assert_true(answer->expires != 0 && answer->expires <= NOW);
    assert_int_equal(verdict == ENROLMENT_TOKEN_LOST, answer->status == 409 && !in_time);
    if (verdict == ENROLMENT_REFUSED)
        assert_true(answer->status / 100 == 4 && answer->status != 403 && answer->status != 404);
}

static void test_all_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        for (size_t j = 0; j < COUNT(askings); j++) {
            for (size_t k = 0; k < COUNT(ends); k++) {
                struct enrolment_answer answer = {
                    .status = statuses[i], .asked = askings[j], .expires = ends[k], .now = NOW};

                for (unsigned bits = 0; bits < 4; bits++) {
                    answer.trusted = (bits & 1) != 0;
                    answer.kind = bits >> 1;
                    check_verdict(&answer);
                }
            }
        }
    }
}

/* As LXD answers: facts of 5.0.2, 6.9 and Incus 6. */
static void test_answers_that_were_seen(void **state)
{
    static const struct {
        int status;
        enum lxd_token kind;
        int64_t expires;
        enum enrolment_verdict verdict;
    } cases[] = {
        {403, LXD_TOKEN_CERTIFICATE, 0, ENROLMENT_USED_UP},
        {403, LXD_TOKEN_CERTIFICATE, NOW + 60, ENROLMENT_USED_UP},
        {403, LXD_TOKEN_CERTIFICATE, NOW - 60, ENROLMENT_EXPIRED},
        {500, LXD_TOKEN_CERTIFICATE, NOW - 60, ENROLMENT_EXPIRED}, /* "Token has expired" */
        {500, LXD_TOKEN_CERTIFICATE, 0, ENROLMENT_UNDECIDED},      /* the database */
        {500, LXD_TOKEN_IDENTITY, 0, ENROLMENT_USED_UP},           /* no pending identity */
        {500, LXD_TOKEN_IDENTITY, NOW - 60, ENROLMENT_EXPIRED},
        {409, LXD_TOKEN_CERTIFICATE, 0, ENROLMENT_TOKEN_LOST},
        {400, LXD_TOKEN_CERTIFICATE, 0, ENROLMENT_REFUSED}, /* the CA's mode */
        {503, LXD_TOKEN_IDENTITY, 0, ENROLMENT_UNDECIDED},  /* LXD is shutting down */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct enrolment_answer answer = {.status = cases[i].status,
                                                .kind = cases[i].kind,
                                                .expires = cases[i].expires,
                                                .now = NOW};

        assert_int_equal(enrolment_judge(&answer), cases[i].verdict);
    }
}

/* ---- names ---- */

static char application[] = "integrator";
static char folder[] = "/tmp/enrolment-XXXXXX";

static void test_commands(void **state)
{
    static const struct {
        const char *taken, *name;
    } cases[] = {
        {NULL, "juju-9f1c1ab0-integrator"},
        {"juju", "juju-9f1c1ab0-integrator"},
        {"juju-9f1c1ab0-integrator", "juju-9f1c1ab0-integrator-2"},
        {"juju-9f1c1ab0-integrator-2", "juju-9f1c1ab0-integrator-3"},
        {"juju-9f1c1ab0-integrator-41", "juju-9f1c1ab0-integrator-42"},
        {"juju-9f1c1ab0-integrator-two", "juju-9f1c1ab0-integrator"},
        {"juju-9f1c1ab0-integrator-", "juju-9f1c1ab0-integrator"},
        {"juju-9f1c1ab0-integrators", "juju-9f1c1ab0-integrator"},
    };
    const struct event event = {.application = application,
                                .model_uuid = "9f1c1ab0-0000-4000-8000-000000000000"};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct {
            enum lxd_software software;
            enum lxd_token kind;
            const char *before, *behind;
        } makers[] = {
            {LXD_LXD, LXD_TOKEN_CERTIFICATE, "lxc config trust add --name ", ""},
            {LXD_LXD, LXD_TOKEN_IDENTITY, "lxc auth identity create tls/", " --group GROUP"},
            {LXD_INCUS, LXD_TOKEN_CERTIFICATE, "incus config trust add ", ""},
        };

        for (size_t j = 0; j < COUNT(makers); j++) {
            char *command =
                enrolment_command(&event, makers[j].software, makers[j].kind, cases[i].taken);
            char *expected =
                mem_printf("%s%s%s", makers[j].before, cases[i].name, makers[j].behind);

            assert_string_equal(command, expected);
            free(command);
            free(expected);
        }
    }
}

/* ---- the step ---- */

/* What hook commands answer, and what came of a call. */
struct fixture {
    struct fake_answer answers[4];
    struct fake_juju fake;
    struct event event;
    enum enrolment_role role;
    struct credentials credentials;
    struct enrolment *enrolment;
    struct error error;
    char *path;
};

static int set_up(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    fixture->path = mem_printf("%s/enrolment.json", folder);
    fixture->event = (struct event){.application = application,
                                    .charm_folder = folder,
                                    .juju_major = 3,
                                    .name = "start",
                                    .unit = "integrator/0",
                                    .model_uuid = "9f1c1ab0-0000-4000-8000-000000000000"};
    fixture->role = ENROLMENT_ENROLS;
    fixture->answers[0] = (struct fake_answer){GET, 1, NULL, "ERROR secret not found\n"};
    fixture->answers[1] = (struct fake_answer){INFO, 1, NULL, "ERROR secret not found\n"};
    fixture->fake.answers = fixture->answers;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    fake_juju_free(&fixture->fake);
    credentials_wipe(&fixture->credentials);
    enrolment_free(fixture->enrolment);
    remove(fixture->path);
    free(fixture->path);
    free(fixture);
    return rmdir(folder);
}

static int read_with(struct fixture *fixture, const char *token)
{
    struct juju_transport juju = fake_juju_transport(&fixture->fake);

    credentials_wipe(&fixture->credentials);
    enrolment_free(fixture->enrolment);
    fake_juju_free(&fixture->fake);
    return enrolment_read(&fixture->credentials, &fixture->enrolment, &juju, &fixture->event, token,
                          fixture->role, &fixture->error);
}

static int run(struct fixture *fixture)
{
    struct juju_transport juju = fake_juju_transport(&fixture->fake);

    fake_juju_free(&fixture->fake);
    fixture->credentials.source = "lxd_trust_token";
    return enrolment_run(fixture->enrolment, &fixture->credentials, &juju, &fixture->event,
                         &fixture->error);
}

static void assert_refused(struct fixture *fixture, const char *token, enum error_kind kind,
                           const char *sentence)
{
    assert_int_equal(read_with(fixture, token), -1);
    assert_string_equal(fixture->error.text, sentence);
    assert_int_equal(fixture->error.kind, kind);
    assert_null(fixture->enrolment);
}

static bool file_exists(const struct fixture *fixture)
{
    return access(fixture->path, F_OK) == 0;
}

/* A token for a server at these addresses (JSON). */
static char *token_for(const char *addresses)
{
    char *json = mem_printf("{\"client_name\":\"juju\",\"fingerprint\":\"" PIN
                            "\",\"addresses\":%s,\"secret\":\"5ec2e7\","
                            "\"expires_at\":\"0001-01-01T00:00:00Z\"}",
                            addresses);
    char *token = base64_encode((const uint8_t *)json, strlen(json));

    free(json);
    return token;
}

static void write_text(const struct fixture *fixture, const char *text)
{
    struct buffer content = {0};
    struct error error;

    buffer_append_string(&content, text);
    assert_int_equal(file_write(fixture->path, &content, &error), 0);
    buffer_free(&content);
}

static char *file_text(const struct fixture *fixture)
{
    struct buffer text = {0};
    struct error error;

    assert_int_equal(file_read(&text, fixture->path, FILE_OF_OURS, 65536, &error), FILE_FINE);
    return text.data;
}

static cJSON *file_content(const struct fixture *fixture)
{
    char *text = file_text(fixture);
    cJSON *content = cJSON_Parse(text);

    assert_non_null(content);
    free(text);
    return content;
}

/* Have the file say something else under a name (NULL: nothing). */
static void change_file(const struct fixture *fixture, const char *name, const char *value)
{
    cJSON *content = file_content(fixture);

    cJSON_DeleteItemFromObject(content, name);
    if (value != NULL)
        cJSON_AddStringToObject(content, name, value);
    char *text = json_print(content);
    write_text(fixture, text);
    free(text);
    cJSON_Delete(content);
}

/* Make the file of a key that LXD has taken for the token. */
static void enrol_file(struct fixture *fixture, const char *token)
{
    assert_int_equal(read_with(fixture, token), 1);
    change_file(fixture, "enrolled", "yes");
}

static void test_unreadable_token(void **state)
{
    assert_refused(*state, "juju", ERROR_INPUT, NO_TOKEN);
    assert_false(file_exists(*state));
    char *token = token_for("[\"unix:///x\"]");
    assert_refused(*state, token, ERROR_INPUT,
                   "the token has no usable address: set what \"" COMMAND "\" prints");
    assert_false(file_exists(*state));
    free(token);
}

static void test_key_is_made_once(void **state)
{
    struct fixture *fixture = *state;
    struct credentials *credentials = &fixture->credentials;
    char *token = token_for("[\"" NOBODY "\",\"[::1]:1\"]"), fingerprint[65];
    struct stat about;

    assert_int_equal(read_with(fixture, token), 1);
    assert_non_null(fixture->enrolment);
    assert_true(credentials->enrolled);
    assert_string_equal(credentials->certificate.common_name, application);
    assert_int_equal(credentials->endpoints.count, 2);
    assert_string_equal(credentials->endpoints.items[1].url, "https://[::1]:1");
    assert_int_equal(credentials->server.count, 1);
    assert_string_equal(credentials->server.expected[0].fingerprint, PIN);
    assert_int_equal(stat(fixture->path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    memcpy(fingerprint, credentials->certificate.fingerprint, sizeof fingerprint);

    /* With a heading and line ends it is the same token. */
    char *printed = mem_printf("Client juju certificate add token:\n%s\n", token);
    assert_int_equal(read_with(fixture, printed), 1);
    assert_string_equal(credentials->certificate.fingerprint, fingerprint);
    free(printed);
    free(token);
    token = token_for("[\"" NOBODY "\"]");
    assert_int_equal(read_with(fixture, token), 1);
    assert_string_not_equal(credentials->certificate.fingerprint, fingerprint);
    free(token);
}

static void test_file_holds_no_token(void **state)
{
    char *token = token_for("[\"" NOBODY "\"]");

    assert_int_equal(read_with(*state, token), 1);
    char *text = file_text(*state);
    assert_null(strstr(text, token));
    assert_null(strstr(text, "5ec2e7"));
    free(text);
    free(token);
}

static void test_nobody_answers(void **state)
{
    struct fixture *fixture = *state;
    char *token = token_for("[\"" NOBODY "\",\"127.0.0.1:2\"]");

    assert_int_equal(read_with(fixture, token), 1);
    assert_int_equal(run(fixture), -1);
    assert_int_equal(fixture->error.kind, ERROR_UNREACHABLE);
    assert_string_equal(fixture->error.text,
                        "lxd_trust_token: no address in the token leads to LXD, the last one: LXD "
                        "at https://127.0.0.1:2 unreachable: connection refused");
    assert_int_equal(fixture->fake.calls.count, 0);
    cJSON *content = file_content(fixture);
    assert_null(cJSON_GetObjectItem(content, "asked")); /* it was not */
    cJSON_Delete(content);
    free(token);
}

static void test_others_do_not_enrol(void **state)
{
    struct fixture *fixture = *state;
    char *token = token_for("[\"" NOBODY "\"]");

    fixture->role = ENROLMENT_LEADS;
    assert_refused(fixture, token, ERROR_WAITING, "the next hook enrols");
    fixture->role = ENROLMENT_FOLLOWS;
    assert_refused(fixture, token, ERROR_WAITING, "the leader is to enrol for all units");
    fixture->event.juju_major = 2;
    assert_int_equal(read_with(fixture, token), -1);
    assert_int_equal(fixture->error.kind, ERROR_INPUT);
    assert_non_null(strstr(fixture->error.text, "a token is good for one unit"));
    assert_false(file_exists(fixture));
    free(token);
}

static void test_nothing(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(read_with(fixture, NULL), 0);
    assert_null(fixture->enrolment);
    fixture->answers[0].message = "ERROR something else\n";
    assert_refused(fixture, NULL, ERROR_WAITING,
                   "Juju does not tell the application's secret: something else");
    fixture->fake.dead = true;
    assert_int_equal(read_with(fixture, NULL), -1);
    assert_int_equal(fixture->error.kind, ERROR_HOOK);
    fixture->event.juju_major = 2;
    assert_int_equal(read_with(fixture, NULL), 0);
}

/* ---- what was enrolled ---- */

static void test_file_serves_without_token(void **state)
{
    struct fixture *fixture = *state;
    char *token = token_for("[\"" NOBODY "\"]");

    fixture->event.juju_major = 2;
    assert_int_equal(read_with(fixture, token), 1);
    assert_int_equal(read_with(fixture, NULL), 0); /* as long as LXD has not taken the token */
    enrol_file(fixture, token);
    assert_int_equal(read_with(fixture, NULL), 1);
    assert_null(fixture->enrolment);
    assert_int_equal(read_with(fixture, token), 1);
    assert_null(fixture->enrolment);
    assert_null(fixture->credentials.remark);
    assert_int_equal(fixture->fake.calls.count, 0);
    assert_int_equal(read_with(fixture, "garbage"), 1);
    assert_null(fixture->enrolment);
    assert_string_equal(fixture->credentials.remark, NO_TOKEN SERVES_ON);
    free(token);
}

/* The leader hands the file over to a secret, and deletes it once that is there. */
static void test_file_becomes_secret(void **state)
{
    struct fixture *fixture = *state;
    char *token = token_for("[\"" NOBODY "\"]");
    char *add = mem_printf("secret-add --file %s --label lxd-enrolment", fixture->path);
    char *set = mem_printf("secret-set --file %s 9m4e2mr0ui3e8a215n4g", fixture->path);

    enrol_file(fixture, token);
    assert_int_equal(read_with(fixture, NULL), 1);
    assert_int_equal(run(fixture), 0);
    assert_string_equal(fixture->fake.calls.items[1], add);
    fixture->answers[1] =
        (struct fake_answer){INFO, 0, "{\"9m4e2mr0ui3e8a215n4g\":{\"revision\":1}}", NULL};
    assert_int_equal(run(fixture), 0);
    assert_string_equal(fixture->fake.calls.items[1], set);
    assert_true(file_exists(fixture));

    /* Juju may refuse: the file has it, and the next hook tries again. */
    fixture->answers[2] = (struct fake_answer){set, 1, NULL, "ERROR not the leader\n"};
    assert_int_equal(run(fixture), 0);
    assert_string_equal(fixture->credentials.remark,
                        "lxd_trust_token: Juju does not put the key into a secret: not the leader");

    char *secret = file_text(fixture);
    fixture->answers[0] = (struct fake_answer){GET, 0, secret, NULL};
    fixture->event.kind = EVENT_ACTION; /* which changes nothing */
    assert_int_equal(read_with(fixture, NULL), 1);
    assert_true(file_exists(fixture));
    fixture->event.kind = EVENT_OTHER;
    assert_int_equal(read_with(fixture, NULL), 1);
    assert_null(fixture->enrolment);
    assert_false(file_exists(fixture));
    free(secret);
    free(add);
    free(set);
    free(token);
}

static void test_follower_keeps_its_file(void **state)
{
    struct fixture *fixture = *state;
    char *token = token_for("[\"" NOBODY "\"]");

    enrol_file(fixture, token);
    fixture->role = ENROLMENT_FOLLOWS;
    assert_int_equal(read_with(fixture, token), 1);
    assert_null(fixture->enrolment);
    assert_true(file_exists(fixture));
    free(token);
}

/* Another leader has enrolled with the token that is set: what is in the file is nobody's now. */
static void test_secret_of_another_leader(void **state)
{
    struct fixture *fixture = *state;
    char *first = token_for("[\"" NOBODY "\"]"), *second = token_for("[\"127.0.0.1:2\"]");

    enrol_file(fixture, second);
    char *secret = file_text(fixture);
    enrol_file(fixture, first);
    fixture->answers[0] = (struct fake_answer){GET, 0, secret, NULL};
    assert_int_equal(read_with(fixture, second), 1);
    assert_null(fixture->enrolment);
    assert_string_equal(fixture->credentials.endpoints.items[0].url, "https://127.0.0.1:2");
    assert_false(file_exists(fixture));
    free(secret);
    free(first);
    free(second);
}

/* A token that comes to nothing takes nothing away: not from the secret, nor from the file. */
static void test_what_serves_serves_on(void **state)
{
    struct fixture *fixture = *state;
    char *first = token_for("[\"127.0.0.1:2\"]"), *second = token_for("[\"" NOBODY "\"]");

    for (int i = 0; i < 3; i++) { /* no secrets; it is in the secret; it is not there yet */
        fixture->event.juju_major = i == 0 ? 2 : 3;
        fixture->answers[0] = (struct fake_answer){GET, 1, NULL, "ERROR secret not found\n"};
        enrol_file(fixture, first);
        assert_int_equal(read_with(fixture, first), 1);
        char *fingerprint = mem_string(fixture->credentials.certificate.fingerprint);
        char *secret = file_text(fixture);

        if (i == 1)
            fixture->answers[0] = (struct fake_answer){GET, 0, secret, NULL};
        for (int j = 0; j < 2; j++) { /* in the hook that tries it, and in the next */
            assert_int_equal(read_with(fixture, second), 1);
            assert_non_null(fixture->enrolment);
            assert_string_not_equal(fixture->credentials.certificate.fingerprint, fingerprint);
            assert_int_equal(run(fixture), 0);
            assert_string_equal(fixture->credentials.certificate.fingerprint, fingerprint);
            assert_string_equal(fixture->credentials.remark,
                                "lxd_trust_token: LXD at https://" NOBODY
                                " unreachable: connection refused" SERVES_ON);
        }
        assert_int_equal(read_with(fixture, NULL), 1);
        assert_string_equal(fixture->credentials.certificate.fingerprint, fingerprint);
        assert_null(fixture->enrolment);
        unlink(fixture->path);
        free(fingerprint);
        free(secret);
    }
    free(first);
    free(second);
}

static void test_lost_token(void **state)
{
    struct fixture *fixture = *state;
    char *token = token_for("[\"" NOBODY "\"]");

    assert_int_equal(read_with(fixture, token), 1);
    change_file(fixture, "taken", "yes");
    assert_refused(fixture, token, ERROR_INPUT,
                   "its name is taken, so it is lost: run \"" COMMAND "\"");
    free(token);
    token = token_for("[\"127.0.0.1:2\"]"); /* another one */
    assert_int_equal(read_with(fixture, token), 1);
    assert_non_null(fixture->enrolment);
    free(token);
}

/* ---- files of no use ---- */

static void put_link(const struct fixture *fixture)
{
    assert_int_equal(symlink("/etc/hostname", fixture->path), 0);
}

static void put_pipe(const struct fixture *fixture)
{
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
}

static void put_much(const struct fixture *fixture)
{
    char *text = mem_alloc(40001);

    memset(text, ' ', 40000);
    write_text(fixture, text);
    free(text);
}

static void test_damaged_files(void **state)
{
    static const char *const texts[] = {
        "", "{", "[]", "{}", "{\"enrolled\":\"yes\"}", "{\"enrolled\":\"yes\",\"endpoint\":7}"};
    static void (*const puts[])(const struct fixture *) = {put_link, put_pipe, put_much};
    struct fixture *fixture = *state;
    char *token = token_for("[\"" NOBODY "\"]");

    for (size_t i = 0; i < COUNT(texts) + COUNT(puts); i++) {
        remove(fixture->path);
        if (i < COUNT(texts))
            write_text(fixture, texts[i]);
        else
            puts[i - COUNT(texts)](fixture);
        /* Without a token it counts for nothing; in the way of a new key it is not. */
        assert_int_equal(read_with(fixture, NULL), 0);
        assert_int_equal(read_with(fixture, token), 1);
        assert_non_null(fixture->enrolment);
        cJSON *content = file_content(fixture);
        assert_string_equal(json_string(content, "enrolled"), "no");
        cJSON_Delete(content);
    }
    free(token);
}

static void test_folder(void **state)
{
    struct fixture *fixture = *state;
    char *token = token_for("[\"" NOBODY "\"]");

    enrol_file(fixture, token);
    char *secret = file_text(fixture);
    unlink(fixture->path);
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    assert_int_equal(read_with(fixture, NULL), 0);
    assert_refused(fixture, token, ERROR_INPUT,
                   "enrolment.json is a folder: run \"juju exec --unit integrator/0 -- rm -r "
                   "enrolment.json\"");
    fixture->event.juju_major = 2;
    assert_refused(fixture, token, ERROR_INPUT,
                   "enrolment.json is a folder: run \"juju run --unit integrator/0 -- rm -r "
                   "enrolment.json\"");
    fixture->event.juju_major = 3;
    fixture->answers[0] = (struct fake_answer){GET, 0, secret, NULL};
    assert_int_equal(read_with(fixture, token), 1); /* the secret has what is needed */
    assert_null(fixture->credentials.remark);
    assert_null(fixture->enrolment);
    free(secret);
    free(token);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_decisions),
        cmocka_unit_test(test_all_verdicts),
        cmocka_unit_test(test_answers_that_were_seen),
        cmocka_unit_test(test_commands),
        test(test_unreadable_token),
        test(test_key_is_made_once),
        test(test_file_holds_no_token),
        test(test_nobody_answers),
        test(test_others_do_not_enrol),
        test(test_nothing),
        test(test_file_serves_without_token),
        test(test_file_becomes_secret),
        test(test_follower_keeps_its_file),
        test(test_secret_of_another_leader),
        test(test_what_serves_serves_on),
        test(test_lost_token),
        test(test_damaged_files),
        test(test_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
