/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lxd/proxy.h"

static void assert_proxy(const char *text, const char *host, uint16_t port,
                         const char *authorization)
{
    struct proxy proxy;
    struct error error;

    if (proxy_parse(&proxy, text, &error) != 0)
        fail_msg("%s: %s", text, error.text);
    assert_string_equal(proxy.host, host);
    assert_int_equal(proxy.port, port);
    if (authorization == NULL)
        assert_null(proxy.authorization);
    else
        assert_string_equal(proxy.authorization, authorization);
    proxy_wipe(&proxy);
    assert_null(proxy.authorization);
}

static void test_forms(void **state)
{
    (void)state;
    assert_proxy("http://squid.lan:3128", "squid.lan", 3128, NULL);
    assert_proxy("squid.lan:3128", "squid.lan", 3128, NULL);
    assert_proxy(" HTTP://10.0.0.9:8080/\n", "10.0.0.9", 8080, NULL);
    assert_proxy("http://squid.lan", "squid.lan", 80, NULL);
    assert_proxy("http://[fd00::9]:3128/", "fd00::9", 3128, NULL);
    assert_proxy("[fd00::9]", "fd00::9", 80, NULL);
    assert_proxy("http://user:password@squid:3128", "squid", 3128, "dXNlcjpwYXNzd29yZA==");
    assert_proxy("user:p%40ss%3a%2fword%@squid:3128", "squid", 3128, "dXNlcjpwQHNzOi93b3JkJQ==");
    assert_proxy("http://user@squid:3128", "squid", 3128, "dXNlcjo=");
    assert_proxy("user:a://b@squid", "squid", 80, "dXNlcjphOi8vYg==");
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "http://",        "http://:3128", "http://squid:0", "squid:65536",       "squid:x",
        "squid:",         "squid:+1",     "squid/path",     "http://hush:hush@", "a b:3128",
        "http://[::1:80", "fd00::9",      "fd00::9:3128",   "[::1]hush:3128",    "a:hush://squid"};
    struct proxy proxy;
    struct error error;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (proxy_parse(&proxy, bad[i], &error) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(error.kind, ERROR_INPUT);
        assert_string_equal(error.text, "juju-https-proxy: it is not of the form http://host:port");
        assert_null(proxy.authorization);
    }
    assert_int_equal(proxy_parse(&proxy, "socks5://user:hush@squid:1080", &error), -1);
    assert_string_equal(error.text, "juju-https-proxy: a proxy of kind socks5:// is not supported, "
                                    "only http://");
    assert_int_equal(proxy_parse(&proxy, "http://sq\xc3\xbcid:3128", &error), -1);
    assert_string_equal(error.text, "juju-https-proxy: a name with letters outside ASCII: write it "
                                    "as xn--..., as DNS has it");
}

static void assert_exception(const char *list, const char *text, bool expected)
{
    struct endpoint endpoint;
    struct error error;

    assert_int_equal(endpoint_parse(&endpoint, text, &error), 0);
    if (proxy_excepts(list, &endpoint) != expected)
        fail_msg("%s, %s", list, text);
}

static void test_exceptions(void **state)
{
    (void)state;
    assert_exception("", "lxd.lan", false);
    assert_exception("*", "lxd.lan", true);
    assert_exception("other,LXD.lan", "lxd.LAN", true);
    assert_exception("lan", "lxd.lan", false);
    assert_exception("xd.lan", "lxd.lan", false);
    assert_exception(".lan", "lxd.lan", true);
    assert_exception("*.lan", "lxd.lan.", true);
    assert_exception(".lan", "lan", false);
    assert_exception(".lxd.lan", "lxd.lan", false);
    assert_exception("a, lxd.lan b", "lxd.lan", true);
    assert_exception("lxd.lan:8443", "lxd.lan", true);
    assert_exception("lxd.lan:443", "lxd.lan", false);

    assert_exception("10.0.0.1", "10.0.0.1", true);
    assert_exception("10.0.0.1", "10.0.0.10", false);
    assert_exception("10.0.0.0/8", "10.200.0.1", true);
    assert_exception("10.0.0.0/8", "11.0.0.1", false);
    assert_exception("10.0.0.64/26", "10.0.0.127", true);
    assert_exception("10.0.0.64/26", "10.0.0.128", false);
    assert_exception("0.0.0.0/0", "10.0.0.1", true);
    assert_exception("0.0.0.0/0", "[::1]", false);
    assert_exception("10.0.0.1/32", "10.0.0.1", true);
    assert_exception("10.0.0.0/33,10.0.0.0/,10.0.0.0/x", "10.0.0.0", false);
    assert_exception("10.0.0.0/8", "10.lan", false);
    assert_exception("fd00::/8", "[fd42::1]", true);
    assert_exception("fd00::/8", "[fe42::1]", false);
    assert_exception("fd42:0::1", "[fd42::1]", true);
    assert_exception("[fd42::1]", "[fd42::1]", true);
    assert_exception("[fd42::1]:8443", "[fd42::1]", true);
    assert_exception("[fd42::1]:443", "[fd42::1]", false);
    assert_exception("[fd00::]/8", "[fd42::1]", true);
    assert_exception("[fd00::]/16", "[fd42::1]", false);
    assert_exception("*:8443", "lxd.lan", true);
    assert_exception("*:443", "lxd.lan", false);
    assert_exception("lxd.lan.", "lxd.lan", true);
    assert_exception(".lan.", "lxd.lan", true);
    assert_exception(".", "lxd.lan", false);
}

