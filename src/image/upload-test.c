/* upload-test.c: what a registry says of an upload's state. The uploads themselves are in
 * push-test.c. */
#include "image/upload.h"

#include "base/test.h"

TEST(ranges) {
        static const struct {
                const char *text;
                int64_t has;
        } cases[] = {
                { "0-1023", 1024 },
                { "bytes=0-1023", 1024 },
                { "0-0", 0 },
                { "bytes=0-0", 0 },
                { "0-", -1 },
                { "", -1 },
                { NULL, -1 },
                { "5-1023", -1 },
                { "0--5", -1 },
                { "0-9223372036854775807", -1 },
                { "0-12x", -1 },
                { "bytes=", -1 },
                { "0-999999999999999999999", -1 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                ASSERT_INT(upload_range(cases[i].text), cases[i].has);
}

TEST_MAIN()
