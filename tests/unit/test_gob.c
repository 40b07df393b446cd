/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "juju/gob.h"

/* ---- writing ---- */

#define assert_stream(stream, expected)                                      \
    do {                                                                     \
        assert_int_equal((stream)->length, sizeof(expected) - 1);            \
        assert_memory_equal((stream)->data, expected, sizeof(expected) - 1); \
        buffer_free(stream);                                                 \
    } while (0)

/* What Go 1.19's encoder writes for net/rpc's Request. */
static void test_define_struct(void **state)
{
    static const struct gob_field fields[] = {{"ServiceMethod", GOB_STRING}, {"Seq", GOB_UINT}};
    struct buffer stream = {0};

    (void)state;
    gob_define_struct(&stream, 65, "Request", fields, 2);
    assert_stream(&stream, "\x2f\xff\x81\x03\x01\x01\x07Request\x01\xff\x82\x00\x01\x02\x01\x0d"
                           "ServiceMethod\x01\x0c\x00\x01\x03Seq\x01\x06\x00\x00\x00");
}

static void test_define_slice(void **state)
{
    struct buffer stream = {0};

    (void)state;
    gob_define_slice(&stream, 67, "[]string", GOB_STRING);
    assert_stream(&stream, "\x16\xff\x85\x02\x01\x01\x08[]string\x01\xff\x86\x00\x01\x0c\x00\x00");
}

static void test_write_values(void **state)
{
    static const char *const list[] = {"a", "", NULL};
    struct buffer stream = {0};
    struct gob_writer writer;

    (void)state;
    gob_begin(&writer, 66);
    gob_write_string(&writer, 0, "text");
    gob_write_strings(&writer, 2, list);
    gob_write_bool(&writer, 3, true);
    gob_write_bytes(&writer, 4, "\0\xff", 2);
    gob_end(&writer, &stream);
    assert_stream(&stream, "\x14\xff\x84\x01\x04text\x02\x02\x01"
                           "a\x00\x01\x01\x01\x02\x00\xff\x00");
}

/* Zero and empty values are left out. */
static void test_write_nothing(void **state)
{
    static const char *const list[] = {NULL};
    struct buffer stream = {0};
    struct gob_writer writer;

    (void)state;
    gob_begin(&writer, 65);
    gob_write_string(&writer, 0, "");
    gob_write_uint(&writer, 1, 0);
    gob_write_bool(&writer, 2, false);
    gob_write_bytes(&writer, 3, NULL, 0);
    gob_write_strings(&writer, 4, list);
    gob_end(&writer, &stream);
    assert_stream(&stream, "\x03\xff\x82\x00");
}

static void test_write_numbers(void **state)
{
    struct buffer stream = {0};
    struct gob_writer writer;

    (void)state;
    gob_begin(&writer, 65);
    gob_write_uint(&writer, 0, 127);
    gob_write_uint(&writer, 1, 128);
    gob_write_uint(&writer, 2, 256);
    gob_write_uint(&writer, 3, UINT64_MAX);
    gob_end(&writer, &stream);
    assert_stream(&stream, "\x16\xff\x82\x01\x7f\x01\xff\x80\x01\xfe\x01\x00\x01\xf8"
                           "\xff\xff\xff\xff\xff\xff\xff\xff\x00");
}

/* ---- reading ---- */

static void test_read_length(void **state)
{
    uint64_t length;

    (void)state;
    assert_int_equal(gob_read_length("", 0, &length), 0);
    assert_int_equal(gob_read_length("\x7f", 1, &length), 1);
    assert_int_equal(length, 127);
    assert_int_equal(gob_read_length("\xfe\x01", 2, &length), 0);
    assert_int_equal(gob_read_length("\xfe\x01\x02", 3, &length), 3);
    assert_int_equal(length, 258);
    assert_int_equal(gob_read_length("\xf8\xff\xff\xff\xff\xff\xff\xff\xff", 9, &length), 9);
    assert_true(length == UINT64_MAX);
    assert_int_equal(gob_read_length("\xf7", 1, &length), -1);
}

