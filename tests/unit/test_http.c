/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/net.h"
#include "lxd/http.h"
#include "script.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define LENGTH(digits) OK "Content-Length: " digits "\r\n\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

#define NO_STATUS "answers with no valid HTTP status line"
#define BAD_HEADER "answers with a malformed HTTP header"
#define BAD_CHUNK "answers with a malformed chunk"
#define CONTRADICTORY "answers with contradictory lengths"
#define TOO_LARGE "answers with more than 1 MiB"
#define TOO_LONG "answers with an HTTP header or chunk size that is too long"
#define TRUNCATED "closed the connection in the middle of a response"
#define UNANSWERED "closed the connection without a response"

struct fixture {
    struct script script;
    struct http_connection connection;
    struct http_response response;
    struct error error;
};

static void start(struct fixture *fixture, const char *input)
{
    *fixture = (struct fixture){.script.input = input};
    fixture->connection.stream = script_stream(&fixture->script);
}

static int send_request(struct fixture *fixture, const char *method, const char *path,
                        const char *body)
{
    struct buffer text = {0};

    http_compose(&text, "h:8443", method, path, body);
    int result = http_send(&fixture->connection, &text, net_clock_ms() + 60000, &fixture->error);
    buffer_free(&text);
    return result;
}

static int receive_until(struct fixture *fixture, int64_t first, int64_t deadline)
{
    buffer_free(&fixture->response.body);
    return http_receive(&fixture->connection, first, deadline, NULL, &fixture->response,
                        &fixture->error);
}

static int ask_until(struct fixture *fixture, int64_t deadline)
{
    if (send_request(fixture, "GET", "/1.0", NULL) != 0)
        return -1;
    return receive_until(fixture, deadline, deadline);
}

static int ask(struct fixture *fixture)
{
    return ask_until(fixture, net_clock_ms() + 60000);
}

static void finish(struct fixture *fixture)
{
    buffer_free(&fixture->response.body);
    http_connection_free(&fixture->connection);
    buffer_free(&fixture->script.output);
}

/* ---- requests ---- */

static void test_request_without_body(void **state)
{
    struct fixture fixture;

    (void)state;
    start(&fixture, LENGTH("0"));
    assert_int_equal(ask(&fixture), 0);
    assert_string_equal(fixture.script.output.data,
                        "GET /1.0 HTTP/1.1\r\nHost: h:8443\r\nUser-Agent: lxd-integrator\r\n\r\n");
    assert_int_equal(fixture.script.writes, 1);
    finish(&fixture);
}

