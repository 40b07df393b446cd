/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/json.h"
#include "charm/credentials.h"
#include "fake_juju.h"
#include "x509_files.h"

static char integrator[] = "integrator";

#define ENDPOINT "10.0.0.1"
#define ALL_OPTIONS "lxd_endpoint, lxd_client_cert, lxd_client_key, lxd_server_cert"

static void add_file(cJSON *object, const char *name, const char *file)
{
    char *text = x509_file(file);

    cJSON_AddStringToObject(object, name, text);
    free(text);
}

/* A credential or config with the key and certificate of that name; change what a test is about. */
static cJSON *attributes(const char *name)
{
    cJSON *object = cJSON_CreateObject();
    char *certificate = mem_printf("%s.crt", name), *key = mem_printf("%s.key", name);

    add_file(object, "client-cert", certificate);
    add_file(object, "client-key", key);
    add_file(object, "server-cert", "leaf.crt");
    free(certificate);
    free(key);
    return object;
}

static cJSON *cloud_of(const char *type, cJSON *attrs)
{
    cJSON *cloud = cJSON_CreateObject();
    cJSON *credential = cJSON_AddObjectToObject(cloud, "credential");

    cJSON_AddStringToObject(cloud, "type", type);
    cJSON_AddStringToObject(cloud, "endpoint", ENDPOINT);
    cJSON_AddStringToObject(credential, "auth-type", "certificate");
    cJSON_AddItemToObject(credential, "attrs", attrs);
    return cloud;
}

static cJSON *config(void)
{
    cJSON *options = cJSON_CreateObject();

    cJSON_AddStringToObject(options, "lxd_endpoint", "https://10.0.0.2:8444");
    add_file(options, "lxd_client_cert", "ec-p256.crt");
    add_file(options, "lxd_client_key", "ec-p256.key");
    add_file(options, "lxd_server_cert", "ca.crt");
    return options;
}

static void set(cJSON *object, const char *name, const char *value)
{
    cJSON_DeleteItemFromObject(object, name);
    if (value != NULL)
        cJSON_AddStringToObject(object, name, value);
}

static cJSON *attrs_of(cJSON *cloud)
{
    return cJSON_GetObjectItem(cJSON_GetObjectItem(cloud, "credential"), "attrs");
}

/* Both consume their values. */
static void assert_chosen(cJSON *cloud, cJSON *options, const char *source, const char *url)
{
    struct credentials credentials;
    struct error error;

    if (credentials_choose(&credentials, cloud, options, "integrator", &error) != 0)
        fail_msg("%s", error.text);
    assert_string_equal(credentials.source, source);
    assert_string_equal(credentials.endpoints.items[0].url, url);
    assert_int_equal(credentials.server.count, 1);
    credentials_wipe(&credentials);
    cJSON_Delete(cloud);
    cJSON_Delete(options);
}

