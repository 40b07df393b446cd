/* SPDX-License-Identifier: Apache-2.0 */
/* A lookup, from the machine's files to the answers: it ends, within its bounds, whatever they
 * hold. */
#include "fuzz.h"

#include <sys/socket.h>

#include "base/resolver.h"

#define MAX_EVENTS 4096

/* A piece of the rest with its length before it, two bytes. */
static struct input take_piece(struct input *input)
{
    size_t size = (size_t)input_byte(input) << 8;
    struct input piece;

    size |= input_byte(input);
    if (size > input->size)
        size = input->size;
    piece = (struct input){input->data, size};
    input->data += size;
    input->size -= size;
    return piece;
}

static int pick_question(const struct resolver_lookup *lookup, uint8_t choice)
{
    for (unsigned i = 0; i < RESOLVER_QUESTIONS; i++) {
        unsigned number = (choice + i) % RESOLVER_QUESTIONS;

        if (lookup->questions[number].serial != 0)
            return (int)number;
    }
    return -1;
}

/* The message with the question's own beginning, so that it is not just thrown away, and the rest
 * as the input has it. */
static void answer(struct resolver_lookup *lookup, int question, struct input piece, bool ours,
                   int64_t now)
{
    uint8_t query[RESOLVER_MAX_QUERY];
    size_t skip = lookup->questions[question].tcp ? 2 : 0, length;
    uint8_t *message;

    length = resolver_query(lookup, (size_t)question, query) - skip;
    MUST(length + skip <= sizeof query);
    message = malloc(length + piece.size + 1); /* its own piece of memory: nothing behind it */
    MUST(message != NULL);
    if (ours) {
        memcpy(message, query + skip, length);
        for (size_t i = 2; i < 12; i++) {
            if (i != 4 && i != 5) /* the count of questions */
                message[i] = input_byte(&piece);
        }
        message[2] |= 0x80;
    } else {
        length = 0;
    }
    if (piece.size != 0)
        memcpy(message + length, piece.data, piece.size);
    uint8_t *exact = realloc(message, length + piece.size + (length + piece.size == 0));
    MUST(exact != NULL);
    resolver_answer(lookup, (size_t)question, exact, length + piece.size, now);
    free(exact);
}

static void check(const struct resolver_lookup *lookup)
{
    MUST(lookup->address_count <= RESOLVER_ADDRESSES);
    MUST(lookup->state != RESOLVER_FOUND || lookup->address_count != 0);
    MUST(lookup->state != RESOLVER_FAILED || lookup->address_count == 0);
    for (size_t i = 0; i < lookup->address_count; i++)
        MUST(lookup->addresses[i].family == AF_INET || lookup->addresses[i].family == AF_INET6);
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++)
        MUST(lookup->questions[i].server < lookup->settings->server_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct resolver_settings settings = {0};
    struct resolver_lookup lookup;
    struct error error = {0};
    int64_t now = 1000, next;

    struct input hosts = take_piece(&input), resolv_conf = take_piece(&input),
                 name_piece = take_piece(&input);
    char *name = input_text(&name_piece);
    buffer_append(&settings.hosts, hosts.data, hosts.size);
    resolver_settings_read(&settings, (const char *)resolv_conf.data, resolv_conf.size,
                           "unit.corp.test");
    MUST(settings.server_count >= 1 && settings.server_count <= RESOLVER_SERVERS);
    MUST(settings.domains.count <= RESOLVER_DOMAINS);
    resolver_start(&lookup, &settings, name, now);
    check(&lookup);
    for (unsigned events = 0; !resolver_is_done(&lookup); events++) {
        uint8_t kind = input_byte(&input);
        int question = pick_question(&lookup, kind & 15);

        MUST(events < MAX_EVENTS);
        if (question < 0 || kind >> 6 == 0) {
            next = resolver_tick(&lookup, now);
            if (resolver_is_done(&lookup))
                break;
            MUST(next < INT64_MAX);
            now = next > now ? next : now;
            resolver_tick(&lookup, now);
        } else if (kind >> 6 == 1) {
            resolver_fail(&lookup, (size_t)question, "failed", now);
        } else {
            answer(&lookup, question, take_piece(&input), kind >> 6 == 2, now);
            if (input.size == 0)
                now += 1000;
        }
        check(&lookup);
    }
    if (lookup.state == RESOLVER_FAILED) {
        MUST(resolver_error(&lookup, &error) == -1 && error.text[0] != '\0');
        for (const char *c = error.text; *c != '\0'; c++)
            MUST(*c >= ' ' && *c <= '~');
    }
    resolver_end(&lookup);
    resolver_settings_free(&settings);
    free(name);
    return 0;
}
