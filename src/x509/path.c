/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/path.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "x509/certificate_signature.h"
#include "x509/names.h"
#include "x509/oid.h"
#include "x509/public_key.h"

#define MAX_EXTENSIONS 64
#define NO_PATH_LENGTH UINT32_MAX

/* keyUsage (RFC 5280 4.2.1.3), bits of its first byte */
#define DIGITAL_SIGNATURE 0x80
#define KEY_CERT_SIGN 0x04

/* A certificate that may be a part of the path, with what of it is strictly read. */
struct link {
    const struct certificate *certificate;
    const char *fault; /* for which no path goes through it, or NULL; to follow "with" */
    bool is_anchor;
    bool is_used;        /* in the path that is being tried */
    bool is_self_issued; /* issuer and subject are the same */
    struct public_key key;
    bool has_key_usage;
    uint8_t key_usage;
    uint32_t path_length; /* or NO_PATH_LENGTH */
    struct der alternative_names;
    bool has_name_constraints;
    struct name_constraints name_constraints;
};

struct search {
    struct path *path;
    struct link *links; /* the server's own, the others it sent, the anchors */
    size_t count;
    const struct link **below; /* the path that is being tried, the server's own first */
    size_t depth;
    unsigned signatures, comparisons; /* that are left */
};

/* ---- extensions ---- */

static const char *read_key_usage(struct link *link, const struct der *value)
{
    struct der bits;

    if (!der_open(value->data, value->length, DER_BIT_STRING, &bits) || bits.length < 2)
        return "a malformed keyUsage";
    link->has_key_usage = true;
    link->key_usage = bits.data[1];
    return NULL;
}

static const char *read_alternative_names(struct link *link, const struct der *value)
{
    struct der names, name;
    uint8_t tag;

    if (!der_open(value->data, value->length, DER_SEQUENCE, &names))
        return "a malformed subjectAltName";
    link->alternative_names = names;
    while (names.length != 0) {
        if (!der_next(&names, &tag, &name))
            return "a malformed subjectAltName";
    }
    return NULL;
}

/* certificate_from_der has read the rest of it. */
static const char *read_path_length(struct link *link, const struct der *value)
{
    struct der fields, number;
    bool is_ca;

    if (!der_open(value->data, value->length, DER_SEQUENCE, &fields) ||
        !certificate_read_flag(&fields, &is_ca))
        return "malformed basicConstraints";
    if (fields.length == 0)
        return NULL;
    if (!der_read_unsigned(&fields, &number) || fields.length != 0)
        return "malformed basicConstraints";
    link->path_length = 0;
    for (size_t i = 0; i < number.length && link->path_length < 256; i++)
        link->path_length = link->path_length << 8 | number.data[i];
    return NULL;
}

static const char *read_extension(struct link *link, const struct extension *extension)
{
    const struct der *id = &extension->id;

    if (IS_OID(id, OID_KEY_USAGE))
        return read_key_usage(link, &extension->value);
    if (IS_OID(id, OID_SUBJECT_ALT_NAME))
        return read_alternative_names(link, &extension->value);
    if (IS_OID(id, OID_BASIC_CONSTRAINTS))
        return read_path_length(link, &extension->value);
    if (IS_OID(id, OID_NAME_CONSTRAINTS)) {
        link->has_name_constraints = true;
        return name_constraints_read(&link->name_constraints, extension->value,
                                     extension->critical);
    }
    if (IS_OID(id, OID_EXTENDED_KEY_USAGE) || IS_OID(id, OID_CERTIFICATE_POLICIES) ||
        IS_OID(id, OID_POLICY_MAPPINGS) || IS_OID(id, OID_POLICY_CONSTRAINTS) ||
        IS_OID(id, OID_INHIBIT_ANY_POLICY) || IS_OID(id, OID_CRL_DISTRIBUTION_POINTS))
        return NULL;
    return extension->critical ? "an unsupported critical extension" : NULL;
}

/* Does one of these have this identifier? */
static bool has_extension(struct der extensions, const struct der *id)
{
    struct extension extension;

    while (certificate_next_extension(&extensions, &extension)) {
        if (der_equals(&extension.id, id->data, id->length))
            return true;
    }
    return false;
}

static const char *read_extensions(struct link *link)
{
    struct der extensions = link->certificate->extensions;
    struct extension extension;
    const char *fault = NULL;
    unsigned count = 0;

    while (fault == NULL && certificate_next_extension(&extensions, &extension)) {
        if (++count > MAX_EXTENSIONS)
            return "more than 64 extensions";
        fault = has_extension(extensions, &extension.id) ? "an extension that stands twice"
                                                         : read_extension(link, &extension);
    }
    return fault;
}

static void read_link(struct link *link, const struct certificate *certificate, bool is_anchor)
{
    *link = (struct link){
        .certificate = certificate, .is_anchor = is_anchor, .path_length = NO_PATH_LENGTH};
    link->is_self_issued = names_equal(certificate->issuer, certificate->subject);
    link->fault = public_key_read(&link->key, certificate->key);
    if (link->fault == NULL && certificate->has_surplus)
        link->fault = "more in it than belongs there";
    if (link->fault == NULL && link->key.key.key_type == BR_KEYTYPE_RSA &&
        link->key.bits < PUBLIC_KEY_MIN_RSA)
        link->fault = "an RSA key of less than 2048 bits";
    if (link->fault == NULL)
        link->fault = read_extensions(link);
}

/* ---- the search ---- */

