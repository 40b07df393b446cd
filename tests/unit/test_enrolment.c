/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "charm/enrolment.c"
#include "fake_juju.h"

#define PIN "57bb0ff4340b5bb28517e062023101adf788c37846dc8b619eb2c3cb4ef29436"
#define NOBODY "127.0.0.1:1"
#define GET "secret-get --refresh --format=json --label lxd-enrolment"
#define INFO "secret-info-get --format=json --label lxd-enrolment"
#define NO_TOKEN "lxd_trust_token: no token as \"lxc config trust add --name juju\" prints it"

static char folder[] = "/tmp/enrolment-XXXXXX";
static char application[] = "integrator";

/* What hook commands answer, and what came of a call. */
struct fixture {
    struct fake_answer answers[8];
    struct fake_juju fake;
    struct event event;
    struct credentials credentials;
    bool found;
    struct error error;
    char *path;
};

static int set_up(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    fixture->path = mem_printf("%s/enrolment.json", folder);
    fixture->event = (struct event){
        .application = application, .charm_folder = folder, .juju_major = 3, .name = "start"};
    fixture->answers[0] = (struct fake_answer){"is-leader --format=json", 0, "true", NULL};
    fixture->answers[1] = (struct fake_answer){GET, 1, NULL, "ERROR secret not found\n"};
    fixture->answers[2] = (struct fake_answer){INFO, 1, NULL, "ERROR secret not found\n"};
    fixture->fake.answers = fixture->answers;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    fake_juju_free(&fixture->fake);
    credentials_wipe(&fixture->credentials);
    unlink(fixture->path);
    free(fixture->path);
    free(fixture);
    return rmdir(folder);
}

static void answer(struct fixture *fixture, const char *command, int code, const char *text)
{
    size_t i = 0;

    while (strcmp(fixture->answers[i].command, command) != 0)
        i++;
    fixture->answers[i].code = code;
    fixture->answers[i].output = text;
}

static int read_with(struct fixture *fixture, const char *token)
{
    struct juju_transport juju = fake_juju_transport(&fixture->fake);

    credentials_wipe(&fixture->credentials);
    fake_juju_free(&fixture->fake);
    return enrolment_read(&fixture->credentials, &juju, &fixture->event, token, &fixture->found,
                          &fixture->error);
}

static int finish(struct fixture *fixture)
{
    struct juju_transport juju = fake_juju_transport(&fixture->fake);

    fake_juju_free(&fixture->fake);
    return enrolment_finish(&fixture->credentials, &juju, &fixture->event, &fixture->error);
}

static void assert_refused(struct fixture *fixture, const char *token, enum error_kind kind,
                           const char *sentence)
{
    assert_int_equal(read_with(fixture, token), -1);
    assert_string_equal(fixture->error.text, sentence);
    assert_int_equal(fixture->error.kind, kind);
    assert_null(fixture->credentials.enrolment);
}

static bool file_exists(const struct fixture *fixture)
{
    return access(fixture->path, F_OK) == 0;
}

static char *token_of(const char *json)
{
    return base64_encode((const uint8_t *)json, strlen(json));
}

/* A token for a server at these addresses (JSON). */
static char *token_for(const char *addresses)
{
    char *json = mem_printf("{\"client_name\":\"juju\",\"fingerprint\":\"" PIN
                            "\",\"addresses\":%s,\"secret\":\"5ec2e7\","
                            "\"expires_at\":\"0001-01-01T00:00:00Z\"}",
                            addresses);
    char *token = token_of(json);

    free(json);
    return token;
}

/* What the file has. */
static char *file_text(const struct fixture *fixture)
{
    struct buffer text = {0};
    struct error error;
    bool found;

    assert_int_equal(private_file_read(fixture->path, &text, &found, &error), 0);
    assert_true(found);
    return text.data;
}

/* Say in the file that LXD has taken the token. */
static void enrol_file(struct fixture *fixture)
{
    char *text = file_text(fixture), *no = strstr(text, "\"no\"");
    struct buffer changed = {0};
    struct error error;

    buffer_append(&changed, text, (size_t)(no - text));
    buffer_printf(&changed, "\"yes\"%s", no + 4);
    assert_int_equal(private_file_write(fixture->path, &changed, &error), 0);
    buffer_free(&changed);
    free(text);
}

static void write_text(const struct fixture *fixture, const char *text)
{
    struct buffer content = {0};
    struct error error;

    buffer_append_string(&content, text);
    assert_int_equal(private_file_write(fixture->path, &content, &error), 0);
    buffer_free(&content);
}

/* ---- tokens ---- */

