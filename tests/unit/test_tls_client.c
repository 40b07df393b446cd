/* SPDX-License-Identifier: Apache-2.0 */
/* The engine against a server in the same process: what it must do when all is well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tls_server.h"

static struct tls tls;
static struct server server;

static void start(void)
{
    struct tls_configuration configuration = server_client_configuration();

    server_init(&server, &tls);
    tls_start(&tls, &configuration);
}

static void assert_connected(void)
{
    if (tls_state(&tls) != TLS_OPEN)
        fail_msg("not connected: %s", tls_failure(&tls));
    assert_true(server.client_finished);
    assert_int_equal(server.alert, -1);
}

static void assert_exchange(void)
{
    char answer[8];

    assert_int_equal(tls_write(&tls, "ping", 4), 4);
    server_receive(&server);
    assert_int_equal(server.data_length, 4);
    assert_memory_equal(server.data, "ping", 4);
    server_send(&server, TLS_APPLICATION_DATA, "pong", 4);
    assert_int_equal(tls_read(&tls, answer, sizeof answer), 4);
    assert_memory_equal(answer, "pong", 4);
}

static void every_suite_and_group(void **state)
{
    static const uint16_t suites[] = {0x1301, 0x1302, 0x1303};
    static const uint16_t groups[] = {TLS_X25519MLKEM768, TLS_X25519, TLS_SECP256R1, TLS_SECP384R1};

    (void)state;
    for (size_t i = 0; i < 24; i++) {
        start();
        server.suite_id = suites[i % 3];
        server.group = groups[i / 3 % 4];
        server.request_certificate = i >= 12;
        server_handshake(&server);
        assert_connected();
        assert_int_equal(tls.group, server.group);
        assert_int_equal(server.retried, i / 3 % 4 >= 2);
        assert_int_equal(server.client_certificate_length != 0, server.request_certificate);
        assert_exchange();
    }
}

/* What a server sees of a ClientHello: the groups it lists, and those it has shares for. */
static size_t offered(uint16_t extension, uint16_t *groups)
{
    size_t length, count = 0;
    const uint8_t *output = tls_output(&tls, &length);
    struct reader hello = reader_over(output + TLS_RECORD_HEADER, length - TLS_RECORD_HEADER);

    reader_bytes(&hello, 4 + 2 + 32);
    reader_vector(&hello, 1);
    reader_vector(&hello, 2);
    reader_vector(&hello, 1);
    struct reader extensions = reader_vector(&hello, 2);
    while (extensions.left != 0 && !extensions.bad) {
        uint32_t type = reader_number(&extensions, 2);
        struct reader content = reader_vector(&extensions, 2);
        struct reader list = reader_vector(&content, 2);
        while (type == extension && list.left != 0 && count < 8) {
            groups[count++] = (uint16_t)reader_number(&list, 2);
            if (extension == TLS_EXTENSION_KEY_SHARE)
                reader_vector(&list, 2);
        }
    }
    return count;
}

/* A ClientHello taken apart, and what holds for each of ours. */
struct hello {
    struct reader random, session_id, suites;
    uint64_t extensions; /* bit n: extension n is there */
};