static size_t from_hex(uint8_t *out, const char *hex)
{
    size_t length = 0;

    for (; *hex != '\0'; hex += 2)
        out[length++] = (uint8_t)strtoul((char[]){hex[0], hex[1], '\0'}, NULL, 16);
    return length;
}

/* A reader of a stream of our own making. */
struct stream {
    uint8_t data[2048];
    size_t length, next;
    struct gob_types types;
    const char *fault;
};

static void stream_open(struct stream *stream, const char *hex)
{
    *stream = (struct stream){0};
    stream->length = from_hex(stream->data, hex);
}

/* What the next message is, in memory of just its size. */
static enum gob_result read_message(struct stream *stream, const struct gob_target *targets,
                                    size_t count)
{
    uint64_t length;
    int prefix =
        gob_read_length(stream->data + stream->next, stream->length - stream->next, &length);

    assert_true(prefix > 0 && length <= stream->length - stream->next - (size_t)prefix);
    uint8_t *message = malloc(length);
    memcpy(message, stream->data + stream->next + prefix, length);
    enum gob_result result =
        gob_read(&stream->types, message, length, targets, count, &stream->fault);
    stream->next += (size_t)prefix + length;
    free(message);
    return result;
}

/* The next value, whose definitions come before it. Strings are not looked at. */
static enum gob_result read_value(struct stream *stream, const struct gob_target *targets,
                                  size_t count)
{
    enum gob_result result;

    do {
        result = read_message(stream, targets, count);
    } while (result == GOB_DEFINITION);
    return result;
}

/*
 * Go's encoding of net/rpc's Response{"Jujuc.Main", 300, ""}, and then of a struct with a field of
 * every kind: bool, float64, complex128, uint, [3]int, map[string][]int, a struct that holds a list
 * of its own type, interface{} (a string), []interface{} (nil, an int, a string, a bool),
 * time.Time; and among them Code -3, Stdout "out", Stderr "err".
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
    "050003616e7901040003696e740402000206737472696e670c0300017304626f6f6c02020001010f010000000e77"
    "91f70000000000ffff010501036f757401010201010174010365727201046c61737400";

static void test_read_sample(void **state)
{
    uint64_t sequence = 0;
    int64_t code = 0;
    struct gob_bytes problem = {"", 0}, output = {"", 0}, message = {"", 0}, last = {"", 0};
    const struct gob_target header[] = {{"Seq", GOB_UINT, &sequence},
                                        {"Error", GOB_STRING, &problem}};
    const struct gob_target body[] = {{"Last", GOB_STRING, &last},
                                      {"Stderr", GOB_BYTES, &message},
                                      {"Stdout", GOB_BYTES, &output},
                                      {"Code", GOB_INT, &code}};
    struct stream stream;

    (void)state;
    stream_open(&stream, sample);
    assert_int_equal(read_value(&stream, header, 2), GOB_VALUE);
    assert_int_equal(sequence, 300);
    assert_int_equal(problem.length, 0);
    assert_int_equal(read_value(&stream, body, 4), GOB_VALUE);
    assert_int_equal(code, -3);
    assert_int_equal(output.length, 3);
    assert_int_equal(message.length, 3);
    assert_int_equal(last.length, 4);
    assert_int_equal(stream.next, stream.length);
    gob_types_free(&stream.types);
}

/* Each message cut off at each place, after those before it. */
static void test_truncations(void **state)
{
    static const unsigned messages = 13;

    (void)state;
    for (unsigned whole = 0; whole < messages; whole++) {
        uint64_t cut = 0, length = 1;

        for (; cut < length; cut++) {
            struct stream stream;

            stream_open(&stream, sample);
            for (unsigned i = 0; i < whole; i++)
                assert_int_not_equal(read_message(&stream, NULL, 0), GOB_FAULT);
            stream.next += (size_t)gob_read_length(stream.data + stream.next, 9, &length);
            uint8_t *message = malloc(cut + 1);
            memcpy(message, stream.data + stream.next, cut);
            assert_int_equal(gob_read(&stream.types, message, cut, NULL, 0, &stream.fault),
                             GOB_FAULT);
            assert_non_null(stream.fault);
            free(message);
            gob_types_free(&stream.types);
        }
    }
}

