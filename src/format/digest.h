/* digest.h: SHA-256 digests in OCI's form, "sha256:" and 64 lower-case hexadecimal digits; chain
 * ids; and other sums. Knows no files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_LENGTH 71
#define DIGEST_TEXT_MAX (DIGEST_LENGTH + 1)

/* A running sum; a plain value that needs no freeing. */
typedef struct Digester {
        _Alignas(8) unsigned char state[128];
} Digester;

void digester_init(Digester *digester);
void digester_add(Digester *digester, const void *data, size_t length);
/* Writes the digest; the digester must be initialised again before its next use. */
void digester_end(Digester *digester, char text[DIGEST_TEXT_MAX]);

#define SHA1_SIZE 20
/* For protocols that name it (RFC 6455), never for what must be safe. */
void sha1_of(const void *data, size_t length, unsigned char sum[SHA1_SIZE]);

/* A running HMAC-SHA-256 (RFC 2104): a sum that tells nothing of what was added to who has not the
 * key. A plain value; it has the key in it. */
typedef struct KeyedDigester {
        Digester inner, outer;
} KeyedDigester;

#define DIGEST_KEY_MAX 64 /* bytes */

void keyed_digester_init(KeyedDigester *digester, const void *key, size_t length);
void keyed_digester_add(KeyedDigester *digester, const void *data, size_t length);
/* As digester_end; forgets the key. */
void keyed_digester_end(KeyedDigester *digester, char text[DIGEST_TEXT_MAX]);

void digest_of(const void *data, size_t length, char text[DIGEST_TEXT_MAX]);
bool digest_valid(const char *text); /* NULL is not */
/* The 64 digits of a valid digest, borrowed. */
const char *digest_hex(const char *digest);
/* image-spec config.md, "Layer ChainID": that of the layer `diff` upon `parent` (NULL: no parent).
 */
void digest_chain(const char *parent, const char *diff, char text[DIGEST_TEXT_MAX]);
