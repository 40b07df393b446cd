/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/keccak.h"

#include "base/bytes.h"

#define ROUNDS 24

/* FIPS 202 3.2.5 */
static const uint64_t round_constants[ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

static uint64_t rotate(uint64_t lane, unsigned count) /* 1 to 63 */
{
    return lane << count | lane >> (64 - count);
}

/* theta (3.2.1) of the column x, between its neighbours */
#define PARITY(x) (a[x] ^ a[(x) + 5] ^ a[(x) + 10] ^ a[(x) + 15] ^ a[(x) + 20])
#define THETA(x, left, right)           \
    change = (left) ^ rotate(right, 1); \
    a[x] ^= change;                     \
    a[(x) + 5] ^= change;               \
    a[(x) + 10] ^= change;              \
    a[(x) + 15] ^= change;              \
    a[(x) + 20] ^= change
/* rho and pi (3.2.2, 3.2.3) as one walk through the lanes: what was picked up is put down here */
#define WALK(lane, count)            \
    next = a[lane];                  \
    a[lane] = rotate(moving, count); \
    moving = next
/* chi (3.2.4) of the row that begins with the lane y */
#define CHI(y)                              \
    c0 = a[y];                              \
    c1 = a[(y) + 1];                        \
    a[y] ^= ~c1 & a[(y) + 2];               \
    a[(y) + 1] ^= ~a[(y) + 2] & a[(y) + 3]; \
    a[(y) + 2] ^= ~a[(y) + 3] & a[(y) + 4]; \
    a[(y) + 3] ^= ~a[(y) + 4] & c0;         \
    a[(y) + 4] ^= ~c0 & c1

/* Written out: as loops over tables of lanes and rotations it takes five times as long. */
static void permute(uint64_t lanes[static 25])
{
    uint64_t a[25], c0, c1, c2, c3, c4, change, moving, next;

    memcpy(a, lanes, sizeof a);
    for (size_t round = 0; round < ROUNDS; round++) {
        c0 = PARITY(0);
        c1 = PARITY(1);
        c2 = PARITY(2);
        c3 = PARITY(3);
        c4 = PARITY(4);
        THETA(0, c4, c1);
        THETA(1, c0, c2);
        THETA(2, c1, c3);
        THETA(3, c2, c4);
        THETA(4, c3, c0);
        moving = a[1];
        WALK(10, 1);
        WALK(7, 3);
        WALK(11, 6);
        WALK(17, 10);
        WALK(18, 15);
        WALK(3, 21);
        WALK(5, 28);
        WALK(16, 36);
        WALK(8, 45);
        WALK(21, 55);
        WALK(24, 2);
        WALK(4, 14);
        WALK(15, 27);
        WALK(23, 41);
        WALK(19, 56);
        WALK(13, 8);
        WALK(12, 25);
        WALK(2, 43);
        WALK(20, 62);
        WALK(14, 18);
        WALK(22, 39);
        WALK(9, 61);
        WALK(6, 20);
        WALK(1, 44);
        CHI(0);
        CHI(5);
        CHI(10);
        CHI(15);
        CHI(20);
        a[0] ^= round_constants[round];
    }
    memcpy(lanes, a, sizeof a);
    bytes_wipe(a, sizeof a);
}

static void add_byte(struct keccak *keccak, size_t at, uint8_t byte)
{
    keccak->lanes[at / 8] ^= (uint64_t)byte << at % 8 * 8;
}

void keccak_start(struct keccak *keccak, enum keccak_rate rate)
{
    *keccak = (struct keccak){.rate = rate};
}

void keccak_absorb(struct keccak *keccak, const void *data, size_t length)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < length; i++) {
        add_byte(keccak, keccak->position++, bytes[i]);
        if (keccak->position == keccak->rate) {
            permute(keccak->lanes);
            keccak->position = 0;
        }
    }
}

void keccak_turn(struct keccak *keccak, enum keccak_suffix suffix)
{
    add_byte(keccak, keccak->position, (uint8_t)suffix);
    add_byte(keccak, keccak->rate - 1, 0x80);
    keccak->position = keccak->rate; /* the first byte that is wanted permutes */
}

void keccak_squeeze(struct keccak *keccak, void *out, size_t length)
{
    uint8_t *bytes = out;

    for (size_t i = 0; i < length; i++) {
        if (keccak->position == keccak->rate) {
            permute(keccak->lanes);
            keccak->position = 0;
        }
        bytes[i] = (uint8_t)(keccak->lanes[keccak->position / 8] >> keccak->position % 8 * 8);
        keccak->position++;
    }
}

void keccak_wipe(struct keccak *keccak)
{
    bytes_wipe(keccak, sizeof *keccak);
}
