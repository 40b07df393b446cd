/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

#define LIMIT 8192

static char folder[] = "/tmp/file-XXXXXX";
static char *path, *new_path;

static int set_up(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    path = mem_printf("%s/name.json", folder);
    new_path = mem_printf("%s.new", path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove(path);
    remove(new_path);
    free(path);
    free(new_path);
    return rmdir(folder);
}

static int write_text(const char *text, struct error *error)
{
    struct buffer content = {0};

    buffer_append_string(&content, text);
    int result = file_write(path, &content, error);
    buffer_free(&content);
    return result;
}

static void assert_read(enum file_kind kind, enum file_outcome outcome, const char *text)
{
    struct buffer content = {0};
    struct error error = {0};

    assert_int_equal(file_read(&content, path, kind, LIMIT, &error), outcome);
    if (outcome == FILE_FINE) {
        assert_string_equal(buffer_string(&content), text);
    } else {
        assert_int_equal(error.kind, ERROR_INPUT);
        assert_string_equal(error.text, text);
    }
    buffer_free(&content);
}

static void test_what_was_written_is_read(void **state)
{
    static const char *const texts[] = {"", "one", "longer than one", "short"};
    struct stat about;
    struct error error;

    (void)state;
    umask(0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(write_text(texts[i], &error), 0);
        assert_read(FILE_OF_OURS, FILE_FINE, texts[i]);
        assert_read(FILE_OF_USER, FILE_FINE, texts[i]);
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_mode & 07777, 0600);
        assert_int_equal(access(new_path, F_OK), -1);
    }
}

/* It is read to its end also where that comes in pieces, and no further than the limit. */
static void test_limit(void **state)
{
    struct buffer content = {0};
    struct error error;
    char *text = mem_alloc(LIMIT + 2);

    (void)state;
    memset(text, 'x', LIMIT);
    assert_int_equal(write_text(text, &error), 0);
    assert_read(FILE_OF_OURS, FILE_FINE, text);
    text[LIMIT] = 'x';
    assert_int_equal(write_text(text, &error), 0);
    assert_read(FILE_OF_OURS, FILE_UNUSABLE, "name.json: longer than 8 KiB");
    assert_int_equal(file_read(&content, "/dev/zero", FILE_OF_USER, LIMIT, &error), FILE_UNUSABLE);
    assert_string_equal(error.text, "/dev/zero: longer than 8 KiB");
    assert_true(content.length <= LIMIT + 4096);
    buffer_free(&content);
    free(text);
}

static void test_what_is_no_file(void **state)
{
    struct error error;

    (void)state;
    assert_read(FILE_OF_OURS, FILE_ABSENT, "name.json: No such file or directory");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_read(FILE_OF_OURS, FILE_IS_FOLDER, "name.json: it is a folder");
    assert_int_equal(write_text("x", &error), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
    assert_string_equal(error.text, "name.json: cannot be written: Is a directory");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(unlink(new_path), 0);
    /* Who opened a pipe without O_NONBLOCK would wait here for ever. */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_read(FILE_OF_OURS, FILE_UNUSABLE, "name.json: it is no plain file");
    assert_int_equal(write_text("x", &error), 0);
    assert_read(FILE_OF_OURS, FILE_FINE, "x");
}

/* A link is followed for the user alone; ours takes its place, and what it led to stays. */
static void test_link(void **state)
{
    char *target = mem_printf("%s/target", folder);
    struct error error;
    int fd = open(target, O_WRONLY | O_CREAT, 0600);

    (void)state;
    assert_int_equal(write(fd, "far", 3), 3);
    close(fd);
    assert_int_equal(symlink("target", path), 0);
    assert_read(FILE_OF_USER, FILE_FINE, "far");
    assert_read(FILE_OF_OURS, FILE_UNUSABLE, "name.json: it is a link");
    assert_int_equal(write_text("near", &error), 0);
    assert_read(FILE_OF_OURS, FILE_FINE, "near");
    unlink(path);
    assert_int_equal(rename(target, path), 0);
    assert_read(FILE_OF_OURS, FILE_FINE, "far");
    free(target);
}

static void test_open_file(void **state)
{
    struct buffer content = {0};
    struct error error;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "through", 7), 7);
    close(ends[1]);
    assert_int_equal(file_read_open(&content, ends[0], "standard input", LIMIT, &error), FILE_FINE);
    assert_string_equal(content.data, "through");
    close(ends[0]);
    assert_int_equal(file_read_open(&content, ends[0], "standard input", LIMIT, &error),
                     FILE_UNUSABLE);
    assert_string_equal(error.text, "standard input: Bad file descriptor");
    buffer_free(&content);
}

static void test_no_folder(void **state)
{
    struct buffer content = {0};
    struct error error;

    (void)state;
    assert_int_equal(file_write("/nowhere/name", &content, &error), -1);
    assert_string_equal(error.text, "name: cannot be written: No such file or directory");
    assert_int_equal(file_read(&content, "/nowhere/name", FILE_OF_USER, LIMIT, &error),
                     FILE_ABSENT);
    assert_string_equal(error.text, "/nowhere/name: No such file or directory");
    buffer_free(&content);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_what_was_written_is_read),
        test(test_limit),
        test(test_what_is_no_file),
        test(test_link),
        test(test_open_file),
        test(test_no_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
