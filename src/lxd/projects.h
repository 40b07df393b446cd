/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_PROJECTS_H
#define LXD_PROJECTS_H

#include <cJSON.h>
#include <stdbool.h>

#include "base/buffer.h"

/* Bounds on what somebody asks for; what LXD has, or several ask for together, may be more. */
#define PROJECTS_MAX 256             /* names */
#define PROJECTS_MAX_NAME 255        /* bytes of one */
#define PROJECTS_MAX_TEXT (64 << 10) /* bytes of all, as they are written */

/*
 * What a certificate opens: all of LXD (this is what zero means), or some projects only. Names are
 * there once each, sorted by their bytes; only the functions here may change them.
 */
struct projects {
    bool restricted;
    struct strings names;
};

/*
 * Names separated by commas, with blanks around them. Anything but PROJECTS_NAMED and PROJECTS_ALL
 * is a wish that cannot be granted; the projects open nothing then, and are freed as any others.
 */
enum projects_text {
    PROJECTS_ALL,      /* "": no restriction */
    PROJECTS_NAMED,    /* some projects */
    PROJECTS_NAMELESS, /* blanks and commas: a restriction to nothing, not none */
    PROJECTS_TOO_MANY, /* beyond one of the bounds */
};
enum projects_text projects_parse(struct projects *projects, const char *text);

/* What LXD says of an entry, and is told. */
void projects_from_json(struct projects *projects, const cJSON *entry);
void projects_to_json(const struct projects *projects, cJSON *entry);

/* Leave what both open. */
void projects_narrow(struct projects *projects, const struct projects *other);

/* Add what the other opens. */
void projects_union(struct projects *projects, const struct projects *other);

/* Does a open all that b opens? */
bool projects_cover(const struct projects *a, const struct projects *b);

bool projects_equal(const struct projects *a, const struct projects *b);

/* "all of LXD", "no project", "project a", "projects a, b"; owned by the caller (free). */
char *projects_describe(const struct projects *projects);

void projects_copy(struct projects *copy, const struct projects *projects);
void projects_free(struct projects *projects);

#endif
