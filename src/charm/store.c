/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/store.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_FINGERPRINT 12 /* digits in a name */

void owner_make(struct owner *owner, const char *model_uuid, const char *application,
                const char *fingerprint)
{
    owner->prefix = mem_printf("juju.%.8s.%s.", model_uuid, application);
    owner->fingerprint = fingerprint;
}

static bool has_our_name(const struct owner *owner, const struct lxd_certificate *entry)
{
    return strncmp(entry->name, owner->prefix, strlen(owner->prefix)) == 0;
}

bool owner_has(const struct owner *owner, const struct lxd_certificate *entry)
{
    return strcmp(entry->type, "client") == 0 && has_our_name(owner, entry) &&
           strcmp(entry->fingerprint, owner->fingerprint) != 0;
}

/* The number is the last part, or the last before the fingerprint. No application has a dot. */
unsigned long owner_relation(const struct owner *owner, const struct lxd_certificate *entry)
{
    const char *dot = strchr(entry->name + strlen(owner->prefix), '.');

    return dot != NULL && isdigit((unsigned char)dot[1]) != 0 ? strtoul(dot + 1, NULL, 10) : 0;
}

char *owner_name(const struct owner *owner, const char *application, unsigned long relation,
                 const char *fingerprint)
{
    return mem_printf("%s%s.%lu.%.*s", owner->prefix, application, relation, SHORT_FINGERPRINT,
                      fingerprint);
}

void owner_free(struct owner *owner)
{
    free(owner->prefix);
    *owner = (struct owner){0};
}

static struct lxd_certificate *add(struct store *store, const struct lxd_certificate *entry)
{
    store->items = mem_grow(store->items, store->count, sizeof *store->items);
    struct lxd_certificate *added = &store->items[store->count++];

    lxd_certificate_copy(added, entry);
    return added;
}

void store_note(struct store *store, const struct owner *owner, const struct strings *wanted,
                const struct lxd_certificate *entry)
{
    store->total++;
    if (strcmp(entry->fingerprint, owner->fingerprint) == 0) {
        store->shows_own = true;
        store->own_restricted = entry->projects.restricted;
    }
    if (has_our_name(owner, entry) && strcmp(entry->type, "client") != 0)
        store->strangers++;
    if (has_our_name(owner, entry) || strings_find(wanted, entry->fingerprint) ||
        strcmp(entry->fingerprint, owner->fingerprint) == 0)
        add(store, entry);
}

static int compare_entries(const void *a, const void *b)
{
    const struct lxd_certificate *x = a, *y = b;

    return strcmp(x->fingerprint, y->fingerprint);
}

void store_sort(struct store *store)
{
    if (store->count != 0)
        qsort(store->items, store->count, sizeof *store->items, compare_entries);
}

static int compare_to_fingerprint(const void *key, const void *item)
{
    const struct lxd_certificate *entry = item;

    return strcmp(key, entry->fingerprint);
}

static struct lxd_certificate *find(const struct store *store, const char *fingerprint)
{
    if (store->count == 0)
        return NULL;
    return bsearch(fingerprint, store->items, store->count, sizeof *store->items,
                   compare_to_fingerprint);
}

const struct lxd_certificate *store_find(const struct store *store, const char *fingerprint)
{
    return find(store, fingerprint);
}

void store_put(struct store *store, const struct lxd_certificate *entry)
{
    struct lxd_certificate *known = find(store, entry->fingerprint);

    if (known != NULL) {
        lxd_certificate_free(known);
        lxd_certificate_copy(known, entry);
    } else {
        add(store, entry);
        store_sort(store);
    }
}

void store_remove(struct store *store, const char *fingerprint)
{
    struct lxd_certificate *known = find(store, fingerprint);

    if (known == NULL)
        return;
    lxd_certificate_free(known);
    memmove(known, known + 1, (size_t)(store->items + --store->count - known) * sizeof *known);
}

void store_free(struct store *store)
{
    for (size_t i = 0; i < store->count; i++)
        lxd_certificate_free(&store->items[i]);
    free(store->items);
    *store = (struct store){0};
}
