/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "charm/upgrade.h"
#include "fake_juju.h"

/* A charm's folder, open and by name, and what is logged. */
struct setting {
    char folder[32];
    int fd;
    struct fake_juju fake;
};

static int setting_open(void **state)
{
    struct setting *setting = mem_alloc(sizeof *setting);

    strcpy(setting->folder, "/tmp/upgrade.XXXXXX");
    assert_non_null(mkdtemp(setting->folder));
    setting->fd = open(setting->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    *state = setting;
    return 0;
}

static int setting_close(void **state)
{
    struct setting *setting = *state;

    close(setting->fd);
    rmdir(setting->folder);
    fake_juju_free(&setting->fake);
    free(setting);
    return 0;
}

static void create(const struct setting *setting, const char *name)
{
    close(openat(setting->fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
}

static bool exists(const struct setting *setting, const char *name)
{
    struct stat information;

    return fstatat(setting->fd, name, &information, AT_SYMLINK_NOFOLLOW) == 0;
}

static void clean(struct setting *setting)
{
    struct juju_transport juju = fake_juju_transport(&setting->fake);

    upgrade_clean(&juju, setting->folder);
}

static void test_all_that_it_left(void **state)
{
    static const char *const names[] = {".unit-state.db", "client.key", "client.crt", "server.crt"};
    struct setting *setting = *state;

    for (size_t i = 0; i < 4; i++)
        create(setting, names[i]);
    create(setting, "metadata.yaml");
    clean(setting);
    for (size_t i = 0; i < 4; i++)
        assert_false(exists(setting, names[i]));
    assert_true(exists(setting, "metadata.yaml"));
    assert_int_equal(setting->fake.calls.count, 1);
    assert_string_equal(setting->fake.calls.items[0],
                        "juju-log -l INFO -- deleted what an earlier charm left behind: "
                        ".unit-state.db, client.key, client.crt, server.crt");
    unlinkat(setting->fd, "metadata.yaml", 0);
}

static void test_nothing_to_say_where_there_is_nothing(void **state)
{
    struct setting *setting = *state;

    clean(setting);
    assert_int_equal(setting->fake.calls.count, 0);
    strcpy(setting->folder, "/no/such/folder");
    clean(setting);
    assert_int_equal(setting->fake.calls.count, 0);
}

/* The link goes, what it points to stays; a folder of that name stays. */
static void test_no_link_is_followed(void **state)
{
    struct setting *setting = *state;

    create(setting, "precious");
    assert_int_equal(symlinkat("precious", setting->fd, "client.key"), 0);
    assert_int_equal(mkdirat(setting->fd, "server.crt", 0755), 0);
    clean(setting);
    assert_false(exists(setting, "client.key"));
    assert_true(exists(setting, "precious"));
    assert_true(exists(setting, "server.crt"));
    unlinkat(setting->fd, "precious", 0);
    unlinkat(setting->fd, "server.crt", AT_REMOVEDIR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_that_it_left, setting_open, setting_close),
        cmocka_unit_test_setup_teardown(test_nothing_to_say_where_there_is_nothing, setting_open,
                                        setting_close),
        cmocka_unit_test_setup_teardown(test_no_link_is_followed, setting_open, setting_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
