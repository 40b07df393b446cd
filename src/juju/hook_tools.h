/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JUJU_HOOK_TOOLS_H
#define JUJU_HOOK_TOOLS_H

#include <cJSON.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "juju/transport.h"

/*
 * Juju's hook commands, typed. Answers are JSON (--format=json), bounded and parsed once; null
 * counts as empty. Every function returns -1 with ERROR_HOOK where the command fails, and the
 * sentence names the command and what it said; with ERROR_INPUT where its answer is unusable:
 * over JUJU_MAX_OUTPUT, not JSON (a NUL inside a string is none), or of another type than promised.
 * Exceptions are told below. cJSON values are the caller's (cJSON_Delete).
 */

/* An object: every option that is set or has a default. It may hold a private key: wipe it. */
int juju_config_get(const struct juju_transport *juju, cJSON **options, struct error *error);

/*
 * Credentials and secrets. Where such a command runs and fails: ERROR_REFUSED, and the text is
 * Juju's own words, which differ from Juju to Juju; ERROR_HOOK is left for a command that cannot be
 * run. The values are secret: wipe them (json_wipe).
 */

/* *cloud is NULL where the application is not trusted ("permission denied"), or the model is of
 * a kind that has no such credential ("not supported"). It is params.CloudSpec. */
int juju_credential_get(const struct juju_transport *juju, cJSON **cloud, struct error *error);

/* The newest revision of a secret (Juju 3): an object of strings. */
int juju_secret_get(const struct juju_transport *juju, const char *uri, cJSON **content,
                    struct error *error);

/* The newest revision of the secret that our application owns by this label; any of its units may
 * read it. *content is NULL where there is no such secret ("not found"). */
int juju_own_secret_get(const struct juju_transport *juju, const char *label, cJSON **content,
                        struct error *error);

/* Make or change that secret (the leader only), from a JSON object of strings in a file, which the
 * unit agent reads: hook commands take secrets in no other way but on their command line. */
int juju_own_secret_set(const struct juju_transport *juju, const char *label, const char *path,
                        struct error *error);

int juju_is_leader(const struct juju_transport *juju, bool *leader, struct error *error);
int juju_relation_ids(const struct juju_transport *juju, const char *endpoint, struct strings *ids,
                      struct error *error);
int juju_relation_units(const struct juju_transport *juju, const char *relation_id,
                        struct strings *units, struct error *error);

/* The remote application's name: relation-list --app. */
int juju_relation_application(const struct juju_transport *juju, const char *relation_id,
                              char **application, struct error *error);

/* Whose databag: a unit's, or an application's. */
enum juju_member { JUJU_UNIT, JUJU_APPLICATION };

/* How a databag was refused, where that means something: the whole of what Juju says. */
enum juju_refusal {
    JUJU_REFUSAL_OTHER,
    JUJU_REFUSAL_DENIED,  /* "permission denied" */
    JUJU_REFUSAL_NO_UNIT, /* "relation unit not found" (Juju 4) */
};

/* All settings of one member: an object. Where this fails with ERROR_HOOK *refusal tells how. */
int juju_relation_get(const struct juju_transport *juju, const char *relation_id,
                      const char *member, enum juju_member kind, cJSON **settings,
                      enum juju_refusal *refusal, struct error *error);

/* Write settings into our unit's databag, or as the leader into our application's, through
 * relation-set --file -; an empty string deletes its key. settings is an object of strings. */
int juju_relation_set(const struct juju_transport *juju, const char *relation_id,
                      enum juju_member kind, const cJSON *settings, struct error *error);

/* An object: {"units":{"app/0":{"status":"active"}},"relations":{"api":{"client/0":{...}}}}. */
int juju_goal_state(const struct juju_transport *juju, cJSON **state, struct error *error);

/* What our unit keeps with the controller: an object of strings. What a hook sets or deletes takes
 * effect with the rest of it. A value ends at 64 KiB. */
int juju_state_get(const struct juju_transport *juju, cJSON **state, struct error *error);
int juju_state_set(const struct juju_transport *juju, const cJSON *values, struct error *error);
int juju_state_delete(const struct juju_transport *juju, const char *key, struct error *error);

int juju_status_set(const struct juju_transport *juju, const char *status, const char *message,
                    struct error *error);
int juju_application_version_set(const struct juju_transport *juju, const char *version,
                                 struct error *error);

/* ---- in actions ---- */

/* The parameters: an object. */
int juju_action_get(const struct juju_transport *juju, cJSON **parameters, struct error *error);

/* Results, an object of strings and of such objects: {"a":{"b":"c"}} is "a.b=c". Keys are
 * lower-case letters, digits and hyphens. */
int juju_action_set(const struct juju_transport *juju, const cJSON *results, struct error *error);
int juju_action_fail(const struct juju_transport *juju, const char *message, struct error *error);

/* ---- log ---- */

enum juju_log_level { JUJU_LOG_DEBUG, JUJU_LOG_INFO, JUJU_LOG_WARNING, JUJU_LOG_ERROR };

/* One log line. Juju itself logs a hook's stdout at DEBUG and its stderr at WARNING, so those
 * two levels cost no call, unless both are captured; all else is juju-log. Control characters
 * become '?'. Never fails: a line that cannot be logged goes to stderr. */
__attribute__((format(printf, 3, 4))) void
juju_log(const struct juju_transport *juju, enum juju_log_level level, const char *format, ...);

/* The lines of one kind: JUJU_MAX_LINES at most, then one that says how many more there are: "5
 * more changes were made in LXD". */
#define JUJU_MAX_LINES 10
void juju_log_lines(const struct juju_transport *juju, enum juju_log_level level,
                    const struct strings *lines, const char *more);

#endif
