/* logencode.c: see logencode.h. */
#include "monitor/logencode.h"

#include "base/clock.h"

static const char *const stream_names[] = { "stdout", "stderr" };

/* Length of the UTF-8 character at text (RFC 3629), 0 if there is none. */
static size_t utf8_length(const unsigned char *text, size_t left) {
        unsigned char first = text[0], low = 0x80, high = 0xbf;
        size_t length = first < 0xc2   ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;

        if (length == 0 || length > left)
                return 0;
        /* The second byte's range keeps out overlong forms, surrogates and what is past U+10FFFF.
         */
        if (first == 0xe0)
                low = 0xa0;
        else if (first == 0xed)
                high = 0x9f;
        else if (first == 0xf0)
                low = 0x90;
        else if (first == 0xf4)
                high = 0x8f;
        if (text[1] < low || text[1] > high)
                return 0;
        for (size_t i = 2; i < length; i++)
                if ((text[i] & 0xc0) != 0x80)
                        return 0;
        return length;
}

static void add_escape(Buf *buf, unsigned char byte) {
        static const char digits[] = "0123456789abcdef";
        char text[6] = { '\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15] };

        if (byte == '"' || byte == '\\') {
                text[1] = (char)byte;
                buf_add(buf, text, 2);
        } else if (byte == '\n' || byte == '\r') {
                text[1] = byte == '\n' ? 'n' : 'r';
                buf_add(buf, text, 2);
        } else
                buf_add(buf, text, sizeof(text));
}

static bool is_plain(unsigned char byte) {
        return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\' && byte != '<' &&
               byte != '>' && byte != '&';
}

/* As Go writes a string into JSON that may stand inside HTML. */
static void add_escaped(Buf *buf, const char *text, size_t length) {
        const unsigned char *bytes = (const unsigned char *)text;
        size_t at = 0;

        while (at < length) {
                size_t run = at, width;

                while (run < length && is_plain(bytes[run]))
                        run++;
                buf_add(buf, bytes + at, run - at);
                at = run;
                if (at == length)
                        return;
                if (bytes[at] < 0x80) {
                        add_escape(buf, bytes[at++]);
                        continue;
                }
                width = utf8_length(bytes + at, length - at);
                if (width == 0)
                        buf_add_str(buf, "\\ufffd");
                else if (width == 3 && memcmp(bytes + at, "\xe2\x80\xa8", 3) == 0)
                        buf_add_str(buf, "\\u2028");
                else if (width == 3 && memcmp(bytes + at, "\xe2\x80\xa9", 3) == 0)
                        buf_add_str(buf, "\\u2029");
                else
                        buf_add(buf, bytes + at, width);
                at += MAX(width, 1);
        }
}

static void encode_json(Buf *buf, const LogEntry *entry, const char *attributes) {
        char time[CLOCK_TEXT_MAX];

        buf_add_str(buf, "{\"log\":\"");
        add_escaped(buf, entry->text, entry->length);
        if (!entry->partial)
                buf_add_str(buf, "\\n");
        buf_add_str(buf, "\",\"stream\":\"");
        buf_add_str(buf, stream_names[entry->stream - 1]);
        buf_add_char(buf, '"');
        if (attributes)
                buf_add_str(buf, attributes);
        buf_add_str(buf, ",\"time\":\"");
        buf_add_str(buf, clock_format(entry->when, time));
        buf_add_str(buf, "\"}\n");
}

/* A line is its own frame, as no text holds a newline: what a power cut tears hides no other. */
static void encode_local(Buf *buf, const LogEntry *entry, const char *attributes) {
        static const char marks[2][2] = { { 'o', 'e' }, { 'O', 'E' } };

        (void)attributes;
        buf_format(buf, "%c%lld ", marks[entry->partial][entry->stream - 1],
                   (long long)entry->when);
        buf_add(buf, entry->text, entry->length);
        buf_add_char(buf, '\n');
}

static const LogFormat formats[] = {
        { "json-file", encode_json },
        { "local", encode_local },
};

const LogFormat *log_format(const char *driver) {
        for (size_t i = 0; i < ELEMENTS(formats); i++)
                if (str_equal(formats[i].driver, driver))
                        return &formats[i];
        return NULL;
}

char *log_encode_attributes(const Pairs *pairs) {
        Buf buf = {};

        if (pairs->count == 0)
                return NULL;
        buf_add_str(&buf, ",\"attrs\":{");
        for (size_t i = 0; i < pairs->count; i++) {
                buf_add_str(&buf, i > 0 ? ",\"" : "\"");
                add_escaped(&buf, pairs->items[i].key, strlen(pairs->items[i].key));
                buf_add_str(&buf, "\":\"");
                add_escaped(&buf, pairs->items[i].value, strlen(pairs->items[i].value));
                buf_add_char(&buf, '"');
        }
        buf_add_char(&buf, '}');
        return buf_take(&buf);
}
