/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "lxd/token.h"

#define PIN "57bb0ff4340b5bb28517e062023101adf788c37846dc8b619eb2c3cb4ef29436"

static char *base64_of(const char *json)
{
    return base64_encode((const uint8_t *)json, strlen(json));
}

/* A token with these addresses (JSON), and more members behind. */
static char *token_with(const char *addresses, const char *more)
{
    char *json = mem_printf("{\"client_name\":\"juju\",\"fingerprint\":\"" PIN
                            "\",\"addresses\":%s,\"secret\":\"5ec2e7\"%s}",
                            addresses, more);
    char *text = base64_of(json);

    free(json);
    return text;
}

static void assert_refused(const char *text, const char *sentence)
{
    struct token token, zero;
    struct error error;

    memset(&zero, 0, sizeof zero);
    assert_int_equal(token_parse(&token, text, &error), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
    assert_string_equal(error.text, sentence);
    assert_memory_equal(&token, &zero, sizeof zero);
}

/* As LXD 5.0.2 printed one: heading and token. */
static void test_as_lxd_prints_it(void **state)
{
    static const char proper[] =
        "eyJjbGllbnRfbmFtZSI6Imp1anUiLCJmaW5nZXJwcmludCI6IjhmYTY5ZWMzMzdhZGNlNzAzNTcwMjgyNjY3ZTg2"
        "Zjk1MGJlODI0MGFiODYzZDBhMWNiZTA4YjI5ZDZjMWFlZmUiLCJhZGRyZXNzZXMiOlsiMTI3LjAuMC4xOjQ2Mzc3"
        "Il0sInNlY3JldCI6ImVmM2ZjOTE4ZDQ2NzdiNGI3YzM3YTk1MGQ1NDIyM2YyZDZkY2FiOTE1ZWY0MWFmMDNiMWIy"
        "Njc2MmM3NGIwOTEiLCJleHBpcmVzX2F0IjoiMDAwMS0wMS0wMVQwMDowMDowMFoifQ==";
    static const char *const forms[] = {
        "%s",
        " %s\n",
        "%s\r\n",
        "Client juju certificate add token:\n%s\n",
        "Client juju certificate add token:\r\n%s\r\n",
        "\xef\xbc\x9atoken\xef\xbc\x9a\n%s",
        "TLS identity \"juju\" (0190-aa) pending identity token:\n%s\n"};
    char digest[65] = "";

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct buffer text = {0};
        struct token token;
        struct error error;
        const char *place = strstr(forms[i], "%s");

        buffer_append(&text, forms[i], (size_t)(place - forms[i]));
        buffer_append_string(&text, proper);
        buffer_append_string(&text, place + 2);
        if (token_parse(&token, text.data, &error) != 0)
            fail_msg("form %zu: %s", i, error.text);
        assert_string_equal(token.base64, proper);
        assert_string_equal(token.name, "juju");
        assert_int_equal(token.kind, LXD_TOKEN_CERTIFICATE);
        assert_string_equal(token.fingerprint,
                            "8fa69ec337adce703570282667e86f950be8240ab863d0a1cbe08b29d6c1aefe");
        assert_int_equal(token.addresses.count, 1);
        assert_string_equal(token.addresses.items[0].url, "https://127.0.0.1:46377");
        assert_int_equal(token.expires, 0);
        if (i == 0)
            memcpy(digest, token.digest, sizeof digest);
        assert_string_equal(token.digest, digest);
        token_wipe(&token);
        buffer_free(&text);
    }
    /* sha256sum says so. */
    assert_string_equal(digest, "dd33cd82b138b61691039a2a0876fe8bc97c220bea09a5654c7421d965a93119");
}

/* Folded into lines, as an editor may have it. */
static void test_folded(void **state)
{
    char *text = token_with("[\"h\"]", "");
    struct buffer folded = {0};
    struct token token;
    struct error error;

    (void)state;
    for (size_t i = 0; text[i] != '\0'; i++)
        buffer_printf(&folded, "%s%c", i % 40 == 0 ? "\n  " : "", text[i]);
    assert_int_equal(token_parse(&token, folded.data, &error), 0);
    assert_string_equal(token.base64, text);
    token_wipe(&token);
    buffer_free(&folded);
    free(text);
}

