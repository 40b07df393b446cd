/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/*
 * The one error convention of the tree: a function that can fail returns 0 on
 * success and -1 on failure, and then has filled the caller's struct error with a
 * kind (what the caller decides by) and one sentence (what a person reads: what
 * happened, where, what to do). The sentence has no trailing full stop and never
 * holds secret material. On success the struct is untouched.
 */
enum error_kind {
    ERROR_INPUT = 1,   /* a configured value is unusable: the operator must change it */
    ERROR_IDENTITY,    /* the server is not the one that was expected */
    ERROR_UNTRUSTED,   /* LXD does not trust our certificate, or lets it do too little */
    ERROR_UNREACHABLE, /* what only time or the network may mend; the text is the reason alone */
    ERROR_NONSENSE,    /* something answers, but not as LXD does: the operator must look at it */
    ERROR_REFUSED,     /* LXD refused one request; the text is LXD's own reason */
    ERROR_WAITING,     /* nothing is wrong; something else has to happen first */
    ERROR_HOOK,        /* a hook command failed: the hook must fail, Juju drops its writes */
};

struct error {
    enum error_kind kind;
    char text[512]; /* NUL-terminated; cut, never overrun */
};

/* Fill *error and return -1, so that a caller can write "return error_set(...)". Bytes
 * outside printable ASCII in the result are replaced by '?': the text goes to a log line. */
__attribute__((format(printf, 3, 4))) int error_set(struct error *error, enum error_kind kind,
                                                    const char *format, ...);

/* Put "<prefix>: " in front of the text, keeping the kind. Returns -1. */
__attribute__((format(printf, 2, 3))) int error_prefix(struct error *error, const char *format,
                                                       ...);

#endif