static void test_request_with_body(void **state)
{
    struct fixture fixture;

    (void)state;
    start(&fixture, LENGTH("0"));
    assert_int_equal(send_request(&fixture, "POST", "/x", "{}"), 0);
    assert_string_equal(fixture.script.output.data,
                        "POST /x HTTP/1.1\r\nHost: h:8443\r\nUser-Agent: lxd-integrator\r\n"
                        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    assert_int_equal(fixture.script.writes, 1);
    finish(&fixture);
}

/* ---- responses as they should be ---- */

static const struct good_response {
    const char *input;
    int status;
    const char *body;
    bool closed;
} good_responses[] = {
    {LENGTH("0"), 200, "", false},
    {LENGTH("5") "hello", 200, "hello", false},
    {OK "content-length:5\r\n\r\nhello", 200, "hello", false},
    {OK "Content-Length: \t5 \t\r\n\r\nhello", 200, "hello", false},
    {OK "Content-Length: 005\r\n\r\nhello", 200, "hello", false},
    {OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
    {OK "X: \r\nx-y.z: a:b\xff\r\nContent-Length: 2\r\n\r\n\r\n", 200, "\r\n", false},
    {"HTTP/1.1 404 \r\nContent-Length: 1\r\n\r\n-", 404, "-", false},
    {"HTTP/1.1 404\r\nContent-Length: 1\r\n\r\n-", 404, "-", false}, /* RFC 9112 4: lenient */
    {"HTTP/1.1 999 Not in any RFC\r\nContent-Length: 0\r\n\r\n", 999, "", false},
    {"HTTP/1.9 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", false},
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", false},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", false},
    {"HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 301, "", false},

    {CHUNKED "0\r\n\r\n", 200, "", false},
    {CHUNKED "5\r\nhello\r\n0\r\n\r\n", 200, "hello", false},
    {CHUNKED "2\r\nhe\r\n003\r\nllo\r\n000\r\n\r\n", 200, "hello", false},
    {CHUNKED "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", 200, "01234567890123456789", false},
    {CHUNKED "5;a=b\r\nhello\r\n0 ;x=\"y\"\r\n\r\n", 200, "hello", false},
    {CHUNKED "5\r\nhello\r\n0\r\nDigest: x\r\nA: b\r\n\r\n", 200, "hello", false},
    {OK "transfer-encoding: Chunked\r\n\r\n2\r\n\r\n\r\n0\r\n\r\n", 200, "\r\n", false},

    {"HTTP/1.1 100 Continue\r\n\r\n" LENGTH("2") "{}", 200, "{}", false},
    {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 102 P\r\n\r\n" LENGTH("2") "{}", 200, "{}",
     false},

    {OK "Connection: close\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", true},
    {OK "Connection: x , CLOSE,y\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", true},
    {OK "Connection: keep-alive, closed\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", true},
    {LENGTH("2") "{}and more than was asked for", 200, "{}", true},
    {CHUNKED "0\r\n\r\n" LENGTH("0"), 200, "", true},
};

static const struct good_response close_delimited[] = {
    {OK "\r\n", 200, "", true},
    {OK "\r\nto the end", 200, "to the end", true},
    {"HTTP/1.0 400 Bad Request\r\n\r\nno", 400, "no", true},
};

static void assert_good(const struct good_response *good, size_t step)
{
    struct fixture fixture;

    start(&fixture, good->input);
    fixture.script.step = step;
    if (ask(&fixture) != 0)
        fail_msg("%s: %s", good->input, fixture.error.text);
    assert_int_equal(fixture.response.status, good->status);
    assert_string_equal(buffer_string(&fixture.response.body), good->body);
    assert_int_equal(fixture.connection.closed, good->closed);
    assert_true(fixture.connection.used);
    finish(&fixture);
}

static void test_good_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_responses / sizeof *good_responses; i++)
        assert_good(&good_responses[i], 0);
    for (size_t i = 0; i < sizeof close_delimited / sizeof *close_delimited; i++)
        assert_good(&close_delimited[i], 0);
}

static void test_good_responses_in_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_responses / sizeof *good_responses; i++) {
        struct good_response good = good_responses[i];
        if (strstr(good.input, "more than") != NULL || strstr(good.input, "\r\n\r\nHTTP") != NULL)
            continue; /* what comes too late to be seen closes nothing */
        assert_good(&good, 1);
        assert_good(&good, 2);
        assert_good(&good, 3);
    }
}

static void assert_truncated(const char *input, size_t length, bool breaks)
{
    struct fixture fixture;

    start(&fixture, input);
    fixture.script.length = length;
    fixture.script.breaks = breaks;
    assert_int_equal(ask(&fixture), -1);
    assert_int_equal(fixture.error.kind, ERROR_UNREACHABLE);
    assert_string_equal(fixture.error.text, breaks ? "broke the connection" : TRUNCATED);
    assert_true(fixture.connection.closed);
    assert_false(fixture.connection.stale);
    assert_null(fixture.response.body.data);
    finish(&fixture);
}

static void test_truncation_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_responses / sizeof *good_responses; i++) {
        const char *input = good_responses[i].input;
        if (good_responses[i].closed && strstr(input, "onnection") == NULL)
            continue; /* has more than one response in it, or is covered as HTTP/1.1 */
        for (size_t length = 1; length < strlen(input); length++) {
            assert_truncated(input, length, false);
            assert_truncated(input, length, true);
        }
    }
}

static void test_broken_end_is_no_end(void **state)
{
    struct fixture fixture;

    (void)state;
    start(&fixture, OK "\r\nto the e");
    fixture.script.breaks = true;
    assert_int_equal(ask(&fixture), -1);
    assert_string_equal(fixture.error.text, "broke the connection");
    finish(&fixture);
}

/* ---- responses as they should not be ---- */

