/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/mlkem.h"

#include "base/bytes.h"
#include "tls/keccak.h"

/*
 * Algorithm numbers and names are those of FIPS 203; K is 3, eta1 and eta2 are 2. Coefficients are
 * kept in 0..Q-1 between steps. gcc -Os makes a division of "/ Q", whose time tells the number
 * (KyberSlash): there is no division here at all, this file is compiled with -O2, and
 * tests/tls/constant_time/divisions looks for it in what the compiler made.
 */
#define N 256
#define K 3
#define Q 3329
#define DU 10 /* bits of a compressed coefficient of u and of v */
#define DV 4
#define POLYNOMIAL_BYTES 384 /* at 12 bits a coefficient */

struct polynomial {
    uint16_t c[N];
};

/* 17^BitRev7(i): what the layers of the number-theoretic transform multiply by. */
static const uint16_t zetas[128] = {
    1,    1729, 2580, 3289, 2642, 630,  1897, 848,  1062, 1919, 193,  797,  2786, 3260, 569,  1746,
    296,  2447, 1339, 1476, 3046, 56,   2240, 1333, 1426, 2094, 535,  2882, 2393, 2879, 1974, 821,
    289,  331,  3253, 1756, 1197, 2304, 2277, 2055, 650,  1977, 2513, 632,  2865, 33,   1320, 1915,
    2319, 1435, 807,  452,  1438, 2868, 1534, 2402, 2647, 2617, 1481, 648,  2474, 3110, 1227, 910,
    17,   2761, 583,  2649, 1637, 723,  2288, 1100, 1409, 2662, 3281, 233,  756,  2156, 3015, 3050,
    1703, 1651, 2789, 1789, 1847, 952,  1461, 2687, 939,  2308, 2437, 2388, 733,  2337, 268,  641,
    1584, 2298, 2037, 3220, 375,  2549, 2090, 1645, 1063, 319,  2773, 757,  2099, 561,  2466, 2594,
    2804, 1092, 403,  1026, 1143, 2150, 2775, 886,  1722, 1212, 1874, 1029, 2110, 2935, 885,  2154,
};

/* The compiler may not see what a mask came from, lest it makes a branch of it. */
static uint32_t opaque(uint32_t value)
{
    __asm__("" : "+r"(value));
    return value;
}

/* ---- Numbers modulo Q ---- */

/* Of 0..2Q-1 */
static uint16_t reduce_once(uint32_t value)
{
    uint32_t less = value - Q; /* wraps where value was below Q */

    return (uint16_t)(less + (Q & (0 - (less >> 31))));
}

/* Barrett's reduction, of 0..Q+2Q^2: 5039 is 2^24 / Q, a little less, so the quotient is right or
 * one too small. */
static uint16_t reduce(uint32_t value)
{
    uint32_t quotient = (uint32_t)((uint64_t)value * 5039 >> 24);

    return reduce_once(value - quotient * Q);
}

static uint16_t multiply(uint16_t a, uint16_t b)
{
    return reduce((uint32_t)a * b);
}

static uint16_t add(uint16_t a, uint16_t b)
{
    return reduce_once((uint32_t)a + b);
}

static uint16_t subtract(uint16_t a, uint16_t b)
{
    return reduce_once((uint32_t)a + Q - b);
}

/* round(2^bits value / Q) modulo 2^bits. 20642679 is 2^36 / Q, rounded up: for numbers below 2^22
 * the product's upper bits are the quotient. */
static uint16_t compress(uint16_t value, unsigned bits)
{
    uint32_t dividend = ((uint32_t)value << bits) + Q / 2;

    return (uint16_t)((uint64_t)dividend * 20642679 >> 36 & ((1U << bits) - 1));
}

/* round(Q value / 2^bits) */
static uint16_t decompress(uint16_t value, unsigned bits)
{
    return (uint16_t)(((uint32_t)value * Q + (1U << (bits - 1))) >> bits);
}

/* ---- Polynomials ---- */

static void add_to(struct polynomial *sum, const struct polynomial *other)
{
    for (size_t i = 0; i < N; i++)
        sum->c[i] = add(sum->c[i], other->c[i]);
}

