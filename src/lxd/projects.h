/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_PROJECTS_H
#define LXD_PROJECTS_H

#include <cJSON.h>
#include <stdbool.h>

#include "base/buffer.h"

/* What is beyond is left out: less is opened then, not more. */
#define PROJECTS_MAX 256      /* names */
#define PROJECTS_MAX_NAME 255 /* bytes of one */

/*
 * What a certificate opens: all of LXD (this is what zero means), or some projects only. Names are
 * there once each; their order means nothing.
 */
struct projects {
    bool restricted;
    struct strings names;
};

/* Names separated by commas, with blanks around them; no text is no restriction. */
void projects_parse(struct projects *projects, const char *text);

/* What LXD says of an entry, and is told. */
void projects_from_json(struct projects *projects, const cJSON *entry);
void projects_to_json(const struct projects *projects, cJSON *entry);

/* Leave what both open. */
void projects_narrow(struct projects *projects, const struct projects *other);

bool projects_equal(const struct projects *a, const struct projects *b);

/* "all of LXD", "no project", "project a", "projects a, b"; owned by the caller (free). */
char *projects_describe(const struct projects *projects);

void projects_copy(struct projects *copy, const struct projects *projects);
void projects_free(struct projects *projects);

#endif
