/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/status.h"

#include <stdio.h>
#include <string.h>

#include "x509/certificate.h"

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

static void append_expiring(struct buffer *out, const struct status_summary *summary)
{
    char date[CERTIFICATE_DATE_SIZE];

    if (summary->expiring == 0)
        return;
    certificate_date(date, summary->first_expiry);
    buffer_append_string(out, "; ");
    append_count(out, summary->expiring, "certificate");
    buffer_printf(out, " to renew, %sby %s", summary->expiring != 1 ? "the first " : "", date);
}

static void append_summary(struct buffer *out, const struct status_summary *summary)
{
    append_count(out, summary->certificates, "certificate");
    buffer_append_string(out, " trusted, LXD ");
    for (size_t i = 0; i < summary->versions.count; i++)
        buffer_printf(out, "%s%s", i != 0 ? "/" : "", summary->versions.items[i]);
    buffer_append_string(out, ", ");
    append_count(out, summary->nodes, "node");
    if (summary->rejected != 0) {
        buffer_append_string(out, "; ");
        append_count(out, summary->rejected, "certificate");
        buffer_append_string(out, " rejected");
        append_ids(out, &summary->rejecting);
    }
    if (summary->unreadable.count != 0) {
        buffer_append_string(out, "; ");
        append_count(out, summary->unreadable.count, "relation");
        buffer_append_string(out, " unreadable");
        append_ids(out, &summary->unreadable);
    }
    append_expiring(out, summary);
}

void status_of_summary(struct status *status, const struct status_summary *summary)
{
    struct buffer message = {0};

    status->name = "active";
    append_summary(&message, summary);
    set_message(status, &message);
}

void status_of_error(struct status *status, const struct error *error, size_t more,
                     const struct status_summary *summary)
{
    struct buffer message = {0};

    status->name =
        error->kind == ERROR_UNREACHABLE || error->kind == ERROR_WAITING ? "waiting" : "blocked";
    buffer_append_string(&message, error->text);
    if (error->kind == ERROR_UNREACHABLE)
        buffer_append_string(&message, "; retrying");
    if (error->kind == ERROR_IDENTITY)
        buffer_append_string(&message,
                             ": update the credential, lxd_server_cert or lxd_trust_token");
    if (more != 0) {
        buffer_append_string(&message, "; ");
        append_count(&message, more, "more server");
        buffer_append_string(&message, " in trouble");
    }
    if (summary != NULL) {
        buffer_append_string(&message, "; elsewhere ");
        append_summary(&message, summary);
    }
    set_message(status, &message);
}
