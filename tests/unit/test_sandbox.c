/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sandbox.h"

/* What this kernel offers, found out without the code under test. */
static bool has_seccomp, has_landlock;

static char said[256]; /* on stderr, by the last attempt */
static pid_t parent, self;

/*
 * Run an attempt in a child inside of the sandbox. It exits with what the attempt returns, or in
 * the way of the sandbox. Returns how it ended, as wait does.
 */
static int attempt(enum sandbox_kind kind, int (*function)(void))
{
    int ends[2], status;

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        self = getpid();
        sandbox_enter(kind);
        syscall(SYS_exit_group, function()); /* past what a sanitizer does at the end */
    }
    close(ends[1]);
    ssize_t length = read(ends[0], said, sizeof said - 1);
    said[length > 0 ? length : 0] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

#define EXITED(code) ((code) << 8)

static void assert_outcome(enum sandbox_kind kind, int (*function)(void), int expected)
{
    assert_int_equal(attempt(kind, function), EXITED(expected));
    assert_string_equal(said, "");
}

static void assert_denied(enum sandbox_kind kind, int (*function)(void), long number)
{
    char expected[256];

    snprintf(expected, sizeof expected,
             "lxd-integrator: system call %ld is denied by the sandbox\n", number);
    assert_int_equal(attempt(kind, function), EXITED(1));
    assert_string_equal(said, expected);
}

/* ---- attempts: bare system calls, for a libc may have others in mind; 0 or errno ---- */

static int failure(long result)
{
    return result < 0 ? errno : 0;
}

static int run_true(void)
{
    return failure(syscall(SYS_execve, "/bin/true", (const char *[]){"true", NULL}, NULL));
}

