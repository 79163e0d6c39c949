/* id.c: see id.h. */
#include "base/id.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/macro.h"

void random_bytes(void *data, size_t length) {
        for (size_t done = 0; done < length;) {
                ssize_t n = getrandom((char *)data + done, length - done, 0);

                if (n < 0 && errno != EINTR)
                        abort();
                done += (size_t)MAX(n, 0);
        }
}

void hex_encode(const unsigned char *data, size_t length, char *text) {
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < length; i++) {
                text[2 * i] = digits[data[i] >> 4];
                text[2 * i + 1] = digits[data[i] & 15];
        }
        text[2 * length] = '\0';
}

void id_new(char text[ID_LENGTH + 1]) {
        unsigned char bytes[ID_LENGTH / 2];

        do {
                random_bytes(bytes, sizeof(bytes));
                hex_encode(bytes, sizeof(bytes), text);
        } while (strspn(text, "0123456789") >= ID_SHORT);
}

bool id_prefix_valid(const char *text) {
        size_t length = strspn(text, "0123456789abcdef");

        return length > 0 && length <= ID_LENGTH && text[length] == '\0';
}

bool id_valid(const char *text) {
        return id_prefix_valid(text) && strlen(text) == ID_LENGTH;
}

bool name_valid(const char *text) {
        if (!isalnum((unsigned char)text[0]) || !text[1])
                return false;
        for (const char *c = text + 1; *c; c++)
                if (!isalnum((unsigned char)*c) && !strchr("_.-", *c))
                        return false;
        return true;
}
