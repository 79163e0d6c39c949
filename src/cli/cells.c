/* cells.c: see cells.h. Widths are those of Unicode's East Asian Width for what terminals draw
 * double, by block: near enough for columns to stand, and no locale is asked. */
#include "cli/cells.h"

#include <stdint.h>

#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

static size_t decode(const char *text, uint32_t *ret) {
        return utf8_decode(text, strnlen(text, UTF8_MAX), ret);
}

char *text_utf8(const char *text) {
        return utf8_clean(text, strlen(text));
}

typedef struct Range {
        uint32_t first, last;
} Range;

static bool in(const Range *ranges, size_t count, uint32_t value) {
        for (size_t i = 0; i < count; i++)
                if (value >= ranges[i].first && value <= ranges[i].last)
                        return true;
        return false;
}

/* What would steer the terminal, or show text in another order than it has. */
static bool steers(uint32_t value) {
        static const Range ranges[] = { { 0, 0x1f },         { 0x7f, 0x9f },     { 0x200e, 0x200f },
                                        { 0x2028, 0x202e },  { 0x2066, 0x2069 }, { 0xfeff, 0xfeff },
                                        { 0xe0000, 0xe007f } };

        return in(ranges, ELEMENTS(ranges), value);
}

static size_t width_of(uint32_t value) {
        static const Range none[] = { { 0x300, 0x36f }, { 0x200b, 0x200d }, { 0xfe00, 0xfe0f } };
        static const Range twice[] = { { 0x1100, 0x115f },  { 0x2e80, 0xa4cf },
                                       { 0xac00, 0xd7a3 },  { 0xf900, 0xfaff },
                                       { 0xfe30, 0xfe6f },  { 0xff00, 0xff60 },
                                       { 0xffe0, 0xffe6 },  { 0x1f300, 0x1faff },
                                       { 0x20000, 0x3fffd } };

        return in(none, ELEMENTS(none), value) ? 0 : in(twice, ELEMENTS(twice), value) ? 2 : 1;
}

#define CELL_MAX 16

/* The next character as it is shown: its text (not NUL-terminated where it is lent from *text), its
 * length and width; moves *text behind it. */
static const char *next_cell(const char **text, char made[CELL_MAX], size_t *length,
                             size_t *width) {
        const char *at = *text;
        uint32_t value = 0;
        size_t n = decode(at, &value);

        *text += n > 0 ? n : 1;
        *width = 1;
        if (n == 0) {
                *length = strlen(REPLACEMENT);
                return REPLACEMENT;
        }
        if (!steers(value)) {
                *length = n;
                *width = width_of(value);
                return at;
        }
        n = (size_t)snprintf(made, CELL_MAX, value < 0x100 ? "\\x%02x" : "\\u%04x", value);
        *length = *width = n;
        return made;
}

void cells_add(Buf *out, const char *text) {
        char made[CELL_MAX];
        size_t length, width;

        while (*text) {
                const char *cell = next_cell(&text, made, &length, &width);

                buf_add(out, cell, length);
        }
}

size_t cells_width(const char *text) {
        char made[CELL_MAX];
        size_t length, width, sum = 0;

        while (*text) {
                (void)next_cell(&text, made, &length, &width);
                sum += width;
        }
        return sum;
}

/* Fills room with as much of text as fits, "…" behind it where that is not all; cells used. */
static size_t fill(Buf *out, const char *text, size_t room) {
        bool whole = cells_width(text) <= room;
        size_t used = 0, length, width, limit = whole ? room : room > 0 ? room - 1 : 0;
        char made[CELL_MAX];

        while (*text) {
                const char *cell = next_cell(&text, made, &length, &width);

                if (used + width > limit)
                        break;
                buf_add(out, cell, length);
                used += width;
        }
        if (!whole && room > 0) {
                buf_add_str(out, "…");
                used++;
        }
        return used;
}

void cells_fit(Buf *out, const char *text, size_t width) {
        size_t used = fill(out, text, width);

        for (; used < width; used++)
                buf_add_char(out, ' ');
}

void cells_fit_right(Buf *out, const char *text, size_t width) {
        for (size_t used = cells_width(text); used < width; used++)
                buf_add_char(out, ' ');
        (void)fill(out, text, width);
}

char *visible_text(const char *text) {
        _cleanup_buf_ Buf out = {};

        if (!text)
                return NULL;
        while (*text) {
                size_t length = strcspn(text, "\n\t");
                _cleanup_free_ char *part = str_copy_n(text, length);

                cells_add(&out, part);
                if (text[length])
                        buf_add_char(&out, text[length++]);
                text += length;
        }
        return out.length ? buf_take(&out) : str_copy("");
}
