/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/status.h"

#include <stdio.h>
#include <string.h>

/* One line that fits, whatever LXD said. */
static void set_message(struct status *status, struct buffer *message)
{
    static const char ellipsis[] = "...";
    size_t cut = sizeof status->message - sizeof ellipsis;

    snprintf(status->message, sizeof status->message, "%s", buffer_string(message));
    if (message->length >= sizeof status->message)
        memcpy(status->message + cut, ellipsis, sizeof ellipsis);
    for (char *c = status->message; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
    buffer_free(message);
}

static void append_count(struct buffer *out, size_t count, const char *noun)
{
    buffer_printf(out, "%zu %s%s", count, noun, count != 1 ? "s" : "");
}

static void append_ids(struct buffer *out, const struct strings *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        buffer_printf(out, "%s%s", i == 0 ? " (" : ", ", ids->items[i]);
    if (ids->count != 0)
        buffer_append_string(out, ")");
}

void status_of_summary(struct status *status, const struct status_summary *summary)
{
    struct buffer message = {0};

    append_count(&message, summary->certificates, "certificate");
    buffer_printf(&message, " trusted, LXD %s, ", summary->version);
    append_count(&message, summary->nodes, "node");
    if (summary->rejected != 0) {
        buffer_append_string(&message, "; ");
        append_count(&message, summary->rejected, "certificate");
        buffer_append_string(&message, " rejected");
        append_ids(&message, &summary->rejecting);
    }
    if (summary->unreadable.count != 0) {
        buffer_append_string(&message, "; ");
        append_count(&message, summary->unreadable.count, "relation");
        buffer_append_string(&message, " unreadable");
        append_ids(&message, &summary->unreadable);
    }
    status->name = "active";
    set_message(status, &message);
}

void status_of_error(struct status *status, const struct error *error)
{
    struct buffer message = {0};

    status->name = error->kind == ERROR_UNAVAILABLE ? "waiting" : "blocked";
    buffer_append_string(&message, error->text);
    if (error->kind == ERROR_UNAVAILABLE)
        buffer_append_string(&message, "; retrying");
    if (error->kind == ERROR_IDENTITY)
        buffer_append_string(&message, ": update the credential or lxd_server_cert");
    set_message(status, &message);
}
