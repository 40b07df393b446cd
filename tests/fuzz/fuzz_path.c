/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search for a path through certificates that a server sends: signatures are always right where
 * the names are (certificate_signature_check is replaced), so that every state is in reach.
 *
 * The input: a byte, how many certificates at the end are anchors; then certificates, each with its
 * length in two bytes before it, the server's own first.
 */
#include "fuzz.h"

#include "x509/certificate_signature.h"
#include "x509/path.h"

#define MAX_CERTIFICATES 16
#define NOW 1780000000 /* 2026-05-28 */

static unsigned checked;

/* Of one signature in eight it says that it is wrong, and of one that it cannot tell. */
enum certificate_signature certificate_signature_check(const struct certificate *certificate,
                                                       const struct public_key *key)
{
    checked++;
    MUST(key->key.key_type == BR_KEYTYPE_RSA || key->key.key_type == BR_KEYTYPE_EC);
    if (certificate->signature.length == 0 || (certificate->signature.data[0] & 7) < 6)
        return CERTIFICATE_SIGNED;
    return (certificate->signature.data[0] & 7) == 6 ? CERTIFICATE_NOT_SIGNED
                                                     : CERTIFICATE_SIGNATURE_UNSUPPORTED;
}

static size_t read_certificates(struct input *input, struct certificate certificates[])
{
    struct error error;
    size_t count = 0;

    while (input->size >= 2 && count < MAX_CERTIFICATES) {
        size_t length = (size_t)input->data[0] << 8 | input->data[1];

        input->data += 2;
        input->size -= 2;
        if (length > input->size)
            length = input->size;
        if (certificate_from_der(&certificates[count], input->data, length, &error) == 0)
            count++;
        input->data += length;
        input->size -= length;
    }
    return count;
}

static bool find(const struct certificate *certificates, size_t count,
                 const struct certificate *const *anchors, size_t anchor_count)
{
    struct path path = {certificates, count, anchors, anchor_count, .now = NOW};

    checked = 0;
    bool found = path_find(&path);
    MUST(checked <= PATH_MAX_SIGNATURES);
    MUST(strlen(path.reason) < PATH_REASON_SIZE);
    MUST(found == (path.anchor != NULL));
    MUST(!found || certificate_is_current(&certificates[0], NOW));
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct certificate certificates[MAX_CERTIFICATES], turned[MAX_CERTIFICATES];
    const struct certificate *anchors[MAX_CERTIFICATES];
    size_t anchor_count = input_byte(&input), count = read_certificates(&input, certificates);

    if (anchor_count >= count)
        anchor_count = count == 0 ? 0 : count - 1;
    size_t sent = count - anchor_count;
    for (size_t i = 0; i < anchor_count; i++)
        anchors[i] = &certificates[sent + i];
    if (sent != 0) {
        bool found = find(certificates, sent, anchors, anchor_count);
        unsigned first = checked;

        /* What the server sent is a set: the order decides nothing. */
        turned[0] = certificates[0];
        for (size_t i = 1; i < sent; i++)
            turned[i] = certificates[sent - i];
        bool found_turned = find(turned, sent, anchors, anchor_count);
        MUST(found == found_turned || first == PATH_MAX_SIGNATURES ||
             checked == PATH_MAX_SIGNATURES);
        /* Nor does it help not to have anchors. */
        MUST(!find(certificates, sent, anchors, 0));
    }
    while (count > 0)
        certificate_free(&certificates[--count]);
    return 0;
}