static const struct bad_response {
    const char *input;
    const char *sentence;
} bad_responses[] = {
    {"", UNANSWERED},
    {"\r\n", NO_STATUS},
    {"SSH-2.0-OpenSSH_9.2\r\n", NO_STATUS},
    {"HTTP/2.0 200 OK\r\n\r\n", NO_STATUS},
    {"HTTP/1 200 OK\r\n\r\n", NO_STATUS},
    {"HTTP/1.10 200 OK\r\n\r\n", NO_STATUS},
    {"http/1.1 200 OK\r\n\r\n", NO_STATUS},
    {" HTTP/1.1 200 OK\r\n\r\n", NO_STATUS},
    {"HTTP/1.1  200 OK\r\n\r\n", NO_STATUS},
    {"HTTP/1.1 20 OK\r\n\r\n", NO_STATUS},
    {"HTTP/1.1 2000 OK\r\n\r\n", NO_STATUS},
    {"HTTP/1.1 -20 OK\r\n\r\n", NO_STATUS},
    {"HTTP/1.1 099 OK\r\n\r\n", NO_STATUS},
    {"HTTP/1.1 200\tOK\r\n\r\n", NO_STATUS},
    {"HTTP/1.1 200OK\r\n\r\n", NO_STATUS},
    {"HTTP/1.1 20\r\n\r\n", NO_STATUS},
    {"HTTP/1.1 \r\n\r\n", NO_STATUS},
    {"HTTP/1.1\t200 OK\r\n\r\n", NO_STATUS},
    {"HTTP/11 200 OK\r\n\r\n", NO_STATUS},
    {"HTTP/1.1 2OO OK\r\n\r\n", NO_STATUS},
    {"\r\nHTTP/1.1 200 OK\r\n\r\n", NO_STATUS},
    {"\xef\xbb\xbfHTTP/1.1 200 OK\r\n\r\n", NO_STATUS},
    {"HTTP/1.1\r\n\r\n", NO_STATUS},
    {"HTTP/1.1 200 OK\n\n", NO_STATUS},
    {"HTTP/1.1 200 O\rK\r\n\r\n", NO_STATUS},
    {"\n", NO_STATUS},
    {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "answers by switching to another protocol"},

    {OK "no colon\r\n\r\n", BAD_HEADER},
    {OK ": no name\r\n\r\n", BAD_HEADER},
    {OK "Blank : x\r\n\r\n", BAD_HEADER},
    {OK "A: b\r\n folded\r\n\r\n", BAD_HEADER},
    {OK "A: b\r\n\tfolded\r\n\r\n", BAD_HEADER},
    {OK "A: b\n\r\n", BAD_HEADER},
    {OK "A: b\r\r\n\r\n", BAD_HEADER},
    {OK "A: b\rc\r\n\r\n", BAD_HEADER},
    {OK "A: b\r\n\n", BAD_HEADER},

    {LENGTH(""), BAD_HEADER},
    {LENGTH("-1"), BAD_HEADER},
    {LENGTH("+1"), BAD_HEADER},
    {LENGTH("0x1"), BAD_HEADER},
    {LENGTH("1 1"), BAD_HEADER},
    {LENGTH("1, 1"), BAD_HEADER},
    {LENGTH("1048577"), TOO_LARGE},
    {LENGTH("18446744073709551617"), TOO_LARGE},
    {LENGTH("99999999999999999999999999999999999999999"), TOO_LARGE},
    {OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", CONTRADICTORY},
    {OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", CONTRADICTORY},
    {OK "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", CONTRADICTORY},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", CONTRADICTORY},
    {OK "Transfer-Encoding: gzip\r\n\r\n", "answers in a transfer coding other than chunked"},
    {OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
     "answers in a transfer coding other than chunked"},
    {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     "answers in a transfer coding other than chunked"},
    {OK "Transfer-Encoding:\r\n\r\n", "answers in a transfer coding other than chunked"},

    {OK "Transfer-Encoding : chunked\r\n\r\n", BAD_HEADER},
    {OK "Transfer-Encoding\r\n: chunked\r\n\r\n", BAD_HEADER},
    {OK " Transfer-Encoding: chunked\r\n\r\n", BAD_HEADER},
    {OK "Content-Length : 1\r\n\r\na", BAD_HEADER},
    {OK "Content-Length: 1\r\n 0\r\n\r\n", BAD_HEADER},
    {OK "Content-Length: \v1\r\n\r\na", BAD_HEADER},
    {OK "Content-Length: 1;\r\n\r\na", BAD_HEADER},
    {OK "Content-Length: 1.0\r\n\r\na", BAD_HEADER},
    {OK "Content-Length: 1e1\r\n\r\na", BAD_HEADER},
    {OK "Content-Length: 1\r\ncontent-length: 01, 2\r\n\r\na", BAD_HEADER},
    {OK "A\xc3\xa4: b\r\n\r\n", BAD_HEADER},
    {OK "(A): b\r\n\r\n", BAD_HEADER},
    {OK "Transfer-Encoding: \vchunked\r\n\r\n", "answered in a transfer coding other than chunked"},
    {OK "Transfer-Encoding: chunked\f\r\n\r\n", "answered in a transfer coding other than chunked"},
    {OK "Transfer-Encoding: xchunked\r\n\r\n", "answered in a transfer coding other than chunked"},
    {OK "Transfer-Encoding: chunked, identity\r\n\r\n",
     "answered in a transfer coding other than chunked"},
    {OK "Transfer-Encoding: chunked, chunked\r\n\r\n",
     "answered in a transfer coding other than chunked"},
    {OK "Transfer-Encoding: \"chunked\"\r\n\r\n",
     "answered in a transfer coding other than chunked"},

    {CHUNKED "0\r\nno colon\r\n\r\n", BAD_CHUNK},
    {CHUNKED "0\r\n: no name\r\n\r\n", BAD_CHUNK},
    {CHUNKED "0\r\nA : b\r\n\r\n", BAD_CHUNK},
    {CHUNKED "0\r\nA: b\r\n folded\r\n\r\n", BAD_CHUNK},
    {CHUNKED "0\r\nA: b\n\r\n", BAD_CHUNK},
    {CHUNKED "0\r\nHTTP/1.1 200 OK\r\n\r\n", BAD_CHUNK},
    {CHUNKED "0\n\n", BAD_CHUNK},
    {CHUNKED "\r\n", BAD_CHUNK},
    {CHUNKED "x\r\n", BAD_CHUNK},
    {CHUNKED "-1\r\n", BAD_CHUNK},
    {CHUNKED "+1\r\n", BAD_CHUNK},
    {CHUNKED " 1\r\n", BAD_CHUNK},
    {CHUNKED "0x1\r\n", BAD_CHUNK},
    {CHUNKED "1 \r\n", BAD_CHUNK},
    {CHUNKED "1 x\r\n", BAD_CHUNK},
    {CHUNKED "1\n", BAD_CHUNK},
    {CHUNKED "1\r\nab\r\n", BAD_CHUNK},
    {CHUNKED "1\r\na0\r\n\r\n", BAD_CHUNK},
    {CHUNKED "1\r\na\n0\r\n\r\n", BAD_CHUNK},
    {CHUNKED "100001\r\n", TOO_LARGE},
    {CHUNKED "1\r\na\r\n100000\r\n", TOO_LARGE},
    {CHUNKED "10000000000000001\r\n", TOO_LARGE},
    {CHUNKED "ffffffffffffffffffffffffffffffffffffffff\r\n", TOO_LARGE},
};

static void test_bad_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_responses / sizeof *bad_responses; i++) {
        struct fixture fixture;

        /* What is wrong must be found before more bytes are asked for. */
        start(&fixture, bad_responses[i].input);
        fixture.script.breaks = *bad_responses[i].input != '\0';
        if (ask(&fixture) == 0)
            fail_msg("accepted: %s", bad_responses[i].input);
        assert_int_equal(fixture.error.kind,
                         *bad_responses[i].input != '\0' ? ERROR_NONSENSE : ERROR_UNREACHABLE);
        if (strcmp(fixture.error.text, bad_responses[i].sentence) != 0)
            fail_msg("%s: %s", bad_responses[i].input, fixture.error.text);
        assert_true(fixture.connection.closed);
        assert_null(fixture.response.body.data);
        finish(&fixture);
    }
}

