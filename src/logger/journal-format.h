/* journal-format.h: a record in the native protocol of systemd's journal
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL), with Docker's fields. Knows no sockets. */
#pragma once

#include "base/map.h"
#include "monitor/logencode.h"

typedef struct JournalForm {
        const Pairs *fields; /* of every record */
        char epoch[33];      /* which run of the logger ordinals are of */
        uint64_t ordinal;    /* of the last record */
        struct {
                char id[33]; /* of the line that comes in pieces; "": none does */
                uint64_t ordinal;
        } lines[2]; /* by stream */
} JournalForm;

void journal_form_init(JournalForm *form, const Pairs *fields);
/* Appends the record. */
void journal_format(Buf *buf, JournalForm *form, const LogEntry *entry);