static void read_hello(struct hello *hello, uint16_t record_version)
{
    size_t length;
    const uint8_t *output = tls_output(&tls, &length);
    struct reader record = reader_over(output, length);

    assert_int_equal(reader_number(&record, 1), TLS_HANDSHAKE_RECORD);
    assert_int_equal(reader_number(&record, 2), record_version);
    struct reader message = reader_vector(&record, 2);
    assert_true(reader_done(&record)); /* a ClientHello ends its record (5.1) */
    assert_int_equal(reader_number(&message, 1), TLS_CLIENT_HELLO);
    struct reader body = reader_vector(&message, 3);
    assert_true(reader_done(&message));
    assert_int_equal(reader_number(&body, 2), 0x0303);
    hello->random = reader_over(reader_bytes(&body, 32), 32);
    hello->session_id = reader_vector(&body, 1);
    hello->suites = reader_vector(&body, 2);
    struct reader compression = reader_vector(&body, 1);
    assert_true(compression.left == 1 && compression.data[0] == 0);
    assert_int_equal(hello->session_id.left, 32); /* compatibility mode (4.2.2) */
    struct reader extensions = reader_vector(&body, 2);
    assert_true(reader_done(&body));
    hello->extensions = 0;
    while (extensions.left != 0) {
        uint32_t type = reader_number(&extensions, 2);
        struct reader content = reader_vector(&extensions, 2);
        assert_true(!extensions.bad && type < 64);
        assert_int_equal(hello->extensions >> type & 1, 0); /* none twice (4.3) */
        hello->extensions |= UINT64_C(1) << type;
        if (type == TLS_EXTENSION_SUPPORTED_VERSIONS)
            assert_true(content.left == 3 && memcmp(content.data, "\2\3\4", 3) == 0);
        if (type == TLS_EXTENSION_SIGNATURE_ALGORITHMS) {
            struct reader list = reader_vector(&content, 2);
            while (list.left != 0) { /* no MD5, SHA-1 or SHA-224 (4.3.3) */
                uint32_t scheme = reader_number(&list, 2);
                assert_true(scheme >> 8 >= 4 && !list.bad);
            }
        }
    }
}

/* Both hellos are those of RFC 9846 4.2.2, and differ in no more than they may. */
static void hellos_are_as_the_rfc_has_them(void **state)
{
    const uint64_t always =
        UINT64_C(1) << TLS_EXTENSION_SERVER_NAME | UINT64_C(1) << TLS_EXTENSION_SUPPORTED_GROUPS |
        UINT64_C(1) << TLS_EXTENSION_SIGNATURE_ALGORITHMS |
        UINT64_C(1) << TLS_EXTENSION_SUPPORTED_VERSIONS | UINT64_C(1) << TLS_EXTENSION_KEY_SHARE;
    static uint8_t kept[512];
    static struct tls_key_exchange exchange;
    struct hello first, second;
    uint16_t groups[8];

    (void)state;
    start();
    read_hello(&first, 0x0301);
    assert_true(first.extensions == always); /* neither cookie, PSK, 0-RTT nor ALPN */
    exchange = tls.exchange;
    memcpy(kept, first.random.data, 32 + 1 + 32 + 2 + first.suites.left);
    server.send_retry = true;
    server.group = TLS_SECP384R1;
    server.record_only = true;
    server_handshake(&server); /* stops for want of an answer */
    server.record_only = false;
    size_t room, length = TLS_RECORD_HEADER + ((size_t)server.wire[3] << 8 | server.wire[4]);
    uint8_t *input = tls_input(&tls, &room);
    memcpy(input, server.wire, length); /* the HelloRetryRequest */
    tls_input_done(&tls, length);
    const uint8_t *output = tls_output(&tls, &length);
    static const uint8_t ccs[] = {20, 3, 3, 0, 1, 1}; /* before the second flight (appendix E.4) */
    assert_true(length > sizeof ccs);
    assert_memory_equal(output, ccs, sizeof ccs);
    tls_output_done(&tls, sizeof ccs);
    read_hello(&second, 0x0303);
    assert_true(second.extensions == (always | UINT64_C(1) << TLS_EXTENSION_COOKIE));
    assert_memory_equal(second.random.data, kept, 32 + 1 + 32 + 2 + first.suites.left);
    assert_int_equal(offered(TLS_EXTENSION_KEY_SHARE, groups), 1);
    assert_int_equal(groups[0], TLS_SECP384R1);
    assert_int_equal(offered(TLS_EXTENSION_SUPPORTED_GROUPS, groups), 4);

    start(); /* nothing of one connection serves another (4.3.8) */
    read_hello(&first, 0x0301);
    assert_memory_not_equal(first.random.data, kept, 32);
    assert_memory_not_equal(tls.exchange.point, exchange.point, 32);
    assert_memory_not_equal(&tls.exchange.mlkem, &exchange.mlkem, 1000);
}

