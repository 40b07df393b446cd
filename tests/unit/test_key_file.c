/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
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

#include "base/buffer.h"
#include "charm/key_file.h"

static char folder[] = "/tmp/key-file-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    char *path = mem_printf("%s/client-key.pem", folder);

    (void)state;
    unlink(path);
    free(path);
    return rmdir(folder);
}

static void load(struct certificate *certificate)
{
    struct private_key key;
    struct error error;

    if (key_file_load(folder, "name", certificate, &key, &error) != 0)
        fail_msg("%s", error.text);
    private_key_wipe(&key);
}

static void test_made_once(void **state)
{
    struct certificate first, second;
    char *path = mem_printf("%s/client-key.pem", folder);
    struct stat about;

    (void)state;
    load(&first);
    assert_string_equal(first.common_name, "name");
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    load(&second);
    assert_string_equal(first.fingerprint, second.fingerprint);
    certificate_free(&first);
    certificate_free(&second);
    free(path);
}

static void assert_fails(const char *in, const char *sentence)
{
    struct certificate certificate;
    struct private_key key;
    struct error error;

    assert_int_equal(key_file_load(in, "name", &certificate, &key, &error), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
    assert_string_equal(error.text, sentence);
}

static void test_no_link_is_followed(void **state)
{
    char *path = mem_printf("%s/client-key.pem", folder);
    char *sentence = mem_printf("client-key.pem cannot be opened: %s", strerror(ELOOP));

    (void)state;
    assert_int_equal(symlink("/etc/hostname", path), 0);
    assert_fails(folder, sentence);
    free(sentence);
    free(path);
}

static void test_no_folder(void **state)
{
    (void)state;
    assert_fails("/nowhere", "client-key.pem cannot be created: No such file or directory");
}

static void test_useless_content(void **state)
{
    char *path = mem_printf("%s/client-key.pem", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    (void)state;
    close(fd);
    assert_fails(folder,
                 "client-key.pem: delete it to have another one made: holds no certificate");
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_made_once, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_no_link_is_followed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_no_folder, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_useless_content, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
