/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "fake_juju.h"
#include "juju/hook_tools.h"

/* The one call that was made. */
static void assert_call(const struct fake_juju *fake, const char *command)
{
    assert_int_equal(fake->calls.count, 1);
    assert_string_equal(fake->calls.items[0], command);
}

static int get_config(const struct fake_answer *answer, cJSON **options, struct error *error)
{
    struct fake_answer answers[] = {*answer, {0}};
    struct fake_juju fake = {.answers = answers};
    struct juju_transport juju = fake_juju_transport(&fake);
    int result = juju_config_get(&juju, options, error);

    fake_juju_free(&fake);
    return result;
}

static void assert_config_fails(int code, const char *output, const char *message,
                                enum error_kind kind, const char *sentence)
{
    struct fake_answer answer = {"config-get --format=json", code, output, message};
    struct error error;
    cJSON *options;

    assert_int_equal(get_config(&answer, &options, &error), -1);
    assert_int_equal(error.kind, kind);
    assert_string_equal(error.text, sentence);
}

static void assert_config_is(const char *output, const char *expected)
{
    struct fake_answer answer = {"config-get --format=json", 0, output, NULL};
    struct error error;
    cJSON *options;

    assert_int_equal(get_config(&answer, &options, &error), 0);
    char *text = json_print(options);
    assert_string_equal(text, expected);
    free(text);
    cJSON_Delete(options);
}

static void test_config(void **state)
{
    (void)state;
    assert_config_is("{\"a\":\"b\"}\n", "{\"a\":\"b\"}");
    assert_config_is("{}\n", "{}");
    assert_config_is("null\n", "{}");
}

static void test_failures(void **state)
{
    (void)state;
    assert_config_fails(1, NULL, "ERROR permission denied\n", ERROR_HOOK,
                        "config-get failed with exit status 1: permission denied");
    assert_config_fails(2, "{}", "WARNING odd\nERROR no such flag\n\n", ERROR_HOOK,
                        "config-get failed with exit status 2: no such flag");
    assert_config_fails(127, NULL, NULL, ERROR_HOOK,
                        "config-get failed with exit status 127: it did not say why");
}

static void test_unusable_answers(void **state)
{
    (void)state;
    assert_config_fails(0, "", NULL, ERROR_INPUT, "config-get is empty, not JSON");
    assert_config_fails(0, "[]", NULL, ERROR_INPUT,
                        "config-get answers JSON of an unexpected type");
    assert_config_fails(0, "{\"a\":\"\\u0000\"}", NULL, ERROR_INPUT,
                        "config-get is not JSON (near byte 7)");
}

static void test_answer_over_the_limit(void **state)
{
    struct fake_juju fake = {.cut = true};
    struct juju_transport juju = fake_juju_transport(&fake);
    enum juju_refusal refusal;
    struct error error;
    cJSON *settings;

    (void)state;
    assert_int_equal(
        juju_relation_get(&juju, "api:3", "a/0", JUJU_UNIT, &settings, &refusal, &error), -1);
    assert_int_equal(refusal, JUJU_REFUSAL_OTHER);
    assert_int_equal(error.kind, ERROR_INPUT);
    assert_string_equal(error.text, "relation-get answers more than the 8 MiB that are read");
    fake_juju_free(&fake);
}

static void test_dead_transport(void **state)
{
    struct fake_juju fake = {.dead = true};
    struct juju_transport juju = fake_juju_transport(&fake);
    struct error error;
    cJSON *cloud;
    bool leader;

    (void)state;
    assert_int_equal(juju_is_leader(&juju, &leader, &error), -1);
    assert_string_equal(error.text, "is-leader cannot be run");
    assert_int_equal(juju_credential_get(&juju, &cloud, &error), -1);
    assert_int_equal(error.kind, ERROR_HOOK);
    fake_juju_free(&fake);
}

static int get_credential(int code, const char *output, const char *message, cJSON **cloud)
{
    struct fake_answer answers[] = {{"credential-get --format=json", code, output, message}, {0}};
    struct fake_juju fake = {.answers = answers};
    struct juju_transport juju = fake_juju_transport(&fake);
    struct error error;
    int result = juju_credential_get(&juju, cloud, &error);

    fake_juju_free(&fake);
    return result;
}