static void test_malformed_tokens(void **state)
{
    static const char *const contents[] = {
        "[]", "\"juju\"", "{}", "{\"client_name\":\"juju\"", "null",
        /* each lacks one thing, or has something else in its place */
        "{\"fingerprint\":\"" PIN "\",\"addresses\":[\"h\"],\"secret\":\"s\"}",
        "{\"client_name\":\"\",\"fingerprint\":\"" PIN "\",\"addresses\":[\"h\"],\"secret\":\"s\"}",
        "{\"client_name\":7,\"fingerprint\":\"" PIN "\",\"addresses\":[\"h\"],\"secret\":\"s\"}",
        "{\"client_name\":\"j\",\"addresses\":[\"h\"],\"secret\":\"s\"}",
        "{\"client_name\":\"j\",\"fingerprint\":\"" PIN
        "0\",\"addresses\":[\"h\"],\"secret\":\"s\"}",
        "{\"client_name\":\"j\",\"fingerprint\":\"57BB\",\"addresses\":[\"h\"],\"secret\":\"s\"}",
        "{\"client_name\":\"j\",\"fingerprint\":\"" PIN "\",\"addresses\":[\"h\"]}",
        "{\"client_name\":\"j\",\"fingerprint\":\"" PIN
        "\",\"addresses\":[\"h\"],\"secret\":\"\"}"};

    assert_refused(*state, "juju", ERROR_INPUT, NO_TOKEN);
    assert_refused(*state, "=", ERROR_INPUT, NO_TOKEN);
    assert_refused(*state, "-----BEGIN EC PRIVATE KEY-----", ERROR_INPUT, NO_TOKEN);
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        char *token = token_of(contents[i]);

        assert_refused(*state, token, ERROR_INPUT, NO_TOKEN);
        free(token);
    }
    assert_false(file_exists(*state));
}

/* Cut anywhere it is no token. */
static void test_cut_tokens(void **state)
{
    char *token = token_for("[\"" NOBODY "\"]");

    while (token[0] != '\0') {
        token[strlen(token) - 1] = '\0';
        if (*token != '\0')
            assert_refused(*state, token, ERROR_INPUT, NO_TOKEN);
    }
    free(token);
    assert_false(file_exists(*state));
}

static void test_unusable_addresses(void **state)
{
    static const char *const lists[] = {
        "[]",          "null", "\"h\"", "[1]", "[\"h\",{}]", "[\"unix:///x\"]", "[\"h:99999\"]",
        "[\"h\",\"\"]"};
    struct fixture *fixture = *state;
    struct buffer many = {0};

    for (int i = 0; i <= ENDPOINTS_MAX; i++)
        buffer_printf(&many, "%c\"h%d\"", i == 0 ? '[' : ',', i);
    buffer_append_string(&many, "]");
    for (size_t i = 0; i <= sizeof lists / sizeof *lists; i++) {
        char *token = token_for(i < sizeof lists / sizeof *lists ? lists[i] : many.data);

        assert_int_equal(read_with(fixture, token), -1);
        assert_int_equal(fixture->error.kind, ERROR_INPUT);
        free(token);
    }
    buffer_free(&many);
    assert_false(file_exists(fixture));
}

/* ---- what is made ---- */