static int fork_off(void)
{
    return failure(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int trace(void)
{
    return failure(syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0));
}

static int mount_it(void)
{
    return failure(syscall(SYS_mount, "none", "/nonexistent", "tmpfs", 0, NULL));
}

static int open_file(const char *path, int flags)
{
    return failure(syscall(SYS_openat, AT_FDCWD, path, flags, 0600));
}

static int open_to_write(void)
{
    return open_file("/dev/null", O_WRONLY);
}

static int open_to_update(void)
{
    return open_file("/dev/null", O_RDWR);
}

static int open_and_create(void)
{
    return open_file("/tmp/test-sandbox.new", O_RDONLY | O_CREAT);
}

static int open_and_truncate(void)
{
    return open_file("/dev/null", O_RDONLY | O_TRUNC);
}

static int read_hosts(void)
{
    return open_file("/etc/hosts", O_RDONLY | O_CLOEXEC);
}

static int read_passwd(void)
{
    return open_file("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

/* As a libc that looks up a zone does it. */
static int look_up_interface(void)
{
    return if_nametoindex("lo") != 0 ? 0 : errno;
}

static int ask_for_resolution_of_clock(void)
{
    return failure(syscall(SYS_clock_getres, CLOCK_REALTIME, NULL));
}

static int delete_file(void)
{
    return failure(syscall(SYS_unlinkat, AT_FDCWD, "/tmp/test-sandbox.new", 0));
}

static int unix_socket(void)
{
    return failure(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
}

static int netlink_socket(void)
{
    return failure(syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0));
}

static int internet_socket(void)
{
    return failure(syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/* A way to somebody that is open since before does not lead to somebody else. */
static const struct sockaddr_un somebody_else = {.sun_family = AF_UNIX,
                                                 .sun_path = "\0test-sandbox"};
static int open_socket;

static int connect_elsewhere(void)
{
    return failure(syscall(SYS_connect, open_socket, &somebody_else, sizeof somebody_else));
}

static int kill_parent(void)
{
    return failure(syscall(SYS_kill, parent, 0));
}

static int signal_parent(void)
{
    return failure(syscall(SYS_tkill, parent, 0));
}

static int abort_oneself(void)
{
    return failure(syscall(SYS_tkill, self, SIGABRT));
}

static int map_memory(int protection)
{
#ifdef SYS_mmap2
    long number = SYS_mmap2;
#else
    long number = SYS_mmap;
#endif
    long result = syscall(number, NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return result == -1 ? errno : 0;
}

static int map_data(void)
{
    return map_memory(PROT_READ | PROT_WRITE);
}

static int map_code(void)
{
    return map_memory(PROT_READ | PROT_EXEC);
}

static int make_code(void)
{
    return failure(syscall(SYS_mprotect, 0, 4096, PROT_READ | PROT_EXEC));
}

#ifdef __x86_64__
static int call_x32(void)
{
    return failure(syscall(0x40000000 + SYS_getpid));
}
#endif

/* ---- SANDBOX_CLOSED ---- */

static void test_closed_denies_calls(void **state)
{
    (void)state;
    if (!has_seccomp)
        skip();
    assert_denied(SANDBOX_CLOSED, run_true, SYS_execve);
    assert_denied(SANDBOX_CLOSED, fork_off, SYS_clone);
    assert_denied(SANDBOX_CLOSED, trace, SYS_ptrace);
    assert_denied(SANDBOX_CLOSED, mount_it, SYS_mount);
    assert_denied(SANDBOX_CLOSED, kill_parent, SYS_kill);
}

/* A call fails that libc may make for what stands in a file, and the process goes on. */
static void assert_fails(int (*function)(void))
{
    assert_outcome(SANDBOX_CLOSED, function, ENOSYS);
}

static void test_closed_fails_calls(void **state)
{
    (void)state;
    if (!has_seccomp)
        skip();
    assert_fails(delete_file);
    assert_fails(signal_parent);
    assert_fails(ask_for_resolution_of_clock);
    assert_fails(look_up_interface);
}

static void test_closed_opens_no_file(void **state)
{
    (void)state;
    if (!has_seccomp)
        skip();
    assert_fails(open_to_write);
    assert_fails(open_to_update);
    assert_fails(open_and_create);
    assert_fails(open_and_truncate);
    assert_fails(read_hosts);
    assert_fails(read_passwd);
}

static void test_closed_denies_sockets(void **state)
{
    (void)state;
    if (!has_seccomp)
        skip();
    assert_fails(unix_socket);
    assert_fails(netlink_socket);
    assert_outcome(SANDBOX_CLOSED, connect_elsewhere, EISCONN);
}

static void test_closed_denies_code(void **state)
{
    (void)state;
    if (!has_seccomp)
        skip();
    assert_denied(SANDBOX_CLOSED, make_code, SYS_mprotect);
#ifdef SYS_mmap2
    assert_denied(SANDBOX_CLOSED, map_code, SYS_mmap2);
#elif !defined __s390x__
    assert_denied(SANDBOX_CLOSED, map_code, SYS_mmap);
#endif
#ifdef __x86_64__
    assert_denied(SANDBOX_CLOSED, call_x32, 0x40000000 + SYS_getpid);
#endif
}

static void test_closed_allows(void **state)
{
    (void)state;
    assert_outcome(SANDBOX_CLOSED, internet_socket, 0);
    assert_outcome(SANDBOX_CLOSED, map_data, 0);
    assert_int_equal(attempt(SANDBOX_CLOSED, abort_oneself), SIGABRT);
}

/* ---- SANDBOX_PROGRAMS ---- */

static int run_shell(const char *command)
{
    const char *const arguments[] = {"sh", "-c", command, NULL};

    return failure(syscall(SYS_execve, "/bin/sh", arguments, NULL));
}

static int write_by_shell(void)
{
    return run_shell("{ echo > /tmp/test-sandbox.new; } 2>&-");
}

static int use_shell(void)
{
    return run_shell("echo > /dev/null && test \"$(cat /etc/passwd)\" ");
}

static int change_root(void)
{
    return run_shell("exec /usr/sbin/chroot / /bin/true");
}

static void test_programs_denies_calls(void **state)
{
    (void)state;
    if (!has_seccomp)
        skip();
    assert_denied(SANDBOX_PROGRAMS, trace, SYS_ptrace);
    assert_denied(SANDBOX_PROGRAMS, mount_it, SYS_mount);
    if (access("/usr/sbin/chroot", X_OK) == 0)
        assert_int_equal(attempt(SANDBOX_PROGRAMS, change_root), SIGSYS);
}

static void test_programs_denies_writing(void **state)
{
    (void)state;
    if (!has_landlock)
        skip();
    assert_outcome(SANDBOX_PROGRAMS, open_and_create, EACCES);
    assert_int_not_equal(attempt(SANDBOX_PROGRAMS, write_by_shell), EXITED(0));
    assert_int_equal(access("/tmp/test-sandbox.new", F_OK), -1);
}

static void test_programs_allows(void **state)
{
    (void)state;
    assert_outcome(SANDBOX_PROGRAMS, run_true, 0);
    assert_outcome(SANDBOX_PROGRAMS, use_shell, 0);
    assert_outcome(SANDBOX_PROGRAMS, unix_socket, 0);
    assert_outcome(SANDBOX_PROGRAMS, open_to_write, 0);
}

/* ---- both ---- */

static int look_at_oneself(void)
{
    struct rlimit core;

    getrlimit(RLIMIT_CORE, &core);
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE) != 0 ||
           core.rlim_cur != 0 || core.rlim_max != 0;
}

static void test_process_itself(void **state)
{
    (void)state;
    assert_outcome(SANDBOX_PROGRAMS, look_at_oneself, 0);
}

static void test_what_is_lacking(void **state)
{
    static const char *const expected[] = {"", "Landlock", "seccomp filters",
                                           "seccomp filters, Landlock"};
    const char *lacking = expected[!has_landlock + 2 * !has_seccomp];
    int status;

    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        const char *found = sandbox_enter(SANDBOX_CLOSED);

        syscall(SYS_exit_group, strcmp(found != NULL ? found : "", lacking) != 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, EXITED(0));
}

static int set_up(void **state)
{
    int ends[2], listener = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    parent = getpid();
    has_seccomp = access("/proc/sys/kernel/seccomp/actions_avail", F_OK) == 0;
    has_landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 ||
        bind(listener, (const struct sockaddr *)&somebody_else, sizeof somebody_else) != 0)
        return -1;
    open_socket = ends[0];
    return listen(listener, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_denies_calls),
        cmocka_unit_test(test_closed_fails_calls),
        cmocka_unit_test(test_closed_opens_no_file),
        cmocka_unit_test(test_closed_denies_sockets),
        cmocka_unit_test(test_closed_denies_code),
        cmocka_unit_test(test_closed_allows),
        cmocka_unit_test(test_programs_denies_calls),
        cmocka_unit_test(test_programs_denies_writing),
        cmocka_unit_test(test_programs_allows),
        cmocka_unit_test(test_process_itself),
        cmocka_unit_test(test_what_is_lacking),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
