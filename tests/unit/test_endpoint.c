/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "lxd/endpoint.h"

static void assert_parses(const char *text, const char *host, uint16_t port, const char *url)
{
    struct endpoint endpoint;
    struct error error;

    if (endpoint_parse(&endpoint, text, &error) != 0)
        fail_msg("\"%s\": %s", text, error.text);
    assert_string_equal(endpoint.host, host);
    assert_int_equal(endpoint.port, port);
    assert_string_equal(endpoint.url, url);
}

static void assert_refused(const char *text, const char *sentence)
{
    struct endpoint endpoint;
    struct error error;

    if (endpoint_parse(&endpoint, text, &error) == 0)
        fail_msg("\"%s\" was accepted as %s", text, endpoint.url);
    assert_int_equal(error.kind, ERROR_INPUT);
    assert_string_equal(error.text, sentence);
}

static void test_forms(void **state)
{
    (void)state;
    assert_parses("https://10.0.0.1:8443", "10.0.0.1", 8443, "https://10.0.0.1:8443");
    assert_parses("https://10.0.0.1", "10.0.0.1", 8443, "https://10.0.0.1:8443");
    assert_parses("10.0.0.1:443", "10.0.0.1", 443, "https://10.0.0.1:443");
    assert_parses("lxd.example", "lxd.example", 8443, "https://lxd.example:8443");
    assert_parses("http://lxd.example:1", "lxd.example", 1, "https://lxd.example:1");
    assert_parses("HTTPS://Lxd_1.example/", "Lxd_1.example", 8443, "https://Lxd_1.example:8443");
    assert_parses("lxd.example:65535/", "lxd.example", 65535, "https://lxd.example:65535");
    assert_parses(" https://h:8443\r\n", "h", 8443, "https://h:8443");
    assert_parses("[fd42::1]", "fd42::1", 8443, "https://[fd42::1]:8443");
    assert_parses("[fd42::1]:9443", "fd42::1", 9443, "https://[fd42::1]:9443");
    assert_parses("https://[::ffff:10.0.0.1]:9443/", "::ffff:10.0.0.1", 9443,
                  "https://[::ffff:10.0.0.1]:9443");
    assert_parses("10.example", "10.example", 8443, "https://10.example:8443");
}

static void test_schemes(void **state)
{
    (void)state;
    assert_refused("unix:///x", "endpoint \"unix:///x\": scheme unix is not supported: "
                                "use https://host:port");
    assert_refused("ftp://h", "endpoint \"ftp://h\": scheme ftp is not supported: "
                              "use https://host:port");
    assert_refused("httpss://h", "endpoint \"httpss://h\": scheme httpss is not supported: "
                                 "use https://host:port");
}

static void test_hosts(void **state)
{
    (void)state;
    assert_refused("", "endpoint \"\": it names no host: use https://host:port");
    assert_refused("https://", "endpoint \"https://\": it names no host: use https://host:port");
    assert_refused(":8443", "endpoint \":8443\": it names no host: use https://host:port");
    assert_refused("a..b", "endpoint \"a..b\": \"a..b\" is no host name");
    assert_refused(".", "endpoint \".\": \".\" is no host name");
    assert_refused("h..", "endpoint \"h..\": \"h.\" is no host name");
    assert_refused("::1", "endpoint \"::1\": an IPv6 address must stand in brackets");
    assert_refused("[::1", "endpoint \"[::1\": the bracket is not closed");
    assert_refused("[]", "endpoint \"[]\": it names no host: use https://host:port");
    assert_refused("[h]", "endpoint \"[h]\": there is no IPv6 address between the brackets");
    assert_refused("[::1]8443", "endpoint \"[::1]8443\": only a port may follow the brackets");
    assert_refused("[fe80::1%eth0]:8443", "endpoint \"[fe80::1%eth0]:8443\": an address with a "
                                          "zone means nothing to other machines");
    assert_refused("[fe80::1]:8443", "endpoint \"[fe80::1]:8443\": a link-local address means "
                                     "nothing without its link: use another one");
}

