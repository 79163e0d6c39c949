/* pack-entry.c: see pack-entry.h. POSIX pax(1), "pax Interchange Format"; attributes as star(1) and
 * Docker write them. */
#include "image/pack-entry.h"

#include <stdio.h>
#include <string.h>

#include "format/tar.h"

#define NAME_ROOM 100
#define ID_MAX 07777777u        /* of seven octal digits */
#define NUMBER_MAX 077777777777 /* of eleven */

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void add_record(Buf *records, const char *key, const void *value, size_t length) {
        size_t rest = strlen(key) + length + 3, total = rest;
        char digits[24];

        for (int width = 0, next = 1; next != width;) {
                width = next;
                total = rest + (size_t)width;
                next = snprintf(digits, sizeof(digits), "%zu", total);
        }
        buf_format(records, "%zu %s=", total, key);
        buf_add(records, value, length);
        buf_add_char(records, '\n');
}

static void add_number(Buf *records, const char *key, int64_t value) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%lld", (long long)value);
        add_record(records, key, text, strlen(text));
}

int pack_xattr(Buf *records, const char *name, const void *value, size_t length, Error *err) {
        _cleanup_free_ char *key = NULL;

        if (strchr(name, '='))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "extended attribute '%s': a tar archive has no way to write a "
                                  "name with '=' in it: remove or rename the attribute",
                                  name);
        key = str_format("SCHILY.xattr.%s", name);
        add_record(records, key, value, length);
        return 0;
}

/* Bytes of the sequence at text, 0: no UTF-8. RFC 3629's table. */
static size_t utf8_length(const unsigned char *text) {
        static const struct {
                unsigned char first, last, low, high;
                size_t length;
        } rows[] = {
                { 0x01, 0x7f, 0x00, 0xff, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
                { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
                { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
                { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
                { 0xf4, 0xf4, 0x80, 0x8f, 4 },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                if (text[0] < rows[i].first || text[0] > rows[i].last)
                        continue;
                if (rows[i].length > 1 && (text[1] < rows[i].low || text[1] > rows[i].high))
                        return 0;
                for (size_t j = 2; j < rows[i].length; j++)
                        if ((text[j] & 0xc0) != 0x80)
                                return 0;
                return rows[i].length;
        }
        return 0;
}

static bool is_utf8(const char *text) {
        const unsigned char *c = (const unsigned char *)text;

        while (*c) {
                size_t length = utf8_length(c);

                if (length == 0)
                        return false;
                c += length;
        }
        return true;
}

static bool fits(const char *text) {
        return !text || strlen(text) <= NAME_ROOM;
}

/* Keys in order, the attributes last: 'S' comes first in ASCII, but readers take any order. */
static void collect_records(Buf *records, const PackEntry *entry) {
        bool long_name = !fits(entry->name), long_link = !fits(entry->link);

        if (entry->gid > ID_MAX)
                add_number(records, "gid", entry->gid);
        /* Names of records are UTF-8 unless it is said that they are not. */
        if ((long_name && !is_utf8(entry->name)) || (long_link && !is_utf8(entry->link)))
                add_record(records, "hdrcharset", "BINARY", strlen("BINARY"));
        if (long_link)
                add_record(records, "linkpath", entry->link, strlen(entry->link));
        if (entry->mtime < 0 || entry->mtime > NUMBER_MAX)
                add_number(records, "mtime", entry->mtime);
        if (long_name)
                add_record(records, "path", entry->name, strlen(entry->name));
        if (entry->size > NUMBER_MAX)
                add_number(records, "size", entry->size);
        if (entry->uid > ID_MAX)
                add_number(records, "uid", entry->uid);
        if (entry->xattrs)
                buf_add(records, entry->xattrs->data, entry->xattrs->length);
}

static int put_header(PackStream *stream, const TarHeader *header, Error *err) {
        unsigned char block[TAR_BLOCK];

        tar_header(header, block);
        return pack_stream_add(stream, block, sizeof(block), err);
}

int pack_padding(PackStream *stream, int64_t size, Error *err) {
        return pack_stream_add_zeros(stream, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK, err);
}

/* The name is for readers that know no PAX: they see a file of that name. */
static int put_records(PackStream *stream, const PackEntry *entry, const Buf *records, Error *err) {
        size_t length = strlen(entry->name);
        _cleanup_free_ char *clean =
                str_copy_n(entry->name, entry->type == '5' && length > 0 ? length - 1 : length);
        const char *slash = strrchr(clean, '/');
        _cleanup_free_ char *name = str_format("PaxHeaders.0/%s", slash ? slash + 1 : clean);
        const TarHeader header = {
                .name = name, .type = 'x', .mode = 0644, .size = records->length
        };
        int r = put_header(stream, &header, err);

        if (r == 0)
                r = pack_stream_add(stream, records->data, records->length, err);
        return r < 0 ? r : pack_padding(stream, (int64_t)records->length, err);
}

int pack_entry(PackStream *stream, const PackEntry *entry, Error *err) {
        _cleanup_buf_ Buf records = {};
        const TarHeader header = {
                .name = entry->name,
                .link = entry->link,
                .type = entry->type,
                .mode = entry->mode,
                .major = entry->major,
                .minor = entry->minor,
                /* Where a record says it, the header says nothing. */
                .uid = entry->uid > ID_MAX ? 0 : entry->uid,
                .gid = entry->gid > ID_MAX ? 0 : entry->gid,
                .size = entry->size > NUMBER_MAX ? 0 : (uint64_t)entry->size,
                .mtime = entry->mtime < 0 || entry->mtime > NUMBER_MAX ? 0 : (uint64_t)entry->mtime,
        };
        int r = 0;

        collect_records(&records, entry);
        if (records.length > 0)
                r = put_records(stream, entry, &records, err);
        return r < 0 ? r : put_header(stream, &header, err);
}

int pack_end(PackStream *stream, Error *err) {
        return pack_stream_add_zeros(stream, 2 * TAR_BLOCK, err);
}
