/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/json.h"
#include "charm/sources.h"
#include "fake_juju.h"
#include "x509_files.h"

#define URI "secret:9m4e2mr0ui3e8a215n4g"
#define GET_SECRET "secret-get --refresh --format=json " URI
#define GET_CLOUD "credential-get --format=json"
#define GET_OWN "secret-get --refresh --format=json --label lxd-enrolment"
#define ALL_OPTIONS "lxd_endpoint, lxd_client_cert, lxd_client_key, lxd_server_cert"
#define UNTRUSTED "ERROR cannot access cloud credentials: permission denied\n"

static char application[] = "integrator";
static char folder[] = "/tmp/sources-XXXXXX";

/* What is set, what Juju answers, and what came of it. */
struct fixture {
    struct fake_answer answers[4]; /* lxd_credentials, the cloud, our own secret */
    struct fake_juju fake;
    struct event event;
    struct options options;
    struct leadership leadership;
    struct sources_self self;
    struct credentials credentials;
    struct enrolment *enrolment;
    struct error error;
    char *secret_text, *cloud_text;
};

static int set_up(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    unsetenv("KUBERNETES_SERVICE_HOST");
    fixture->event = (struct event){.application = application,
                                    .charm_folder = folder,
                                    .juju_major = 3,
                                    .name = "start",
                                    .unit = "integrator/0",
                                    .model_uuid = "9f1c1ab0-0000-4000-8000-000000000000"};
    fixture->answers[0] = (struct fake_answer){GET_SECRET, 1, NULL, "ERROR permission denied\n"};
    fixture->answers[1] = (struct fake_answer){GET_CLOUD, 1, NULL, UNTRUSTED};
    fixture->answers[2] = (struct fake_answer){GET_OWN, 1, NULL, "ERROR secret not found\n"};
    fixture->fake.answers = fixture->answers;
    fixture->self = (struct sources_self){.leadership = &fixture->leadership, .may_enrol = true};
    fixture->leadership.answer = LEADERSHIP_HELD;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char *path = mem_printf("%s/enrolment.json", folder);

    credentials_wipe(&fixture->credentials);
    enrolment_free(fixture->enrolment);
    options_wipe(&fixture->options);
    fake_juju_free(&fixture->fake);
    free(fixture->secret_text);
    free(fixture->cloud_text);
    free(fixture);
    unlink(path);
    free(path);
    return rmdir(folder);
}

static int read_sources(struct fixture *fixture)
{
    struct juju_transport juju = fake_juju_transport(&fixture->fake);

    credentials_wipe(&fixture->credentials);
    enrolment_free(fixture->enrolment);
    fake_juju_free(&fixture->fake);
    return sources_read(&fixture->credentials, &fixture->enrolment, &juju, &fixture->event,
                        &fixture->options, &fixture->self, &fixture->error);
}

static void assert_source(struct fixture *fixture, const char *source, const char *host)
{
    if (read_sources(fixture) != 0)
        fail_msg("%s", fixture->error.text);
    assert_string_equal(fixture->credentials.source, source);
    assert_string_equal(fixture->credentials.endpoints.items[0].host, host);
}

static void assert_fails(struct fixture *fixture, enum error_kind kind, const char *sentence)
{
    assert_int_equal(read_sources(fixture), -1);
    assert_string_equal(fixture->error.text, sentence);
    assert_int_equal(fixture->error.kind, kind);
    assert_null(fixture->enrolment);
    assert_null(fixture->credentials.source);
}

static void set_option(char **option, const char *text)
{
    free(*option);
    *option = mem_string(text);
}

static void add_file(cJSON *object, const char *name, const char *file)
{
    char *text = x509_file(file);

    cJSON_AddStringToObject(object, name, text);
    free(text);
}

/* An object with the values of a credential. */
static cJSON *attributes(void)
{
    cJSON *object = cJSON_CreateObject();

    add_file(object, "client-cert", "ec-p384.crt");
    add_file(object, "client-key", "ec-p384.key");
    add_file(object, "server-cert", "leaf.crt");
    return object;
}

static void drop(cJSON *object, const char *name)
{
    cJSON_DeleteItemFromObject(object, name);
}

