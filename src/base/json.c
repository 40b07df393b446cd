/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"

#define PRINTED (8 * 1024) /* bytes that are printed by way of the stack */

/* Out of memory inside cJSON shall end the process as everywhere else. */
__attribute__((constructor)) static void use_our_memory(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = mem_alloc, .free_fn = free});
}

static bool is_hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Four hex digits other than 0000 at the start of text? */
static bool is_code_unit(const char *text, size_t length)
{
    if (length < 4 || memcmp(text, "0000", 4) == 0)
        return false;
    return is_hex_digit(text[0]) && is_hex_digit(text[1]) && is_hex_digit(text[2]) &&
           is_hex_digit(text[3]);
}

/* The offset of a NUL, of \u0000 or of a \u without its digits (which cJSON takes for \u0000):
 * they would cut a string short unseen. length where there is none. */
static size_t find_nul(const char *text, size_t length)
{
    const char *end = memchr(text, '\0', length);
    const char *escape = text;

    if (end == NULL)
        end = text + length;
    while ((escape = memchr(escape, '\\', (size_t)(end - escape))) != NULL && end - escape >= 2) {
        if (escape[1] == 'u' && !is_code_unit(escape + 2, (size_t)(end - escape) - 2))
            return (size_t)(escape + 1 - text);
        escape += 2;
    }
    return (size_t)(end - text);
}

/* At least as many as there are values: each but the first stands behind one of these, or behind
 * the colon of a key that does. */
static size_t count_values(const char *text, size_t length)
{
    size_t count = 1;
    bool quoted = false;

    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (text[i] == '\\')
            i++;
        else if (!quoted && (text[i] == ',' || text[i] == '[' || text[i] == '{'))
            count++;
    }
    return count;
}

static bool is_too_dense(const char *text, size_t length)
{
    return length > JSON_FREE_VALUES &&
           count_values(text, length) > JSON_FREE_VALUES + length / JSON_BYTES_PER_VALUE;
}

static bool is_white_space(const char *text, const char *end)
{
    while (text < end && memchr(" \t\r\n", *text, 4) != NULL)
        text++;
    return text == end;
}

int json_parse(cJSON **value, const char *text, size_t length, const char *what,
               enum error_kind kind, struct error *error)
{
    *value = NULL;
    if (length == 0)
        return error_set(error, kind, "%s is empty, not JSON", what);
    if (is_too_dense(text, length))
        return error_set(error, kind, "%s has too many JSON values for its %zu bytes", what,
                         length);
    const char *end = text + find_nul(text, length);
    if (end == text + length) {
        *value = cJSON_ParseWithLengthOpts(text, length, &end, false);
        if (*value != NULL && is_white_space(end, text + length))
            return 0;
        json_wipe(*value);
        *value = NULL;
    }
    return error_set(error, kind, "%s is not JSON (near byte %zu)", what, (size_t)(end - text));
}

const char *json_string(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

int json_int(const cJSON *object, const char *name, int fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(item) ? item->valueint : fallback;
}

bool json_bool(const cJSON *object, const char *name, bool fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

const cJSON *json_array(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsArray(item) ? item : NULL;
}

const cJSON *json_object(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsObject(item) ? item : NULL;
}

/* By way of the stack where that suffices: cJSON would take memory of twice the size again and
 * again, and give it back. */
char *json_print(const cJSON *value)
{
    char text[PRINTED];
    bool fits = cJSON_PrintPreallocated((cJSON *)value, text, sizeof text, false);
    char *printed = fits ? mem_string(text) : cJSON_PrintUnformatted(value);

    bytes_wipe(text, sizeof text);
    return printed;
}

/* The depth is bounded by the parser's. */
static void wipe_strings(cJSON *value)
{
    cJSON *item;

    if (value == NULL)
        return;
    if (cJSON_IsString(value))
        bytes_wipe(value->valuestring, strlen(value->valuestring));
    cJSON_ArrayForEach(item, value)
    {
        wipe_strings(item);
    }
}

void json_wipe(cJSON *value)
{
    wipe_strings(value);
    cJSON_Delete(value);
}
