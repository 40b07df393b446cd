/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

/* No core file, and no debugger (not dumpable). */
void sandbox_hide_memory(void);

/*
 * Give up, for good and for all programs started from here on, what the rest of this run does not
 * need: no new privileges, its memory hidden, a seccomp filter and a Landlock ruleset.
 */
enum sandbox_kind {
    /* Talk over what is open and over new internet sockets. No file, no socket of another kind, no
     * program, no signal to others, no executable memory. Every system call that this does not take
     * is denied. */
    SANDBOX_CLOSED,
    /* Run programs as well. What they need is theirs to know, so only what no such program has to
     * do with is denied: writing, making and removing files (/dev/null can be written), tracing,
     * mounts and namespaces, modules, kernel programs, keys, the machine's own state. */
    SANDBOX_PROGRAMS,
};

/*
 * A denied system call fails with ENOSYS, as on a kernel that does not have it: libc may make one
 * for what stands in a file. What nobody makes by mistake (programs, processes, code, other
 * people's memory, mounts, ...) ends the process: "system call N is denied by the sandbox" on
 * stderr and exit status 1 here, SIGSYS in a program that was started. With SANDBOX_PROGRAMS, files
 * that may not be opened are EACCES. Returns NULL, or which part this kernel does not offer; the
 * others are in force then.
 */
const char *sandbox_enter(enum sandbox_kind kind);

#endif
