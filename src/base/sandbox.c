/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sandbox.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- which system calls ---- */

/* Holds for a system call whose argument (an int) has these bits under this mask. */
struct rule {
    uint16_t number;
    uint8_t argument;
    uint32_t mask; /* 0: whatever the arguments */
    uint32_t bits;
};

#define ALWAYS 0, 0, 0
#define EXACTLY(argument, value) argument, UINT32_MAX, (uint32_t)(value)
#define NONE_OF(argument, flags) argument, (uint32_t)(flags), 0

/* What SANDBOX_CLOSED allows: this program's and libc's calls, on all architectures. */
static const struct rule allowed[] = {
    {__NR_read, ALWAYS},
    {__NR_readv, ALWAYS},
    {__NR_write, ALWAYS},
    {__NR_writev, ALWAYS},
    {__NR_close, ALWAYS},
#ifdef __NR_poll
    {__NR_poll, ALWAYS},
#else
    {__NR_ppoll, ALWAYS},
#endif
    /* Sockets: the internet's. */
    {__NR_socket, EXACTLY(0, AF_INET)},
    {__NR_socket, EXACTLY(0, AF_INET6)},
    {__NR_connect, ALWAYS},
    {__NR_sendto, ALWAYS},
    {__NR_recvfrom, ALWAYS},
    {__NR_getpeername, ALWAYS},
    {__NR_getsockopt, ALWAYS},
    {__NR_setsockopt, ALWAYS},
/* What libc does with descriptors that are there. */
#ifdef __NR_fcntl64
    {__NR_fcntl64, EXACTLY(1, F_SETFD)},
#endif
    {__NR_fcntl, EXACTLY(1, F_SETFD)},
    {__NR_ioctl, EXACTLY(1, TIOCGWINSZ)},
/* Memory, none of it executable. (S/390 has mmap's arguments in memory, out of the filter's sight.)
 */
#if defined __NR_mmap2
    {__NR_mmap2, NONE_OF(2, PROT_EXEC)},
#elif defined __s390x__
    {__NR_mmap, ALWAYS},
#else
    {__NR_mmap, NONE_OF(2, PROT_EXEC)},
#endif
    {__NR_mprotect, NONE_OF(2, PROT_EXEC)},
    {__NR_munmap, ALWAYS},
    {__NR_mremap, ALWAYS},
    {__NR_madvise, ALWAYS},
    {__NR_brk, ALWAYS},
/* Time (where the vDSO does not do it), chance, and the end, perhaps by abort. */
#ifdef __NR_clock_gettime64
    {__NR_clock_gettime64, ALWAYS},
#endif
#ifdef __NR_clock_gettime32
    {__NR_clock_gettime32, ALWAYS},
#endif
#ifdef __NR_clock_gettime
    {__NR_clock_gettime, ALWAYS},
#endif
    {__NR_getrandom, ALWAYS},
    {__NR_restart_syscall, ALWAYS},
    {__NR_rt_sigprocmask, ALWAYS},
    {__NR_exit, ALWAYS},
    {__NR_exit_group, ALWAYS},
};

/*
 * What ends the process in either kind. No file's content, no answer and no kernel leads this
 * program or its libc to these: whoever makes such a call has taken over.
 */
static const struct rule deadly[] = {
    /* other processes */
    {__NR_ptrace, ALWAYS},
    {__NR_process_vm_readv, ALWAYS},
    {__NR_process_vm_writev, ALWAYS},
    {__NR_perf_event_open, ALWAYS},
    {__NR_userfaultfd, ALWAYS},
    /* mounts and namespaces */
    {__NR_mount, ALWAYS},
    {__NR_umount2, ALWAYS},
    {__NR_pivot_root, ALWAYS},
    {__NR_chroot, ALWAYS},
    {__NR_fsopen, ALWAYS},
    {__NR_fspick, ALWAYS},
    {__NR_fsconfig, ALWAYS},
    {__NR_fsmount, ALWAYS},
    {__NR_open_tree, ALWAYS},
    {__NR_move_mount, ALWAYS},
    {__NR_mount_setattr, ALWAYS},
    {__NR_unshare, ALWAYS},
    {__NR_setns, ALWAYS},
    {__NR_open_by_handle_at, ALWAYS},
    {__NR_mknodat, ALWAYS},
/* the kernel's own code */
#ifdef __NR_kexec_file_load
    {__NR_kexec_file_load, ALWAYS},
#endif
    {__NR_kexec_load, ALWAYS},
    {__NR_init_module, ALWAYS},
    {__NR_finit_module, ALWAYS},
    {__NR_delete_module, ALWAYS},
    {__NR_bpf, ALWAYS},
    {__NR_io_uring_setup, ALWAYS},
    /* keys */
    {__NR_add_key, ALWAYS},
    {__NR_request_key, ALWAYS},
    {__NR_keyctl, ALWAYS},
    /* the machine */
    {__NR_reboot, ALWAYS},
    {__NR_swapon, ALWAYS},
    {__NR_swapoff, ALWAYS},
    {__NR_acct, ALWAYS},
    {__NR_quotactl, ALWAYS},
    {__NR_syslog, ALWAYS},
    {__NR_sethostname, ALWAYS},
    {__NR_setdomainname, ALWAYS},
};

