/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/resolver.h"

#define START 1000000
#define TWO_SERVERS "nameserver 10.0.0.2\nnameserver 10.0.0.3\n"

/* A lookup with its configuration and a clock. */
struct fixture {
    struct resolver_settings settings;
    struct resolver_lookup lookup;
    int64_t now;
};

static struct fixture fixture;

static void configure(const char *resolv_conf, const char *hosts)
{
    fixture = (struct fixture){.now = START};
    buffer_append_string(&fixture.settings.hosts, hosts);
    resolver_settings_read(&fixture.settings, resolv_conf, strlen(resolv_conf), "unit.corp.test");
}

static void start(const char *resolv_conf, const char *name)
{
    configure(resolv_conf, "");
    resolver_start(&fixture.lookup, &fixture.settings, name, fixture.now);
}

static void finish(void)
{
    resolver_end(&fixture.lookup);
    resolver_settings_free(&fixture.settings);
}

static int64_t pass(int64_t milliseconds)
{
    fixture.now += milliseconds;
    return resolver_tick(&fixture.lookup, fixture.now);
}

/* The text of a name in wire format. */
static void read_name(char *text, const uint8_t *wire)
{
    *text = '\0';
    for (; *wire != 0; wire += 1 + *wire)
        sprintf(text + strlen(text), "%.*s.", *wire, (const char *)wire + 1);
}

/* The open question like "10.0.0.2 A lxd.lan." (with "TCP " before it over TCP), or -1. */
static int find(const char *text)
{
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++) {
        const struct resolver_question *question = &fixture.lookup.questions[i];
        uint8_t query[RESOLVER_MAX_QUERY];
        char name[256], found[400];

        if (question->serial == 0)
            continue;
        resolver_query(&fixture.lookup, i, query);
        read_name(name, query + 12 + (question->tcp ? 2 : 0));
        snprintf(found, sizeof found, "%s%s %s %s", question->tcp ? "TCP " : "",
                 fixture.settings.servers[question->server].text, question->kind ? "AAAA" : "A",
                 name);
        if (strcmp(found, text) == 0)
            return (int)i;
    }
    return -1;
}

static int need(const char *text)
{
    int question = find(text);

    if (question < 0)
        fail_msg("not asked: %s", text);
    return question;
}

static size_t count_open(void)
{
    size_t count = 0;

    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++)
        count += fixture.lookup.questions[i].serial != 0;
    return count;
}

/* ---- answers: the question with its ID, flags, and records ---- */

enum { NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED };
enum { AA = 0x0400, TC = 0x0200, RA = 0x0080 };

struct answer {
    uint8_t data[65535];
    size_t length;
};

static struct answer begin_answer(int question, unsigned flags)
{
    struct answer answer;
    uint8_t query[RESOLVER_MAX_QUERY];
    size_t skip = fixture.lookup.questions[question].tcp ? 2 : 0;

    answer.length = resolver_query(&fixture.lookup, (size_t)question, query) - skip;
    memcpy(answer.data, query + skip, answer.length);
    flags |= 0x8100;
    answer.data[2] = (uint8_t)(flags >> 8);
    answer.data[3] = (uint8_t)flags;
    return answer;
}

static void append(struct answer *answer, const void *data, size_t length)
{
    memcpy(answer->data + answer->length, data, length);
    answer->length += length;
}

static void append_name(struct answer *answer, const char *name)
{
    while (*name != '\0') {
        uint8_t size = (uint8_t)strcspn(name, ".");

        append(answer, &size, 1);
        append(answer, name, size);
        name += size + (name[size] == '.');
    }
    append(answer, "", 1);
}

/* owner "" is the question's name, as a pointer. */
static void append_record(struct answer *answer, const char *owner, uint8_t type, const void *data,
                          size_t length)
{
    const uint8_t fixed[] = {0, type, 0, 1, 0, 0, 0, 60, 0, (uint8_t)length};

    if (*owner != '\0')
        append_name(answer, owner);
    else
        append(answer, "\xc0\x0c", 2);
    append(answer, fixed, sizeof fixed);
    append(answer, data, length);
    answer->data[7]++;
}

static void append_address(struct answer *answer, const char *owner, const char *address)
{
    uint8_t bytes[16];
    int family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;

    assert_int_equal(inet_pton(family, address, bytes), 1);
    append_record(answer, owner, family == AF_INET ? 1 : 28, bytes, family == AF_INET ? 4 : 16);
}

static void append_alias(struct answer *answer, const char *owner, const char *target)
{
    struct answer name = {.length = 0};

    append_name(&name, target);
    append_record(answer, owner, 5, name.data, name.length);
}

static void give(int question, const struct answer *answer)
{
    resolver_answer(&fixture.lookup, (size_t)question, answer->data, answer->length, fixture.now);
}

