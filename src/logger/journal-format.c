/* journal-format.c: see journal-format.h. */
#include "logger/journal-format.h"

#include <endian.h>
#include <sys/random.h>

#include "base/clock.h"

#define PRIORITY_ERR "3"
#define PRIORITY_INFO "6"

static void random_id(char id[33]) {
        unsigned char bytes[16] = {};

        (void)!getrandom(bytes, sizeof(bytes), 0);
        for (size_t i = 0; i < sizeof(bytes); i++)
                (void)snprintf(id + i * 2, 3, "%02x", bytes[i]);
}

/* A value with a newline goes behind its length. */
static void add_field(Buf *buf, const char *name, const char *value, size_t length) {
        uint64_t size = htole64(length);

        buf_add_str(buf, name);
        if (memchr(value, '\n', length)) {
                buf_add_char(buf, '\n');
                buf_add(buf, &size, sizeof(size));
        } else
                buf_add_char(buf, '=');
        buf_add(buf, value, length);
        buf_add_char(buf, '\n');
}

static void add_text(Buf *buf, const char *name, const char *value) {
        add_field(buf, name, value, strlen(value));
}

static void add_number(Buf *buf, const char *name, uint64_t number) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
        add_text(buf, name, text);
}

/* All pieces of a line have its id; which it is and whether it is the last tells a reader how to
 * put them together. */
static void add_piece(Buf *buf, JournalForm *form, const LogEntry *entry) {
        char *id = form->lines[entry->stream - 1].id;
        uint64_t *ordinal = &form->lines[entry->stream - 1].ordinal;

        if (!*id && !entry->partial)
                return;
        if (!*id) {
                random_id(id);
                *ordinal = 0;
        }
        if (entry->partial)
                add_text(buf, "CONTAINER_PARTIAL_MESSAGE", "true");
        add_text(buf, "CONTAINER_PARTIAL_ID", id);
        add_number(buf, "CONTAINER_PARTIAL_ORDINAL", ++*ordinal);
        add_text(buf, "CONTAINER_PARTIAL_LAST", entry->partial ? "false" : "true");
        if (!entry->partial)
                *id = '\0';
}

void journal_form_init(JournalForm *form, const Pairs *fields) {
        *form = (JournalForm){ .fields = fields };
        random_id(form->epoch);
}

void journal_format(Buf *buf, JournalForm *form, const LogEntry *entry) {
        char when[CLOCK_TEXT_MAX];

        add_field(buf, "MESSAGE", entry->text ?: "", entry->length);
        add_text(buf, "PRIORITY", entry->stream == 2 ? PRIORITY_ERR : PRIORITY_INFO);
        add_text(buf, "SYSLOG_TIMESTAMP", clock_format(entry->when, when));
        add_text(buf, "CONTAINER_LOG_EPOCH", form->epoch);
        add_number(buf, "CONTAINER_LOG_ORDINAL", ++form->ordinal);
        add_piece(buf, form, entry);
        for (size_t i = 0; i < form->fields->count; i++)
                add_text(buf, form->fields->items[i].key, form->fields->items[i].value);
}