static void test_malformed(void **state)
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
        "{\"client_name\":\"j\",\"fingerprint\":\"" PIN "\",\"addresses\":[\"h\"]}",
        "{\"client_name\":\"j\",\"fingerprint\":\"" PIN
        "\",\"addresses\":[\"h\"],\"secret\":\"\"}"};
    char *text = token_with("[\"h\"]", ""), *long_text = mem_alloc(200000);

    (void)state;
    assert_refused("", "not a trust token");
    assert_refused("juju", "not a trust token");
    assert_refused(":", "not a trust token");
    assert_refused("=", "not a trust token");
    assert_refused("-----BEGIN EC PRIVATE KEY-----", "not a trust token");
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        char *each = base64_of(contents[i]);

        assert_refused(each, "not a trust token");
        free(each);
    }
    while (strlen(text) > 1) { /* cut anywhere it is none */
        text[strlen(text) - 1] = '\0';
        assert_refused(text, "not a trust token");
    }
    memset(long_text, 'A', 199999);
    assert_refused(long_text, "not a trust token");
    free(long_text);
    free(text);
}

static void test_addresses(void **state)
{
    static const char *const none[] = {
        "[]", "null", "\"h\"", "[1]", "[{}]", "[\"unix:///x\",\"a b\",\"\"]", "[\"h:99999\"]"};
    char *text =
        token_with("[1,\"h:99999\",\"first:1\",\"unix:///x\",\"[::1]:2\",\"first:1\",{}]", "");
    struct buffer many = {0};
    struct token token;
    struct error error;

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        char *each = token_with(none[i], "");

        assert_refused(each, "the token has no usable address");
        free(each);
    }
    assert_int_equal(token_parse(&token, text, &error), 0);
    assert_int_equal(token.addresses.count, 2);
    assert_string_equal(token.addresses.items[0].url, "https://first:1");
    assert_string_equal(token.addresses.items[1].url, "https://[::1]:2");
    token_wipe(&token);
    free(text);

    for (int i = 0; i < 3 * ENDPOINTS_MAX; i++)
        buffer_printf(&many, "%c\"h%d\"", i == 0 ? '[' : ',', i);
    buffer_append_string(&many, "]");
    text = token_with(many.data, "");
    assert_int_equal(token_parse(&token, text, &error), 0);
    assert_int_equal(token.addresses.count, ENDPOINTS_MAX);
    assert_string_equal(token.addresses.items[ENDPOINTS_MAX - 1].host, "h63");
    token_wipe(&token);
    buffer_free(&many);
    free(text);
}

static void test_kinds_and_dates(void **state)
{
    static const struct {
        const char *more;
        enum lxd_token kind;
        int64_t expires; /* as date -d says */
    } cases[] = {
        {"", LXD_TOKEN_CERTIFICATE, 0},
        {",\"type\":\"\"", LXD_TOKEN_CERTIFICATE, 0},
        {",\"type\":\"Client certificate\"", LXD_TOKEN_IDENTITY, 0},
        {",\"expires_at\":\"0001-01-01T00:00:00Z\"", LXD_TOKEN_CERTIFICATE, 0},
        {",\"expires_at\":\"2021-03-23T17:38:37Z\"", LXD_TOKEN_CERTIFICATE, 1616521117},
        {",\"expires_at\":\"2021-03-23T17:38:37.753398689-04:00\"", LXD_TOKEN_CERTIFICATE,
         1616535517},
        {",\"expires_at\":\"2021-03-23T17:38:37.753398689+05:30\"", LXD_TOKEN_CERTIFICATE,
         1616501317},
        {",\"expires_at\":\"tomorrow\"", LXD_TOKEN_CERTIFICATE, 0},
        {",\"expires_at\":7", LXD_TOKEN_CERTIFICATE, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = token_with("[\"h\"]", cases[i].more);
        struct token token;
        struct error error;

        assert_int_equal(token_parse(&token, text, &error), 0);
        assert_int_equal(token.kind, cases[i].kind);
        assert_int_equal(token.expires, cases[i].expires);
        token_wipe(&token);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_lxd_prints_it), cmocka_unit_test(test_folded),
        cmocka_unit_test(test_malformed),        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_kinds_and_dates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