/* Algorithm 9 */
static void transform(struct polynomial *f)
{
    size_t zeta = 1;

    for (size_t length = 128; length >= 2; length >>= 1) {
        for (size_t start = 0; start < N; start += 2 * length, zeta++) {
            for (size_t j = start; j < start + length; j++) {
                uint16_t t = multiply(zetas[zeta], f->c[j + length]);
                f->c[j + length] = subtract(f->c[j], t);
                f->c[j] = add(f->c[j], t);
            }
        }
    }
}

/* Algorithm 10 */
static void transform_back(struct polynomial *f)
{
    size_t zeta = 127;

    for (size_t length = 2; length <= 128; length <<= 1) {
        for (size_t start = 0; start < N; start += 2 * length, zeta--) {
            for (size_t j = start; j < start + length; j++) {
                uint16_t t = f->c[j];
                f->c[j] = add(t, f->c[j + length]);
                f->c[j + length] = multiply(zetas[zeta], subtract(f->c[j + length], t));
            }
        }
    }
    for (size_t i = 0; i < N; i++)
        f->c[i] = multiply(f->c[i], 3303); /* 1 / 128 */
}

/* Algorithms 11 and 12: sum += a * b, all transformed. Two factors (X^2 - gamma) and (X^2 + gamma)
 * share a gamma. */
static void add_product(struct polynomial *sum, const struct polynomial *a,
                        const struct polynomial *b)
{
    for (size_t i = 0; i < N; i += 2) {
        uint16_t gamma = zetas[64 + i / 4];
        const uint16_t *x = a->c + i, *y = b->c + i;
        uint16_t high = multiply(x[1], y[1]);

        if ((i & 2) != 0)
            high = subtract(0, high);
        uint16_t even = reduce((uint32_t)x[0] * y[0] + (uint32_t)high * gamma);
        uint16_t odd = reduce((uint32_t)x[0] * y[1] + (uint32_t)x[1] * y[0]);
        sum->c[i] = add(sum->c[i], even);
        sum->c[i + 1] = add(sum->c[i + 1], odd);
    }
}

/* Algorithm 5: the low `bits` bits of each number, one behind the other. */
static void encode(uint8_t *out, const struct polynomial *f, unsigned bits)
{
    uint32_t pending = 0;
    unsigned count = 0;

    for (size_t i = 0; i < N; i++) {
        pending |= (uint32_t)f->c[i] << count;
        for (count += bits; count >= 8; count -= 8, pending >>= 8)
            *out++ = (uint8_t)pending;
    }
}

/* Algorithm 6 */
static void decode(struct polynomial *f, const uint8_t *in, unsigned bits)
{
    uint32_t pending = 0;
    unsigned count = 0;

    for (size_t i = 0; i < N; i++) {
        for (; count < bits; count += 8)
            pending |= (uint32_t)*in++ << count;
        f->c[i] = (uint16_t)(pending & ((1U << bits) - 1));
        pending >>= bits;
        count -= bits;
    }
}

static void encode_compressed(uint8_t *out, const struct polynomial *f, unsigned bits)
{
    struct polynomial small;

    for (size_t i = 0; i < N; i++)
        small.c[i] = compress(f->c[i], bits);
    encode(out, &small, bits);
    bytes_wipe(&small, sizeof small);
}

static void decode_compressed(struct polynomial *f, const uint8_t *in, unsigned bits)
{
    decode(f, in, bits);
    for (size_t i = 0; i < N; i++)
        f->c[i] = decompress(f->c[i], bits);
}

/* A message has one bit a coefficient: 0, or Q / 2 rounded up. */
static void add_message(struct polynomial *f, const uint8_t message[static 32])
{
    for (size_t i = 0; i < N; i++) {
        uint32_t bit = (uint32_t)(message[i / 8] >> i % 8) & 1;
        f->c[i] = add(f->c[i], (uint16_t)(opaque(0 - bit) & ((Q + 1) / 2)));
    }
}

/* ---- What is drawn from Keccak ---- */

static void hash(enum keccak_rate rate, enum keccak_suffix suffix, uint8_t *out, size_t out_length,
                 const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
    struct keccak keccak;

    keccak_start(&keccak, rate);
    keccak_absorb(&keccak, a, a_length);
    keccak_absorb(&keccak, b, b_length);
    keccak_turn(&keccak, suffix);
    keccak_squeeze(&keccak, out, out_length);
    keccak_wipe(&keccak);
}