/* Some programs take these for addresses, others look them up. */
static void test_almost_addresses(void **state)
{
    static const char *const bad[] = {"10.1",       "127.1", "1.2.3.256", "1.2.3.4.5", "2130706433",
                                      "0x7f000001", "0X7F",  "127.0x1",   "1.2.3",     "h.0"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *sentence = mem_printf("endpoint \"%s\": \"%s\" is no host name, and an address is "
                                    "written like 10.0.0.1",
                                    bad[i], bad[i]);
        assert_refused(bad[i], sentence);
        free(sentence);
    }
    assert_refused("10.0.0.1.", "endpoint \"10.0.0.1.\": \"10.0.0.1\" is no host name, and an "
                                "address is written like 10.0.0.1");
    assert_parses("0xy", "0xy", 8443, "https://0xy:8443");
    assert_parses("0x7f.example", "0x7f.example", 8443, "https://0x7f.example:8443");
}

static void test_letters_outside_ascii(void **state)
{
    (void)state;
    assert_refused("https://l\xc3\xbc.lan", "endpoint \"https://l??.lan\": a name with letters "
                                            "outside ASCII: write it as xn--..., as DNS has it");
    assert_parses("xn--l-4ga.lan", "xn--l-4ga.lan", 8443, "https://xn--l-4ga.lan:8443");
}

/* The dot says that the name is complete; it is no part of it. */
static void test_final_dot(void **state)
{
    char name[ENDPOINT_DIAL_NAME_SIZE];
    struct endpoint with, without;
    struct error error;

    (void)state;
    assert_parses("https://lxd.example.:443/", "lxd.example", 443, "https://lxd.example:443");
    assert_int_equal(endpoint_parse(&with, "lxd.example.", &error), 0);
    assert_int_equal(endpoint_parse(&without, "lxd.example", &error), 0);
    assert_true(with.complete && !without.complete);
    assert_true(endpoint_equal(&with, &without));
    endpoint_dial_name(&with, name);
    assert_string_equal(name, "lxd.example.");
    endpoint_dial_name(&without, name);
    assert_string_equal(name, "lxd.example");
}

static void test_ports(void **state)
{
    static const char *const bad[] = {"h:",   "h:0", "h:65536", "h:123456", "h:99999999999", "h:+1",
                                      "h:-1", "h:x", "h:1x",    "[::1]:0",  "[::1]:"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *sentence =
            mem_printf("endpoint \"%s\": the port must be a number from 1 to 65535", bad[i]);
        assert_refused(bad[i], sentence);
        free(sentence);
    }
    assert_parses("h:00443", "h", 443, "https://h:443");
}

static void test_more_than_host_and_port(void **state)
{
    static const char *const bad[] = {"https://h/1.0", "h//",     "h/?x", "h?x",
                                      "h#x",           "unix:/x", "://h"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *sentence = mem_printf("endpoint \"%s\": a path is not supported: "
                                    "use https://host:port",
                                    bad[i]);
        assert_refused(bad[i], sentence);
        free(sentence);
    }
}

static void test_password_is_not_quoted(void **state)
{
    (void)state;
    assert_refused("https://user:secret@h:8443",
                   "the endpoint has a user before its host: use https://host:port");
}

/* A key in the wrong place has blanks in it, or is long. */
static void test_what_may_be_a_key_is_not_quoted(void **state)
{
    static const char sentence[] = "the endpoint is no address: use https://host:port";
    static const char *const blanks[] = {
        "a b",           "h: 1",        "-----BEGIN PRIVATE KEY-----\nabc\n",
        "h:8443 i:8443", "h\xc3\xa9 i", "h\x7f"};
    char text[102];

    (void)state;
    for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++)
        assert_refused(blanks[i], sentence);
    memset(text, '/', sizeof text);
    text[101] = '\0';
    assert_refused(text, sentence);
    text[100] = '\0';
    char *quoting =
        mem_printf("endpoint \"%s\": a path is not supported: use https://host:port", text);
    assert_refused(text, quoting);
    free(quoting);
}