static void test_credential(void **state)
{
    cJSON *cloud;

    (void)state;
    assert_int_equal(get_credential(0, "{\"type\":\"lxd\"}", NULL, &cloud), 0);
    assert_string_equal(json_string(cloud, "type"), "lxd");
    cJSON_Delete(cloud);
    assert_int_equal(get_credential(1, NULL,
                                    "ERROR cannot access cloud credentials: permission denied\n",
                                    &cloud),
                     0);
    assert_null(cloud);
    assert_int_equal(get_credential(1, NULL,
                                    "ERROR cannot access cloud credentials: credential-get on a "
                                    "\"caas\" model not supported\n",
                                    &cloud),
                     0);
    assert_null(cloud);
    assert_int_equal(get_credential(1, NULL, "ERROR connection is shut down\n", &cloud), -1);
}

static void test_own_secret(void **state)
{
    static const char get[] = "secret-get --refresh --format=json --label own";
    struct fake_answer answers[] = {{get, 0, "{\"key\":\"value\"}", NULL}, {0}};
    struct fake_juju fake = {.answers = answers};
    struct juju_transport juju = fake_juju_transport(&fake);
    struct error error;
    cJSON *content;

    (void)state;
    assert_int_equal(juju_own_secret_get(&juju, "own", &content, &error), 0);
    assert_string_equal(json_string(content, "key"), "value");
    cJSON_Delete(content);
    answers[0] = (struct fake_answer){get, 1, NULL, "ERROR secret with label \"own\" not found\n"};
    assert_int_equal(juju_own_secret_get(&juju, "own", &content, &error), 0);
    assert_null(content);
    answers[0] = (struct fake_answer){get, 1, NULL, "ERROR connection lost\n"};
    assert_int_equal(juju_own_secret_get(&juju, "own", &content, &error), -1);
    assert_int_equal(error.kind, ERROR_REFUSED);
    assert_string_equal(error.text, "connection lost");
    fake_juju_free(&fake);

    /* Nothing is made where nobody knows whether it is there. */
    answers[0] = (struct fake_answer){"secret-info-get --format=json --label own", 1, NULL,
                                      "ERROR connection lost\n"};
    assert_int_equal(juju_own_secret_set(&juju, "own", "/file", &error), -1);
    assert_int_equal(fake.calls.count, 1);
    fake_juju_free(&fake);
}

static void test_leader(void **state)
{
    static const struct fake_answer yes[] = {{"is-leader --format=json", 0, "true\n", NULL}, {0}};
    static const struct fake_answer no[] = {{"is-leader --format=json", 0, "false\n", NULL}, {0}};
    static const struct fake_answer odd[] = {{"is-leader --format=json", 0, "null\n", NULL}, {0}};
    struct fake_juju fake = {.answers = yes};
    struct juju_transport juju = fake_juju_transport(&fake);
    struct error error;
    bool leader = false;

    (void)state;
    assert_int_equal(juju_is_leader(&juju, &leader, &error), 0);
    assert_true(leader);
    fake.answers = no;
    assert_int_equal(juju_is_leader(&juju, &leader, &error), 0);
    assert_false(leader);
    fake.answers = odd;
    assert_int_equal(juju_is_leader(&juju, &leader, &error), -1);
    fake_juju_free(&fake);
}

static void test_relations(void **state)
{
    static const struct fake_answer answers[] = {
        {"relation-ids --format=json api", 0, "[\"api:7\",\"api:12\"]\n", NULL},
        {"relation-list --format=json -r api:7", 0, "[\"client/0\"]\n", NULL},
        {"relation-list --format=json -r api:8", 0, "null\n", NULL},
        {"relation-list --format=json --app -r api:7", 0, "\"client\"\n", NULL},
        {0}};
    struct fake_juju fake = {.answers = answers};
    struct juju_transport juju = fake_juju_transport(&fake);
    struct strings ids = {0}, units = {0};
    struct error error;
    char *application;

    (void)state;
    assert_int_equal(juju_relation_ids(&juju, "api", &ids, &error), 0);
    assert_int_equal(ids.count, 2);
    assert_string_equal(ids.items[1], "api:12");
    assert_int_equal(juju_relation_units(&juju, "api:7", &units, &error), 0);
    assert_int_equal(juju_relation_units(&juju, "api:8", &units, &error), 0);
    assert_int_equal(units.count, 1);
    assert_string_equal(units.items[0], "client/0");
    assert_int_equal(juju_relation_application(&juju, "api:7", &application, &error), 0);
    assert_string_equal(application, "client");
    free(application);
    strings_free(&ids);
    strings_free(&units);
    fake_juju_free(&fake);
}

