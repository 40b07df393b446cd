/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent_bytes.h"
#include "juju/gob.h"

/* ---- calls ---- */

static void assert_call(uint64_t calls, const struct gob_call *call, const char *expected)
{
    struct gob_client client = {.calls = calls};
    uint8_t bytes[512];
    size_t size = from_hex(bytes, expected);
    uint8_t *out = malloc(size); /* just as much: what is behind it is out of bounds */

    assert_int_equal(gob_write_call(&client, NULL, call), size);
    assert_int_equal(gob_write_call(&client, out, call), size);
    assert_memory_equal(out, bytes, size);
    free(out);
}

static void test_exact_bytes(void **state)
{
    static const char *const is_leader[] = {"is-leader", "--format=json", NULL};
    const struct gob_call call = {"u/0-x-1", "/", is_leader, NULL, 0};

    (void)state;
    assert_call(0, &call, DEFINE_HEADER HEADER_0 DEFINE_REQUEST REQUEST);
    assert_call(1, &call, HEADER_1 REQUEST);
    assert_call(127, &call, "11ff82010a4a756a75632e4d61696e017f00" REQUEST);
    assert_call(128, &call, "12ff82010a4a756a75632e4d61696e01ff8000" REQUEST);
    assert_call(256, &call, "13ff82010a4a756a75632e4d61696e01fe010000" REQUEST);
    assert_call(UINT64_MAX, &call, "19ff82010a4a756a75632e4d61696e01f8ffffffffffffffff00" REQUEST);
}

static void test_standard_input(void **state)
{
    static const char *const arguments[] = {"x", NULL};
    struct gob_call call = {"u/0-x-1", "/", arguments, "in", 2};

    (void)state;
    assert_call(1, &call, HEADER_1 REQUEST_IN);
    call.input_length = 0;
    assert_call(1, &call, HEADER_1 REQUEST_EMPTY);
}

/* ---- replies ---- */

struct received {
    struct gob_client client;
    uint8_t data[4096];
    size_t length;
    const char *fault;
};

/* `at_once` bytes more each time, in memory that moves. */
static enum gob_result receive_in(struct received *received, size_t at_once)
{
    enum gob_result result = GOB_MORE;

    for (size_t length = 0; result == GOB_MORE && length < received->length;) {
        length = at_once < received->length - length ? length + at_once : received->length;
        uint8_t *copy = malloc(length);

        memcpy(copy, received->data, length);
        result = gob_read_reply(&received->client, copy, length, &received->fault);
        if (result == GOB_REPLY)
            assert_int_equal(length, received->length);
        free(copy);
    }
    return result;
}

static enum gob_result receive(struct received *received, const char *hex)
{
    received->length = from_hex(received->data, hex);
    return receive_in(received, received->length);
}

static void assert_bytes(const struct received *received, struct gob_bytes bytes, const char *text)
{
    assert_int_equal(bytes.length, strlen(text));
    assert_memory_equal(received->data + bytes.start, text, bytes.length);
}

static void assert_reply(const struct received *received, const char *refusal, int code,
                         const char *output, const char *message)
{
    const struct gob_reply *reply = &received->client.reply;

    assert_bytes(received, reply->refusal, refusal);
    assert_int_equal(reply->code, code);
    assert_bytes(received, reply->output, output);
    assert_bytes(received, reply->message, message);
}

static void test_replies(void **state)
{
    struct received received = {0};

    (void)state;
    assert_int_equal(receive(&received, FIRST_REPLY), GOB_REPLY);
    assert_reply(&received, "", 0, "true\n", "");
    assert_int_equal(receive(&received, REFUSAL_1 DEFINE_NOTHING NOTHING), GOB_REPLY);
    assert_reply(&received, "bad request: unknown command: nope", 0, "", "");
    assert_int_equal(receive(&received, RESPONSE_2 ANSWER_FAILED), GOB_REPLY);
    assert_reply(&received, "", 1, "", "ERROR no\n");
    assert_int_equal(received.client.calls, 3);
}

/*
 * Go's encoding of net/rpc's Response{"Jujuc.Main", 300, ""}, and then of a struct with a field of
 * every kind: bool, float64, complex128, uint, [3]int, map[string][]int, a struct that holds a list
 * of its own type, interface{} (a string), []interface{} (nil, an int, a string, a bool),
 * time.Time; and among them Code 3, Stdout "out", Stderr "err".
 */
