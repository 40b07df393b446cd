/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/json.h"

static int parse(cJSON **value, const char *text, size_t length, struct error *error)
{
    /* Of its exact size, so that AddressSanitizer sees a read behind it. */
    char *copy = memcpy(malloc(length != 0 ? length : 1), text, length);
    int result = json_parse(value, copy, length, "config-get", ERROR_HOOK, error);

    free(copy);
    return result;
}

static void check_refused(const char *text, size_t length, const char *message)
{
    struct error error = {0};
    cJSON *value = (cJSON *)&error;

    assert_int_equal(parse(&value, text, length, &error), -1);
    assert_null(value);
    assert_int_equal(error.kind, ERROR_HOOK);
    if (message != NULL)
        assert_string_equal(error.text, message);
}

static void accepts_one_value(void **state)
{
    static const char *const texts[] = {
        "null",         "true", "\"x\"", "-1.5e3", "[]", "{}", " {\"a\": [1, \"\\u00e9\"]}\r\n\t ",
        "\"\\\\u0000\""};
    struct error error;
    cJSON *value;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(parse(&value, texts[i], strlen(texts[i]), &error), 0);
        assert_non_null(value);
        cJSON_Delete(value);
    }
}

static void refuses_what_is_not_one_value(void **state)
{
    static const char *const texts[] = {
        " ",      "nul",  "{",         "}",       "[1,]",        "{\"a\":}", "{a:1}",
        "\"x",    "\"\\", "\"\\u12\"", "'x'",     "\"\\ud800\"", "[1 2]",    "{\"a\" 1}",
        "null x", "[1]]", "{} {}",     "\"\\q\"", "{\"a\":1,}",  "\x01",     "null\x01"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_refused(texts[i], strlen(texts[i]), NULL);
}

static void reads_numbers(void **state)
{
    static const struct {
        const char *text;
        int value; /* as json_int gives it */
        const char *printed;
    } numbers[] = {
        {"0", 0, "0"},
        {"-0", 0, "0"},
        {"30", 30, "30"},
        {"-2147483648", INT_MIN, "-2147483648"},
        {"99999999999", INT_MAX, "99999999999"},
        {"-99999999999", INT_MIN, "-99999999999"},
        {"9007199254740991", INT_MAX, "9.00719925474099e+15"},
        {"1.5", 1, "1.5"},
        {"-0.25", 0, "-0.25"},
        {"1.50e1", 15, "15"},
        {"25E+2", 2500, "2500"},
        {"250e-1", 25, "25"},
        {"1e999", INT_MAX, "null"},
        {"1e-999", 0, "0"},
        {"1e99999999999999999999", INT_MAX, "null"},
    };
    static const char *const malformed[] = {"-",     "+1",  ".5",  "1e",   "1e+",
                                            "1.5.5", "0x1", "- 1", "-inf", "nan"};
    struct error error;
    cJSON *object;
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        snprintf(text, sizeof text, "{\"n\":%s}", numbers[i].text);
        assert_int_equal(parse(&object, text, strlen(text), &error), 0);
        assert_int_equal(json_int(object, "n", 7), numbers[i].value);
        char *printed = json_print(cJSON_GetObjectItem(object, "n"));
        assert_string_equal(printed, numbers[i].printed);
        free(printed);
        cJSON_Delete(object);
    }
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        check_refused(malformed[i], strlen(malformed[i]), NULL);
}

static void says_where(void **state)
{
    (void)state;
    check_refused("", 0, "config-get is empty, not JSON");
    check_refused("[1, 2] x", 8, "config-get is not JSON (near byte 6)");
    check_refused("[1, oops]", 9, "config-get is not JSON (near byte 4)");
}

/* They would end a string that C code reads before what everybody else sees of it. */
static void refuses_nul(void **state)
{
    (void)state;
    check_refused("\"a\0b\"", 5, "config-get is not JSON (near byte 2)");
    check_refused("null\0", 5, NULL);
    check_refused("\"a\\u0000b\"", 10, NULL);
    check_refused("\"\\\\\\u0000\"", 10, NULL);
    check_refused("\"a\\uzzzzb\"", 10, NULL);
    check_refused("\"\\u00", 6, NULL);
    check_refused("\"\\", 2, NULL);
}