/* One x25519 key serves both shares; a small hello has neither the hybrid nor a share of it. */
static void groups_and_shares(void **state)
{
    static const uint16_t all[] = {TLS_X25519MLKEM768, TLS_X25519, TLS_SECP256R1, TLS_SECP384R1};
    struct tls_configuration configuration = server_client_configuration();
    uint16_t groups[8];
    size_t length;

    (void)state;
    start();
    assert_int_equal(offered(TLS_EXTENSION_SUPPORTED_GROUPS, groups), 4);
    assert_memory_equal(groups, all, sizeof all);
    assert_int_equal(offered(TLS_EXTENSION_KEY_SHARE, groups), 2);
    assert_memory_equal(groups, all, 2 * sizeof *all);
    const uint8_t *output = tls_output(&tls, &length);
    const uint8_t *end = output + length;
    assert_memory_equal(end - 32, end - 32 - 4 - 32, 32);
    assert_true(length > 1400);

    configuration.small_hello = true;
    server_init(&server, &tls);
    tls_start(&tls, &configuration);
    assert_int_equal(offered(TLS_EXTENSION_SUPPORTED_GROUPS, groups), 3);
    assert_memory_equal(groups, all + 1, 3 * sizeof *all);
    assert_int_equal(offered(TLS_EXTENSION_KEY_SHARE, groups), 1);
    assert_int_equal(groups[0], TLS_X25519);
    tls_output(&tls, &length);
    assert_true(length < 512);
    server_handshake(&server);
    assert_connected();
}

/* Up to what message and ClientHello hold, and with either share in the second hello. */
static void cookies_are_echoed(void **state)
{
    static const size_t lengths[] = {1, 6, 255, 256, 16384, 40000, 62000, 65000};
    static const uint16_t groups[] = {TLS_X25519, TLS_X25519MLKEM768, TLS_SECP384R1};

    (void)state;
    for (size_t i = 0; i < 24; i++) {
        if (lengths[i / 3] > 64000 && groups[i % 3] != TLS_SECP384R1)
            continue; /* with a share of ML-KEM there is no room */
        start();
        server.send_retry = true;
        server.cookie_length = lengths[i / 3];
        server.group = groups[i % 3];
        server_handshake(&server);
        assert_connected();
        assert_true(server.cookie_came);
        assert_exchange();
    }
}

/* The version in a record's header means nothing, not even the first one's (RFC 9846 5.1). */
static void record_versions_are_ignored(void **state)
{
    static const uint16_t versions[] = {0x0000, 0x0301, 0x0304, 0x1234, 0xffff};

    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        start();
        server.record_version = versions[i];
        server_handshake(&server);
        assert_connected();
        assert_exchange();
    }
}

static void close_with_finished(struct server *the_server, int type)
{
    (void)type;
    the_server->record_only = true; /* it all comes in one read */
}

static void finished_and_close_in_one_read(void **state)
{
    size_t room;

    (void)state;
    start();
    server.before_send = close_with_finished;
    server_handshake(&server);
    server_send(&server, TLS_ALERT, "\1", 2);
    uint8_t *input = tls_input(&tls, &room);
    assert_true(room >= server.wire_length);
    memcpy(input, server.wire, server.wire_length);
    tls_input_done(&tls, server.wire_length);
    assert_int_equal(tls_state(&tls), TLS_CLOSED);
    assert_string_equal(tls_failure(&tls), "closed the connection");
}

/* Of ours; of the server's no count is kept (RFC 9846 5.5). */
static void records_under_a_key_are_counted(void **state)
{
    (void)state;
    start();
    server_handshake(&server);
    tls.write_keys.sequence = TLS_MAX_KEY_RECORDS;
    assert_int_equal(tls_write(&tls, "x", 1), 0);
    assert_int_equal(tls_state(&tls), TLS_FAILED);
    assert_non_null(strstr(tls_failure(&tls), "too many records"));
}

static void no_certificate_of_ours(void **state)
{
    struct tls_configuration configuration = server_client_configuration();

    (void)state;
    configuration.certificate = NULL;
    configuration.certificate_length = 0;
    configuration.ec_key = NULL;
    server_init(&server, &tls);
    tls_start(&tls, &configuration);
    server.request_certificate = true;
    server_handshake(&server);
    assert_connected();
    assert_int_equal(server.client_certificate_length, 0);
}