static const char sample[] =
    "36ff81030101045265737001ff82000103010d536572766963654d6574686f64010c000103536571010600010545"
    "72726f72010c00000013ff82010a4a756a75632e4d61696e01fe012c00ffafff83030101045769646501ff840001"
    "0f0104426f6f6c0102000105466c6f61740108000107436f6d706c6578010e000108556e7369676e656401060001"
    "05417272617901ff860001034d617001ff8a0001064e657374656401ff8c000103416e7901100001044c69737401"
    "ff900001045768656e01ff92000104436f646501040001065374646f7574010a000107536b697070656401ff9600"
    "0106537464657272010a0001044c617374010c00000016ff85010101065b335d696e7401ff860001040106000021"
    "ff89040101106d61705b737472696e675d5b5d696e7401ff8a00010c01ff8800000cff87020102ff880001040000"
    "26ff8b03010105496e6e657201ff8c000102010454657874010c0001044d6f726501ff8e0000001cff8d0201010d"
    "5b5d2a6d61696e2e496e6e657201ff8e0001ff8c00001cff8f0201010e5b5d696e74657266616365207b7d01ff90"
    "000110000010ff910501010454696d6501ff9200000028ff95040101176d61705b696e745d6d61705b626f6f6c5d"
    "737472696e6701ff9600010401ff9400000eff93040102ff94000102010c0000ff8bff84010101fef83f01fef03f"
    "ffc001070103020406010101610202010101017801020101790001017a01010101770000000106737472696e670c"
    "050003616e7901040003696e7404020002067374"
    "72696e670c0300017304626f6f6c02020001010f010000000e77"
    "91f70000000000ffff010601036f757401010201010174010365727201046c61737400";

static void test_every_kind(void **state)
{
    struct received received = {.client = {.calls = 300}};

    (void)state;
    assert_int_equal(receive(&received, sample), GOB_REPLY);
    assert_reply(&received, "", 3, "out", "err");
}

/* However it arrives, and cut off anywhere there is more to come. */
static void test_pieces(void **state)
{
    uint8_t data[2048];
    size_t length = from_hex(data, sample);

    (void)state;
    for (size_t at_once = 1; at_once <= length; at_once++) {
        struct received received = {.client = {.calls = 300}, .length = length};

        memcpy(received.data, data, length);
        assert_int_equal(receive_in(&received, at_once), GOB_REPLY);
        assert_reply(&received, "", 3, "out", "err");
        received = (struct received){.client = {.calls = 300}, .length = at_once - 1};
        memcpy(received.data, data, length);
        assert_int_equal(receive_in(&received, at_once), GOB_MORE);
    }
}

/*
 * Other numbers, another order, more fields, and a field whose value has fields of those names:
 * Go's Response{New: []string{"a", ""}} and ExecResponse{Stderr: "oops", More:
 * map[string]int{"Code": 1}, Code: 2, Old: {Code: 9, Stdout: "no", Seq: 7}, Stdout: "text"}.
 */
static void test_other_types(void **state)
{
    struct received received = {0};

    (void)state;
    assert_int_equal(
        receive(
            &received,
            "31ff8d03010108526573706f6e736501ff8e00010301034e657701ff900001054572726f72010c000103"
            "536571010600000016ff8f020101085b5d737472696e6701ff9000010c000008ff8e0102016100004cff"
            "910301010c45786563526573706f6e736501ff920001050106537464657272010a0001044d6f726501ff"
            "94000104436f646501040001034f6c6401ff960001065374646f7574010a0000001eff930401010e6d61"
            "705b737472696e675d696e7401ff9400010c010400002dff95030101034f6c6401ff960001030104436f"
            "646501040001065374646f7574010a000103536571010600000023ff9201046f6f7073010104436f6465"
            "02010401011201026e6f01070001047465787400"),
        GOB_REPLY);
    assert_reply(&received, "", 2, "text", "oops");
}

/* ---- faults ---- */

/* Append a message, which is less than 64 KiB. */
static void add_message(struct received *received, const uint8_t *message, size_t length)
{
    received->data[received->length++] = 0xfe;
    received->data[received->length++] = (uint8_t)(length >> 8);
    received->data[received->length++] = (uint8_t)length;
    memcpy(received->data + received->length, message, length);
    received->length += length;
}

static void add_hex(struct received *received, const char *hex)
{
    uint8_t message[1024];

    add_message(received, message, from_hex(message, hex));
}

/* Of a message behind whole ones. */
static void assert_fault(const char *before, const char *hex, const char *expected)
{
    struct received received = {0};

    received.length = from_hex(received.data, before);
    add_hex(&received, hex);
    assert_int_equal(receive_in(&received, received.length), GOB_FAULT);
    assert_string_equal(received.fault, expected);
}

