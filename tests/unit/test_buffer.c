/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/bytes.h"

static void grows_and_stays_a_string(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        buffer_append(&buffer, "0123456789", 10);
        assert_int_equal(buffer.length, 10 * (i + 1));
        assert_int_equal(strlen(buffer.data), buffer.length);
    }
    assert_memory_equal(buffer.data + 9990, "0123456789", 11);
    buffer_free(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.length, 0);
}

static void appends_strings_and_formats(void **state)
{
    struct buffer buffer = {0};
    char wide[200];

    (void)state;
    memset(wide, 'x', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    buffer_append_string(&buffer, "a");
    buffer_printf(&buffer, "%d-%s", 42, "b");
    assert_string_equal(buffer.data, "a42-b");
    buffer_printf(&buffer, "%s", "");
    buffer_printf(&buffer, "%s", wide);
    assert_int_equal(buffer.length, 5 + sizeof wide - 1);
    assert_string_equal(buffer.data + 5, wide);
    buffer_wipe(&buffer);
}

static void empty_is_a_string(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    assert_string_equal(buffer_string(&buffer), "");
    buffer_append(&buffer, NULL, 0);
    assert_string_equal(buffer_string(&buffer), "");
    buffer_free(&buffer);
    buffer_clear(&buffer);
    buffer_wipe(&buffer);
    assert_null(buffer.data);
}

static void clear_keeps_the_memory(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_append_string(&buffer, "secret");
    char *data = buffer.data;
    buffer_clear(&buffer);
    assert_string_equal(buffer_string(&buffer), "");
    buffer_append_string(&buffer, "more");
    assert_ptr_equal(buffer.data, data);
    assert_string_equal(buffer.data, "more");
    buffer_free(&buffer);
}

static void memory_is_zeroed(void **state)
{
    unsigned char *memory = mem_alloc(100);

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(memory[i], 0);
    memory = mem_resize(memory, 1000);
    memory[999] = 1;
    free(memory);
    free(mem_alloc(0));
}

static void copies_strings(void **state)
{
    char *copy = mem_string("text"), *part = mem_string_n("text", 2);
    char *printed = mem_printf("%s %d", "text", 7);

    (void)state;
    assert_string_equal(copy, "text");
    assert_string_equal(part, "te");
    assert_string_equal(printed, "text 7");
    assert_null(mem_string(NULL));
    free(copy);
    free(part);
    free(printed);
}

/* What the process exits with when it asks for more than there is. */
static int exit_status_of(void (*ask)(void))
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        close(STDERR_FILENO);
        ask();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void ask_for_too_much(void)
{
    struct buffer buffer = {0};

    buffer_append_string(&buffer, "x");
    buffer_reserve(&buffer, SIZE_MAX - 1);
}

static void out_of_memory_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(exit_status_of(ask_for_too_much), 1);
}

static void strings_keep_their_order(void **state)
{
    struct strings strings = {0};
    char text[] = "0";

    (void)state;
    assert_false(strings_contain(&strings, "0"));
    for (int i = 0; i < 10; i++) {
        text[0] = (char)('0' + i);
        strings_add(&strings, text);
    }
    assert_int_equal(strings.count, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(strings.items[i][0], '0' + i);
    assert_true(strings_contain(&strings, "7"));
    assert_false(strings_contain(&strings, "77"));
    strings_free(&strings);
    assert_int_equal(strings.count, 0);
    strings_free(&strings);
}

static void bytes_helpers(void **state)
{
    uint8_t data[] = {0x00, 0x9f, 0xa0, 0xff};
    char hex[9];

    (void)state;
    bytes_to_hex(hex, data, sizeof data);
    assert_string_equal(hex, "009fa0ff");
    assert_true(bytes_equal_ct(data, "\x00\x9f\xa0\xff", 4));
    assert_false(bytes_equal_ct(data, "\x00\x9f\xa0\xfe", 4));
    assert_true(bytes_equal_ct(data, "\x01", 0));
    bytes_wipe(data, sizeof data);
    assert_memory_equal(data, "\0\0\0\0", 4);
}

/* AddressSanitizer sees to it that there is room. */
static void test_growing_array(void **state)
{
    int *items = NULL;
    size_t count = 0;

    (void)state;
    while (count < 100) {
        items = mem_grow(items, count, sizeof *items);
        items[count] = (int)count;
        count++;
    }
    count = 64; /* a part is given up, then it grows again */
    for (; count < 70; count++) {
        items = mem_grow(items, count, sizeof *items);
        items[count] = -1;
    }
    for (size_t i = 0; i < 70; i++)
        assert_int_equal(items[i], i < 64 ? (int)i : -1);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing_array),
        cmocka_unit_test(grows_and_stays_a_string),
        cmocka_unit_test(appends_strings_and_formats),
        cmocka_unit_test(empty_is_a_string),
        cmocka_unit_test(clear_keeps_the_memory),
        cmocka_unit_test(memory_is_zeroed),
        cmocka_unit_test(copies_strings),
        cmocka_unit_test(out_of_memory_ends_the_process),
        cmocka_unit_test(strings_keep_their_order),
        cmocka_unit_test(bytes_helpers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