static void no_check_refuses_all(void **state)
{
    struct tls_configuration configuration = server_client_configuration();

    (void)state;
    configuration.check_certificate = NULL;
    server_init(&server, &tls);
    tls_start(&tls, &configuration);
    server_handshake(&server);
    server_receive(&server);
    assert_int_equal(tls_state(&tls), TLS_FAILED);
    assert_int_equal(tls_origin(&tls), TLS_ORIGIN_CERTIFICATE);
    assert_int_equal(server.alert, TLS_ALERT_BAD_CERTIFICATE);
}

static void large_client_certificate_is_refused(void **state)
{
    struct tls_configuration configuration = server_client_configuration();

    (void)state;
    configuration.certificate_length = TLS_MAX_OUR_CERTIFICATE + 1;
    tls_start(&tls, &configuration);
    assert_int_equal(tls_state(&tls), TLS_FAILED);
    assert_int_equal(tls_alert(&tls), TLS_ALERT_INTERNAL_ERROR);
}

static void flight_in_one_record(void **state)
{
    (void)state;
    start();
    server.one_record = true;
    server.request_certificate = true;
    server_handshake(&server);
    assert_connected();
    assert_exchange();
}

static void close_in_both_directions(void **state)
{
    static const uint8_t close_notify[] = {1, 0};

    (void)state;
    start();
    server_handshake(&server);
    assert_connected();
    tls_close(&tls);
    tls_close(&tls); /* once is enough */
    server_receive(&server);
    assert_int_equal(server.alert, TLS_ALERT_CLOSE_NOTIFY);
    assert_int_equal(tls_write(&tls, "x", 1), 0);
    server_send(&server, TLS_APPLICATION_DATA, "last", 4); /* the other half is still open */

    char data[8];
    assert_int_equal(tls_read(&tls, data, sizeof data), 4);
    assert_int_equal(tls_state(&tls), TLS_OPEN);
    server_send(&server, TLS_ALERT, close_notify, sizeof close_notify);
    assert_int_equal(tls_state(&tls), TLS_CLOSED);
    server_send(&server, TLS_APPLICATION_DATA, "late", 4); /* ignored (RFC 9846 6.1) */
    assert_int_equal(tls_read(&tls, data, sizeof data), 0);
}

static void truncation_is_told_apart(void **state)
{
    static const uint8_t close_notify[] = {1, 0};

    (void)state;
    start();
    server_handshake(&server);
    tls_input_end(&tls);
    assert_int_equal(tls_state(&tls), TLS_FAILED);
    assert_int_equal(tls_origin(&tls), TLS_ORIGIN_TRUNCATION);

    start();
    server_handshake(&server);
    server_send(&server, TLS_ALERT, close_notify, sizeof close_notify);
    assert_int_equal(tls_state(&tls), TLS_CLOSED);
    tls_input_end(&tls);
    assert_int_equal(tls_state(&tls), TLS_CLOSED);
    assert_int_equal(tls_origin(&tls), TLS_ORIGIN_NONE);
}

static void key_updates(void **state)
{
    static const uint8_t update[] = {TLS_KEY_UPDATE, 0, 0, 1, 0};
    static const uint8_t update_please[] = {TLS_KEY_UPDATE, 0, 0, 1, 1};

    (void)state;
    start();
    server_handshake(&server);
    server_send(&server, TLS_HANDSHAKE_RECORD, update, sizeof update);
    server_update_keys(&server);
    server_receive(&server);
    assert_int_equal(server.key_updates, 0);
    server_send(&server, TLS_HANDSHAKE_RECORD, update_please, sizeof update_please);
    server_update_keys(&server);
    server_send(&server, TLS_HANDSHAKE_RECORD, update_please, sizeof update_please);
    server_update_keys(&server);
    server_receive(&server);
    assert_int_equal(server.key_updates, 0);
    assert_exchange(); /* one answer to both, before the data */
    assert_int_equal(server.key_updates, 1);
}