/* ---- faults ---- */

static enum gob_result read_hex(struct gob_types *types, const char *hex,
                                const struct gob_target *target, const char **fault)
{
    uint8_t message[1024];
    size_t length = from_hex(message, hex);

    return gob_read(types, message, length, target, target != NULL, fault);
}

/* struct R { Code int; Stdout []byte } as type 65 */
#define DEFINE_R "ff81030101015201ff820001020104436f646501040001065374646f7574010a000000"

static void assert_fault(const char *hex, const struct gob_target *target, const char *expected)
{
    struct gob_types types = {0};
    const char *fault;

    assert_int_equal(read_hex(&types, DEFINE_R, NULL, &fault), GOB_DEFINITION);
    assert_int_equal(read_hex(&types, hex, target, &fault), GOB_FAULT);
    assert_string_equal(fault, expected);
    gob_types_free(&types);
}

static void test_faulty_values(void **state)
{
    struct gob_bytes bytes;
    uint64_t number;
    const struct gob_target other_type = {"Code", GOB_UINT, &number};
    const struct gob_target absent = {"Stderr", GOB_BYTES, &bytes};

    (void)state;
    assert_fault("", NULL, "a number is cut off or too large");
    assert_fault("ff84", NULL, "a value is no struct");
    assert_fault("040006", NULL, "a value is no struct");
    assert_fault("ff820300", NULL, "a struct has a field that its type has not");
    assert_fault("ff827f00", NULL, "a struct has too many fields");
    assert_fault("ff82f8ffffffffffffffff00", NULL, "a struct has too many fields");
    assert_fault("ff82010400", &other_type, "a field is of an unexpected type");
    assert_fault("ff8200", &absent, "a struct lacks a field");
    assert_fault("ff820000", NULL, "something follows where it should end");
    assert_fault("ff8201f700000000000000000000", NULL, "a number is cut off or too large");
    assert_fault("ff82020300", NULL, "more is announced than there is");
    assert_fault("ff8202f8ffffffffffffffff00", NULL, "more is announced than there is");
}

static void test_faulty_definitions(void **state)
{
    (void)state;
    assert_fault(DEFINE_R, NULL, "a type has a number that is not free");
    assert_fault("0b0200", NULL, "a type has a number that is not free");
    assert_fault("f8ffffffffffffffff0200", NULL, "a type has a number that is not free");
    assert_fault("ff8300", NULL, "a definition is of no known kind");
    assert_fault("ff830800", NULL, "a definition is of no known kind");
    assert_fault("ff8302020400020000", NULL, "a definition is of two kinds");
    assert_fault("ff83020302040000", NULL, "a definition has an unknown field");
    assert_fault("ff830201030000", NULL, "a definition has an unknown field");
    assert_fault("ff83030241", NULL, "more is announced than there is");
}

/* A struct with as many fields as there may be, and with one more. */
static void test_field_limit(void **state)
{
    (void)state;
    for (size_t count = GOB_MAX_FIELDS; count <= GOB_MAX_FIELDS + 1; count++) {
        struct gob_field fields[GOB_MAX_FIELDS + 1];
        struct buffer stream = {0};
        struct gob_types types = {0};
        const char *fault;
        uint64_t length;

        for (size_t i = 0; i < count; i++)
            fields[i] = (struct gob_field){"F", GOB_INT};
        gob_define_struct(&stream, 65, "R", fields, count);
        int prefix = gob_read_length(stream.data, stream.length, &length);
        assert_int_equal(gob_read(&types, stream.data + prefix, length, NULL, 0, &fault),
                         count > GOB_MAX_FIELDS ? GOB_FAULT : GOB_DEFINITION);
        gob_types_free(&types);
        buffer_free(&stream);
    }
}