static void test_key_is_made_once(void **state)
{
    struct fixture *fixture = *state;
    struct credentials *credentials = &fixture->credentials;
    char *token = token_for("[\"" NOBODY "\",\"[::1]:1\"]"), fingerprint[65];
    struct stat about;

    assert_int_equal(read_with(fixture, token), 0);
    assert_true(fixture->found);
    assert_non_null(credentials->enrolment);
    assert_string_equal(credentials->source, "trust token");
    assert_string_equal(credentials->certificate.common_name, application);
    assert_int_equal(credentials->endpoints.count, 2);
    assert_string_equal(credentials->endpoints.items[1].url, "https://[::1]:1");
    assert_int_equal(credentials->server.count, 1);
    assert_string_equal(credentials->server.expected[0].fingerprint, PIN);
    assert_int_equal(stat(fixture->path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    memcpy(fingerprint, credentials->certificate.fingerprint, sizeof fingerprint);

    assert_int_equal(read_with(fixture, token), 0);
    assert_string_equal(credentials->certificate.fingerprint, fingerprint);
    free(token);
    token = token_for("[\"" NOBODY "\"]");
    assert_int_equal(read_with(fixture, token), 0);
    assert_string_not_equal(credentials->certificate.fingerprint, fingerprint);
    free(token);
}

static void test_file_holds_no_token(void **state)
{
    char *token = token_for("[\"" NOBODY "\"]");

    assert_int_equal(read_with(*state, token), 0);
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

    assert_int_equal(read_with(fixture, token), 0);
    assert_int_equal(finish(fixture), -1);
    assert_int_equal(fixture->error.kind, ERROR_UNREACHABLE);
    assert_string_equal(fixture->error.text,
                        "lxd_trust_token: no address in the token leads to LXD, the last one: LXD "
                        "at https://127.0.0.1:2 unreachable: connection refused");
    assert_int_equal(fixture->fake.calls.count, 0);
    free(token);
}

/* ---- who enrols ---- */

static void test_others_do_not_enrol(void **state)
{
    struct fixture *fixture = *state;
    char *token = token_for("[\"" NOBODY "\"]");

    fixture->event.kind = EVENT_ACTION;
    assert_refused(fixture, token, ERROR_UNREACHABLE, "lxd_trust_token: the next hook enrols");
    fixture->event.kind = EVENT_OTHER;
    answer(fixture, "is-leader --format=json", 0, "false");
    assert_refused(fixture, token, ERROR_UNREACHABLE,
                   "lxd_trust_token: the leader is to enrol for all units");
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
    assert_false(fixture->found);
    assert_null(fixture->credentials.enrolment);
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
    assert_int_equal(read_with(fixture, token), 0);
    assert_int_equal(read_with(fixture, NULL), 0);
    assert_false(fixture->found); /* as long as LXD has not taken the token */
    enrol_file(fixture);
    assert_int_equal(read_with(fixture, NULL), 0);
    assert_true(fixture->found);
    assert_null(fixture->credentials.enrolment);
    assert_int_equal(read_with(fixture, token), 0);
    assert_null(fixture->credentials.enrolment);
    assert_int_equal(fixture->fake.calls.count, 0);
    free(token);
}

/* The leader hands the file over to a secret, and deletes it once that is there. */
static void test_file_becomes_secret(void **state)
{
    struct fixture *fixture = *state;
    char *token = token_for("[\"" NOBODY "\"]");
    char *add = mem_printf("secret-add --file %s --label lxd-enrolment", fixture->path);
    char *set = mem_printf("secret-set --file %s 9m4e2mr0ui3e8a215n4g", fixture->path);

    assert_int_equal(read_with(fixture, token), 0);
    enrol_file(fixture);
    assert_int_equal(read_with(fixture, NULL), 0);
    assert_int_equal(finish(fixture), 0);
    assert_string_equal(fixture->fake.calls.items[1], add);
    answer(fixture, INFO, 0, "{\"9m4e2mr0ui3e8a215n4g\":{\"revision\":1}}");
    assert_int_equal(finish(fixture), 0);
    assert_string_equal(fixture->fake.calls.items[1], set);
    assert_true(file_exists(fixture));

    char *secret = file_text(fixture);
    answer(fixture, GET, 0, secret);
    assert_int_equal(read_with(fixture, NULL), 0);
    assert_true(fixture->found);
    assert_null(fixture->credentials.enrolment);
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

    assert_int_equal(read_with(fixture, token), 0);
    enrol_file(fixture);
    answer(fixture, "is-leader --format=json", 0, "false");
    assert_int_equal(read_with(fixture, token), 0);
    assert_true(fixture->found);
    assert_null(fixture->credentials.enrolment);
    assert_true(file_exists(fixture));
    free(token);
}

/* Another leader has enrolled with the token that is set. */
static void test_secret_of_another_leader(void **state)
{
    struct fixture *fixture = *state;
    char *first = token_for("[\"" NOBODY "\"]"), *second = token_for("[\"127.0.0.1:2\"]");

    assert_int_equal(read_with(fixture, second), 0);
    enrol_file(fixture);
    char *secret = file_text(fixture);
    assert_int_equal(read_with(fixture, first), 0);
    enrol_file(fixture);
    answer(fixture, GET, 0, secret);
    assert_int_equal(read_with(fixture, second), 0);
    assert_null(fixture->credentials.enrolment);
    assert_string_equal(fixture->credentials.endpoints.items[0].url, "https://127.0.0.1:2");
    free(secret);
    free(first);
    free(second);
}

static void test_damaged_files(void **state)
{
    static const char *const texts[] = {
        "", "{", "[]", "{}", "{\"enrolled\":\"yes\"}", "{\"enrolled\":\"yes\",\"endpoint\":7}"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_text(fixture, texts[i]);
        if (read_with(fixture, NULL) == 0)
            assert_false(fixture->found);
        else
            assert_int_equal(fixture->error.kind, ERROR_INPUT);
    }
    write_text(fixture, "{");
    assert_refused(
        fixture, NULL, ERROR_INPUT,
        "lxd_trust_token: delete the file, and make another token with \"lxc config trust "
        "add --name juju\": enrolment.json is not JSON (near byte 0)");
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_malformed_tokens),
        test(test_cut_tokens),
        test(test_unusable_addresses),
        test(test_key_is_made_once),
        test(test_file_holds_no_token),
        test(test_nobody_answers),
        test(test_others_do_not_enrol),
        test(test_nothing),
        test(test_file_serves_without_token),
        test(test_file_becomes_secret),
        test(test_follower_keeps_its_file),
        test(test_secret_of_another_leader),
        test(test_damaged_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