static void test_request(void **state)
{
    struct buffer request = {0};
    struct endpoint endpoint;
    struct proxy proxy;
    struct error error;

    (void)state;
    assert_int_equal(endpoint_parse(&endpoint, "[fd42::1]", &error), 0);
    assert_int_equal(proxy_parse(&proxy, "user:password@squid:3128", &error), 0);
    proxy_request(&request, &proxy, &endpoint);
    assert_string_equal(request.data, "CONNECT [fd42::1]:8443 HTTP/1.1\r\nHost: [fd42::1]:8443\r\n"
                                      "User-Agent: lxd-integrator\r\n"
                                      "Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n\r\n");
    buffer_wipe(&request);
    proxy_wipe(&proxy);
}

/* However many bytes have come. */
static void assert_status(const char *text, int expected)
{
    for (size_t length = 0; length <= strlen(text); length++) {
        struct buffer answer = {0};

        buffer_append(&answer, text, length);
        int status = proxy_status(&answer);
        buffer_free(&answer);
        if (length == strlen(text))
            assert_int_equal(status, expected);
        else if (status < 0 && expected < 0)
            return;
        else
            assert_int_equal(status, 0);
    }
}

static void test_status(void **state)
{
    struct buffer answer = {0};

    (void)state;
    assert_status("HTTP/1.1 200 Connection established\r\n\r\n", 200);
    assert_status("HTTP/1.0 200\r\nVia: x\r\n\r\n", 200);
    assert_status("HTTP/1.1 403 Forbidden\r\nContent-Length: 1\r\n\r\n", 403);
    assert_status("HTTP/2 200 OK\r\n\r\n", -1);
    assert_status("SSH-2.0\r\n", -1);
    assert_status("HTTP/1.1\r\n\r\n", -1);
    assert_status("HTTP/1.1 2x0\r\n\r\n", -1);
    assert_status("HTTP/1.1 2000 OK\r\n\r\n", -1);
    assert_status("HTTP/1.1 200\tOK\r\n\r\n", -1);
    assert_status("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 200);
    assert_status("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 403 No\r\n\r\n", 403);

    buffer_append_string(&answer, "HTTP/1.1 403 Forbidden\r\n\r\n<html>");
    assert_int_equal(proxy_status(&answer), 403);
    buffer_clear(&answer);
    buffer_append_string(&answer, "HTTP/1.1 200 OK\r\n\r\nx"); /* a TLS server speaks second */
    assert_int_equal(proxy_status(&answer), -1);
    buffer_clear(&answer);
    buffer_append_string(&answer, "HTTP/1.1 200 OK\r\n");
    while (answer.length < PROXY_MAX_ANSWER)
        buffer_append(&answer, "x", 1);
    assert_int_equal(proxy_status(&answer), -1);
    buffer_free(&answer);
}

static void test_settings(void **state)
{
    struct proxy_settings settings = {0};

    (void)state;
    proxy_settings_read(&settings, NULL, NULL);
    assert_false(settings.in_use);
    proxy_settings_read(&settings, " ", "x");
    assert_false(settings.in_use);
    proxy_settings_read(&settings, "socks4://x", NULL);
    assert_true(settings.in_use);
    assert_int_equal(settings.error.kind, ERROR_INPUT);
    proxy_settings_read(&settings, "a:hush@squid:1", "x");
    assert_int_equal(settings.error.kind, 0);
    assert_string_equal(settings.exceptions, "x");
    proxy_settings_wipe(&settings);
    assert_false(settings.in_use);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_exceptions), cmocka_unit_test(test_request),
        cmocka_unit_test(test_status),     cmocka_unit_test(test_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