static void test_faulty_values(void **state)
{
    static const char body[] = DEFINE_RESPONSE RESPONSE_0 DEFINE_ANSWER;

    (void)state;
    assert_fault("", "", "a number is cut off or too large");
    assert_fault("", "48656c6c6f", "a value is no struct");
    assert_fault("", "040006", "a value is no struct");
    assert_fault(body, "ff84", "a value is no struct");
    assert_fault(body, "ff8a0400", "a struct has a field that its type has not");
    assert_fault(body, "ff8a7f00", "a struct has a field that its type has not");
    assert_fault(body, "ff8af8ffffffffffffffff00", "a struct has a field that its type has not");
    assert_fault(body, "ff8a0000", "something follows where it should end");
    assert_fault(body, "ff8a01f700000000000000000000", "a number is cut off or too large");
    assert_fault(body, "ff8a020300", "more is announced than there is");
    assert_fault(body, "ff8a02f8ffffffffffffffff00", "more is announced than there is");
    assert_fault(body, "ff8a01fe020000", "an exit status is not within 0 and 255");
    assert_fault(body, "ff8a010100", "an exit status is not within 0 and 255");
    assert_fault(body, "ff8a01f8ffffffffffffffff00", "a number is cut off or too large");
}

/* A Response without Seq and Error, an ExecResponse with Kode, and one whose Code is a uint. */
static void test_missing_fields(void **state)
{
    (void)state;
    assert_fault(DEFINE_NOTHING, "ff8c00", "a struct lacks a field");
    assert_fault(
        DEFINE_RESPONSE RESPONSE_0
        "39ff890301010c45786563526573706f6e736501ff8a00010301044b6f646501040001065374646f75"
        "74010a000106537464657272010a000000",
        "ff8a00", "a struct lacks a field");
    assert_fault(
        DEFINE_RESPONSE RESPONSE_0
        "39ff890301010c45786563526573706f6e736501ff8a0001030104436f646501060001065374646f75"
        "74010a000106537464657272010a000000",
        "ff8a00", "a struct lacks a field");
}

/* The answer to another call, and two answers. */
static void test_other_calls(void **state)
{
    struct received received = {0};

    (void)state;
    assert_int_equal(receive(&received, DEFINE_RESPONSE RESPONSE_1), GOB_FAULT);
    assert_string_equal(received.fault, "it is about another call");
    received = (struct received){0};
    assert_int_equal(receive(&received, FIRST_REPLY RESPONSE_1), GOB_FAULT);
    assert_string_equal(received.fault, "something follows where it should end");
}

static void test_faulty_definitions(void **state)
{
    (void)state;
    assert_fault(DEFINE_RESPONSE, "ff8702", "a type has a number that is not free");
    assert_fault("", "0b0200", "a type has a number that is not free");
    assert_fault("", "f8ffffffffffffffff0200", "a number is cut off or too large");
    assert_fault("", "fcffffffff0200", "a number is cut off or too large");
    assert_fault("", "ff8300", "a definition is of no kind");
    assert_fault("", "ff830800", "a struct has a field that its type has not");
    assert_fault("", "ff8302020400020000", "a definition is of two kinds");
    assert_fault("", "ff83020302040000", "a struct has a field that its type has not");
    assert_fault("", "ff830201030000", "a struct has a field that its type has not");
    assert_fault("", "ff83030241", "more is announced than there is");
}

/* Each message cut off at each place, after those before it. */
static void test_truncated_messages(void **state)
{
    uint8_t data[2048];
    size_t length = from_hex(data, sample), next = 0;

    (void)state;
    while (next < length) {
        size_t prefix = data[next] < 0x80 ? 1 : 2; /* none is longer */
        size_t size = data[next + prefix - 1];

        for (size_t cut = 0; cut < size; cut++) {
            struct received received = {.client = {.calls = 300}, .length = next};

            memcpy(received.data, data, next);
            add_message(&received, data + next + prefix, cut);
            assert_int_equal(receive_in(&received, received.length), GOB_FAULT);
        }
        next += prefix + size;
    }
}

/* ---- bounds ---- */

/* One struct has all fields that there may be, and one more. */
static void test_field_limit(void **state)
{
    (void)state;
    for (unsigned count = GOB_MAX_FIELDS; count <= GOB_MAX_FIELDS + 1; count++) {
        uint8_t message[4096] = {0xff, 0x81, 3, 2, 0xfe, (uint8_t)(count >> 8), (uint8_t)count};
        size_t length = 7;
        struct received received = {0};

        for (unsigned i = 0; i < count; i++) { /* of type int, without a name */
            memcpy(message + length, "\x02\x04", 3);
            length += 3;
        }
        length += 2; /* ends of StructType and wireType */
        add_message(&received, message, length);
        assert_int_equal(receive_in(&received, received.length),
                         count > GOB_MAX_FIELDS ? GOB_FAULT : GOB_MORE);
    }
}