static void test_nul_in_header(void **state)
{
    static const char input[] = OK "A: b\0c\r\nContent-Length: 0\r\n\r\n";
    struct fixture fixture;

    (void)state;
    start(&fixture, input);
    fixture.script.length = sizeof input - 1;
    assert_int_equal(ask(&fixture), -1);
    assert_string_equal(fixture.error.text, BAD_HEADER);
    finish(&fixture);
}

static void test_nul_in_body(void **state)
{
    static const char input[] = LENGTH("3") "a\0c";
    struct fixture fixture;

    (void)state;
    start(&fixture, input);
    fixture.script.length = sizeof input - 1;
    assert_int_equal(ask(&fixture), 0);
    assert_int_equal(fixture.response.body.length, 3);
    assert_memory_equal(fixture.response.body.data, "a\0c", 3);
    finish(&fixture);
}

/* ---- bounds ---- */

static void append_repeated(struct buffer *text, const char *what, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_append_string(text, what);
}

/* Ask for what is in input, which is freed. */
static void assert_outcome(struct buffer *input, size_t step, size_t body, const char *sentence)
{
    struct fixture fixture;

    start(&fixture, input->data);
    fixture.script.length = input->length;
    fixture.script.step = step;
    if (sentence == NULL) {
        assert_int_equal(ask(&fixture), 0);
        assert_int_equal(fixture.response.body.length, body);
    } else {
        assert_int_equal(ask(&fixture), -1);
        assert_string_equal(fixture.error.text, sentence);
    }
    finish(&fixture);
    buffer_free(input);
}