/* Asked again and again while the output cannot leave: one answer, and the output never fills. */
static void key_updates_without_reading(void **state)
{
    static const uint8_t update_please[] = {TLS_KEY_UPDATE, 0, 0, 1, 1};
    static uint8_t data[TLS_MAX_PLAINTEXT];

    (void)state;
    start();
    server_handshake(&server);
    size_t written = 0, step;
    while ((step = tls_write(&tls, data, sizeof data)) != 0)
        written += step;
    for (int i = 0; i < 20; i++) {
        server_send(&server, TLS_HANDSHAKE_RECORD, update_please, sizeof update_please);
        server_update_keys(&server);
    }
    assert_int_equal(tls_state(&tls), TLS_OPEN);
    server_receive(&server);
    assert_int_equal(server.data_length, written);
    assert_int_equal(server.key_updates, 0);
    server.data_length = 0;
    assert_exchange();
    assert_int_equal(server.key_updates, 1);
}

static void tickets_are_skipped(void **state)
{
    static const uint8_t ticket[] = {
        TLS_NEW_SESSION_TICKET, 0, 0, 17, 0, 0, 1, 0, 1, 2, 3, 4, 1, 9, 0, 3, 7, 7, 7, 0, 0};

    (void)state;
    start();
    server_handshake(&server);
    for (int i = 0; i < 5; i++)
        server_send(&server, TLS_HANDSHAKE_RECORD, ticket, sizeof ticket);
    assert_exchange();
}

/* Of any legal size and with whatever in it, in records of any size; counted only until data. */
static void tickets_of_any_size(void **state)
{
    static const size_t lengths[] = {TLS_MIN_TICKET, 16379, 16380,         16381,
                                     65532,          65537, TLS_MAX_TICKET};
    static uint8_t message[4 + TLS_MAX_TICKET];

    (void)state;
    start();
    server_handshake(&server);
    for (size_t i = 0; i < 200; i++) {
        size_t length = lengths[i % 7], step = i % 3 == 0 ? 1000 : TLS_MAX_PLAINTEXT;
        memset(message, (int)i, sizeof message);
        message[0] = TLS_NEW_SESSION_TICKET;
        message[1] = (uint8_t)(length >> 16);
        message[2] = (uint8_t)(length >> 8);
        message[3] = (uint8_t)length;
        for (size_t at = 0; at < 4 + length; at += step) {
            size_t part = 4 + length - at < step ? 4 + length - at : step;
            server.wire_length = 0;
            server_send(&server, TLS_HANDSHAKE_RECORD, message + at, part);
        }
        if (i % 20 == 0) {
            server.data_length = 0;
            assert_exchange();
        }
    }
    assert_int_equal(tls_state(&tls), TLS_OPEN);
}

static void padding_and_empty_records(void **state)
{
    static const uint8_t padded[] = {'p', 'o', TLS_APPLICATION_DATA, 0, 0, 0, 0, 0, 0};
    char answer[8];

    (void)state;
    start();
    server_handshake(&server);
    for (int i = 0; i < TLS_MAX_IDLE_RECORDS; i++)
        server_send(&server, TLS_APPLICATION_DATA, NULL, 0);
    server_send_inner(&server, TLS_APPLICATION_DATA, padded, sizeof padded);
    assert_int_equal(tls_read(&tls, answer, sizeof answer), 2);
    assert_memory_equal(answer, "po", 2);
    assert_exchange();
}

static void large_data_both_ways(void **state)
{
    static uint8_t sent[50000], got[50000];
    size_t done = 0, length = 0;

    (void)state;
    start();
    server_handshake(&server);
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)(i * 7);
    while (done < sizeof sent) {
        size_t taken = tls_write(&tls, sent + done, sizeof sent - done);
        assert_true(taken > 0);
        done += taken;
        server_receive(&server);
    }
    assert_int_equal(server.data_length, sizeof sent);
    assert_memory_equal(server.data, sent, sizeof sent);

    server.record_only = true;
    server.wire_length = 0;
    server_send(&server, TLS_APPLICATION_DATA, sent, sizeof sent);
    for (size_t at = 0; at < server.wire_length;) {
        size_t room;
        uint8_t *input = tls_input(&tls, &room);
        if (room > server.wire_length - at)
            room = server.wire_length - at;
        memcpy(input, server.wire + at, room);
        tls_input_done(&tls, room);
        at += room;
        size_t step;
        while ((step = tls_read(&tls, got + length,
                                1000 < sizeof got - length ? 1000 : sizeof got - length)) != 0)
            length += step;
    }
    assert_int_equal(length, sizeof got);
    assert_memory_equal(got, sent, sizeof got);
}