static void answer_code(const char *question, unsigned flags)
{
    int number = need(question);
    struct answer answer = begin_answer(number, flags);

    give(number, &answer);
}

static void answer_address(const char *question, const char *address)
{
    int number = need(question);
    struct answer answer = begin_answer(number, RA);

    append_address(&answer, "", address);
    give(number, &answer);
}

static void assert_found(const char *addresses)
{
    struct buffer found = {0};

    assert_int_equal(fixture.lookup.state, RESOLVER_FOUND);
    for (size_t i = 0; i < fixture.lookup.address_count; i++) {
        char text[INET6_ADDRSTRLEN];

        inet_ntop(fixture.lookup.addresses[i].family, fixture.lookup.addresses[i].bytes, text,
                  sizeof text);
        buffer_printf(&found, "%s%s", i != 0 ? " " : "", text);
    }
    assert_string_equal(buffer_string(&found), addresses);
    buffer_free(&found);
}

static void assert_failed(const char *sentence)
{
    struct error error = {0};

    assert_int_equal(fixture.lookup.state, RESOLVER_FAILED);
    assert_true(resolver_is_done(&fixture.lookup));
    assert_int_equal(resolver_error(&fixture.lookup, &error), -1);
    assert_int_equal(error.kind, ERROR_UNREACHABLE);
    assert_string_equal(error.text, sentence);
}

/* ---- files ---- */

static void assert_servers(const char *resolv_conf, const char *servers)
{
    struct buffer found = {0};

    configure(resolv_conf, "");
    for (size_t i = 0; i < fixture.settings.server_count; i++)
        buffer_printf(&found, "%s%s", i != 0 ? " " : "", fixture.settings.servers[i].text);
    assert_string_equal(buffer_string(&found), servers);
    buffer_free(&found);
    resolver_settings_free(&fixture.settings);
}

static void test_nameservers(void **state)
{
    (void)state;
    assert_servers("", "127.0.0.1 ::1");
    assert_servers("nameserver 10.0.0.2", "10.0.0.2"); /* no final newline */
    assert_servers("nameserver 10.0.0.2 # comment\nnameserver\tfd00::2\n", "10.0.0.2 fd00::2");
    assert_servers(" nameserver 10.0.0.2\nnameserver 10.0.0.3\n", "10.0.0.3");
    assert_servers("nameserver 10.0.0.256\nnameserver 10.0.0.3\n", "10.0.0.3");
    assert_servers("nameserver\nnameserver \nnameservers 10.0.0.2\nNameserver 10.0.0.2\n",
                   "127.0.0.1 ::1");
    assert_servers("#nameserver 10.0.0.2\n;nameserver 10.0.0.2\n", "127.0.0.1 ::1");
    assert_servers("nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver "
                   "4.4.4.4\n",
                   "1.1.1.1 2.2.2.2 3.3.3.3");
    assert_servers("nameserver 10.0.0.2\r\n", "127.0.0.1 ::1"); /* so glibc */
}

static void test_zone(void **state)
{
    (void)state;
    configure("nameserver fe80::1%eth0\n", "");
    assert_string_equal(fixture.settings.servers[0].zone, "eth0");
    assert_string_equal(fixture.settings.servers[0].text, "fe80::1%eth0");
    resolver_settings_free(&fixture.settings);
}

static void assert_domains(const char *resolv_conf, const char *domains)
{
    struct buffer found = {0};

    configure(resolv_conf, "");
    for (size_t i = 0; i < fixture.settings.domains.count; i++)
        buffer_printf(&found, "%s%s", i != 0 ? " " : "", fixture.settings.domains.items[i]);
    assert_string_equal(buffer_string(&found), domains);
    buffer_free(&found);
    resolver_settings_free(&fixture.settings);
}

static void test_domains(void **state)
{
    struct buffer many = {0};

    (void)state;
    assert_domains("", "corp.test");
    assert_domains("search\nsearch \n", "corp.test");
    assert_domains("search a.test\tb.test  c.test", "a.test b.test c.test");
    assert_domains("search a.test\ndomain b.test c.test\n", "b.test");
    assert_domains("domain b.test\nsearch a.test\n", "a.test");
    buffer_append_string(&many, "search");
    for (int i = 0; i < 40; i++)
        buffer_printf(&many, " a-rather-long-name-of-a-domain-%d.example.org", i);
    configure(many.data, "");
    assert_int_equal(fixture.settings.domains.count, RESOLVER_DOMAINS);
    resolver_settings_free(&fixture.settings);
    buffer_free(&many);
}