/* The values become the secret's; they are consumed. */
static void give_secret(struct fixture *fixture, cJSON *content)
{
    free(fixture->secret_text);
    fixture->secret_text = json_print(content);
    cJSON_Delete(content);
    fixture->answers[0] = (struct fake_answer){GET_SECRET, 0, fixture->secret_text, NULL};
    set_option(&fixture->options.credentials, URI);
}

static void give_cloud(struct fixture *fixture, const char *type, const char *authentication,
                       cJSON *attrs)
{
    cJSON *cloud = cJSON_CreateObject();
    cJSON *credential = cJSON_AddObjectToObject(cloud, "credential");

    cJSON_AddStringToObject(cloud, "type", type);
    cJSON_AddStringToObject(cloud, "endpoint", "cloud");
    cJSON_AddStringToObject(credential, "auth-type", authentication);
    cJSON_AddItemToObject(credential, "attrs", attrs);
    free(fixture->cloud_text);
    fixture->cloud_text = json_print(cloud);
    cJSON_Delete(cloud);
    fixture->answers[1] = (struct fake_answer){GET_CLOUD, 0, fixture->cloud_text, NULL};
}

static void give_options(struct fixture *fixture)
{
    char **parts = fixture->options.parts;

    set_option(&parts[CREDENTIAL_ENDPOINT], "https://options:8444");
    parts[CREDENTIAL_CERTIFICATE] = x509_file("ec-p256.crt");
    parts[CREDENTIAL_KEY] = x509_file("ec-p256.key");
    parts[CREDENTIAL_SERVER] = x509_file("ca.crt");
}

static cJSON *secret_values(void)
{
    cJSON *content = attributes();

    cJSON_AddStringToObject(content, "endpoint", "secret");
    return content;
}

static char *trust_token(void)
{
    static const char json[] =
        "{\"client_name\":\"juju\",\"fingerprint\":"
        "\"57bb0ff4340b5bb28517e062023101adf788c37846dc8b619eb2c3cb4ef29436\","
        "\"addresses\":[\"token\"],\"secret\":\"5ec2e7\"}";

    return base64_encode((const uint8_t *)json, sizeof json - 1);
}

/* ---- the order ---- */

/* Each of 16 sets of sources: the first one counts. */
static void test_order(void **state)
{
    static const char *const order[] = {"lxd_credentials", "credential-get", "config",
                                        "lxd_trust_token"};
    static const char *const hosts[] = {"secret", "cloud", "options", "token"};

    for (unsigned set = 1; set < 16; set++) {
        struct fixture *fixture;
        size_t first = 0;

        if (set != 1) {
            tear_down(state);
            set_up(state);
        }
        fixture = *state;
        while ((set >> first & 1) == 0)
            first++;
        if ((set & 1) != 0)
            give_secret(fixture, secret_values());
        if ((set & 2) != 0)
            give_cloud(fixture, "lxd", "certificate", attributes());
        if ((set & 4) != 0)
            give_options(fixture);
        if ((set & 8) != 0)
            fixture->options.trust_token = trust_token();
        assert_source(fixture, order[first], hosts[first]);
        assert_int_equal(fixture->enrolment != NULL, first == 3);
        /* Nobody is asked who does not count. */
        assert_int_equal(fixture->fake.calls.count, first == 0 ? 1 : first == 3 ? 2 : 1);
    }
}

/* ---- nothing, or not enough ---- */

static void test_nothing(void **state)
{
    struct fixture *fixture = *state;

    assert_fails(fixture, ERROR_INPUT,
                 "missing credentials: run \"juju trust integrator\", or set " ALL_OPTIONS);
    assert_true(fixture->credentials.missing);
    setenv("KUBERNETES_SERVICE_HOST", "10.1.0.1", 1);
    assert_fails(fixture, ERROR_INPUT, "missing credentials: set " ALL_OPTIONS);
    fixture->answers[1] = (struct fake_answer){
        GET_CLOUD, 1, NULL, "ERROR credential-get on a \"caas\" model not supported\n"};
    assert_fails(fixture, ERROR_INPUT, "missing credentials: set " ALL_OPTIONS);
    unsetenv("KUBERNETES_SERVICE_HOST");
    give_cloud(fixture, "kubernetes", "oauth2", cJSON_CreateObject());
    assert_fails(fixture, ERROR_INPUT,
                 "missing credentials: the cloud is of type \"kubernetes\", not \"lxd\": "
                 "set " ALL_OPTIONS);
    assert_true(fixture->credentials.missing);
}

