/* logfile-fuzz.c: lines of a container's log file. */
#include "engine/logfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        LogRecord record;

        if (log_decode((const char *)data, size, &record) < 0)
                return 0;
        if (record.text[record.length] != '\0' || record.stream < 1 || record.stream > 2)
                abort();
        log_record_done(&record);
        return 0;
}