static void assert_options(const char *options, unsigned ndots, unsigned timeout, unsigned attempts)
{
    char *text = mem_printf("options %s\n", options);

    configure(text, "");
    assert_int_equal(fixture.settings.ndots, ndots);
    assert_int_equal(fixture.settings.timeout, timeout);
    assert_int_equal(fixture.settings.attempts, attempts);
    resolver_settings_free(&fixture.settings);
    free(text);
}

static void test_options(void **state)
{
    (void)state;
    assert_options("", 1, 5, 2);
    assert_options("edns0 trust-ad rotate inet6 what-is:this", 1, 5, 2);
    assert_options("ndots:5 timeout:1\tattempts:3", 5, 1, 3);
    assert_options("ndots:99 timeout:99 attempts:99", 15, 30, 5);
    assert_options("ndots:x timeout:0 attempts:-1", 0, 1, 1);
    configure("options use-vc\noptions no-aaaa\n", "");
    assert_true(fixture.settings.use_vc && fixture.settings.no_aaaa);
    resolver_settings_free(&fixture.settings);
}

static void assert_known(const char *hosts, const char *name, const char *addresses)
{
    configure("nameserver 10.0.0.2\n", hosts);
    resolver_start(&fixture.lookup, &fixture.settings, name, fixture.now);
    assert_found(addresses);
    assert_int_equal(count_open(), 0);
    assert_true(resolver_is_done(&fixture.lookup));
    finish();
}

static void test_hosts(void **state)
{
    static const char hosts[] =
        "127.0.0.1 localhost\n10.0.0.1\tLXD lxd.lan # lxd2\n"
        "  fd00::1 other lxd#x\n10.0.0.3 lxd\nfe80::1%eth0 lxd\n10.1 lxd\n"
        "10.0.0.4 # lxd\n10.0.0.5\n10.0.0.1 lxd\r\n\n \t\n#\n"
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:10.0.0.8 lxd\n10.0.0.9 last";

    (void)state;
    assert_known(hosts, "lxd", "10.0.0.1 fd00::1 10.0.0.3");
    assert_known(hosts, "Lxd.Lan", "10.0.0.1");
    assert_known(hosts, "lxd.lan.", "10.0.0.1");
    assert_known(hosts, "last", "10.0.0.9");
    configure("", hosts);
    resolver_start(&fixture.lookup, &fixture.settings, "lxd2", fixture.now);
    assert_int_equal(fixture.lookup.state, RESOLVER_ASKING);
    finish();
}

static void test_localhost(void **state)
{
    (void)state;
    assert_known("", "localhost", "::1 127.0.0.1");
    assert_known("", "LXD.LocalHost", "::1 127.0.0.1");
    assert_known("", "localhost.", "::1 127.0.0.1");
    assert_known("127.0.0.9 localhost\n", "localhost", "127.0.0.9");
    start("nameserver 10.0.0.2\n", "notlocalhost");
    assert_int_equal(fixture.lookup.state, RESOLVER_ASKING);
    finish();
}

static void test_addresses(void **state)
{
    (void)state;
    assert_known("", "10.0.0.1", "10.0.0.1");
    assert_known("", "fd00::1", "fd00::1");
}

/* ---- what is asked ---- */

static void test_question(void **state)
{
    uint8_t query[RESOLVER_MAX_QUERY];

    (void)state;
    start("nameserver 10.0.0.2\n", "Lxd.Lan");
    assert_int_equal(count_open(), 2);
    size_t number = (size_t)need("10.0.0.2 AAAA lxd.lan.");
    assert_int_equal(resolver_query(&fixture.lookup, number, query), 12 + 9 + 4);
    assert_memory_equal(query + 2, "\1\0\0\1\0\0\0\0\0\0\3lxd\3lan\0\0\x1c\0\1", 23);
    assert_int_not_equal(fixture.lookup.questions[0].id, fixture.lookup.questions[1].id);
    finish();

    start("nameserver 10.0.0.2\noptions use-vc no-aaaa\n", "lxd.lan");
    assert_int_equal(count_open(), 1);
    number = (size_t)need("TCP 10.0.0.2 A lxd.lan.");
    assert_int_equal(resolver_query(&fixture.lookup, number, query), 2 + 12 + 9 + 4);
    assert_memory_equal(query, "\0\x19", 2);
    finish();
}

/* In which order a name is asked for, where nothing is found. */
static void assert_asked(const char *resolv_conf, const char *name, const char *order)
{
    struct buffer asked = {0};

    start(resolv_conf, name);
    while (fixture.lookup.state == RESOLVER_ASKING) {
        uint8_t query[RESOLVER_MAX_QUERY];
        char wire_name[256];
        int question = 0;

        while (fixture.lookup.questions[question].serial == 0)
            question++;
        resolver_query(&fixture.lookup, (size_t)question, query);
        read_name(wire_name, query + 12);
        buffer_printf(&asked, "%s ", wire_name);
        struct answer answer = begin_answer(question, RA | NXDOMAIN);
        give(question, &answer);
    }
    assert_string_equal(buffer_string(&asked), order);
    buffer_free(&asked);
    finish();
}