/* The options are set with the first of them, and then they count. */
static void test_partial_options(void **state)
{
    struct fixture *fixture = *state;

    give_options(fixture);
    set_option(&fixture->options.parts[CREDENTIAL_KEY], NULL);
    assert_fails(fixture, ERROR_INPUT, "missing credentials: set lxd_client_key as well");
    assert_false(fixture->credentials.missing);
    set_option(&fixture->options.parts[CREDENTIAL_ENDPOINT], NULL);
    assert_fails(fixture, ERROR_INPUT,
                 "missing credentials: set lxd_endpoint, lxd_client_key as well");
    fixture->options.trust_token = trust_token();
    assert_fails(fixture, ERROR_INPUT,
                 "missing credentials: set lxd_endpoint, lxd_client_key as well, or reset the "
                 "others for lxd_trust_token to serve");
}

static void test_unusable_option_is_named(void **state)
{
    struct fixture *fixture = *state;

    give_options(fixture);
    set_option(&fixture->options.parts[CREDENTIAL_SERVER], "no PEM");
    assert_int_equal(read_sources(fixture), -1);
    assert_int_equal(fixture->error.kind, ERROR_INPUT);
    assert_ptr_equal(strstr(fixture->error.text, "lxd_server_cert: "), fixture->error.text);
}

/* ---- lxd_credentials ---- */

/* Whatever Juju's words are, they are the operator's to read. */
static void test_secret_that_juju_refuses(void **state)
{
    static const char *const words[] = {
        "permission denied",
        "\"integrator/0\" is not allowed to read this secret",
        "secret \"9m4e2mr0ui3e8a215n4g\" not found",
        "secret URI \"secret:9m4e2mr0ui3e8a215n4g\" not valid",
        "words that no Juju has yet",
    };
    struct fixture *fixture = *state;

    give_cloud(fixture, "lxd", "certificate", attributes()); /* in vain */
    give_options(fixture);
    set_option(&fixture->options.credentials, URI);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char *message = mem_printf("WARNING x\nERROR %s\n", words[i]);
        char *sentence = mem_printf("lxd_credentials: %s: to grant it run \"juju grant-secret "
                                    "9m4e2mr0ui3e8a215n4g integrator\"",
                                    words[i]);

        fixture->answers[0] = (struct fake_answer){GET_SECRET, 1, NULL, message};
        assert_fails(fixture, ERROR_INPUT, sentence);
        assert_false(fixture->credentials.missing);
        free(message);
        free(sentence);
    }
}

static void test_uris(void **state)
{
    struct fixture *fixture = *state;
    char *key = x509_file("ec-p256.key"), *long_uri = mem_alloc(300);

    memset(long_uri, 'x', 299);
    memcpy(long_uri, "secret:", 7);
    set_option(&fixture->options.credentials, "my-secret");
    assert_fails(fixture, ERROR_INPUT, "lxd_credentials: not a secret's URI (secret:...)");
    set_option(&fixture->options.credentials, key);
    assert_fails(fixture, ERROR_INPUT, "lxd_credentials: not a secret's URI (secret:...)");
    set_option(&fixture->options.credentials, "secret:a b");
    assert_fails(fixture, ERROR_INPUT, "lxd_credentials: not a secret's URI (secret:...)");
    set_option(&fixture->options.credentials, long_uri);
    assert_fails(fixture, ERROR_INPUT, "lxd_credentials: not a secret's URI (secret:...)");
    assert_int_equal(fixture->fake.calls.count, 0);
    fixture->answers[0] = (struct fake_answer){"secret-get --refresh --format=json secret://m/9m4e",
                                               1, NULL, "ERROR no\n"};
    set_option(&fixture->options.credentials, "secret://m/9m4e");
    assert_fails(fixture, ERROR_INPUT,
                 "lxd_credentials: no: to grant it run \"juju grant-secret 9m4e integrator\"");
    fixture->event.juju_major = 2;
    assert_fails(fixture, ERROR_INPUT,
                 "lxd_credentials: this Juju has no user secrets, Juju 3.3 and later do");
    free(key);
    free(long_uri);
}

