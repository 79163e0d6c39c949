/* digest.c: see digest.h. Uses OpenSSL's SHA256_ calls from its static library: the EVP interface
 * would map the whole of libcrypto into an idle daemon, 3.5 MB for one hash. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "format/digest.h"

#include <stdlib.h>

#include <openssl/sha.h>

#include "base/id.h"
#include "base/str.h"

#define PREFIX "sha256:"

_Static_assert(sizeof(SHA256_CTX) <= sizeof(Digester), "a Digester holds OpenSSL's state");

void digester_init(Digester *digester) {
        (void)SHA256_Init((SHA256_CTX *)digester->state);
}

void digester_add(Digester *digester, const void *data, size_t length) {
        (void)SHA256_Update((SHA256_CTX *)digester->state, data, length);
}

void digester_end(Digester *digester, char text[DIGEST_TEXT_MAX]) {
        unsigned char sum[SHA256_DIGEST_LENGTH];

        (void)SHA256_Final(sum, (SHA256_CTX *)digester->state);
        memcpy(text, PREFIX, sizeof(PREFIX) - 1);
        hex_encode(sum, sizeof(sum), text + sizeof(PREFIX) - 1);
}

void sha1_of(const void *data, size_t length, unsigned char sum[SHA1_SIZE]) {
        SHA_CTX state;

        (void)SHA1_Init(&state);
        (void)SHA1_Update(&state, data, length);
        (void)SHA1_Final(sum, &state);
}

static void add_pad(Digester *digester, const unsigned char *key, size_t length,
                    unsigned char pad) {
        unsigned char block[DIGEST_KEY_MAX];

        for (size_t i = 0; i < sizeof(block); i++)
                block[i] = pad ^ (i < length ? key[i] : 0);
        digester_init(digester);
        digester_add(digester, block, sizeof(block));
        explicit_bzero(block, sizeof(block));
}

void keyed_digester_init(KeyedDigester *digester, const void *key, size_t length) {
        if (length > DIGEST_KEY_MAX)
                abort();
        add_pad(&digester->inner, key, length, 0x36);
        add_pad(&digester->outer, key, length, 0x5c);
}

void keyed_digester_add(KeyedDigester *digester, const void *data, size_t length) {
        digester_add(&digester->inner, data, length);
}

void keyed_digester_end(KeyedDigester *digester, char text[DIGEST_TEXT_MAX]) {
        unsigned char sum[SHA256_DIGEST_LENGTH];

        (void)SHA256_Final(sum, (SHA256_CTX *)digester->inner.state);
        digester_add(&digester->outer, sum, sizeof(sum));
        digester_end(&digester->outer, text);
        explicit_bzero(digester, sizeof(*digester));
}

void digest_of(const void *data, size_t length, char text[DIGEST_TEXT_MAX]) {
        Digester digester;

        digester_init(&digester);
        digester_add(&digester, data, length);
        digester_end(&digester, text);
}

bool digest_valid(const char *text) {
        const char *hex = text ? str_after(text, PREFIX) : NULL;

        return hex && id_valid(hex);
}

const char *digest_hex(const char *digest) {
        return digest + sizeof(PREFIX) - 1;
}

void digest_chain(const char *parent, const char *diff, char text[DIGEST_TEXT_MAX]) {
        _cleanup_free_ char *both = parent ? str_format("%s %s", parent, diff) : NULL;

        if (both)
                digest_of(both, strlen(both), text);
        else
                memcpy(text, diff, DIGEST_TEXT_MAX);
}