static void assert_order(const char *options, const char *name, const char *order)
{
    char *text =
        mem_printf("nameserver 10.0.0.2\nsearch a.test .b.test.\noptions no-aaaa %s\n", options);

    assert_asked(text, name, order);
    free(text);
}

/* With the root among the domains, first. */
static void assert_root(const char *more, const char *name, const char *order)
{
    char *text = mem_printf("nameserver 10.0.0.2\nsearch . %s\noptions no-aaaa\n", more);

    assert_asked(text, name, order);
    free(text);
}

static void test_search(void **state)
{
    (void)state;
    assert_order("", "lxd", "lxd.a.test. lxd.b.test. lxd. ");
    assert_order("", "lxd.lan", "lxd.lan. lxd.lan.a.test. lxd.lan.b.test. ");
    assert_order("ndots:2", "lxd.lan", "lxd.lan.a.test. lxd.lan.b.test. lxd.lan. ");
    assert_order("ndots:0", "lxd", "lxd. lxd.a.test. lxd.b.test. ");
    assert_order("", "lxd.", "lxd. ");
    assert_root("", "lxd", "lxd. ");
    assert_root("a.test", "lxd", "lxd. lxd.a.test. ");
    assert_root("a.test", "lxd.lan", "lxd.lan. lxd.lan.a.test. ");
    assert_order("", "_lxd.local", "_lxd.local. _lxd.local.a.test. _lxd.local.b.test. ");
}

static void test_unusable_names(void **state)
{
    char label[65] = {0}, *name;

    (void)state;
    memset(label, 'a', 64);
    start("search ok.test\n", label);
    assert_failed(name = mem_printf("\"%s\" is no name that can be looked up", label));
    free(name);
    finish();
    /* A domain that does not go with it is left out. */
    memset(label, 'b', 63);
    label[63] = '\0';
    name = mem_printf("search %s.%s.%s.%s\nnameserver 10.0.0.2\n", label, label, label, label);
    start(name, "lxd");
    free(name);
    need("10.0.0.2 A lxd.");
    finish();
}

/* ---- what counts as an answer ---- */

static void test_both_families(void **state)
{
    (void)state;
    start("nameserver 10.0.0.2\n", "lxd.lan");
    answer_address("10.0.0.2 A lxd.lan.", "10.0.0.1");
    assert_found("10.0.0.1");
    assert_false(resolver_is_done(&fixture.lookup));
    assert_int_equal(fixture.lookup.found_at, START);
    answer_address("10.0.0.2 AAAA lxd.lan.", "fd00::1");
    assert_found("10.0.0.1 fd00::1");
    assert_true(resolver_is_done(&fixture.lookup));
    assert_int_equal(count_open(), 0);
    finish();
}

/* Whatever becomes of AAAA. */
static void test_one_family(void **state)
{
    static const unsigned codes[] = {RA | NOERROR, RA | NXDOMAIN, RA | SERVFAIL, RA | REFUSED,
                                     RA | FORMERR, RA | NOTIMP,   RA | 9};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        start("nameserver 10.0.0.2\noptions attempts:1\n", "lxd.lan");
        answer_code("10.0.0.2 AAAA lxd.lan.", codes[i]);
        assert_int_equal(fixture.lookup.state, RESOLVER_ASKING);
        answer_address("10.0.0.2 A lxd.lan.", "10.0.0.1");
        assert_found("10.0.0.1");
        assert_true(resolver_is_done(&fixture.lookup));
        finish();
    }
}

static void test_final_answers(void **state)
{
    static const struct {
        unsigned flags;
        const char *said;
    } cases[] = {{RA | NXDOMAIN, "NXDOMAIN"},
                 {RA, "no address"},
                 {AA, "no address"},
                 {RA | FORMERR, "FORMERR"},
                 {RA | 9, "error 9"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *sentence = mem_printf("name \"lxd.lan\" not found (10.0.0.2: %s; also as "
                                    "lxd.lan.a.test)",
                                    cases[i].said);

        start(TWO_SERVERS "search a.test\n", "lxd.lan");
        answer_code("10.0.0.2 A lxd.lan.", cases[i].flags);
        answer_code("10.0.0.2 AAAA lxd.lan.", cases[i].flags);
        assert_int_equal(count_open(), 2);
        answer_code("10.0.0.2 A lxd.lan.a.test.", cases[i].flags);
        answer_code("10.0.0.2 AAAA lxd.lan.a.test.", cases[i].flags);
        assert_failed(sentence);
        free(sentence);
        finish();
    }
}

/* The next server is asked at once. */
static void test_next_server(void **state)
{
    static const unsigned codes[] = {RA | SERVFAIL, RA | REFUSED, RA | NOTIMP, NOERROR /* lame */};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        start(TWO_SERVERS, "lxd.lan");
        answer_code("10.0.0.2 A lxd.lan.", codes[i]);
        assert_int_equal(find("10.0.0.2 A lxd.lan."), -1);
        answer_address("10.0.0.3 A lxd.lan.", "10.0.0.1");
        assert_found("10.0.0.1");
        finish();
    }
    start(TWO_SERVERS, "lxd.lan");
    resolver_fail(&fixture.lookup, (size_t)need("10.0.0.2 A lxd.lan."), "connection refused",
                  fixture.now);
    answer_address("10.0.0.3 A lxd.lan.", "10.0.0.1");
    assert_found("10.0.0.1");
    finish();
}

