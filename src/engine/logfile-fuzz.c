/* logfile-fuzz.c: lines of a container's log file. */
#include "engine/logfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const LogDecode decoders[] = { log_decode, log_decode_local };

        for (size_t i = 0; i < ELEMENTS(decoders); i++) {
                LogRecord record;

                if (decoders[i]((const char *)data, size, &record) < 0)
                        continue;
                if (record.text[record.length] != '\0' || record.stream < 1 || record.stream > 2)
                        abort();
                log_record_done(&record);
        }
        return 0;
}
