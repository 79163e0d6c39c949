/* digest-test.c: known sums (FIPS 180-4's examples), forms, chain ids. */
#include "base/test.h"
#include "format/digest.h"

TEST(known_sums) {
        char text[DIGEST_TEXT_MAX];
        Digester digester;

        digest_of("abc", 3, text);
        ASSERT_STR(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        digest_of("", 0, text);
        ASSERT_STR(text, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        digester_init(&digester);
        digester_add(&digester, "a", 1);
        digester_add(&digester, "bc", 2);
        digester_end(&digester, text);
        ASSERT_STR(digest_hex(text),
                   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 4231, 4.2 and 4.3. */
TEST(known_keyed_sums) {
        char text[DIGEST_TEXT_MAX], key[20];
        KeyedDigester digester;

        memset(key, 0x0b, sizeof(key));
        keyed_digester_init(&digester, key, sizeof(key));
        keyed_digester_add(&digester, "Hi There", 8);
        keyed_digester_end(&digester, text);
        ASSERT_STR(digest_hex(text),
                   "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        keyed_digester_init(&digester, "Jefe", 4);
        keyed_digester_add(&digester, "what do ya want ", 16);
        keyed_digester_add(&digester, "for nothing?", 12);
        keyed_digester_end(&digester, text);
        ASSERT_STR(digest_hex(text),
                   "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(forms) {
        ASSERT(digest_valid(
                "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        ASSERT(!digest_valid(NULL));
        ASSERT(!digest_valid(""));
        ASSERT(!digest_valid(
                "sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        ASSERT(!digest_valid(
                "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a"));
        ASSERT(!digest_valid("sha256:../../../../etc/passwd"));
        ASSERT(!digest_valid(
                "sha512:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

TEST(chain_ids) {
        const char *base =
                "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        char chain[DIGEST_TEXT_MAX], again[DIGEST_TEXT_MAX];
        _cleanup_free_ char *both = str_format("%s %s", base, base);

        digest_chain(NULL, base, chain);
        ASSERT_STR(chain, base);
        digest_chain(base, base, chain);
        digest_of(both, strlen(both), again);
        ASSERT_STR(chain, again);
}

TEST_MAIN()
