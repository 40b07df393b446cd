/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/names.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* GeneralName ::= CHOICE (RFC 5280 4.2.1.6), by its tag */
enum {
    NAME_EMAIL = DER_CONTEXT(1),
    NAME_DNS = DER_CONTEXT(2),
    NAME_DIRECTORY = DER_EXPLICIT(4),
    NAME_URI = DER_CONTEXT(6),
    NAME_ADDRESS = DER_CONTEXT(7),
};

#define MAX_DESCRIBED 3

/* ---- distinguished names ---- */

/* A string of a distinguished name, read by characters. */
struct text {
    uint8_t tag;
    struct der rest;
    bool begun;
};

#define TEXT_END UINT32_MAX

static bool is_text(uint8_t tag)
{
    return tag == DER_UTF8_STRING || tag == DER_PRINTABLE_STRING || tag == DER_T61_STRING ||
           tag == DER_IA5_STRING || tag == DER_VISIBLE_STRING || tag == DER_UNIVERSAL_STRING ||
           tag == DER_BMP_STRING;
}

/* How many bytes the next character has, where what is there is well-formed; else 1. */
static size_t character_size(const struct text *text)
{
    static const uint8_t utf8_sizes[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
    size_t size = text->tag == DER_UTF8_STRING        ? utf8_sizes[text->rest.data[0] >> 4]
                  : text->tag == DER_UNIVERSAL_STRING ? 4
                  : text->tag == DER_BMP_STRING       ? 2
                                                      : 1;

    return size <= text->rest.length ? size : 1;
}

/* T61String is read as Latin-1, as everybody does. */
static uint32_t read_character(struct text *text)
{
    if (text->rest.length == 0)
        return TEXT_END;
    size_t size = character_size(text);
    const uint8_t *bytes = text->rest.data;
    uint32_t character = bytes[0];

    if (text->tag == DER_UTF8_STRING && size > 1) {
        character &= 0xffU >> (size + 1);
        for (size_t i = 1; i < size; i++)
            character = character << 6 | (bytes[i] & 0x3f);
    } else {
        for (size_t i = 1; i < size; i++)
            character = character << 8 | bytes[i];
    }
    text->rest = (struct der){bytes + size, text->rest.length - size};
    return character;
}

static bool is_blank(uint32_t character)
{
    return character == ' ' || (character >= '\t' && character <= '\r');
}

/* The next one as it counts: no blanks at the ends, one between words, capitals as small letters.
 */
static uint32_t next_character(struct text *text)
{
    struct text ahead = *text;
    uint32_t character = read_character(&ahead);
    bool blank = is_blank(character);

    while (is_blank(character)) {
        *text = ahead;
        character = read_character(&ahead);
    }
    if (blank && text->begun && character != TEXT_END)
        return ' ';
    *text = ahead;
    text->begun = true;
    return character >= 'A' && character <= 'Z' ? character + ('a' - 'A') : character;
}

static bool values_equal(uint8_t a_tag, const struct der *a, uint8_t b_tag, const struct der *b)
{
    struct text x = {.tag = a_tag, .rest = *a}, y = {.tag = b_tag, .rest = *b};
    uint32_t character;

    if (a_tag == b_tag && der_equals(a, b->data, b->length))
        return true;
    if (!is_text(a_tag) || !is_text(b_tag))
        return false;
    do {
        character = next_character(&x);
        if (character != next_character(&y))
            return false;
    } while (character != TEXT_END);
    return true;
}

/* AttributeTypeAndValue ::= SEQUENCE { type OBJECT IDENTIFIER, value ANY } */
static bool read_attribute(struct der *set, struct der *type, uint8_t *tag, struct der *value)
{
    struct der attribute;

    return der_read(set, DER_SEQUENCE, &attribute) && der_read(&attribute, DER_OID, type) &&
           der_next(&attribute, tag, value);
}

/* Attributes of one RelativeDistinguishedName are sorted in DER. */
static bool relative_names_equal(struct der a, struct der b)
{
    struct der a_type, b_type, a_value, b_value;
    uint8_t a_tag, b_tag;

    while (a.length != 0 && b.length != 0) {
        if (!read_attribute(&a, &a_type, &a_tag, &a_value) ||
            !read_attribute(&b, &b_type, &b_tag, &b_value) ||
            !der_equals(&a_type, b_type.data, b_type.length) ||
            !values_equal(a_tag, &a_value, b_tag, &b_value))
            return false;
    }
    return a.length == 0 && b.length == 0;
}

/* Does the name begin with all of base? Then name is what comes after it. */
static bool strip_base(struct der *name, struct der base)
{
    struct der relative, wanted;

    while (base.length != 0) {
        if (!der_read(&base, DER_SET, &wanted) || !der_read(name, DER_SET, &relative) ||
            !relative_names_equal(relative, wanted))
            return false;
    }
    return true;
}

bool names_equal(struct der a, struct der b)
{
    return der_equals(&a, b.data, b.length) || (strip_base(&a, b) && a.length == 0);
}

/* ---- hosts ---- */

static bool same_letters(const uint8_t *a, const uint8_t *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t x = a[i], y = b[i];

        if (x != y && ((x ^ y) != 0x20 || (x | 0x20) < 'a' || (x | 0x20) > 'z'))
            return false;
    }
    return true;
}