static void test_header_alone(void **state)
{
    (void)state;
    start(TWO_SERVERS, "lxd.lan");
    int question = need("10.0.0.2 A lxd.lan.");
    struct answer answer = begin_answer(question, FORMERR);
    answer.data[5] = 0;
    answer.length = 12;
    give(question, &answer);
    need("10.0.0.3 A lxd.lan.");
    finish();
}

/* All have failed: the next domain may do better. */
static void test_search_goes_on(void **state)
{
    static const unsigned codes[] = {SERVFAIL, REFUSED, NXDOMAIN, NOERROR, FORMERR};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        start("nameserver 10.0.0.2\nsearch a.test\noptions attempts:1 no-aaaa\n", "lxd.lan");
        answer_code("10.0.0.2 A lxd.lan.", RA | codes[i]);
        answer_address("10.0.0.2 A lxd.lan.a.test.", "10.0.0.1");
        assert_found("10.0.0.1");
        finish();
    }
}

static void test_sentences(void **state)
{
    (void)state;
    start("nameserver 10.0.0.2\noptions attempts:1 no-aaaa\n", "lxd.");
    answer_code("10.0.0.2 A lxd.", RA | REFUSED);
    assert_failed("name \"lxd\" not found (nameserver 10.0.0.2 answers REFUSED)");
    assert_int_equal(fixture.lookup.log.count, 1);
    assert_string_equal(fixture.lookup.log.items[0],
                        "nameserver 10.0.0.2, asked for lxd A: REFUSED");
    finish();

    start("nameserver 10.0.0.2\noptions attempts:1 no-aaaa\n", "lxd.");
    resolver_fail(&fixture.lookup, (size_t)need("10.0.0.2 A lxd."), "connection refused",
                  fixture.now);
    assert_failed("nameserver 10.0.0.2 does not answer (connection refused)");
    finish();

    start("search a b c d e\nnameserver 10.0.0.2\noptions attempts:1 no-aaaa\n", "lxd");
    for (const char *domain = "abcde"; *domain != '\0'; domain++) {
        char *question = mem_printf("10.0.0.2 A lxd.%c.", *domain);

        answer_code(question, RA | NXDOMAIN);
        free(question);
    }
    answer_code("10.0.0.2 A lxd.", RA | NXDOMAIN);
    assert_failed("name \"lxd\" not found (10.0.0.2: NXDOMAIN; also as lxd.a, lxd.b, lxd.c and 2 "
                  "more)");
    finish();
}

/* Nobody has said anything of the name itself. */
static void test_sentence_of_another_name(void **state)
{
    (void)state;
    start("search a b\nnameserver 10.0.0.2\noptions attempts:1 timeout:1 no-aaaa\n", "lxd.lan");
    pass(1000);
    answer_code("10.0.0.2 A lxd.lan.a.", RA | NXDOMAIN);
    answer_code("10.0.0.2 A lxd.lan.b.", RA | NXDOMAIN);
    pass(1000);
    assert_failed("name \"lxd.lan\" gets no answer (10.0.0.2: NXDOMAIN for lxd.lan.a, lxd.lan.b)");
    finish();
}

/* ---- time ---- */

static void test_silence(void **state)
{
    (void)state;
    start(TWO_SERVERS "options attempts:1 timeout:1\n", "lxd.");
    assert_int_equal(pass(0), START + 1000);
    pass(999);
    assert_int_equal(find("10.0.0.3 A lxd."), -1);
    assert_int_equal(pass(1), START + 2000);
    need("10.0.0.2 A lxd."); /* stays open */
    need("10.0.0.3 A lxd.");
    pass(1000);
    assert_failed("no nameserver answers");
    finish();

    start("nameserver 10.0.0.2\noptions attempts:1 timeout:1\n", "lxd.");
    pass(1000);
    assert_failed("nameserver 10.0.0.2 does not answer");
    finish();
}