/* The same, where no program is to be run: programs, processes, code. */
static const struct rule deadly_if_closed[] = {
    {__NR_execve, ALWAYS},   {__NR_execveat, ALWAYS}, {__NR_clone, ALWAYS},
#ifdef __NR_clone3
    {__NR_clone3, ALWAYS},
#endif
#ifdef __NR_fork
    {__NR_fork, ALWAYS},     {__NR_vfork, ALWAYS},
#endif
    {__NR_kill, ALWAYS},     {__NR_tgkill, ALWAYS},
#if defined __NR_mmap2
    {__NR_mmap2, ALWAYS},
#elif !defined __s390x__
    {__NR_mmap, ALWAYS},
#endif
    {__NR_mprotect, ALWAYS},
};

/* ---- the filter ---- */

#if defined __x86_64__
#define MACHINE EM_X86_64
#elif defined __aarch64__
#define MACHINE EM_AARCH64
#elif defined __arm__
#define MACHINE EM_ARM
#elif defined __riscv
#define MACHINE EM_RISCV
#elif defined __powerpc64__
#define MACHINE EM_PPC64
#elif defined __s390x__
#define MACHINE EM_S390
#endif

#define IS_LITTLE_ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
#define IS_64_BIT (sizeof(long) == 8)

/* AUDIT_ARCH_* as linux/audit.h puts it together, and the first call of amd64's other half, x32. */
#define ARCHITECTURE \
    (MACHINE | (IS_64_BIT ? 0x80000000U : 0) | (IS_LITTLE_ENDIAN ? 0x40000000U : 0))
#define X32 0x40000000U

/* Classic BPF (linux/bpf_common.h), as far as it takes, and verdicts (linux/seccomp.h). */
enum { LOAD = 0x20, AND = 0x54, IF_EQUAL = 0x15, IF_AT_LEAST = 0x35, RETURN = 0x06 };
enum {
    ALLOW = 0x7fff0000,
    END = 0x00030000,           /* SECCOMP_RET_TRAP */
    FAIL = 0x00050000 | ENOSYS, /* SECCOMP_RET_ERRNO, as if this kernel did not have the call */
};
enum { MODE_FILTER = 2 };

/* What a filter sees: struct seccomp_data. */
struct call {
    uint32_t number;
    uint32_t architecture;
    uint64_t address;
    uint64_t arguments[6];
};

struct instruction {
    uint16_t code;
    uint8_t if_true, if_false; /* how many instructions to skip */
    uint32_t operand;
};

/* A struct sock_fprog. */
struct filter {
    uint16_t length;
    struct instruction *code;
};

enum {
    RULE_CODE = 6,
    MAX_CODE = 7 + RULE_CODE * (COUNT(allowed) + 1 + COUNT(deadly) + COUNT(deadly_if_closed)),
};

static void append(struct filter *filter, uint16_t code, uint32_t operand, uint8_t if_true,
                   uint8_t if_false)
{
    filter->code[filter->length++] = (struct instruction){code, if_true, if_false, operand};
}

/* With the call's number loaded, and loaded again where the rule does not hold. */
static void append_rule(struct filter *filter, const struct rule *rule, uint32_t verdict)
{
    size_t argument = offsetof(struct call, arguments) + rule->argument * sizeof(uint64_t) +
                      (IS_LITTLE_ENDIAN ? 0 : sizeof(uint32_t));

    if (rule->mask == 0) {
        append(filter, IF_EQUAL, rule->number, 0, 1);
        append(filter, RETURN, verdict, 0, 0);
        return;
    }
    append(filter, IF_EQUAL, rule->number, 0, RULE_CODE - 1);
    append(filter, LOAD, (uint32_t)argument, 0, 0);
    append(filter, AND, rule->mask, 0, 0);
    append(filter, IF_EQUAL, rule->bits, 0, 1);
    append(filter, RETURN, verdict, 0, 0);
    append(filter, LOAD, offsetof(struct call, number), 0, 0);
}

static void append_rules(struct filter *filter, const struct rule *rules, size_t count,
                         uint32_t verdict)
{
    for (size_t i = 0; i < count; i++)
        append_rule(filter, &rules[i], verdict);
}