static void test_head_bound(void **state)
{
    static const char end[] = "\r\nContent-Length: 0\r\n\r\n";

    (void)state;
    for (size_t excess = 0; excess < 2; excess++) {
        for (size_t step = 0; step < 2; step++) {
            struct buffer input = {0};

            buffer_append_string(&input, OK "A: ");
            append_repeated(&input, "x", HTTP_MAX_HEAD + excess - input.length - strlen(end));
            buffer_append_string(&input, end);
            assert_outcome(&input, step, 0, excess != 0 ? TOO_LONG : NULL);
        }
    }
}

static void test_head_without_end(void **state)
{
    struct buffer line = {0}, lines = {0}, interim = {0}, trailer = {0};

    (void)state;
    append_repeated(&line, "x", 2 * HTTP_MAX_HEAD);
    assert_outcome(&line, 0, 0, TOO_LONG);
    buffer_append_string(&lines, OK);
    append_repeated(&lines, "A: b\r\n", HTTP_MAX_HEAD);
    assert_outcome(&lines, 0, 0, TOO_LONG);
    append_repeated(&interim, "HTTP/1.1 100 Continue\r\n\r\n", HTTP_MAX_HEAD);
    assert_outcome(&interim, 0, 0, TOO_LONG);
    buffer_append_string(&trailer, CHUNKED "0\r\n");
    append_repeated(&trailer, "A: b\r\n", HTTP_MAX_HEAD);
    assert_outcome(&trailer, 0, 0, TOO_LONG);
}

static void test_chunk_extension_bound(void **state)
{
    struct buffer input = {0};

    (void)state;
    buffer_append_string(&input, CHUNKED "1;");
    append_repeated(&input, "x", 2000);
    assert_outcome(&input, 0, 0, TOO_LONG);
}

static void test_body_bound(void **state)
{
    (void)state;
    for (size_t excess = 0; excess < 2; excess++) {
        const char *sentence = excess != 0 ? TOO_LARGE : NULL;
        struct buffer known = {0}, chunked = {0}, to_end = {0};

        buffer_printf(&known, OK "Content-Length: %zu\r\n\r\n", HTTP_MAX_BODY + excess);
        append_repeated(&known, "x", HTTP_MAX_BODY + excess);
        assert_outcome(&known, 0, HTTP_MAX_BODY, sentence);

        buffer_append_string(&chunked, CHUNKED);
        append_repeated(&chunked, "10\r\n0123456789abcdef\r\n", HTTP_MAX_BODY / 16);
        append_repeated(&chunked, "1\r\nx\r\n", excess);
        buffer_append_string(&chunked, "0\r\n\r\n");
        assert_outcome(&chunked, 0, HTTP_MAX_BODY, sentence);

        buffer_append_string(&to_end, OK "\r\n");
        append_repeated(&to_end, "x", HTTP_MAX_BODY + excess);
        assert_outcome(&to_end, 0, HTTP_MAX_BODY, sentence);
    }
}

static void test_announced_length_takes_no_memory(void **state)
{
    struct fixture fixture;

    (void)state;
    start(&fixture, LENGTH("1048576") "x");
    fixture.script.slow = true;
    assert_int_equal(ask_until(&fixture, net_clock_ms() + 5), -1);
    assert_true(fixture.connection.input.capacity <= 65536);
    finish(&fixture);
}

/* ---- bodies that are not kept ---- */

struct taken {
    struct buffer text;
    size_t pieces, refused; /* the piece with this number, from 1 on */
};

static int take(void *context, const char *data, size_t length, struct error *error)
{
    struct taken *taken = context;

    if (++taken->pieces == taken->refused)
        return error_set(error, ERROR_NONSENSE, "answers with what nobody wants");
    buffer_append(&taken->text, data, length);
    return 0;
}