static bool names_alike(const struct der *a, const struct der *b)
{
    return a->length == b->length && same_letters(a->data, b->data, a->length);
}

static bool is_wildcard(const struct der *name)
{
    return name->length > 2 && name->data[0] == '*' && name->data[1] == '.';
}

/* The name without its first label and the dot; false where there is only one label. */
static bool parent_of(const struct der *name, struct der *parent)
{
    const uint8_t *dot = name->length != 0 ? memchr(name->data, '.', name->length) : NULL;

    if (dot == NULL)
        return false;
    *parent = (struct der){dot + 1, name->length - (size_t)(dot + 1 - name->data)};
    return true;
}

static bool matches_dns(const struct der *pattern, const struct der *host)
{
    struct der pattern_parent, host_parent, above;

    if (!is_wildcard(pattern))
        return pattern->length != 0 && names_alike(pattern, host);
    return parent_of(pattern, &pattern_parent) && parent_of(host, &host_parent) &&
           host->data[0] != '.' && parent_of(&pattern_parent, &above) && above.length != 0 &&
           names_alike(&pattern_parent, &host_parent);
}

/* An address's bytes, or 0 where the host is a name. */
static size_t read_address(uint8_t address[16], const char *host)
{
    if (inet_pton(AF_INET, host, address) == 1)
        return 4;
    return inet_pton(AF_INET6, host, address) == 1 ? 16 : 0;
}

bool names_match_host(struct der alternative_names, const char *host)
{
    uint8_t address[16], tag;
    size_t address_length = read_address(address, host), length = strlen(host);
    struct der value;

    if (address_length == 0 && length != 0 && host[length - 1] == '.')
        length--;
    const struct der name = {(const uint8_t *)host, length};
    while (der_next(&alternative_names, &tag, &value)) {
        if (address_length != 0 ? tag == NAME_ADDRESS && der_equals(&value, address, address_length)
                                : tag == NAME_DNS && matches_dns(&value, &name))
            return true;
    }
    return false;
}

/* One name as text; false where it is none of a host. */
static bool describe(char text[64], uint8_t tag, const struct der *value)
{
    if (tag == NAME_ADDRESS && (value->length == 4 || value->length == 16))
        return inet_ntop(value->length == 4 ? AF_INET : AF_INET6, value->data, text, 64) != NULL;
    if (tag != NAME_DNS)
        return false;
    size_t length = value->length < 63 ? value->length : 63;
    for (size_t i = 0; i < length; i++)
        text[i] = value->data[i] > ' ' && value->data[i] <= '~' ? (char)value->data[i] : '?';
    text[length] = '\0';
    return true;
}