static void append_start(struct filter *filter)
{
    append(filter, LOAD, offsetof(struct call, architecture), 0, 0);
    append(filter, IF_EQUAL, ARCHITECTURE, 1, 0);
    append(filter, RETURN, END, 0, 0);
    append(filter, LOAD, offsetof(struct call, number), 0, 0);
    append(filter, IF_AT_LEAST, X32, 0, 1);
    append(filter, RETURN, END, 0, 0);
}

static bool install_filter(enum sandbox_kind kind)
{
    struct instruction code[MAX_CODE];
    struct filter filter = {0, code};
    const struct rule abort_rule = {__NR_tkill, EXACTLY(0, getpid())};

    append_start(&filter);
    if (kind == SANDBOX_CLOSED) {
        append_rules(&filter, allowed, COUNT(allowed), ALLOW);
        append_rules(&filter, &abort_rule, 1, ALLOW);
        append_rules(&filter, deadly_if_closed, COUNT(deadly_if_closed), END);
    }
    append_rules(&filter, deadly, COUNT(deadly), END);
    append(&filter, RETURN, kind == SANDBOX_CLOSED ? FAIL : ALLOW, 0, 0);
    return prctl(PR_SET_SECCOMP, MODE_FILTER, &filter) == 0;
}

/* ---- what a denied call ends in ---- */

/* Only what is safe in a handler. */
static void report_denied(int signal_number, siginfo_t *information, void *context)
{
    static const char before[] = "lxd-integrator: system call ",
                      after[] = " is denied by the sandbox\n";
    char line[sizeof before + sizeof after + 3 * sizeof(int)];
    char digits[3 * sizeof(int)];
    size_t length = sizeof before - 1, count = 0;
    unsigned number = (unsigned)information->si_syscall;

    (void)signal_number;
    (void)context;
    memcpy(line, before, length);
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count != 0)
        line[length++] = digits[--count];
    memcpy(line + length, after, sizeof after - 1);
    ssize_t written = write(STDERR_FILENO, line, length + sizeof after - 1);
    (void)written; /* nothing left to tell it to */
    syscall(__NR_exit_group, 1);
}

static void catch_denied(void)
{
    struct sigaction action = {.sa_sigaction = report_denied, .sa_flags = SA_SIGINFO};

    sigaction(SIGSYS, &action, NULL);
}

/* ---- Landlock ---- */

/* Rights to files (linux/landlock.h), and how many of them each version of Landlock knows. */
enum {
    EXECUTE = 1 << 0,
    WRITE_FILE = 1 << 1,
    READ_FILE = 1 << 2,
    READ_DIRECTORY = 1 << 3,
    DEVICE_IOCTL = 1 << 15,
};
static const uint8_t rights_known[] = {0, 13, 14, 15, 15, 16};

enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

struct path_beneath {
    uint64_t rights;
    int32_t fd;
} __attribute__((packed));

static uint64_t all_rights(long version)
{
    size_t last = COUNT(rights_known) - 1;

    return (1U << rights_known[(size_t)version < last ? (size_t)version : last]) - 1;
}

static void permit(int ruleset, const char *path, uint64_t rights)
{
    struct path_beneath rule = {rights, open(path, O_PATH | O_CLOEXEC)};

    if (rule.fd < 0)
        return; /* what is not there needs no permission */
    syscall(__NR_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0);
    close(rule.fd);
}

static bool restrict_files(enum sandbox_kind kind)
{
    long version = syscall(__NR_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    uint64_t rights = all_rights(version > 0 ? version : 0);

    if (version <= 0)
        return false;
    if (kind == SANDBOX_PROGRAMS)
        rights &= ~(uint64_t)(EXECUTE | READ_FILE | READ_DIRECTORY | DEVICE_IOCTL);
    int ruleset = (int)syscall(__NR_landlock_create_ruleset, &rights, sizeof rights, 0);
    if (ruleset < 0)
        return false;
    if (kind == SANDBOX_PROGRAMS)
        permit(ruleset, "/dev/null", WRITE_FILE);
    long result = syscall(__NR_landlock_restrict_self, ruleset, 0);
    close(ruleset);
    return result == 0;
}

/* ---- all together ---- */

void sandbox_hide_memory(void)
{
    prctl(PR_SET_DUMPABLE, 0);
    /* Not setrlimit: in musl it stops all threads for it, of which there are none. */
    prlimit(0, RLIMIT_CORE, &(struct rlimit){0, 0}, NULL);
}

const char *sandbox_enter(enum sandbox_kind kind)
{
    sandbox_hide_memory();
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* the two below ask for it */
    catch_denied();

    bool files = restrict_files(kind);
    bool calls = install_filter(kind);
    if (files && calls)
        return NULL;
    if (files)
        return "seccomp filters";
    return calls ? "Landlock" : "seccomp filters, Landlock";
}