static void test_type_limit(void **state)
{
    struct gob_types types = {0};
    const char *fault;

    (void)state;
    for (int64_t i = 0; i <= GOB_MAX_TYPES; i++) {
        struct buffer stream = {0};
        uint64_t length;

        gob_define_slice(&stream, GOB_FIRST_TYPE + i, "", GOB_INT);
        int prefix = gob_read_length(stream.data, stream.length, &length);
        assert_int_equal(gob_read(&types, stream.data + prefix, length, NULL, 0, &fault),
                         i == GOB_MAX_TYPES ? GOB_FAULT : GOB_DEFINITION);
        buffer_free(&stream);
    }
    assert_string_equal(fault, "there are too many types");
    gob_types_free(&types);
}

/* struct R { L []R }, so and so often in itself. */
static enum gob_result read_nested(unsigned depth, const char **fault)
{
    struct gob_types types = {0};
    struct buffer value = {0};

    read_hex(&types, "ff81030101015201ff8200010101014c01ff84000000", NULL, fault);
    read_hex(&types, "ff8302010001ff820000", NULL, fault);
    buffer_append(&value, "\xff\x82", 2);
    for (unsigned i = 0; i < depth; i++)
        buffer_append(&value, "\x01\x01", 2);
    for (unsigned i = 0; i <= depth; i++)
        buffer_append(&value, "\x00", 1);
    enum gob_result result = gob_read(&types, value.data, value.length, NULL, 0, fault);
    gob_types_free(&types);
    buffer_free(&value);
    return result;
}

static void test_depth_limit(void **state)
{
    const char *fault;

    (void)state;
    assert_int_equal(read_nested(GOB_MAX_DEPTH / 2, &fault), GOB_VALUE);
    assert_int_equal(read_nested(GOB_MAX_DEPTH / 2 + 1, &fault), GOB_FAULT);
    assert_string_equal(fault, "values are nested too deep");
    assert_int_equal(read_nested(100000, &fault), GOB_FAULT);
}

static void test_undefined_field_type(void **state)
{
    struct gob_types types = {0};
    const char *fault;

    (void)state;
    assert_int_equal(read_hex(&types, "ff81030101015201ff82000101010141017e000000", NULL, &fault),
                     GOB_DEFINITION);
    assert_int_equal(read_hex(&types, "ff8200", NULL, &fault), GOB_VALUE);
    assert_int_equal(read_hex(&types, "ff82010100", NULL, &fault), GOB_FAULT);
    assert_string_equal(fault, "a type is not defined");
    gob_types_free(&types);
}

/* struct W { Any interface{} } with a struct whose definition comes in between, as Go sends it. */
static void test_interface_of_a_new_type(void **state)
{
    struct gob_types types = {0};
    const char *fault;

    (void)state;
    assert_int_equal(
        read_hex(&types, "ff97030101015701ff980001010103416e790110000000", NULL, &fault),
        GOB_DEFINITION);
    assert_int_equal(
        read_hex(&types,
                 "ff98010a6d61696e2e506f696e74ff9903010105506f696e7401ff9a0001020101580104"
                 "000101590104000000",
                 NULL, &fault),
        GOB_FAULT);
    assert_string_equal(fault, "an interface brings a type that is not yet defined");
    gob_types_free(&types);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_define_struct),
        cmocka_unit_test(test_define_slice),
        cmocka_unit_test(test_write_values),
        cmocka_unit_test(test_write_nothing),
        cmocka_unit_test(test_write_numbers),
        cmocka_unit_test(test_read_length),
        cmocka_unit_test(test_read_sample),
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_faulty_values),
        cmocka_unit_test(test_faulty_definitions),
        cmocka_unit_test(test_field_limit),
        cmocka_unit_test(test_type_limit),
        cmocka_unit_test(test_depth_limit),
        cmocka_unit_test(test_undefined_field_type),
        cmocka_unit_test(test_interface_of_a_new_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