/* Algorithm 7: an entry of the public matrix, already transformed. All of it is public. */
static void sample_entry(struct polynomial *f, const uint8_t rho[static 32], size_t i, size_t j)
{
    struct keccak keccak;
    const uint8_t place[2] = {(uint8_t)j, (uint8_t)i};
    size_t count = 0;

    keccak_start(&keccak, SHAKE128);
    keccak_absorb(&keccak, rho, 32);
    keccak_absorb(&keccak, place, sizeof place);
    keccak_turn(&keccak, KECCAK_XOF);
    while (count < N) {
        uint8_t bytes[3];
        keccak_squeeze(&keccak, bytes, sizeof bytes);
        uint32_t both = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16;
        if ((both & 0xfff) < Q)
            f->c[count++] = (uint16_t)(both & 0xfff);
        if (both >> 12 < Q && count < N)
            f->c[count++] = (uint16_t)(both >> 12);
    }
}

/* Algorithm 8 with eta 2, of the bytes that `seed` and a number give: coefficients in -2..2. */
static void sample_noise(struct polynomial *f, const uint8_t seed[static 32], uint8_t number)
{
    uint8_t bytes[N / 2];

    hash(SHAKE256, KECCAK_XOF, bytes, sizeof bytes, seed, 32, &number, 1);
    for (size_t i = 0; i < N; i++) {
        unsigned four = bytes[i / 2] >> i % 2 * 4;
        unsigned plus = (four & 1) + (four >> 1 & 1), minus = (four >> 2 & 1) + (four >> 3 & 1);
        f->c[i] = subtract((uint16_t)plus, (uint16_t)minus);
    }
    bytes_wipe(bytes, sizeof bytes);
}

static void sample_transformed(struct polynomial vector[static K], const uint8_t seed[static 32],
                               uint8_t first)
{
    for (uint8_t i = 0; i < K; i++) {
        sample_noise(&vector[i], seed, first + i);
        transform(&vector[i]);
    }
}

/* ---- K-PKE, the encryption below (algorithms 13 to 15) ---- */

/* Vector and encapsulation key, of d. */
static void make_keys(struct mlkem768 *key, const uint8_t d[static 32])
{
    static const uint8_t parameter = K;
    uint8_t seeds[64], *out = key->encapsulation_key;
    const uint8_t *rho = seeds, *sigma = seeds + 32;
    struct polynomial secret[K], row, entry;

    hash(SHA3_512, KECCAK_HASH, seeds, sizeof seeds, d, 32, &parameter, 1);
    sample_transformed(secret, sigma, 0);
    for (size_t i = 0; i < K; i++) {
        sample_noise(&row, sigma, (uint8_t)(K + i));
        transform(&row);
        for (size_t j = 0; j < K; j++) {
            sample_entry(&entry, rho, i, j);
            add_product(&row, &entry, &secret[j]);
        }
        encode(out + i * POLYNOMIAL_BYTES, &row, 12);
        encode(key->vector + i * POLYNOMIAL_BYTES, &secret[i], 12);
    }
    memcpy(out + K * POLYNOMIAL_BYTES, rho, 32);
    bytes_wipe(seeds, sizeof seeds);
    bytes_wipe(secret, sizeof secret);
    bytes_wipe(&row, sizeof row);
}

static void encrypt(const uint8_t *encapsulation_key, const uint8_t message[static 32],
                    const uint8_t seed[static 32], uint8_t ciphertext[static MLKEM768_CIPHERTEXT])
{
    const uint8_t *rho = encapsulation_key + K * POLYNOMIAL_BYTES;
    struct polynomial y[K], sum, other;

    sample_transformed(y, seed, 0);
    for (size_t i = 0; i < K; i++) {
        sum = (struct polynomial){0};
        for (size_t j = 0; j < K; j++) {
            sample_entry(&other, rho, j, i);
            add_product(&sum, &other, &y[j]);
        }
        transform_back(&sum);
        sample_noise(&other, seed, (uint8_t)(K + i));
        add_to(&sum, &other);
        encode_compressed(ciphertext, &sum, DU);
        ciphertext += N / 8 * DU;
    }
    sum = (struct polynomial){0};
    for (size_t i = 0; i < K; i++) {
        decode(&other, encapsulation_key + i * POLYNOMIAL_BYTES, 12);
        add_product(&sum, &other, &y[i]);
    }
    transform_back(&sum);
    sample_noise(&other, seed, 2 * K);
    add_to(&sum, &other);
    add_message(&sum, message);
    encode_compressed(ciphertext, &sum, DV);
    bytes_wipe(y, sizeof y);
    bytes_wipe(&sum, sizeof sum);
    bytes_wipe(&other, sizeof other);
}