static int ask_into(struct fixture *fixture, struct taken *taken)
{
    struct http_sink sink = {.take = take, .context = taken};
    int64_t deadline = net_clock_ms() + 60000;

    assert_int_equal(send_request(fixture, "GET", "/1.0", NULL), 0);
    return http_receive(&fixture->connection, deadline, deadline, &sink, &fixture->response,
                        &fixture->error);
}

static void test_sink(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_responses / sizeof *good_responses; i++) {
        const struct good_response *good = &good_responses[i];

        for (size_t step = 0; step < 4; step++) {
            struct taken taken = {0};
            struct fixture fixture;

            start(&fixture, good->input);
            fixture.script.step = step;
            assert_int_equal(ask_into(&fixture, &taken), 0);
            assert_int_equal(fixture.response.status, good->status);
            assert_string_equal(good->status == 200 ? buffer_string(&taken.text)
                                                    : buffer_string(&fixture.response.body),
                                good->body);
            assert_true(taken.text.length == 0 || fixture.response.body.length == 0);
            buffer_free(&taken.text);
            finish(&fixture);
        }
    }
}

/* Of any length, in any framing, and little of it is kept. */
static void test_sink_has_no_bound(void **state)
{
    static const size_t length = 5 * HTTP_MAX_BODY;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct taken taken = {0};
        struct buffer input = {0};
        struct fixture fixture;

        if (i == 1)
            buffer_append_string(&input, OK "\r\n");
        else
            buffer_printf(&input, i == 0 ? OK "Content-Length: %zu\r\n\r\n" : CHUNKED "%zx\r\n",
                          length);
        append_repeated(&input, "0123456789abcdef", length / 16);
        if (i == 2)
            buffer_append_string(&input, "\r\n0\r\n\r\n");
        start(&fixture, input.data);
        assert_int_equal(ask_into(&fixture, &taken), 0);
        assert_int_equal(taken.text.length, length);
        assert_null(fixture.response.body.data);
        assert_true(fixture.connection.input.capacity <= 65536);
        buffer_free(&taken.text);
        buffer_free(&input);
        finish(&fixture);
    }
}

static void test_sink_that_refuses(void **state)
{
    struct taken taken = {.refused = 2};
    struct fixture fixture;

    (void)state;
    start(&fixture, CHUNKED "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n");
    fixture.connection.used = true;
    assert_int_equal(ask_into(&fixture, &taken), -1);
    assert_string_equal(fixture.error.text, "answers with what nobody wants");
    assert_int_equal(taken.pieces, 2);
    assert_true(fixture.connection.closed);
    assert_false(fixture.connection.stale);
    buffer_free(&taken.text);
    finish(&fixture);
}

/* ---- the connection's life ---- */

static void test_keep_alive(void **state)
{
    struct fixture fixture;

    (void)state;
    start(&fixture, LENGTH("1") "a" CHUNKED "1\r\nb\r\n0\r\n\r\n");
    fixture.script.step = 1; /* the second response is there, but not before it is asked for */
    assert_int_equal(ask(&fixture), 0);
    assert_string_equal(fixture.response.body.data, "a");
    assert_false(fixture.connection.closed);
    assert_int_equal(ask(&fixture), 0);
    assert_string_equal(fixture.response.body.data, "b");
    assert_int_equal(fixture.script.writes, 2);
    finish(&fixture);
}

/* Requests that are sent before the first response is received. */
static void test_several_pending(void **state)
{
    struct fixture fixture;

    (void)state;
    start(&fixture, LENGTH("1") "a" LENGTH("1") "b" LENGTH("1") "c" LENGTH("0"));
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_request(&fixture, "GET", "/1.0", NULL), 0);
    assert_int_equal(fixture.connection.pending, 3);
    for (int i = 0; i < 3; i++) {
        assert_false(fixture.connection.closed);
        assert_int_equal(receive_until(&fixture, INT64_MAX, INT64_MAX), 0);
        assert_int_equal(fixture.response.body.data[0], 'a' + i);
    }
    assert_true(fixture.connection.closed); /* nobody asked for the fourth */
    finish(&fixture);
}

