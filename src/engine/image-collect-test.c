/* image-collect-test.c: why an image goes by its last use. */
#include "base/test.h"
#include "engine/image-collect.h"

static bool goes(const ImageGcBounds *bounds, int64_t unused, int64_t size) {
        _cleanup_free_ char *why = image_collect_reason(bounds, unused, size);

        return why != NULL;
}

TEST(images_go_by_their_last_use_and_by_what_all_of_them_take) {
        const ImageGcBounds off = { .age = 600 }, size = { .size = 100, .age = 600 },
                            unused = { .unused = 1000, .age = 600 },
                            both = { .size = 100, .unused = 1000, .age = 600 };

        ASSERT(!goes(&off, INT64_MAX, INT64_MAX));
        ASSERT(!goes(&size, INT64_MAX, 100));
        ASSERT(goes(&size, 600, 101));
        ASSERT(!goes(&size, 599, 101)); /* somebody may be about to run it */
        ASSERT(!goes(&unused, 1000, INT64_MAX));
        ASSERT(goes(&unused, 1001, 0));
        ASSERT(goes(&both, 1001, 0));
        ASSERT(goes(&both, 700, 101));
        ASSERT(!goes(&both, 700, 99));
}

TEST_MAIN()
