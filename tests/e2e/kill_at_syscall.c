/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program and kills a process just before the program's N-th system call:
 *
 *     kill_at_syscall all|noticed N PID PROGRAM [ARGUMENT...]
 *
 * "noticed" counts only the calls that change something outside of the program: killed before any
 * other call, it leaves the same behind as before the next one of these. PID 0 is the program
 * itself. Ends as the program does, with its exit status or by its signal: with N from 1 on, until
 * the program ends by itself, it is killed at every point.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "kill_at_syscall: %s: %s\n", what, strerror(errno));
    exit(126);
}

static pid_t start(char *command[])
{
    pid_t child = fork();

    check(child >= 0, "fork");
    if (child == 0) {
        check(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0, "PTRACE_TRACEME");
        raise(SIGSTOP);
        execv(command[0], command);
        check(0, command[0]);
    }
    return child;
}

/* The end of the program is our end too. */
static void end_like(int status)
{
    if (WIFSIGNALED(status))
        kill(getpid(), WTERMSIG(status));
    exit(WEXITSTATUS(status));
}

/* Let the program go on to its next stop, and hand over the signal (0: none). */
static int next_stop(pid_t child, int signal)
{
    int status;

    check(ptrace(PTRACE_SYSCALL, child, NULL, (void *)(long)signal) == 0 || errno == ESRCH,
          "PTRACE_SYSCALL"); /* ESRCH: it has just been killed */
    check(waitpid(child, &status, 0) == child, "waitpid");
    if (!WIFSTOPPED(status))
        end_like(status);
    return WSTOPSIG(status);
}

/* Calls that change something outside of the program. */
static int is_noticed(uint64_t number)
{
    switch (number) {
#ifdef SYS_fork
    case SYS_fork:
    case SYS_vfork:
    case SYS_rename:
    case SYS_unlink:
#endif
    case SYS_clone:
    case SYS_clone3:
    case SYS_connect:
    case SYS_execve:
    case SYS_exit_group:
#ifdef SYS_renameat
    case SYS_renameat:
#endif
    case SYS_renameat2:
    case SYS_sendmsg:
    case SYS_sendto:
    case SYS_shutdown:
    case SYS_unlinkat:
    case SYS_write:
    case SYS_writev:
        return 1;
    default:
        return 0;
    }
}

/* Each system call stops the program twice: before and after. */
static int counts(pid_t child, int only_noticed)
{
    struct __ptrace_syscall_info info;
    long got = ptrace(PTRACE_GET_SYSCALL_INFO, child, (void *)sizeof info, &info);

    check(got > 0, "PTRACE_GET_SYSCALL_INFO");
    return info.op == PTRACE_SYSCALL_INFO_ENTRY && (!only_noticed || is_noticed(info.entry.nr));
}

int main(int argc, char *argv[])
{
    int status, signal = 0;

    check(argc >= 5, "usage: kill_at_syscall all|noticed N PID PROGRAM [ARGUMENT...]");
    int only_noticed = strcmp(argv[1], "noticed") == 0;
    long left = strtol(argv[2], NULL, 10);
    pid_t victim = (pid_t)strtol(argv[3], NULL, 10);
    pid_t child = start(argv + 4);

    check(waitpid(child, &status, 0) == child && WIFSTOPPED(status), "waitpid");
    check(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0,
          "PTRACE_SETOPTIONS");
    for (;;) {
        int stop = next_stop(child, signal);

        signal = stop == SIGTRAP ? 0 : stop; /* execve's is not the program's own */
        if (stop != (SIGTRAP | 0x80))
            continue;
        signal = 0;
        if (counts(child, only_noticed) && --left == 0)
            check(kill(victim != 0 ? victim : child, SIGKILL) == 0, "kill");
    }
}
