/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_ANSWER_H
#define LXD_ANSWER_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "lxd/client.h"

/*
 * What the bodies of LXD's answers say. Every body is the same envelope of seven keys, of which
 * "metadata" counts on success and "error" on failure; the HTTP status tells which.
 * The functions are pure. Where a body is not of the documented shape they fail with
 * ERROR_UNREACHABLE, in words to follow "LXD at <endpoint> ", and leave nothing to free.
 */
int answer_server(const struct buffer *body, struct lxd_server *server, struct error *error);
int answer_members(const struct buffer *body, struct lxd_members *list, struct error *error);
int answer_certificates(const struct buffer *body, struct lxd_certificates *list,
                        struct error *error);

/* The one entry that has this fingerprint; any other is of unexpected shape. */
int answer_certificate(const struct buffer *body, const char *fingerprint,
                       struct lxd_certificate *certificate, struct error *error);

/* The "error" string, cut to size; "" where there is none. */
void answer_reason(const struct buffer *body, char *reason, size_t size);

#endif