static void test_type_limit(void **state)
{
    struct received received = {0};

    (void)state;
    for (unsigned i = 0; i <= GOB_MAX_TYPES; i++) {
        uint8_t message[] = {0xfe, 1, (uint8_t)(2 * i), 2, 2, 4, 0, 0}; /* a []int, from 129 on */

        message[2] |= 1;
        add_message(&received, message, sizeof message);
        assert_int_equal(receive_in(&received, received.length),
                         i == GOB_MAX_TYPES ? GOB_FAULT : GOB_MORE);
        received.length = 0;
        received.client.used = 0;
    }
    assert_string_equal(received.fault, "there are too many types");
}

/* struct R { L []R } as type 65, so and so often in itself. */
static enum gob_result receive_nested(unsigned depth, struct received *received)
{
    uint8_t message[2 + 1000 * 3 + 1] = {0xff, 0x82};
    size_t length = 2;

    *received = (struct received){0};
    add_hex(received, "ff81030101015201ff820001030103536571010600010545"
                      "72726f72010c0001014c01ff84000000");
    add_hex(received, "ff8302010001ff820000");
    if (depth != 0)
        message[length++] = 3;
    for (unsigned i = 0; i < depth; i++) {
        message[length++] = 1;
        if (i + 1 != depth)
            message[length++] = 3;
    }
    length += depth + 1;
    add_message(received, message, length);
    return receive_in(received, received->length);
}

static void test_depth_limit(void **state)
{
    struct received received;

    (void)state;
    assert_int_equal(receive_nested(GOB_MAX_DEPTH / 2, &received), GOB_MORE);
    assert_int_equal(receive_nested(GOB_MAX_DEPTH / 2 + 1, &received), GOB_FAULT);
    assert_string_equal(received.fault, "values are nested too deep");
    assert_int_equal(receive_nested(1000, &received), GOB_FAULT);
}

/* An announcement of 112 MiB waits for it, one of more does not. */
static void test_length_limit(void **state)
{
    static const char *const too_long[] = {"fc07000001", "f8ffffffffffffffff", "80", "f7"};
    struct received received = {0};

    (void)state;
    assert_int_equal(receive(&received, "fc07000000"), GOB_MORE);
    for (size_t i = 0; i < sizeof too_long / sizeof *too_long; i++) {
        received = (struct received){0};
        assert_int_equal(receive(&received, too_long[i]), GOB_FAULT);
        assert_string_equal(received.fault, "it is over 112 MiB");
    }
    received = (struct received){0};
    assert_int_equal(receive(&received, DEFINE_RESPONSE RESPONSE_0 "fc06ffffe0"), GOB_FAULT);
}

static void test_undefined_types(void **state)
{
    /* R{Seq, Error, A} as type 68, where A is of type 63, or of type 69, ... */
    static const char undefined[] =
        "27ff87030101015201ff88000103010353657101060001054572726f72010c00010141017e000000";
    static const char array[] = "28ff87030101015201ff88000103010353657101060001054572726f72010c0001"
                                "014101ff8a00000005ff89010000"; /* ... an array */
    static const char map[] = "28ff87030101015201ff88000103010353657101060001054572726f72010c000101"
                              "4101ff8a00000005ff89040000"; /* ... a map of it is not said what */
    struct received received = {0};

    (void)state;
    assert_int_equal(receive(&received, undefined), GOB_MORE);
    assert_fault(undefined, "ff88030100", "a type is not defined");
    assert_fault(array, "ff88030100", "a type is not defined");
    assert_fault(map, "ff88030100", "a type is not defined");
}

/* struct W { Any interface{} } with a struct whose definition comes in between, as Go sends it. */
static void test_interface_of_a_new_type(void **state)
{
    (void)state;
    assert_fault(
        "29ff97030101015701ff980001030103416e79011000010353657101060001054572726f72010c000000",
        "ff98010a6d61696e2e506f696e74ff9903010105506f696e7401ff9a0001020101580104"
        "000101590104000000",
        "an interface brings a type that is not yet defined");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_bytes),
        cmocka_unit_test(test_standard_input),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_other_types),
        cmocka_unit_test(test_faulty_values),
        cmocka_unit_test(test_missing_fields),
        cmocka_unit_test(test_other_calls),
        cmocka_unit_test(test_faulty_definitions),
        cmocka_unit_test(test_truncated_messages),
        cmocka_unit_test(test_field_limit),
        cmocka_unit_test(test_type_limit),
        cmocka_unit_test(test_depth_limit),
        cmocka_unit_test(test_length_limit),
        cmocka_unit_test(test_undefined_types),
        cmocka_unit_test(test_interface_of_a_new_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