/* The first reason stays: that of the path which was tried first. */
__attribute__((format(printf, 2, 3))) static bool refuse(struct search *search, const char *format,
                                                         ...)
{
    va_list arguments;
    char *reason = search->path->reason;

    if (reason[0] == '\0') {
        va_start(arguments, format);
        vsnprintf(reason, PATH_REASON_SIZE, format, arguments);
        va_end(arguments);
    }
    return false;
}

static bool refuse_dates(struct search *search, const char *whose,
                         const struct certificate *certificate)
{
    bool early = search->path->now < certificate->not_before;
    char date[CERTIFICATE_DATE_SIZE];

    certificate_date(date, early ? certificate->not_before : certificate->not_after);
    return refuse(search, ", %s%s %s", whose, early ? "not valid before" : "expired on", date);
}

/* Does the issuer vouch for the names of all that is below it? Of those which issued themselves
 * only the server's own is asked (RFC 5280 6.1.3 b). */
static bool permits_names(struct search *search, const struct link *issuer)
{
    for (size_t i = 0; issuer->has_name_constraints && i < search->depth; i++) {
        const struct link *link = search->below[i];

        if (i != 0 && link->is_self_issued)
            continue;
        switch (name_constraints_check(&issuer->name_constraints, link->certificate->subject,
                                       link->alternative_names, &search->comparisons)) {
        case NAME_ALLOWED:
            break;
        case NAME_FORBIDDEN:
            return refuse(search, ", whose %s its issuer's name constraints forbid",
                          i == 0 ? "name" : "issuer's name");
        case NAME_UNDECIDED:
            return refuse(search, ", whose issuers have too many name constraints");
        }
    }
    return true;
}

/* May this CA have issued the last of the path, all that is below considered? */
static bool may_issue(struct search *search, const struct link *issuer)
{
    const struct certificate *certificate = issuer->certificate;
    uint32_t authorities = 0;

    if (issuer->fault != NULL)
        return refuse(search, ", its issuer with %s", issuer->fault);
    if (!certificate->is_ca && !(issuer->is_anchor && certificate->version == 1))
        return refuse(search, ", its issuer no CA");
    if (issuer->has_key_usage && (issuer->key_usage & KEY_CERT_SIGN) == 0)
        return refuse(search, ", its issuer not for signing certificates");
    if (!certificate->server_auth)
        return refuse(search, ", its issuer not for servers' certificates");
    if (!issuer->is_anchor && !certificate_is_current(certificate, search->path->now))
        return refuse_dates(search, "its issuer ", certificate);
    for (size_t i = 1; i < search->depth; i++)
        authorities += !search->below[i]->is_self_issued;
    if (authorities > issuer->path_length)
        return refuse(search, ", with more CAs in between than its issuer permits");
    return permits_names(search, issuer);
}

static bool is_signed_by(struct search *search, const struct link *link, const struct link *issuer)
{
    search->signatures--;
    switch (certificate_signature_check(link->certificate, &issuer->key)) {
    case CERTIFICATE_SIGNED:
        return true;
    case CERTIFICATE_SIGNATURE_UNSUPPORTED:
        return refuse(search, ", with a signature of an unsupported kind");
    case CERTIFICATE_NOT_SIGNED:
        break;
    }
    return false;
}

/* Depth first, anchors before what was sent. Each certificate is in a path once, so it ends. */
static bool extend(struct search *search)
{
    const struct link *last = search->below[search->depth - 1];

    for (size_t i = search->count; i-- > 1;) {
        struct link *issuer = &search->links[i];

        if (issuer->is_used ||
            !names_equal(last->certificate->issuer, issuer->certificate->subject))
            continue;
        if (search->signatures == 0)
            return refuse(search, ", with more possible issuers than are tried");
        if (issuer->key.key.key_type == 0) { /* no usable key: it cannot be told */
            refuse(search, ", its issuer with %s", issuer->fault);
            continue;
        }
        if (!is_signed_by(search, last, issuer) || !may_issue(search, issuer))
            continue;
        if (issuer->is_anchor) {
            search->path->anchor = issuer->certificate;
            return true;
        }
        issuer->is_used = true;
        search->below[search->depth++] = issuer;
        if (extend(search))
            return true;
        search->depth--;
        issuer->is_used = false;
    }
    return false;
}

static bool find_from(struct search *search, const struct link *leaf)
{
    if (leaf->fault != NULL)
        return refuse(search, ", with %s", leaf->fault);
    if (leaf->key.pss_only)
        return refuse(search, ", with an RSASSA-PSS key, which is not supported");
    if (!leaf->certificate->server_auth ||
        (leaf->has_key_usage && (leaf->key_usage & DIGITAL_SIGNATURE) == 0))
        return refuse(search, ", not for a server");
    if (!certificate_is_current(leaf->certificate, search->path->now))
        return refuse_dates(search, "", leaf->certificate);
    search->path->names = leaf->alternative_names;
    search->below[search->depth++] = leaf;
    return extend(search);
}

bool path_find(struct path *path)
{
    struct search search = {
        .path = path,
        .count = path->count + path->anchor_count,
        .signatures = PATH_MAX_SIGNATURES,
        .comparisons = PATH_MAX_COMPARISONS,
    };

    path->anchor = NULL;
    path->names = (struct der){0};
    path->reason[0] = '\0';
    search.links = mem_alloc(search.count * sizeof *search.links);
    search.below = mem_alloc(search.count * sizeof *search.below);
    for (size_t i = 0; i < path->count; i++)
        read_link(&search.links[i], &path->presented[i], false);
    for (size_t i = 0; i < path->anchor_count; i++)
        read_link(&search.links[path->count + i], path->anchors[i], true);
    bool found = find_from(&search, &search.links[0]);
    free(search.links);
    free(search.below);
    return found;
}