static void test_secret_s_content(void **state)
{
    struct fixture *fixture = *state;
    cJSON *content = secret_values();

    drop(content, "client-key");
    give_secret(fixture, content);
    assert_fails(fixture, ERROR_INPUT, "lxd_credentials: client-key: missing");
    give_secret(fixture, cJSON_CreateArray());
    assert_fails(fixture, ERROR_INPUT,
                 "lxd_credentials: secret-get answers JSON of an unexpected type");
    fixture->fake.dead = true;
    assert_fails(fixture, ERROR_HOOK, "secret-get cannot be run");
}

/* What is no secret may stand in the options. */
static void test_secret_and_options_share_the_values(void **state)
{
    struct fixture *fixture = *state;
    cJSON *content = secret_values();

    set_option(&fixture->options.parts[CREDENTIAL_ENDPOINT], "option");
    give_secret(fixture, content);
    assert_source(fixture, "lxd_credentials", "secret");
    content = attributes();
    drop(content, "server-cert");
    give_secret(fixture, content);
    fixture->options.parts[CREDENTIAL_SERVER] = x509_file("ca.crt");
    assert_source(fixture, "lxd_credentials", "option");
    set_option(&fixture->options.parts[CREDENTIAL_SERVER], "junk");
    assert_int_equal(read_sources(fixture), -1);
    assert_ptr_equal(strstr(fixture->error.text, "lxd_credentials: lxd_server_cert: "),
                     fixture->error.text);
}

static void test_token_in_the_secret(void **state)
{
    struct fixture *fixture = *state;
    cJSON *content = cJSON_CreateObject();
    char *token = trust_token();

    cJSON_AddStringToObject(content, "trust-token", token);
    give_secret(fixture, content);
    assert_source(fixture, "lxd_credentials", "token");
    assert_non_null(fixture->enrolment);
    content = secret_values();
    cJSON_AddStringToObject(content, "trust-token", token);
    give_secret(fixture, content);
    assert_source(fixture, "lxd_credentials", "secret");
    assert_null(fixture->enrolment);
    free(token);
}

/* ---- credential-get ---- */

static void test_cloud_of_no_use(void **state)
{
    struct fixture *fixture = *state;
    cJSON *attrs = attributes();

    give_options(fixture); /* in vain */
    drop(attrs, "server-cert");
    give_cloud(fixture, "lxd", "certificate", attrs);
    assert_fails(fixture, ERROR_INPUT, "credential-get: server-cert: missing");
    give_cloud(fixture, "lxd", "interactive", attributes());
    assert_fails(fixture, ERROR_INPUT,
                 "credential-get: the cloud's credential is of type \"interactive\", LXD needs "
                 "\"certificate\"");
    fixture->answers[1] = (struct fake_answer){GET_CLOUD, 0, "{\"type\":\"lxd\"}", NULL};
    assert_fails(fixture, ERROR_INPUT,
                 "credential-get: the cloud's credential is of type \"\", LXD needs "
                 "\"certificate\"");
}

/* It may be an LXD's: until Juju says what it is, nothing else is tried. */
static void test_cloud_that_is_not_told(void **state)
{
    struct fixture *fixture = *state;

    give_options(fixture);
    fixture->answers[1] =
        (struct fake_answer){GET_CLOUD, 1, NULL, "ERROR connection is shut down\n"};
    assert_fails(fixture, ERROR_WAITING, "credential-get: connection is shut down");
    fixture->answers[1] = (struct fake_answer){GET_CLOUD, 2, NULL, NULL};
    assert_fails(fixture, ERROR_WAITING, "credential-get: it did not say why");
    fixture->answers[1] = (struct fake_answer){GET_CLOUD, 0, "{", NULL};
    assert_int_equal(read_sources(fixture), -1);
    assert_int_equal(fixture->error.kind, ERROR_WAITING);
    fixture->fake.dead = true;
    assert_fails(fixture, ERROR_HOOK, "credential-get cannot be run");
}