/* The server's bytes, recorded and then fed one at a time: nothing depends on how they come. */
static void one_byte_at_a_time(void **state)
{
    (void)state;
    start();
    server.request_certificate = true;
    server.record_only = true;
    server_handshake(&server);
    for (size_t i = 0; i < server.wire_length; i++) {
        size_t room;
        uint8_t *input = tls_input(&tls, &room);
        assert_true(room > 0);
        *input = server.wire[i];
        tls_input_done(&tls, 1);
        assert_int_not_equal(tls_state(&tls), TLS_FAILED);
    }
    server_receive(&server);
    assert_connected();
    assert_true(server.wire_length > 500);
    server.record_only = false;
    assert_exchange();
}

/* Cut at every byte: always a truncation, never anything else. */
static void cut_at_every_byte(void **state)
{
    struct tls_configuration configuration = server_client_configuration();
    static struct server whole;
    size_t length = 1;

    (void)state;
    for (size_t cut = 0; cut < length; cut++) {
        server_init(&whole, &tls);
        whole.record_only = true;
        tls_start(&tls, &configuration);
        server_handshake(&whole);
        length = whole.wire_length; /* it varies with that of the signature */
        if (cut >= length)
            break;
        size_t room;
        uint8_t *input = tls_input(&tls, &room);
        assert_true(room >= cut);
        memcpy(input, whole.wire, cut);
        tls_input_done(&tls, cut);
        assert_int_equal(tls_state(&tls), TLS_HANDSHAKE);
        tls_input_end(&tls);
        assert_int_equal(tls_state(&tls), TLS_FAILED);
        assert_int_equal(tls_origin(&tls), TLS_ORIGIN_TRUNCATION);
    }
    assert_true(length > 500);
}

/* No secret stays behind in the engine, neither after a failure nor after tls_wipe(). */
static void secrets_are_wiped(void **state)
{
    static const uint8_t zeros[sizeof(struct tls)];

    (void)state;
    memset(&tls, 0, sizeof tls); /* the tests before have not wiped it */
    start();
    server_handshake(&server);
    assert_connected();
    tls_input_end(&tls);
    assert_memory_equal(tls.client_secret, zeros, sizeof tls.client_secret);
    assert_memory_equal(tls.server_secret, zeros, sizeof tls.server_secret);
    assert_memory_equal(tls.secret, zeros, sizeof tls.secret);
    assert_memory_equal(&tls.read_keys, zeros, sizeof tls.read_keys);
    assert_memory_equal(&tls.write_keys, zeros, sizeof tls.write_keys);
    assert_memory_equal(&tls.exchange, zeros, sizeof tls.exchange);
    tls_wipe(&tls);
    assert_memory_equal(&tls, zeros, sizeof tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_suite_and_group),
        cmocka_unit_test(groups_and_shares),
        cmocka_unit_test(hellos_are_as_the_rfc_has_them),
        cmocka_unit_test(cookies_are_echoed),
        cmocka_unit_test(record_versions_are_ignored),
        cmocka_unit_test(finished_and_close_in_one_read),
        cmocka_unit_test(records_under_a_key_are_counted),
        cmocka_unit_test(tickets_of_any_size),
        cmocka_unit_test(no_certificate_of_ours),
        cmocka_unit_test(no_check_refuses_all),
        cmocka_unit_test(large_client_certificate_is_refused),
        cmocka_unit_test(flight_in_one_record),
        cmocka_unit_test(close_in_both_directions),
        cmocka_unit_test(truncation_is_told_apart),
        cmocka_unit_test(key_updates),
        cmocka_unit_test(key_updates_without_reading),
        cmocka_unit_test(tickets_are_skipped),
        cmocka_unit_test(padding_and_empty_records),
        cmocka_unit_test(large_data_both_ways),
        cmocka_unit_test(one_byte_at_a_time),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(secrets_are_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