static void assert_refused(cJSON *cloud, cJSON *options, const char *beginning)
{
    struct credentials credentials;
    struct error error;

    assert_int_equal(credentials_choose(&credentials, cloud, options, "integrator", &error), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
    error.text[strlen(beginning)] = '\0';
    assert_string_equal(error.text, beginning);
    cJSON_Delete(cloud);
    cJSON_Delete(options);
}

static void test_nothing(void **state)
{
    (void)state;
    assert_refused(NULL, cJSON_CreateObject(),
                   "missing credentials: run \"juju trust integrator\", or set " ALL_OPTIONS);
}

static void test_blank_options_are_none(void **state)
{
    cJSON *options = cJSON_Parse("{\"lxd_endpoint\":\"\",\"lxd_client_cert\":\" \\n\","
                                 "\"lxd_client_key\":null,\"lxd_server_cert\":7}");

    (void)state;
    assert_refused(NULL, options,
                   "missing credentials: run \"juju trust integrator\", or set " ALL_OPTIONS);
}

static void test_partial_config(void **state)
{
    cJSON *options = config();

    (void)state;
    set(options, "lxd_client_key", NULL);
    assert_refused(NULL, options, "missing credentials: set lxd_client_key as well");
    options = config();
    set(options, "lxd_client_key", "");
    set(options, "lxd_endpoint", NULL);
    assert_refused(NULL, options, "missing credentials: set lxd_endpoint, lxd_client_key as well");
}

static void test_sources_and_their_order(void **state)
{
    (void)state;
    assert_chosen(cloud_of("lxd", attributes("ec-p384")), cJSON_CreateObject(), "credential-get",
                  "https://10.0.0.1:8443");
    assert_chosen(NULL, config(), "config", "https://10.0.0.2:8444");
    assert_chosen(cloud_of("lxd", attributes("ec-p384")), config(), "credential-get",
                  "https://10.0.0.1:8443");
    assert_chosen(cloud_of("aws", cJSON_CreateObject()), config(), "config",
                  "https://10.0.0.2:8444");
}

static void test_other_cloud(void **state)
{
    cJSON *options = config();

    (void)state;
    assert_refused(
        cloud_of("aws", cJSON_CreateObject()), cJSON_CreateObject(),
        "missing credentials: the cloud is of type \"aws\", not \"lxd\": set " ALL_OPTIONS);
    set(options, "lxd_server_cert", NULL);
    assert_refused(cloud_of("aws", cJSON_CreateObject()), options,
                   "missing credentials: set lxd_server_cert as well");
}

static void test_key_types(void **state)
{
    static const char *const names[] = {"ec-p256", "ec-p384", "ec-p521", "rsa-2048", "rsa-4096"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_chosen(cloud_of("lxd", attributes(names[i])), NULL, "credential-get",
                      "https://10.0.0.1:8443");
    assert_refused(cloud_of("lxd", attributes("ed25519")), NULL,
                   "the cloud's credential: client-key: ");
}

static void test_missing_attributes(void **state)
{
    static const char *const names[] = {"client-cert", "client-key", "server-cert"};
    cJSON *cloud = cloud_of("lxd", attributes("ec-p384"));

    (void)state;
    set(cloud, "endpoint", NULL);
    assert_refused(cloud, NULL, "the cloud's credential: endpoint: missing");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *sentence = mem_printf("the cloud's credential: %s: missing", names[i]);

        cloud = cloud_of("lxd", attributes("ec-p384"));
        set(attrs_of(cloud), names[i], NULL);
        assert_refused(cloud, NULL, sentence);
        free(sentence);
    }
}

static void test_other_authentication(void **state)
{
    cJSON *cloud = cloud_of("lxd", attributes("ec-p384"));

    (void)state;
    set(cJSON_GetObjectItem(cloud, "credential"), "auth-type", "interactive");
    assert_refused(cloud, NULL,
                   "the cloud's credential is of type \"interactive\", LXD needs \"certificate\"");
    cloud = cJSON_Parse("{\"type\":\"lxd\",\"endpoint\":\"h\"}");
    assert_refused(cloud, NULL,
                   "the cloud's credential is of type \"\", LXD needs \"certificate\"");
}

static void test_unusable_parts(void **state)
{
    cJSON *options = config();

    (void)state;
    set(options, "lxd_endpoint", "unix:///var/lib/lxd");
    assert_refused(NULL, options, "lxd_endpoint: ");
    options = config();
    set(options, "lxd_client_cert", "no PEM");
    assert_refused(NULL, options, "lxd_client_cert: ");
    options = config();
    set(options, "lxd_server_cert", "no PEM");
    assert_refused(NULL, options, "lxd_server_cert: ");
}

static void test_key_of_another_certificate(void **state)
{
    cJSON *options = config();
    char *key = x509_file("leaf.key");

    (void)state;
    set(options, "lxd_client_key", key);
    assert_refused(NULL, options, "lxd_client_key: ");
    free(key);
}

/* An error quotes nothing of a key, whatever is wrong with it. */
static void test_keys_are_not_quoted(void **state)
{
    cJSON *options = config();
    char *key = x509_file("ec-p256.key");
    struct credentials credentials;
    struct error error;

    (void)state;
    set(options, "lxd_client_cert", key);
    assert_int_equal(credentials_choose(&credentials, NULL, options, "integrator", &error), -1);
    const char *body = strchr(key, '\n') + 1;
    for (size_t i = 0; i + 8 < strlen(body); i += 8) {
        char piece[9] = {0};

        memcpy(piece, body + i, 8);
        assert_null(strstr(error.text, piece));
    }
    free(key);
    cJSON_Delete(options);
}

#define SECRET "secret:9m4e2mr0ui3e8a215n4g"
#define GET_SECRET "secret-get --refresh --format=json " SECRET

static int read_with_secret(struct credentials *credentials, const struct fake_answer *answer,
                            const char *uri, unsigned long juju_major, struct error *error)
{
    const struct fake_answer answers[] = {*answer, {0}};
    struct fake_juju fake = {.answers = answers};
    struct juju_transport juju = fake_juju_transport(&fake);
    const struct event event = {.application = integrator, .juju_major = juju_major};
    cJSON *options = config();

    set(options, "lxd_credentials", uri);
    int result = credentials_read(credentials, &juju, &event, options, error);
    cJSON_Delete(options);
    fake_juju_free(&fake);
    return result;
}

static void assert_secret_refused(const struct fake_answer *answer, const char *uri,
                                  unsigned long juju_major, const char *sentence)
{
    struct credentials credentials;
    struct error error;

    assert_int_equal(read_with_secret(&credentials, answer, uri, juju_major, &error), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
    assert_string_equal(error.text, sentence);
}

static void test_secret_comes_first(void **state)
{
    cJSON *content = attributes("ec-p384");
    struct certificate certificate = x509_certificate("ec-p384.crt");
    struct credentials credentials;
    struct error error;

    (void)state;
    set(content, "endpoint", ENDPOINT);
    char *text = json_print(content);
    const struct fake_answer answer = {GET_SECRET, 0, text, NULL};
    assert_int_equal(read_with_secret(&credentials, &answer, SECRET, 3, &error), 0);
    assert_string_equal(credentials.source, "secret");
    assert_string_equal(credentials.endpoints.items[0].host, ENDPOINT);
    assert_string_equal(credentials.certificate.fingerprint, certificate.fingerprint);
    credentials_wipe(&credentials);
    certificate_free(&certificate);
    free(text);
    cJSON_Delete(content);
}

static void test_secret_of_no_use(void **state)
{
    const struct fake_answer denied = {GET_SECRET, 1, NULL, "ERROR permission denied\n"},
                             absent = {GET_SECRET, 1, NULL, "ERROR secret \"x\" not found\n"},
                             empty = {GET_SECRET, 0, "{}", NULL},
                             failed = {GET_SECRET, 1, NULL, "ERROR connection lost\n"};
    struct credentials credentials;
    struct error error;

    (void)state;
    assert_secret_refused(&denied, SECRET, 4,
                          "lxd_credentials: the secret is not granted: run \"juju grant-secret "
                          "9m4e2mr0ui3e8a215n4g integrator\"");
    assert_secret_refused(&absent, SECRET, 4,
                          "lxd_credentials: secret-get failed with exit status 1: "
                          "secret \"x\" not found");
    assert_secret_refused(&empty, SECRET, 4, "lxd_credentials: endpoint: missing");
    assert_secret_refused(&empty, "-----BEGIN", 4,
                          "lxd_credentials: not a secret's URI (secret:...)");
    assert_secret_refused(&empty, SECRET, 2,
                          "lxd_credentials: this Juju has no secrets, Juju 3.3 and later do");
    assert_int_equal(read_with_secret(&credentials, &failed, SECRET, 4, &error), -1);
    assert_int_equal(error.kind, ERROR_HOOK);
}

static void test_from_hook_commands(void **state)
{
    cJSON *cloud = cloud_of("lxd", attributes("ec-p384"));
    char *text = json_print(cloud);
    const struct fake_answer answers[] = {{"credential-get --format=json", 0, text, NULL}, {0}};
    struct fake_juju fake = {.answers = answers};
    struct juju_transport juju = fake_juju_transport(&fake);
    struct certificate certificate = x509_certificate("ec-p384.crt");
    const struct event event = {.application = integrator};
    struct credentials credentials;
    struct error error;

    (void)state;
    assert_int_equal(credentials_read(&credentials, &juju, &event, NULL, &error), 0);
    assert_string_equal(credentials.endpoints.items[0].host, ENDPOINT);
    assert_string_equal(credentials.certificate.fingerprint, certificate.fingerprint);
    certificate_free(&certificate);
    credentials_wipe(&credentials);
    fake_juju_free(&fake);
    fake.dead = true;
    assert_int_equal(credentials_read(&credentials, &juju, &event, NULL, &error), -1);
    assert_int_equal(error.kind, ERROR_HOOK);
    free(text);
    cJSON_Delete(cloud);
}

/* The token's turn comes where nothing else is complete: here the unit is not the one to use it. */
static void test_token_comes_last(void **state)
{
    static char folder[] = "/nonexistent";
    const struct event event = {.application = integrator, .charm_folder = folder, .juju_major = 2};
    cJSON *cloud = cloud_of("lxd", attributes("ec-p384")), *options = config();
    char *text = json_print(cloud);
    struct fake_answer answers[] = {{"credential-get --format=json", 0, text, NULL},
                                    {"is-leader --format=json", 0, "false", NULL},
                                    {0}};
    struct fake_juju fake = {.answers = answers};
    struct juju_transport juju = fake_juju_transport(&fake);
    struct credentials credentials;
    struct error error;

    (void)state;
    set(options, "lxd_trust_token", "dG9rZW4=");
    assert_int_equal(credentials_read(&credentials, &juju, &event, options, &error), 0);
    assert_string_equal(credentials.source, "credential-get");
    credentials_wipe(&credentials);

    answers[0] =
        (struct fake_answer){"credential-get --format=json", 1, NULL, "ERROR permission denied\n"};
    assert_int_equal(credentials_read(&credentials, &juju, &event, options, &error), 0);
    assert_string_equal(credentials.source, "config");
    credentials_wipe(&credentials);

    set(options, "lxd_client_key", NULL);
    assert_int_equal(credentials_read(&credentials, &juju, &event, options, &error), -1);
    assert_non_null(strstr(error.text, "lxd_trust_token: a token is good for one unit"));
    set(options, "lxd_trust_token", " ");
    assert_int_equal(credentials_read(&credentials, &juju, &event, options, &error), -1);
    assert_string_equal(error.text, "missing credentials: set lxd_client_key as well");
    fake_juju_free(&fake);
    cJSON_Delete(options);
    cJSON_Delete(cloud);
    free(text);
}

static void test_wiped(void **state)
{
    cJSON *options = config();
    struct credentials credentials, zero;
    struct error error;

    (void)state;
    memset(&zero, 0, sizeof zero);
    assert_int_equal(credentials_choose(&credentials, NULL, options, "integrator", &error), 0);
    credentials_wipe(&credentials);
    assert_memory_equal(&credentials, &zero, sizeof zero);
    credentials_wipe(&credentials);
    cJSON_Delete(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_blank_options_are_none),
        cmocka_unit_test(test_partial_config),
        cmocka_unit_test(test_sources_and_their_order),
        cmocka_unit_test(test_other_cloud),
        cmocka_unit_test(test_key_types),
        cmocka_unit_test(test_missing_attributes),
        cmocka_unit_test(test_other_authentication),
        cmocka_unit_test(test_unusable_parts),
        cmocka_unit_test(test_key_of_another_certificate),
        cmocka_unit_test(test_keys_are_not_quoted),
        cmocka_unit_test(test_secret_comes_first),
        cmocka_unit_test(test_secret_of_no_use),
        cmocka_unit_test(test_from_hook_commands),
        cmocka_unit_test(test_token_comes_last),
        cmocka_unit_test(test_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
