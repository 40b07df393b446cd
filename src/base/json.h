/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Parse exactly one JSON value: nothing but white space behind it, no NUL in it (nor as \u0000),
 * nesting at most 32 deep (cJSON is built with CJSON_NESTING_LIMIT=32), and no more values than
 * JSON_FREE_VALUES and one in JSON_BYTES_PER_VALUE bytes of text, counted before anything is
 * allocated: so it takes half a MiB and ten times the memory of its text at most. `what` names the
 * text in the error, which has kind `kind`. The caller owns the value (cJSON_Delete). cJSON
 * allocates through base/buffer.h.
 */
#define JSON_FREE_VALUES 4096
#define JSON_BYTES_PER_VALUE 16
int json_parse(cJSON **value, const char *text, size_t length, const char *what,
               enum error_kind kind, struct error *error);

/* Members of an object; NULL or the fallback where absent or of another type. */
const char *json_string(const cJSON *object, const char *name);
int json_int(const cJSON *object, const char *name, int fallback);
bool json_bool(const cJSON *object, const char *name, bool fallback);
const cJSON *json_array(const cJSON *object, const char *name);
const cJSON *json_object(const cJSON *object, const char *name);

/* Overwrite all strings of a value that holds secrets, and delete it. */
void json_wipe(cJSON *value);

/* Unformatted text, owned by the caller (free). */
char *json_print(const cJSON *value);

#endif