static void test_longest_host(void **state)
{
    char text[256];
    struct endpoint endpoint;
    struct error error;

    (void)state;
    memset(text, 'a', sizeof text);
    for (size_t i = 63; i < sizeof text; i += 64)
        text[i] = '.';
    text[253] = '\0';
    assert_int_equal(endpoint_parse(&endpoint, text, &error), 0);
    assert_string_equal(endpoint.host, text);
    assert_string_equal(endpoint.url + strlen(endpoint.url) - 5, ":8443");

    text[253] = '.'; /* which is no part of it */
    text[254] = '\0';
    assert_int_equal(endpoint_parse(&endpoint, text, &error), 0);
    text[253] = 'a';
    assert_int_equal(endpoint_parse(&endpoint, text, &error), -1);
    assert_string_equal(error.text, "the endpoint is no address: use https://host:port");
}

static void test_is_address(void **state)
{
    struct endpoint endpoint;
    struct error error;

    (void)state;
    assert_int_equal(endpoint_parse(&endpoint, "10.0.0.1", &error), 0);
    assert_true(endpoint_is_address(&endpoint));
    assert_int_equal(endpoint_parse(&endpoint, "[::1]", &error), 0);
    assert_true(endpoint_is_address(&endpoint));
    assert_int_equal(endpoint_parse(&endpoint, "10.example", &error), 0);
    assert_false(endpoint_is_address(&endpoint));
}

static void assert_list(const char *text, size_t count, const char *const urls[])
{
    struct endpoints endpoints;
    struct error error;

    if (endpoints_parse(&endpoints, text, &error) != 0)
        fail_msg("\"%s\": %s", text, error.text);
    assert_int_equal(endpoints.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(endpoints.items[i].url, urls[i]);
    endpoints_free(&endpoints);
}

static void test_lists(void **state)
{
    static const char *const urls[] = {"https://b:8443", "https://10.0.0.1:1",
                                       "https://[::1]:8443"};

    (void)state;
    assert_list("b", 1, urls);
    assert_list("b,10.0.0.1:1", 2, urls);
    assert_list(" https://b/ ,\n10.0.0.1:1 , [::1]:8443\n", 3, urls);
    assert_list("b,B:8443,http://b,10.0.0.1:1,b", 2, urls);
}

static void test_bad_lists(void **state)
{
    static const struct {
        const char *text;
        const char *sentence;
    } cases[] = {
        {"", "endpoint \"\": it names no host: use https://host:port"},
        {"a,", "endpoint \"\": it names no host: use https://host:port"},
        {"a,,b", "endpoint \"\": it names no host: use https://host:port"},
        {"a,unix:///x", "endpoint \"unix:///x\": scheme unix is not supported: "
                        "use https://host:port"},
    };
    struct endpoints endpoints;
    struct error error;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(endpoints_parse(&endpoints, cases[i].text, &error), -1);
        assert_int_equal(error.kind, ERROR_INPUT);
        assert_string_equal(error.text, cases[i].sentence);
        assert_null(endpoints.items);
    }
}

static void test_too_many(void **state)
{
    struct endpoints endpoints = {0};
    struct error error;

    (void)state;
    for (int i = 1; i <= ENDPOINTS_MAX; i++) {
        char *text = mem_printf("h:%d", i);

        assert_int_equal(endpoints_add(&endpoints, text, &error), 0);
        free(text);
    }
    assert_int_equal(endpoints_add(&endpoints, "h:7", &error), 0);
    assert_int_equal(endpoints_add(&endpoints, "i", &error), -1);
    assert_string_equal(error.text, "more than 64 endpoints");
    assert_int_equal(endpoints.count, ENDPOINTS_MAX);
    endpoints_free(&endpoints);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_schemes),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_almost_addresses),
        cmocka_unit_test(test_letters_outside_ascii),
        cmocka_unit_test(test_final_dot),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_more_than_host_and_port),
        cmocka_unit_test(test_password_is_not_quoted),
        cmocka_unit_test(test_what_may_be_a_key_is_not_quoted),
        cmocka_unit_test(test_longest_host),
        cmocka_unit_test(test_is_address),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_bad_lists),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