static void test_late_answer(void **state)
{
    (void)state;
    start(TWO_SERVERS, "lxd.");
    pass(1000);
    answer_address("10.0.0.2 A lxd.", "10.0.0.1");
    assert_found("10.0.0.1");
    assert_int_equal(find("10.0.0.3 A lxd."), -1);
    finish();
}

/* The first has been silent for its second: now the other one decides. */
static void test_second_says_no(void **state)
{
    (void)state;
    start(TWO_SERVERS "options no-aaaa\n", "lxd.");
    pass(1000);
    answer_code("10.0.0.3 A lxd.", RA | NXDOMAIN);
    assert_failed("name \"lxd\" not found (10.0.0.3: NXDOMAIN)");
    finish();
}

/* In the second round the same question goes out again, by the same socket. */
static void test_rounds(void **state)
{
    (void)state;
    start("nameserver 10.0.0.2\noptions no-aaaa\n", "lxd.");
    int question = need("10.0.0.2 A lxd.");
    uint32_t serial = fixture.lookup.questions[question].serial;
    pass(1000);
    assert_int_equal(count_open(), 1);
    assert_int_equal(fixture.lookup.questions[question].serial, serial);
    assert_int_equal(fixture.lookup.questions[question].sends, 2);
    pass(1000); /* all is asked; a slow server may still answer, as long as glibc would wait */
    assert_int_equal(pass(0), START + 10000);
    assert_int_equal(fixture.lookup.state, RESOLVER_ASKING);
    answer_address("10.0.0.2 A lxd.", "10.0.0.1");
    assert_found("10.0.0.1");
    finish();
}

/* A server that drops questions for AAAA does not keep the search from reaching the name. */
static void test_silence_to_one_family(void **state)
{
    (void)state;
    start(TWO_SERVERS "search a.test b.test\noptions ndots:5\n", "lxd.lan");
    answer_code("10.0.0.2 A lxd.lan.a.test.", RA | NXDOMAIN);
    assert_int_equal(pass(0), START + 500);
    pass(500);
    answer_code("10.0.0.2 A lxd.lan.b.test.", RA | NXDOMAIN);
    pass(499);
    assert_int_equal(find("10.0.0.2 A lxd.lan."), -1);
    pass(1);
    answer_address("10.0.0.2 A lxd.lan.", "10.0.0.1");
    assert_found("10.0.0.1");
    finish();
    /* Where it is only the address that is lacking, the next server may have the other one. */
    start(TWO_SERVERS, "lxd.");
    answer_code("10.0.0.2 A lxd.", RA);
    pass(1000);
    answer_address("10.0.0.3 AAAA lxd.", "fd00::1");
    assert_found("fd00::1");
    finish();
    /* One that refuses leaves the other server its turn. */
    start(TWO_SERVERS, "lxd.");
    answer_code("10.0.0.2 A lxd.", RA | NXDOMAIN);
    answer_code("10.0.0.2 AAAA lxd.", RA | SERVFAIL);
    answer_address("10.0.0.3 AAAA lxd.", "fd00::1");
    assert_found("fd00::1");
    finish();
}

/* Late answers to a name that was given up count as well; the other name is let go. */
static void test_late_answer_to_an_earlier_name(void **state)
{
    (void)state;
    start("nameserver 10.0.0.2\nsearch a.test\noptions attempts:1\n", "lxd.lan");
    pass(1000);
    need("10.0.0.2 A lxd.lan.a.test.");
    answer_address("10.0.0.2 AAAA lxd.lan.", "fd00::1");
    assert_found("fd00::1");
    assert_int_equal(count_open(), 1);
    answer_address("10.0.0.2 A lxd.lan.", "10.0.0.1");
    assert_found("fd00::1 10.0.0.1");
    finish();
}

/* One that refuses late does not take the turn of the one that was asked after it. */
static void test_late_refusal(void **state)
{
    (void)state;
    start(TWO_SERVERS "options no-aaaa attempts:1\n", "lxd.");
    pass(1000);
    answer_code("10.0.0.2 A lxd.", RA | SERVFAIL);
    assert_int_equal(count_open(), 1);
    answer_address("10.0.0.3 A lxd.", "10.0.0.1");
    assert_found("10.0.0.1");
    finish();
}

/* However many domains and servers are silent: there is an end, and no more sockets than places. */
static void test_everything_silent(void **state)
{
    struct buffer text = {0};
    int64_t next;

    (void)state;
    buffer_append_string(&text, TWO_SERVERS "options attempts:5\nsearch");
    for (int i = 0; i < RESOLVER_DOMAINS; i++)
        buffer_printf(&text, " d%d.test", i);
    start(text.data, "lxd");
    while (fixture.lookup.state == RESOLVER_ASKING) {
        assert_true((next = pass(0)) < INT64_MAX);
        pass(next - fixture.now);
    }
    assert_failed("no nameserver answers");
    buffer_free(&text);
    finish();
}

