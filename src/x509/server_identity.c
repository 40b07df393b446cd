/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/server_identity.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "x509/certificate_signature.h"
#include "x509/names.h"
#include "x509/path.h"
#include "x509/pem.h"
#include "x509/public_key.h"

#define USE_INSTEAD "give the server an EC (P-256, P-384, P-521) or RSA (2048 to 4096 bits) key"

static int add_certificate(struct server_identity *identity, const struct pem_block *block,
                           struct error *error)
{
    if (identity->count == SERVER_IDENTITY_MAX)
        return error_set(error, ERROR_INPUT, "holds more than %d certificates",
                         SERVER_IDENTITY_MAX);
    identity->expected = mem_grow(identity->expected, identity->count, sizeof *identity->expected);
    if (certificate_from_block(&identity->expected[identity->count], block, error) != 0)
        return -1;
    identity->count++;
    return 0;
}

/* A certificate of which nothing else is known. */
static void expect_fingerprint(struct server_identity *identity, const char *fingerprint)
{
    identity->expected = mem_alloc(sizeof *identity->expected);
    memcpy(identity->expected->fingerprint, fingerprint, sizeof identity->expected->fingerprint);
    identity->count = 1;
}

int server_identity_parse(struct server_identity *identity, const char *text, struct error *error)
{
    char fingerprint[65];
    struct pem_block block;
    int found, result = 0;

    *identity = (struct server_identity){0};
    if (certificate_read_fingerprint(fingerprint, text)) {
        expect_fingerprint(identity, fingerprint);
        return 0;
    }
    while (result == 0 && (found = pem_next(&text, &block, error)) != 0) {
        result = found < 0 ? -1 : add_certificate(identity, &block, error);
        pem_block_free(&block);
    }
    if (result == 0 && identity->count == 0)
        result = error_set(error, ERROR_INPUT,
                           "holds no PEM block, expected \"-----BEGIN CERTIFICATE-----\" or a "
                           "SHA-256 fingerprint of 64 hex digits");
    if (result != 0)
        server_identity_free(identity);
    return result;
}

static bool is_expected(const struct server_identity *identity, const struct certificate *leaf)
{
    for (size_t i = 0; i < identity->count; i++) {
        if (strcmp(identity->expected[i].fingerprint, leaf->fingerprint) == 0)
            return true;
    }
    return false;
}

/* ---- an expected leaf ---- */

/* What makes the key of an expected leaf useless to TLS, or NULL; to follow "with". */
static const char *find_key_fault(struct public_key *key, const struct certificate *leaf)
{
    const char *fault = public_key_read(key, leaf->key);

    return fault == NULL && key->pss_only ? "an RSASSA-PSS key, which is not supported" : fault;
}

static int accept_leaf(const struct certificate *leaf, int64_t now, char *remark,
                       struct error *error)
{
    struct public_key key;
    const char *fault = find_key_fault(&key, leaf);
    bool is_current = certificate_is_current(leaf, now);
    bool is_weak = key.bits != 0 && key.bits < PUBLIC_KEY_MIN_RSA;

    if (fault != NULL)
        return error_set(error, ERROR_IDENTITY,
                         "presents the expected certificate %.12s..., but with %s: " USE_INSTEAD,
                         leaf->fingerprint, fault);
    if (!is_current || is_weak)
        snprintf(remark, SERVER_IDENTITY_REMARK_SIZE,
                 "presents the expected certificate %.12s..., which %s%s%s: renew it",
                 leaf->fingerprint, is_current ? "" : "is outside its dates",
                 !is_current && is_weak ? " and " : "",
                 is_weak ? "has an RSA key of less than 2048 bits" : "");
    return 0;
}

/* ---- expected CAs ---- */

/* May it vouch for others, as far as it says itself? Version 1 has no way to say it. */
static bool is_authority(const struct certificate *certificate)
{
    return certificate->is_ca ||
           (certificate->version == 1 && names_equal(certificate->issuer, certificate->subject));
}

/* Where the signature cannot be checked the name decides. */
static bool issued(const struct certificate *ca, const struct certificate *certificate)
{
    struct public_key key;

    return ca != certificate && names_equal(ca->subject, certificate->issuer) &&
           (public_key_read(&key, ca->key) != NULL ||
            certificate_signature_check(certificate, &key) != CERTIFICATE_NOT_SIGNED);
}