static void test_list_with_more_than_strings(void **state)
{
    struct fake_answer answers[] = {
        {"relation-ids --format=json api", 0, "[\"api:7\", [], \"api:8\"]\n", NULL}, {0}};
    struct fake_juju fake = {.answers = answers};
    struct juju_transport juju = fake_juju_transport(&fake);
    struct strings ids = {0};
    struct error error;

    (void)state;
    assert_int_equal(juju_relation_ids(&juju, "api", &ids, &error), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
    assert_string_equal(error.text, "relation-ids answers a list with more than strings");
    assert_int_equal(ids.count, 0);
    fake_juju_free(&fake);
}

static void test_settings_of_a_unit_and_of_an_application(void **state)
{
    static const struct fake_answer answers[] = {
        {"relation-get --format=json -r api:7 - client/0", 0, "{\"a\":\"\\u003cb\\u003e\"}", NULL},
        {"relation-get --format=json --app -r api:7 - client", 0, "{\"c\":\"d\"}", NULL},
        {0}};
    struct fake_juju fake = {.answers = answers};
    struct juju_transport juju = fake_juju_transport(&fake);
    enum juju_refusal refusal;
    struct error error;
    cJSON *settings;

    (void)state;
    assert_int_equal(
        juju_relation_get(&juju, "api:7", "client/0", JUJU_UNIT, &settings, &refusal, &error), 0);
    assert_string_equal(json_string(settings, "a"), "<b>");
    cJSON_Delete(settings);
    assert_int_equal(
        juju_relation_get(&juju, "api:7", "client", JUJU_APPLICATION, &settings, &refusal, &error),
        0);
    assert_string_equal(json_string(settings, "c"), "d");
    cJSON_Delete(settings);
    fake_juju_free(&fake);
}

/* Only the whole of what Juju says means something. */
static void test_refusals(void **state)
{
    static const struct {
        const char *message;
        enum juju_refusal refusal;
    } cases[] = {
        {"ERROR permission denied\n", JUJU_REFUSAL_DENIED},
        {"WARNING slow\nERROR permission denied\n", JUJU_REFUSAL_DENIED},
        {"ERROR relation unit not found\n", JUJU_REFUSAL_NO_UNIT},
        {"ERROR cannot read: permission denied\n", JUJU_REFUSAL_OTHER},
        {"ERROR permission denied (again)\n", JUJU_REFUSAL_OTHER},
        {"ERROR relation not found\n", JUJU_REFUSAL_OTHER},
        {"", JUJU_REFUSAL_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct fake_answer answers[] = {
            {"relation-get --format=json -r api:7 - i/0", 1, NULL, cases[i].message}, {0}};
        struct fake_juju fake = {.answers = answers};
        struct juju_transport juju = fake_juju_transport(&fake);
        enum juju_refusal refusal;
        struct error error;
        cJSON *settings;

        assert_int_equal(
            juju_relation_get(&juju, "api:7", "i/0", JUJU_UNIT, &settings, &refusal, &error), -1);
        assert_int_equal(refusal, cases[i].refusal);
        assert_int_equal(error.kind, ERROR_HOOK);
        assert_null(settings);
        fake_juju_free(&fake);
    }
}

/* What relation-set reads for one value. */
static void assert_written(const char *value, const char *expected)
{
    struct fake_juju fake = {0};
    struct juju_transport juju = fake_juju_transport(&fake);
    cJSON *settings = cJSON_CreateObject();
    struct error error;

    cJSON_AddStringToObject(settings, "key", value);
    assert_int_equal(juju_relation_set(&juju, "api:7", false, settings, &error), 0);
    assert_call(&fake, "relation-set -r api:7 --file -");
    assert_string_equal(fake.inputs.items[0], expected);
    cJSON_Delete(settings);
    fake_juju_free(&fake);
}

static void test_settings_go_through_stdin(void **state)
{
    (void)state;
    assert_written("plain", "{\"key\":\"plain\"}");
    assert_written("", "{\"key\":\"\"}");
    assert_written("~", "{\"key\":\"~\"}");
    assert_written("[\"a\\nb\"]", "{\"key\":\"[\\\"a\\\\nb\\\"]\"}");
    assert_written("a\nb\tc/", "{\"key\":\"a\\u000ab\\u0009c/\"}");
}

static void test_settings_of_the_application(void **state)
{
    struct fake_juju fake = {0};
    struct juju_transport juju = fake_juju_transport(&fake);
    cJSON *settings = cJSON_CreateObject();
    struct error error;

    (void)state;
    assert_int_equal(juju_relation_set(&juju, "https:7", true, settings, &error), 0);
    assert_call(&fake, "relation-set -r https:7 --file - --app");
    cJSON_Delete(settings);
    fake_juju_free(&fake);
}

/* YAML 1.1 reads other characters than JSON does. */
static void test_what_yaml_would_not_take(void **state)
{
    (void)state;
    assert_written("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
                   "{\"key\":\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"}");
    assert_written("\x7f\xc2\x80\xc2\x85\xc2\x9f\xc2\xa0",
                   "{\"key\":\"\\u007f\\u0080\\u0085\\u009f\xc2\xa0\"}");
    assert_written("\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf\xef\xbf\xbe",
                   "{\"key\":\"\\u2028\\u2029\\ufeff\\ufffe\"}");
}

static void test_malformed_utf8(void **state)
{
    static const char *const sequences[] = {
        "\x80",
        "\xc3",
        "\xc3(",
        "\xc0\xaf",
        "\xe2\x82",
        "\xe0\x80\xaf",
        "\xed\xa0\x80",
        "\xf4\x90\x80\x80",
        "\xf0\x80\x80\xaf",
        "\xff",
    };

    (void)state;
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
        struct buffer expected = {0};

        buffer_append_string(&expected, "{\"key\":\"");
        for (const char *c = sequences[i]; *c != '\0'; c++)
            buffer_append_string(&expected, *c == '(' ? "(" : "\\ufffd");
        buffer_append_string(&expected, "\"}");
        assert_written(sequences[i], expected.data);
        buffer_free(&expected);
    }
}

static void test_several_settings(void **state)
{
    struct fake_juju fake = {0};
    struct juju_transport juju = fake_juju_transport(&fake);
    cJSON *settings = cJSON_Parse("{\"a\":\"1\",\"b\":\"2\"}");
    struct error error;

    (void)state;
    assert_int_equal(juju_relation_set(&juju, "api:7", false, settings, &error), 0);
    assert_string_equal(fake.inputs.items[0], "{\"a\":\"1\",\"b\":\"2\"}");
    cJSON_Delete(settings);
    fake_juju_free(&fake);
}

/* Text that begins with a hyphen is text. */
static void test_free_text(void **state)
{
    struct fake_juju fake = {0};
    struct juju_transport juju = fake_juju_transport(&fake);
    struct error error;

    (void)state;
    assert_int_equal(juju_status_set(&juju, "blocked", "-x", &error), 0);
    assert_int_equal(juju_application_version_set(&juju, "-5.0.2", &error), 0);
    assert_string_equal(fake.calls.items[0], "status-set -- blocked -x");
    assert_string_equal(fake.calls.items[1], "application-version-set -- -5.0.2");
    fake_juju_free(&fake);
}

/* What a function writes to one of our own streams. */
static char *capture(FILE *stream, const struct juju_transport *juju, enum juju_log_level level,
                     const char *text)
{
    FILE *file = tmpfile();
    static char line[4096];

    fflush(stream);
    int saved = dup(fileno(stream));
    dup2(fileno(file), fileno(stream));
    juju_log(juju, level, "%s", text);
    fflush(stream);
    dup2(saved, fileno(stream));
    close(saved);
    rewind(file);
    line[fread(line, 1, sizeof line - 1, file)] = '\0';
    fclose(file);
    return line;
}

static void test_log(void **state)
{
    struct fake_juju fake = {0};
    struct juju_transport juju = fake_juju_transport(&fake);

    (void)state;
    assert_string_equal(capture(stdout, &juju, JUJU_LOG_DEBUG, "one\ntwo"), "one?two\n");
    assert_string_equal(capture(stderr, &juju, JUJU_LOG_WARNING, "-x"), "-x\n");
    assert_int_equal(fake.calls.count, 0);
    juju_log(&juju, JUJU_LOG_INFO, "-n %d\x1b", 1);
    juju_log(&juju, JUJU_LOG_ERROR, "e");
    assert_string_equal(fake.calls.items[0], "juju-log -l INFO -- -n 1?");
    assert_string_equal(fake.calls.items[1], "juju-log -l ERROR -- e");
    juju.captured = true;
    juju_log(&juju, JUJU_LOG_DEBUG, "d");
    juju_log(&juju, JUJU_LOG_WARNING, "w");
    assert_string_equal(fake.calls.items[2], "juju-log -l DEBUG -- d");
    assert_string_equal(fake.calls.items[3], "juju-log -l WARNING -- w");
    fake.dead = true;
    assert_string_equal(capture(stderr, &juju, JUJU_LOG_ERROR, "unheard"), "unheard\n");
    fake_juju_free(&fake);
}

static void test_action(void **state)
{
    const struct fake_answer answers[] = {{"action-get --format=json", 0, "{\"a\":1}", NULL}, {0}};
    struct fake_juju fake = {.answers = answers};
    struct juju_transport juju = fake_juju_transport(&fake);
    cJSON *results = cJSON_Parse("{\"a\":\"-x\",\"b\":{\"c\":\"d=e\",\"f\":{\"g\":\"\"}}}");
    cJSON *parameters;
    struct error error;

    (void)state;
    assert_int_equal(juju_action_get(&juju, &parameters, &error), 0);
    assert_true(cJSON_HasObjectItem(parameters, "a"));
    assert_int_equal(juju_action_set(&juju, results, &error), 0);
    assert_string_equal(fake.calls.items[1], "action-set -- a=-x b.c=d=e b.f.g=");
    assert_int_equal(juju_action_fail(&juju, "-no", &error), 0);
    assert_string_equal(fake.calls.items[2], "action-fail -- -no");
    cJSON_Delete(parameters);
    cJSON_Delete(results);
    fake_juju_free(&fake);
}

static void test_many_results(void **state)
{
    struct fake_juju fake = {0};
    struct juju_transport juju = fake_juju_transport(&fake);
    cJSON *results = cJSON_CreateObject();
    struct error error;

    (void)state;
    assert_int_equal(juju_action_set(&juju, results, &error), 0);
    assert_int_equal(fake.calls.count, 0);
    for (int i = 0; i < 501; i++) {
        char *key = mem_printf("k%d", i);

        cJSON_AddStringToObject(results, key, "v");
        free(key);
    }
    assert_int_equal(juju_action_set(&juju, results, &error), 0);
    assert_int_equal(fake.calls.count, 2);
    assert_string_equal(fake.calls.items[1], "action-set -- k500=v");
    cJSON_Delete(results);
    fake_juju_free(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_unusable_answers),
        cmocka_unit_test(test_answer_over_the_limit),
        cmocka_unit_test(test_dead_transport),
        cmocka_unit_test(test_credential),
        cmocka_unit_test(test_own_secret),
        cmocka_unit_test(test_leader),
        cmocka_unit_test(test_relations),
        cmocka_unit_test(test_list_with_more_than_strings),
        cmocka_unit_test(test_settings_of_a_unit_and_of_an_application),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_settings_go_through_stdin),
        cmocka_unit_test(test_settings_of_the_application),
        cmocka_unit_test(test_what_yaml_would_not_take),
        cmocka_unit_test(test_malformed_utf8),
        cmocka_unit_test(test_several_settings),
        cmocka_unit_test(test_free_text),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_action),
        cmocka_unit_test(test_many_results),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