/* ---- TCP ---- */

static void test_truncated(void **state)
{
    (void)state;
    start(TWO_SERVERS, "lxd.");
    int question = need("10.0.0.2 A lxd.");
    struct answer answer = begin_answer(question, RA | TC);
    append_address(&answer, "", "10.6.6.6");
    give(question, &answer); /* what is in it is not used */
    assert_int_equal(fixture.lookup.state, RESOLVER_ASKING);
    answer_address("TCP 10.0.0.2 A lxd.", "10.0.0.1");
    assert_found("10.0.0.1");
    finish();
}

static void test_no_tcp(void **state)
{
    (void)state;
    start(TWO_SERVERS, "lxd.");
    answer_code("10.0.0.2 A lxd.", RA | TC);
    resolver_fail(&fixture.lookup, (size_t)need("TCP 10.0.0.2 A lxd."), "connection refused",
                  fixture.now);
    answer_code("10.0.0.3 A lxd.", RA | TC);
    answer_code("TCP 10.0.0.3 A lxd.", RA | TC);
    need("10.0.0.2 A lxd."); /* the second round */
    finish();
}

/* ---- records ---- */

static void test_aliases(void **state)
{
    (void)state;
    for (int backwards = 0; backwards < 2; backwards++) {
        start("nameserver 10.0.0.2\n", "lxd.lan");
        int question = need("10.0.0.2 A lxd.lan.");
        struct answer answer = begin_answer(question, RA);
        if (backwards) {
            append_address(&answer, "c.test", "10.0.0.1");
            append_alias(&answer, "B.test", "c.TEST");
            append_alias(&answer, "", "b.test");
        } else {
            append_alias(&answer, "", "b.test");
            append_alias(&answer, "b.test", "c.test");
            append_address(&answer, "C.test", "10.0.0.1");
        }
        append_address(&answer, "stranger.test", "10.6.6.6");
        append_address(&answer, "c.test", "fd00::6");
        give(question, &answer);
        assert_found("10.0.0.1");
        finish();
    }
}

static void test_alias_to_nothing(void **state)
{
    (void)state;
    start("nameserver 10.0.0.2\noptions no-aaaa\n", "lxd.");
    int question = need("10.0.0.2 A lxd.");
    struct answer answer = begin_answer(question, RA);
    append_alias(&answer, "", "b.test");
    give(question, &answer);
    assert_failed("name \"lxd\" not found (10.0.0.2: no address)");
    finish();
}

static void test_alias_in_a_circle(void **state)
{
    (void)state;
    start(TWO_SERVERS "options no-aaaa\n", "lxd.");
    int question = need("10.0.0.2 A lxd.");
    struct answer answer = begin_answer(question, RA);
    append_alias(&answer, "", "b.test");
    append_alias(&answer, "b.test", "lxd");
    give(question, &answer);
    need("10.0.0.3 A lxd.");
    finish();
}

/* An address behind so many pointers, which stand in the data of a record of another type. */
static void give_chain(unsigned pointers)
{
    int question = need("10.0.0.2 A lxd.");
    struct answer answer = begin_answer(question, RA);
    size_t length = 2 * (pointers - 1);
    const uint8_t text[] = {0, 16, 0, 1, 0, 0, 0, 60, (uint8_t)(length >> 8), (uint8_t)length};
    const uint8_t address[] = {0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1};
    size_t target = 12;

    append(&answer, "\xc0\x0c", 2);
    append(&answer, text, sizeof text);
    for (unsigned i = 0; i < pointers; i++) {
        size_t here = answer.length;

        append(&answer, (uint8_t[]){(uint8_t)(0xc0 | target >> 8), (uint8_t)target}, 2);
        target = here;
    }
    append(&answer, address, sizeof address);
    answer.data[7] = 2;
    give(question, &answer);
}

static void test_chain_of_pointers(void **state)
{
    (void)state;
    start(TWO_SERVERS, "lxd.");
    give_chain(128);
    assert_found("10.0.0.1");
    finish();
    start(TWO_SERVERS, "lxd.");
    give_chain(129);
    need("10.0.0.3 A lxd.");
    finish();
}

/* As many records as fit into a message, and aliases that are read backwards. */
static void give_flood(int aliases)
{
    static const uint8_t other[] = {0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 0};
    static struct answer answer;
    int question = need("10.0.0.2 A lxd.");
    char owner[] = "a", target[] = "b";

    answer = begin_answer(question, RA);
    target[0] = (char)('a' + aliases);
    append_address(&answer, target, "10.0.0.1");
    for (int i = aliases - 1; i >= 0; i--) {
        owner[0] = (char)('a' + i);
        target[0] = (char)('b' + i);
        append_alias(&answer, owner, target);
    }
    append_alias(&answer, "", "a");
    for (int i = 0; i < 5000; i++)
        append(&answer, other, sizeof other);
    unsigned count = answer.data[7] + 5000U;
    answer.data[6] = (uint8_t)(count >> 8);
    answer.data[7] = (uint8_t)count;
    give(question, &answer);
}