/* A CA is none that issued an expected leaf, nor one that issued such a CA. */
size_t server_identity_anchors(const struct server_identity *identity,
                               const struct certificate *anchors[])
{
    bool *is_anchor = mem_alloc(identity->count * sizeof *is_anchor);
    bool changed = true;
    size_t count = 0;

    for (size_t i = 0; i < identity->count; i++)
        is_anchor[i] = is_authority(&identity->expected[i]);
    while (changed) {
        changed = false;
        for (size_t i = 0; i < identity->count; i++) {
            for (size_t j = 0; j < identity->count && is_anchor[i]; j++) {
                if (!is_anchor[j] && issued(&identity->expected[i], &identity->expected[j])) {
                    is_anchor[i] = false;
                    changed = true;
                }
            }
        }
    }
    for (size_t i = 0; i < identity->count; i++) {
        if (is_anchor[i])
            anchors[count++] = &identity->expected[i];
    }
    free(is_anchor);
    return count;
}

/* Is one of them a CA that does not count, for it came with a certificate that it issued? */
static bool has_bundled(const struct server_identity *identity, size_t anchors)
{
    size_t authorities = 0;

    for (size_t i = 0; i < identity->count; i++)
        authorities += is_authority(&identity->expected[i]);
    return authorities != anchors;
}

static int refuse(const struct server_identity *identity, const struct certificate *presented,
                  const char *reason, const char *others, struct error *error)
{
    return error_set(error, ERROR_IDENTITY, "presents certificate %.12s...%s, expected %.12s...%s",
                     presented->fingerprint, reason, identity->expected[0].fingerprint,
                     identity->count > 1 && others[0] == '\0' ? " or another one of the bundle"
                                                              : others);
}

/* A path was found: is the leaf this host's? */
static int check_host(const struct path *path, const char *host, char *remark, struct error *error)
{
    const struct certificate *leaf = &path->presented[0];
    char names[128];

    if (!names_match_host(path->names, host)) {
        names_describe(names, sizeof names, path->names);
        return error_set(error, ERROR_IDENTITY,
                         "presents certificate %.12s..., which is for %s, not for %.80s: pin the "
                         "certificate itself",
                         leaf->fingerprint, names, host);
    }
    if (!certificate_is_current(path->anchor, path->now))
        snprintf(remark, SERVER_IDENTITY_REMARK_SIZE,
                 "presents certificate %.12s... of the expected CA %.12s..., which is outside its "
                 "dates: renew the CA",
                 leaf->fingerprint, path->anchor->fingerprint);
    return 0;
}

/* Was the leaf, the first presented, issued by one of the expected certificates? */
static int check_issued(const struct server_identity *identity, const struct certificate *presented,
                        size_t count, const char *host, int64_t now, char *remark,
                        struct error *error)
{
    const struct certificate **anchors = mem_alloc(identity->count * sizeof *anchors);
    struct path path = {.presented = presented, .count = count, .anchors = anchors, .now = now};
    int result;

    path.anchor_count = server_identity_anchors(identity, anchors);
    if (path.anchor_count != 0 && path_find(&path))
        result = check_host(&path, host, remark, error);
    else if (has_bundled(identity, path.anchor_count))
        result =
            refuse(identity, presented, path.reason,
                   "; a CA in a bundle with a certificate that it issued does not count", error);
    else
        result = refuse(
            identity, presented, path.reason,
            path.anchor_count != 0 && identity->count == 1 ? " or one that it issued" : "", error);
    free(anchors);
    return result;
}

int server_identity_check(const struct server_identity *identity, const struct server_chain *chain,
                          const char *host, int64_t now, char remark[SERVER_IDENTITY_REMARK_SIZE],
                          struct error *error)
{
    size_t count = 0;
    int result;

    remark[0] = '\0';
    if (chain->count == 0)
        return error_set(error, ERROR_IDENTITY, "presents no certificate");
    struct certificate *presented = mem_alloc(chain->count * sizeof *presented);
    for (size_t i = 0; i < chain->count; i++) {
        if (certificate_from_der(&presented[count], chain->der[i], chain->length[i], error) == 0)
            count++;
        else if (i == 0) /* behind it, it is a stranger */
            break;
    }
    if (count == 0)
        result = error_set(error, ERROR_IDENTITY, "presents a malformed certificate");
    else if (is_expected(identity, &presented[0]))
        result = accept_leaf(&presented[0], now, remark, error);
    else
        result = check_issued(identity, presented, count, host, now, remark, error);
    while (count > 0)
        certificate_free(&presented[--count]);
    free(presented);
    return result;
}

void server_identity_free(struct server_identity *identity)
{
    for (size_t i = 0; i < identity->count; i++)
        certificate_free(&identity->expected[i]);
    free(identity->expected);
    *identity = (struct server_identity){0};
}
