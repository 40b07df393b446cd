/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "juju/process.h"

#define PATIENCE_MS 10000

static int run(const char *script, const void *input, size_t length, struct juju_reply *reply,
               struct error *error)
{
    const char *const arguments[] = {"sh", "-c", script, NULL};

    *reply = (struct juju_reply){0};
    return process_run(arguments, input, length, PATIENCE_MS, reply, error);
}

static void succeed(const char *script, const void *input, size_t length, struct juju_reply *reply)
{
    struct error error;

    if (run(script, input, length, reply, &error) != 0)
        fail_msg("%s", error.text);
}

static void reply_free(struct juju_reply *reply)
{
    buffer_free(&reply->output);
    buffer_free(&reply->message);
}

static void test_streams_and_code(void **state)
{
    struct juju_reply reply;

    (void)state;
    succeed("cat; echo wrong >&2; exit 3", "text", 4, &reply);
    assert_int_equal(reply.code, 3);
    assert_string_equal(buffer_string(&reply.output), "text");
    assert_string_equal(buffer_string(&reply.message), "wrong\n");
    assert_false(reply.cut);
    reply_free(&reply);
}

static void test_silence(void **state)
{
    struct juju_reply reply;

    (void)state;
    succeed("test -z \"$(cat)\"", NULL, 0, &reply);
    assert_int_equal(reply.code, 0);
    assert_int_equal(reply.output.length, 0);
    assert_int_equal(reply.message.length, 0);
    reply_free(&reply);
}

/* More than pipes hold, both ways at once, in each order. */
static void test_much(void **state)
{
    enum { SIZE = 1 << 20 };
    static const char *const scripts[] = {"cat", "x=$(cat); printf %s \"$x\""};
    char *input = malloc(SIZE);
    struct juju_reply reply;

    (void)state;
    memset(input, 'x', SIZE);
    for (size_t i = 0; i < 2; i++) {
        succeed(scripts[i], input, SIZE, &reply);
        assert_int_equal(reply.output.length, SIZE);
        assert_memory_equal(reply.output.data, input, SIZE);
        reply_free(&reply);
    }
    free(input);
}

static void test_input_that_nobody_reads(void **state)
{
    enum { SIZE = 1 << 20 };
    char *input = calloc(1, SIZE);
    struct juju_reply reply;

    (void)state;
    succeed("exec <&-; echo done", input, SIZE, &reply);
    assert_string_equal(buffer_string(&reply.output), "done\n");
    reply_free(&reply);
    free(input);
}

static void test_output_over_the_limit(void **state)
{
    struct juju_reply reply;

    (void)state;
    succeed("head -c 9000000 /dev/zero; head -c 70000 /dev/zero >&2", NULL, 0, &reply);
    assert_true(reply.cut);
    assert_int_equal(reply.code, 0);
    assert_int_equal(reply.output.length, JUJU_MAX_OUTPUT);
    assert_int_equal(reply.message.length, JUJU_MAX_MESSAGE);
    reply_free(&reply);
    succeed("head -c 8388608 /dev/zero", NULL, 0, &reply);
    assert_false(reply.cut);
    assert_int_equal(reply.output.length, JUJU_MAX_OUTPUT);
    reply_free(&reply);
}

static void test_no_such_command(void **state)
{
    const char *const arguments[] = {"no-such-hook-command", NULL};
    struct juju_reply reply = {0};
    struct error error;

    (void)state;
    assert_int_equal(process_run(arguments, NULL, 0, PATIENCE_MS, &reply, &error), -1);
    assert_int_equal(error.kind, ERROR_HOOK);
    assert_string_equal(error.text,
                        "no-such-hook-command cannot be run: No such file or directory");
    reply_free(&reply);
}

static void test_death_by_signal(void **state)
{
    struct juju_reply reply;
    struct error error;

    (void)state;
    assert_int_equal(run("kill -TERM $$", NULL, 0, &reply, &error), -1);
    assert_int_equal(error.kind, ERROR_HOOK);
    assert_string_equal(error.text, "sh was ended by signal 15");
    reply_free(&reply);
}

/* One that hangs, and one that hangs with its outputs closed. */
static void test_no_end(void **state)
{
    static const char *const scripts[] = {"exec sleep 100", "exec sleep 100 >&- 2>&-"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const char *const arguments[] = {"sh", "-c", scripts[i], NULL};
        struct juju_reply reply = {0};
        struct error error;

        assert_int_equal(process_run(arguments, NULL, 0, 50, &reply, &error), -1);
        assert_int_equal(error.kind, ERROR_HOOK);
        assert_string_equal(error.text, "sh did not end within 0 s");
        reply_free(&reply);
    }
}

/* The environment as it is, and SIGPIPE as programs expect it. */
static void test_what_the_child_gets(void **state)
{
    struct juju_reply reply;

    (void)state;
    setenv("A_VARIABLE", "its value", 1);
    succeed("echo \"$A_VARIABLE\"; grep SigIgn: /proc/self/status", NULL, 0, &reply);
    assert_non_null(strstr(buffer_string(&reply.output), "its value\n"));
    const char *ignored = strchr(reply.output.data, ':');
    assert_non_null(ignored);
    assert_int_equal(strtoull(ignored + 1, NULL, 16) >> (SIGPIPE - 1) & 1, 0);
    reply_free(&reply);
}

/* Of our descriptors it gets those only that are meant to be inherited. */
static void test_no_descriptor_leaks(void **state)
{
    struct juju_reply reply;
    int ours = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char *rest;

    (void)state;
    succeed("ls /proc/$$/fd", NULL, 0, &reply);
    for (char *line = strtok_r(reply.output.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        int fd = (int)strtol(line, NULL, 10);

        assert_true(fd <= STDERR_FILENO || fcntl(fd, F_GETFD) == 0);
    }
    reply_free(&reply);
    close(ours);
}

/* No descriptor and no child is left behind. */
static void test_nothing_is_left(void **state)
{
    struct juju_reply reply;
    int before = dup(0), after;

    (void)state;
    close(before);
    succeed("cat", "x", 1, &reply);
    reply_free(&reply);
    after = dup(0);
    close(after);
    assert_int_equal(before, after);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static int ignore_sigpipe(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_and_code),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_much),
        cmocka_unit_test(test_input_that_nobody_reads),
        cmocka_unit_test(test_output_over_the_limit),
        cmocka_unit_test(test_no_such_command),
        cmocka_unit_test(test_death_by_signal),
        cmocka_unit_test(test_no_end),
        cmocka_unit_test(test_what_the_child_gets),
        cmocka_unit_test(test_no_descriptor_leaks),
        cmocka_unit_test(test_nothing_is_left),
    };

    return cmocka_run_group_tests(tests, ignore_sigpipe, NULL);
}