void names_describe(char *text, size_t size, struct der alternative_names)
{
    struct der value;
    uint8_t tag;
    char name[64];
    unsigned count = 0;
    size_t used = 0;

    snprintf(text, size, "no host");
    while (der_next(&alternative_names, &tag, &value)) {
        if (!describe(name, tag, &value))
            continue;
        if (count++ < MAX_DESCRIBED && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", count > 1 ? ", " : "", name);
    }
    if (count > MAX_DESCRIBED && used < size)
        snprintf(text + used, size - used, " and %u more", count - MAX_DESCRIBED);
}

/* ---- name constraints ---- */

/* The next GeneralSubtree ::= SEQUENCE { base GeneralName, minimum [0] DEFAULT 0, maximum [1] } of
 * a list. The latter two have no use (RFC 5280 4.2.1.10), and make it malformed. */
static bool next_subtree(struct der *list, uint8_t *tag, struct der *base)
{
    struct der subtree;

    return der_read(list, DER_SEQUENCE, &subtree) && der_next(&subtree, tag, base) &&
           subtree.length == 0;
}

static bool is_kept(uint8_t tag)
{
    return tag == NAME_EMAIL || tag == NAME_DNS || tag == NAME_DIRECTORY || tag == NAME_URI ||
           tag == NAME_ADDRESS;
}

static const char *check_subtrees(struct der list, bool critical)
{
    struct der base, name;
    uint8_t tag;

    while (list.length != 0) {
        if (!next_subtree(&list, &tag, &base) ||
            (tag == NAME_ADDRESS && base.length != 8 && base.length != 32) ||
            (tag == NAME_DIRECTORY && !der_open(base.data, base.length, DER_SEQUENCE, &name)))
            return "malformed name constraints";
        if (critical && !is_kept(tag))
            return "a critical name constraint of an unsupported kind";
    }
    return NULL;
}

/* An optional [number] of GeneralSubtrees; false where it is there and empty. */
static bool read_subtrees(struct der *fields, uint8_t number, struct der *list)
{
    *list = (struct der){0};
    if (!der_at(fields, DER_EXPLICIT(number)))
        return true;
    return der_read(fields, DER_EXPLICIT(number), list) && list->length != 0;
}

const char *name_constraints_read(struct name_constraints *constraints, struct der extension,
                                  bool critical)
{
    struct der fields;

    if (!der_open(extension.data, extension.length, DER_SEQUENCE, &fields) || fields.length == 0 ||
        !read_subtrees(&fields, 0, &constraints->permitted) ||
        !read_subtrees(&fields, 1, &constraints->excluded) || fields.length != 0)
        return "malformed name constraints";
    const char *fault = check_subtrees(constraints->permitted, critical);
    return fault != NULL ? fault : check_subtrees(constraints->excluded, critical);
}

/* Is the name the base itself, or below it? A base that begins with a dot does not match itself. */
static bool is_within(const struct der *name, const struct der *base)
{
    if (base->length == 0)
        return true;
    if (name->length < base->length)
        return false;
    size_t more = name->length - base->length;
    return same_letters(name->data + more, base->data, base->length) &&
           (more == 0 ? base->data[0] != '.' : base->data[0] == '.' || name->data[more - 1] == '.');
}

/* What the wildcard may stand for counts as well where it is excluded: *.a.example stands for
 * b.a.example. */
static bool is_excluded_wildcard(const struct der *name, const struct der *base)
{
    struct der parent, base_parent;

    return is_wildcard(name) && parent_of(name, &parent) && parent_of(base, &base_parent) &&
           names_alike(&parent, &base_parent);
}

/* RFC 5280 4.2.1.10 for the hosts of mailboxes and URIs: ".a.example" is what is below, "a.example"
 * the host alone. */
static bool host_matches(const struct der *host, const struct der *base)
{
    return base->length != 0 && base->data[0] == '.' ? is_within(host, base)
                                                     : names_alike(host, base);
}

static bool email_matches(const struct der *name, const struct der *base)
{
    const uint8_t *at = memchr(base->data, '@', base->length);
    size_t local = 0;

    for (size_t i = 0; i < name->length; i++) {
        if (name->data[i] == '@')
            local = i + 1;
    }
    const struct der host = {name->data + local, name->length - local};
    if (at == NULL)
        return host_matches(&host, base);
    size_t base_local = (size_t)(at + 1 - base->data);
    const struct der base_host = {at + 1, base->length - base_local};
    return local == base_local && memcmp(name->data, base->data, local) == 0 &&
           names_alike(&host, &base_host);
}

/* scheme "://" [userinfo "@"] host, then ":", "/", "?", "#" or the end (RFC 3986 3.2) */
static bool uri_host(const struct der *uri, struct der *host)
{
    size_t at = 0, end;

    while (at + 3 <= uri->length && memcmp(uri->data + at, "://", 3) != 0)
        at++;
    at += 3;
    if (at > uri->length)
        return false;
    for (end = at; end < uri->length && memchr("/?#", uri->data[end], 3) == NULL; end++) {
        if (uri->data[end] == '@')
            at = end + 1;
    }
    const uint8_t *colon = end != at ? memchr(uri->data + at, ':', end - at) : NULL;
    if (colon != NULL)
        end = (size_t)(colon - uri->data);
    *host = (struct der){uri->data + at, end - at};
    return host->length != 0 && host->data[0] != '[';
}

/* An address, and a mask of the same length behind it */
static bool address_matches(const struct der *address, const struct der *range)
{
    if (2 * address->length != range->length)
        return false;
    for (size_t i = 0; i < address->length; i++) {
        if (((address->data[i] ^ range->data[i]) & range->data[address->length + i]) != 0)
            return false;
    }
    return true;
}

/* `unsure` is the answer where it cannot be told. */
static bool subtree_matches(uint8_t tag, const struct der *name, const struct der *base,
                            bool unsure)
{
    struct der inner, base_inner;

    switch (tag) {
    case NAME_DNS:
        if (name->length == 0 || name->data[0] == '.')
            return unsure;
        return is_within(name, base) || (unsure && is_excluded_wildcard(name, base));
    case NAME_ADDRESS:
        return address_matches(name, base);
    case NAME_DIRECTORY:
        inner = *name;
        return der_open(base->data, base->length, DER_SEQUENCE, &base_inner) &&
               strip_base(&inner, base_inner);
    case NAME_EMAIL:
        return base->length == 0 ? unsure : email_matches(name, base);
    case NAME_URI:
        return uri_host(name, &inner) ? host_matches(&inner, base) : unsure;
    default:
        return unsure;
    }
}

/* One name; that of a directory is the content of its Name. */
static enum name_verdict check_name(const struct name_constraints *constraints, uint8_t tag,
                                    const struct der *name, unsigned *comparisons)
{
    struct der permitted = constraints->permitted, excluded = constraints->excluded, base;
    bool is_constrained = false, is_permitted = false;
    uint8_t base_tag;

    while (next_subtree(&permitted, &base_tag, &base)) {
        if (base_tag != tag)
            continue;
        if (*comparisons == 0)
            return NAME_UNDECIDED;
        --*comparisons;
        is_constrained = true;
        is_permitted = is_permitted || subtree_matches(tag, name, &base, false);
    }
    if (is_constrained && !is_permitted)
        return NAME_FORBIDDEN;
    while (next_subtree(&excluded, &base_tag, &base)) {
        if (base_tag != tag)
            continue;
        if (*comparisons == 0)
            return NAME_UNDECIDED;
        --*comparisons;
        if (subtree_matches(tag, name, &base, true))
            return NAME_FORBIDDEN;
    }
    return NAME_ALLOWED;
}

enum name_verdict name_constraints_check(const struct name_constraints *constraints,
                                         struct der subject, struct der alternative_names,
                                         unsigned *comparisons)
{
    enum name_verdict verdict = NAME_ALLOWED;
    struct der name;
    uint8_t tag;

    if (subject.length != 0)
        verdict = check_name(constraints, NAME_DIRECTORY, &subject, comparisons);
    while (verdict == NAME_ALLOWED && der_next(&alternative_names, &tag, &name)) {
        if (tag == NAME_DIRECTORY && !der_open(name.data, name.length, DER_SEQUENCE, &name))
            return NAME_FORBIDDEN;
        verdict = check_name(constraints, tag, &name, comparisons);
    }
    return verdict;
}
