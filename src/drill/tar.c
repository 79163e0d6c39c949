/* tar.c: archives as an attacker makes them: nothing is checked. POSIX.1-2001 ustar and PAX. */
#include "drill/drill.h"

#define BLOCK 512

typedef struct Header {
        char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
        char target[100], magic[6], version[2], user[32], group[32], major[8], minor[8];
        char prefix[155], pad[12];
} Header;
_Static_assert(sizeof(Header) == BLOCK, "a tar header is a block");

static void put_field(char *field, size_t size, const char *text) {
        size_t length = text ? strlen(text) : 0;

        memcpy(field, text ?: "", MIN(length, size));
}

static void put_octal(char *field, int size, unsigned long long value) {
        char text[32];

        (void)snprintf(text, sizeof(text), "%0*llo", size - 1, value);
        memcpy(field, text, (size_t)size);
}

static void add_header(Buf *tar, const TarEntry *entry, char type, size_t size) {
        Header header = { .type = type, .magic = "ustar", .version = { '0', '0' } };
        unsigned sum = 0;

        put_field(header.name, sizeof(header.name), entry->path);
        put_field(header.target, sizeof(header.target), entry->target);
        put_octal(header.mode, sizeof(header.mode), entry->mode);
        put_octal(header.uid, sizeof(header.uid), 0);
        put_octal(header.gid, sizeof(header.gid), 0);
        put_octal(header.size, sizeof(header.size), size);
        put_octal(header.mtime, sizeof(header.mtime), 0);
        memset(header.checksum, ' ', sizeof(header.checksum));
        for (size_t i = 0; i < sizeof(header); i++)
                sum += ((const unsigned char *)&header)[i];
        (void)snprintf(header.checksum, sizeof(header.checksum), "%06o", sum);
        buf_add(tar, &header, sizeof(header));
}

static void add_data(Buf *tar, const void *data, size_t length) {
        static const char zeros[BLOCK];

        buf_add(tar, data, length);
        buf_add(tar, zeros, (BLOCK - length % BLOCK) % BLOCK);
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void add_record(Buf *records, const char *text) {
        size_t rest = strlen(" \n") + strlen(text), digits = 1, most = 10;

        for (; rest + digits >= most; most *= 10)
                digits++;
        buf_format(records, "%zu %s\n", rest + digits, text);
}

static void add_pax(Buf *tar, const char *text) {
        _cleanup_strv_ char **lines = str_split(text, '\n');
        const TarEntry pax = { .path = "pax", .mode = 0644 };
        _cleanup_buf_ Buf records = {};

        for (char *const *line = lines; line && *line; line++)
                add_record(&records, *line);
        add_header(tar, &pax, 'x', records.length);
        add_data(tar, records.data, records.length);
}

void tar_add(Buf *tar, const TarEntry *entry) {
        if (entry->pax)
                add_pax(tar, entry->pax);
        add_header(tar, entry, entry->type, entry->length);
        if (entry->length > 0)
                add_data(tar, entry->data, entry->length);
}

void tar_end(Buf *tar) {
        static const char zeros[2 * BLOCK];

        buf_add(tar, zeros, sizeof(zeros));
}