static void decrypt(const struct mlkem768 *key, const uint8_t *ciphertext,
                    uint8_t message[static 32])
{
    struct polynomial sum = {0}, u, part;

    for (size_t i = 0; i < K; i++) {
        decode_compressed(&u, ciphertext, DU);
        transform(&u);
        decode(&part, key->vector + i * POLYNOMIAL_BYTES, 12);
        add_product(&sum, &part, &u);
        ciphertext += N / 8 * DU;
    }
    transform_back(&sum);
    decode_compressed(&u, ciphertext, DV);
    for (size_t i = 0; i < N; i++)
        sum.c[i] = subtract(u.c[i], sum.c[i]);
    encode_compressed(message, &sum, 1);
    bytes_wipe(&sum, sizeof sum);
    bytes_wipe(&part, sizeof part);
}

/* ---- ML-KEM (algorithms 16 to 18) ---- */

void mlkem768_generate(struct mlkem768 *key, const uint8_t seed[static MLKEM768_SEED])
{
    make_keys(key, seed);
    hash(SHA3_256, KECCAK_HASH, key->hash, sizeof key->hash, key->encapsulation_key,
         sizeof key->encapsulation_key, NULL, 0);
    memcpy(key->rejection, seed + 32, sizeof key->rejection);
}

void mlkem768_decapsulate(const struct mlkem768 *key,
                          const uint8_t ciphertext[static MLKEM768_CIPHERTEXT],
                          uint8_t secret[static MLKEM768_SECRET])
{
    uint8_t message[32], both[64], again[MLKEM768_CIPHERTEXT];
    uint32_t difference = 0;

    decrypt(key, ciphertext, message);
    hash(SHA3_512, KECCAK_HASH, both, sizeof both, message, sizeof message, key->hash,
         sizeof key->hash);
    encrypt(key->encapsulation_key, message, both + 32, again);
    hash(SHAKE256, KECCAK_XOF, secret, MLKEM768_SECRET, key->rejection, sizeof key->rejection,
         ciphertext, MLKEM768_CIPHERTEXT);
    for (size_t i = 0; i < sizeof again; i++)
        difference |= again[i] ^ ciphertext[i];
    uint8_t same = (uint8_t)(opaque(difference - 1) >> 24); /* 0xff or 0 */
    for (size_t i = 0; i < MLKEM768_SECRET; i++)
        secret[i] ^= same & (secret[i] ^ both[i]);
    bytes_wipe(message, sizeof message);
    bytes_wipe(both, sizeof both);
    bytes_wipe(again, sizeof again);
}

bool mlkem768_encapsulate(const uint8_t encapsulation_key[static MLKEM768_ENCAPSULATION_KEY],
                          const uint8_t random[static 32],
                          uint8_t ciphertext[static MLKEM768_CIPHERTEXT],
                          uint8_t secret[static MLKEM768_SECRET])
{
    uint8_t key_hash[32], both[64];
    struct polynomial f;

    for (size_t i = 0; i < K; i++) {
        decode(&f, encapsulation_key + i * POLYNOMIAL_BYTES, 12);
        for (size_t j = 0; j < N; j++) {
            if (f.c[j] >= Q)
                return false;
        }
    }
    hash(SHA3_256, KECCAK_HASH, key_hash, sizeof key_hash, encapsulation_key,
         MLKEM768_ENCAPSULATION_KEY, NULL, 0);
    hash(SHA3_512, KECCAK_HASH, both, sizeof both, random, 32, key_hash, sizeof key_hash);
    encrypt(encapsulation_key, random, both + 32, ciphertext);
    memcpy(secret, both, MLKEM768_SECRET);
    bytes_wipe(both, sizeof both);
    return true;
}