static void test_end_among_several_pending(void **state)
{
    static const struct {
        const char *rest, *error;
        bool stale;
    } ends[] = {{"", UNANSWERED, true}, {"HT", TRUNCATED, false}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char *input = mem_printf("%s%s", LENGTH("0"), ends[i].rest);
        struct fixture fixture;

        start(&fixture, input);
        assert_int_equal(send_request(&fixture, "GET", "/1.0", NULL), 0);
        assert_int_equal(send_request(&fixture, "GET", "/1.0", NULL), 0);
        assert_int_equal(receive_until(&fixture, INT64_MAX, INT64_MAX), 0);
        assert_int_equal(receive_until(&fixture, INT64_MAX, INT64_MAX), -1);
        assert_string_equal(fixture.error.text, ends[i].error);
        assert_true(fixture.connection.closed);
        assert_int_equal(fixture.connection.stale, ends[i].stale);
        finish(&fixture);
        free(input);
    }
}

/* A response that has begun in time has more of it; one that is here is never too late. */
static void test_time_for_the_first_byte(void **state)
{
    struct fixture fixture;
    int64_t now = net_clock_ms();

    (void)state;
    start(&fixture, LENGTH("2") "a");
    fixture.script.slow = true;
    assert_int_equal(send_request(&fixture, "GET", "/1.0", NULL), 0);
    assert_int_equal(receive_until(&fixture, now - 1000, now + 50), -1);
    assert_true(net_clock_ms() >= now + 50);
    finish(&fixture);

    start(&fixture, "");
    fixture.script.slow = true;
    assert_int_equal(send_request(&fixture, "GET", "/1.0", NULL), 0);
    assert_int_equal(receive_until(&fixture, now - 1000, INT64_MAX), -1);
    finish(&fixture);
}

/* A second request on a connection that ends in this way after its first response. */
static bool is_stale_after(const char *rest, bool breaks, bool deaf)
{
    struct fixture fixture;
    char *input = mem_printf("%s%s", LENGTH("0"), rest);

    start(&fixture, input);
    fixture.script.step = 1;
    fixture.script.breaks = breaks;
    assert_int_equal(ask(&fixture), 0);
    assert_false(fixture.connection.stale);
    fixture.script.deaf = deaf;
    assert_int_equal(ask(&fixture), -1);
    assert_int_equal(fixture.error.kind, ERROR_UNREACHABLE);
    bool stale = fixture.connection.stale;
    finish(&fixture);
    free(input);
    return stale;
}

static void test_stale(void **state)
{
    (void)state;
    assert_true(is_stale_after("", false, false));
    assert_true(is_stale_after("", true, false));
    assert_true(is_stale_after("", false, true));
    assert_false(is_stale_after("H", false, false));
    assert_false(is_stale_after("H", true, false));
}

static void test_fresh_connection_is_never_stale(void **state)
{
    struct fixture fixture;

    (void)state;
    start(&fixture, "");
    assert_int_equal(ask(&fixture), -1);
    assert_string_equal(fixture.error.text, UNANSWERED);
    assert_false(fixture.connection.stale);
    finish(&fixture);
}

static void test_late_answer_is_not_stale(void **state)
{
    struct fixture fixture;

    (void)state;
    start(&fixture, LENGTH("0"));
    fixture.script.slow = true;
    assert_int_equal(ask(&fixture), 0);
    assert_int_equal(ask_until(&fixture, net_clock_ms() + 5), -1);
    assert_false(fixture.connection.stale);
    finish(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_without_body),
        cmocka_unit_test(test_request_with_body),
        cmocka_unit_test(test_good_responses),
        cmocka_unit_test(test_good_responses_in_pieces),
        cmocka_unit_test(test_truncation_at_every_byte),
        cmocka_unit_test(test_broken_end_is_no_end),
        cmocka_unit_test(test_bad_responses),
        cmocka_unit_test(test_nul_in_header),
        cmocka_unit_test(test_nul_in_body),
        cmocka_unit_test(test_head_bound),
        cmocka_unit_test(test_head_without_end),
        cmocka_unit_test(test_chunk_extension_bound),
        cmocka_unit_test(test_body_bound),
        cmocka_unit_test(test_announced_length_takes_no_memory),
        cmocka_unit_test(test_sink),
        cmocka_unit_test(test_sink_has_no_bound),
        cmocka_unit_test(test_sink_that_refuses),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_several_pending),
        cmocka_unit_test(test_end_among_several_pending),
        cmocka_unit_test(test_time_for_the_first_byte),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_fresh_connection_is_never_stale),
        cmocka_unit_test(test_late_answer_is_not_stale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