static void bounds_the_nesting(void **state)
{
    char text[200];
    struct error error;
    cJSON *value;

    (void)state;
    memset(text, '[', 32);
    memset(text + 32, ']', 32);
    assert_int_equal(parse(&value, text, 64, &error), 0);
    cJSON_Delete(value);
    memset(text, '[', 33);
    memset(text + 33, ']', 33);
    check_refused(text, 66, NULL);
    memset(text, '[', sizeof text);
    check_refused(text, sizeof text, NULL);
}

/* A text of many values costs many times its size: it is refused before anything is allocated. */
static void bounds_the_values(void **state)
{
    static const char *const dense[] = {"0,",   "[],",       "{},",       "\"\",",
                                        "[0],", "{\"\":0},", "\"\\\"\",", "0 ,"};
    static const char sparse[] = "\"[,{,[,{\\\"\",";
    struct error error;
    cJSON *value;

    (void)state;
    for (size_t i = 0; i < sizeof dense / sizeof dense[0]; i++) {
        struct buffer text = {0};

        buffer_append_string(&text, "{\"x\":[");
        for (int j = 0; j < 10000; j++)
            buffer_append_string(&text, dense[i]);
        buffer_append_string(&text, "0]}");
        check_refused(text.data, text.length, NULL);
        assert_int_equal(parse(&value, text.data, text.length, &error), -1);
        assert_non_null(strstr(error.text, "has too many JSON values for its "));
        buffer_free(&text);
    }
    for (int i = 0; i < 2; i++) { /* few: whatever they are; many: where there is text enough */
        struct buffer text = {0};

        buffer_append_string(&text, "[");
        for (int j = 0; j < (i == 0 ? 900 : 10000); j++)
            buffer_append_string(&text, i == 0 ? "0," : sparse);
        buffer_append_string(&text, "0]");
        assert_int_equal(parse(&value, text.data, text.length, &error), 0);
        assert_int_equal(cJSON_GetArraySize(value), i == 0 ? 901 : 10001);
        cJSON_Delete(value);
        buffer_free(&text);
    }
}

static void members_by_type(void **state)
{
    static const char text[] = "{\"s\": \"text\", \"S\": 1, \"t\": true, \"f\": false, \"a\": [1], "
                               "\"o\": {}, \"n\": null}";
    struct error error;
    cJSON *value;

    (void)state;
    assert_int_equal(parse(&value, text, sizeof text - 1, &error), 0);
    assert_string_equal(json_string(value, "s"), "text");
    assert_null(json_string(value, "S"));
    assert_null(json_string(value, "absent"));
    assert_null(json_string(NULL, "s"));
    assert_true(json_bool(value, "t", false));
    assert_false(json_bool(value, "f", true));
    assert_true(json_bool(value, "s", true));
    assert_false(json_bool(value, "absent", false));
    assert_int_equal(cJSON_GetArraySize(json_array(value, "a")), 1);
    assert_null(json_array(value, "o"));
    assert_non_null(json_object(value, "o"));
    assert_null(json_object(value, "a"));
    assert_null(json_object(value, "n"));
    assert_null(json_array(NULL, "a"));
    cJSON_Delete(value);
}

static void prints_without_blanks(void **state)
{
    static const char text[] = "{\"b\":[1,\"x\\ny\",null,true],\"a\":{}}";
    struct error error;
    cJSON *value;

    (void)state;
    assert_int_equal(parse(&value, text, sizeof text - 1, &error), 0);
    char *printed = json_print(value);
    assert_string_equal(printed, text);
    free(printed);
    cJSON_Delete(value);
}

static void survives_every_truncation(void **state)
{
    static const char text[] =
        "{\"a\": [1.5e-3, \"\\u00e9\\ud83d\\ude00\\\\\", {\"b\": false}], \"c\": \"x\"}";

    (void)state;
    for (size_t length = 0; length < sizeof text - 1; length++)
        check_refused(text, length, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_one_value),     cmocka_unit_test(refuses_what_is_not_one_value),
        cmocka_unit_test(reads_numbers),         cmocka_unit_test(says_where),
        cmocka_unit_test(refuses_nul),           cmocka_unit_test(bounds_the_nesting),
        cmocka_unit_test(bounds_the_values),     cmocka_unit_test(members_by_type),
        cmocka_unit_test(prints_without_blanks), cmocka_unit_test(survives_every_truncation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