static void test_flood_of_records(void **state)
{
    (void)state;
    start(TWO_SERVERS, "lxd.");
    give_flood(1);
    assert_found("10.0.0.1");
    finish();
    start(TWO_SERVERS, "lxd.");
    give_flood(8);
    need("10.0.0.3 A lxd.");
    finish();
}

static void test_many_addresses(void **state)
{
    (void)state;
    start("nameserver 10.0.0.2\n", "lxd.");
    int question = need("10.0.0.2 A lxd.");
    struct answer answer = begin_answer(question, RA);
    for (int i = 0; i < 20; i++) {
        char text[16];

        snprintf(text, sizeof text, "10.0.1.%d", i);
        append_address(&answer, "", "10.0.0.1");
        append_address(&answer, "", text);
    }
    give(question, &answer);
    assert_int_equal(fixture.lookup.address_count, RESOLVER_ADDRESSES);
    answer_address("10.0.0.2 AAAA lxd.", "fd00::1");
    assert_true(resolver_is_done(&fixture.lookup));
    finish();
}

/* ---- what is no answer ---- */

static void assert_ignored(int question, const struct answer *answer)
{
    give(question, answer);
    assert_int_equal(fixture.lookup.state, RESOLVER_ASKING);
    assert_int_equal(count_open(), 2);
    assert_int_equal(need("10.0.0.2 A lxd.lan."), question);
}

static void test_not_ours(void **state)
{
    (void)state;
    start(TWO_SERVERS, "lxd.lan");
    int question = need("10.0.0.2 A lxd.lan.");
    struct answer good = begin_answer(question, RA), bad;
    append_address(&good, "", "10.0.0.1");

    static const size_t spoilt[] = {0, 1, 2, 4, 5, 12, 13, 20, 22, 24};
    for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
        bad = good;
        bad.data[spoilt[i]] ^= i == 2 ? 0x80 : 1; /* ID, QR, count, name, type, class */
        assert_ignored(question, &bad);
    }
    bad = good;
    bad.data[2] |= 0x10; /* another opcode */
    assert_ignored(question, &bad);
    for (size_t length = 0; length < 25; length++) {
        bad = good;
        bad.length = length;
        assert_ignored(question, &bad);
    }
    give(question, &good);
    assert_found("10.0.0.1");
    finish();
}

/* It is from the server, but nonsense: the next one is asked. */
static void test_cut_short(void **state)
{
    (void)state;
    for (size_t length = 25; length < 41; length++) {
        start(TWO_SERVERS, "lxd.lan");
        int question = need("10.0.0.2 A lxd.lan.");
        struct answer answer = begin_answer(question, RA);
        append_address(&answer, "", "10.0.0.1");
        assert_int_equal(answer.length, 41);
        answer.length = length;
        give(question, &answer);
        need("10.0.0.3 A lxd.lan.");
        finish();
    }
}

static void test_pointers_in_a_circle(void **state)
{
    static const uint8_t owners[][2] = {{0xc0, 25}, {0xc0, 26}, {0xff, 0xff}, {0x40, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
        start(TWO_SERVERS, "lxd.lan");
        int question = need("10.0.0.2 A lxd.lan.");
        struct answer answer = begin_answer(question, RA);
        append_address(&answer, "", "10.0.0.1");
        memcpy(answer.data + 25, owners[i], 2);
        give(question, &answer);
        need("10.0.0.3 A lxd.lan.");
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nameservers),
        cmocka_unit_test(test_zone),
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_localhost),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_question),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_unusable_names),
        cmocka_unit_test(test_both_families),
        cmocka_unit_test(test_one_family),
        cmocka_unit_test(test_final_answers),
        cmocka_unit_test(test_next_server),
        cmocka_unit_test(test_header_alone),
        cmocka_unit_test(test_search_goes_on),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_sentence_of_another_name),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_second_says_no),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_silence_to_one_family),
        cmocka_unit_test(test_late_answer_to_an_earlier_name),
        cmocka_unit_test(test_late_refusal),
        cmocka_unit_test(test_everything_silent),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_no_tcp),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_alias_to_nothing),
        cmocka_unit_test(test_alias_in_a_circle),
        cmocka_unit_test(test_chain_of_pointers),
        cmocka_unit_test(test_flood_of_records),
        cmocka_unit_test(test_many_addresses),
        cmocka_unit_test(test_not_ours),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_pointers_in_a_circle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