static void test_other_clouds_do_not_count(void **state)
{
    struct fixture *fixture = *state;

    give_cloud(fixture, "aws", "access-key", cJSON_CreateObject());
    give_options(fixture);
    assert_source(fixture, "config", "options");
}

/* ---- lxd_trust_token ---- */

static void test_roles(void **state)
{
    struct fixture *fixture = *state;

    fixture->options.trust_token = trust_token();
    fixture->self.may_enrol = false;
    assert_fails(fixture, ERROR_WAITING, "lxd_trust_token: the next hook enrols");
    fixture->self.may_enrol = true;
    fixture->leadership.answer = LEADERSHIP_NOT_HELD;
    assert_fails(fixture, ERROR_WAITING, "lxd_trust_token: the leader is to enrol for all units");
}

/* What was enrolled serves without an option, and with a remark beside one that is garbage. */
static void test_remark_names_the_source(void **state)
{
    struct fixture *fixture = *state;
    cJSON *content = secret_values();

    cJSON_AddStringToObject(content, "token",
                            "57bb0ff4340b5bb28517e062023101adf788c37846dc8b619eb2c3cb4ef29436");
    char *text = json_print(content);
    fixture->answers[2] = (struct fake_answer){GET_OWN, 0, text, NULL};
    assert_source(fixture, "lxd_trust_token", "secret");
    assert_null(fixture->credentials.remark);
    set_option(&fixture->options.trust_token, "garbage");
    assert_source(fixture, "lxd_trust_token", "secret");
    assert_string_equal(fixture->credentials.remark,
                        "lxd_trust_token: not a trust token: set what \"lxc config trust add "
                        "--name juju-9f1c1ab0-integrator\" prints; what was enrolled before "
                        "serves on");
    cJSON_Delete(content);
    free(text);
}

/* ---- what mends an untrusted certificate ---- */

static void assert_remedy(struct fixture *fixture, enum lxd_software software, int64_t now,
                          const char *sentence)
{
    char *remedy = sources_remedy(&fixture->credentials, &fixture->event, software, now);

    assert_string_equal(remedy, sentence);
    free(remedy);
}

static void test_remedies(void **state)
{
    struct fixture *fixture = *state;
    char date[CERTIFICATE_DATE_SIZE];

    give_cloud(fixture, "lxd", "certificate", attributes());
    assert_source(fixture, "credential-get", "cloud");
    int64_t end = fixture->credentials.certificate.not_after;
    certificate_date(date, end);
    assert_remedy(fixture, LXD_LXD, end, "run \"lxc config trust add FILE\"");
    assert_remedy(fixture, LXD_INCUS, end, "run \"incus config trust add-certificate FILE\"");
    char *sentence = mem_printf("it expired on %s, renew it in credential-get", date);
    assert_remedy(fixture, LXD_LXD, end + 1, sentence);
    free(sentence);
    fixture->credentials.source = "lxd_trust_token";
    fixture->credentials.enrolled = true;
    assert_remedy(fixture, LXD_LXD, end,
                  "set lxd_trust_token to what \"lxc config trust add --name "
                  "juju-9f1c1ab0-integrator\" prints");
    assert_remedy(fixture, LXD_INCUS, end,
                  "set lxd_trust_token to what \"incus config trust add "
                  "juju-9f1c1ab0-integrator\" prints");
    fixture->credentials.source = "lxd_credentials";
    assert_remedy(fixture, LXD_LXD, end,
                  "set its trust-token to what \"lxc config trust add --name "
                  "juju-9f1c1ab0-integrator\" prints");
    fixture->credentials.token = LXD_TOKEN_IDENTITY;
    assert_remedy(fixture, LXD_LXD, end,
                  "set its trust-token to what \"lxc auth identity create "
                  "tls/juju-9f1c1ab0-integrator --group GROUP\" prints");
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_order),
        test(test_nothing),
        test(test_partial_options),
        test(test_unusable_option_is_named),
        test(test_secret_that_juju_refuses),
        test(test_uris),
        test(test_secret_s_content),
        test(test_secret_and_options_share_the_values),
        test(test_token_in_the_secret),
        test(test_cloud_of_no_use),
        test(test_cloud_that_is_not_told),
        test(test_other_clouds_do_not_count),
        test(test_roles),
        test(test_remark_names_the_source),
        test(test_remedies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
