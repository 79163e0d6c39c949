/* message-fuzz.c: what a monitor does with a daemon's bytes: the two documents, the exec's process
 * and the texts inside. */
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "monitor/detach.h"
#include "monitor/protocol.h"
#include "spec/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_request(const char *text, size_t length) {
        _cleanup_free_ char *early = NULL;
        MonitorRequest request = {};
        OciProcess process = {};
        DetachKeys keys;
        size_t early_length;

        if (json_parse(&monitor_request_table, text, length, &request, NULL) == 0) {
                if (request.process)
                        (void)json_read(&oci_process_table, request.process, &process, NULL);
                if (request.early)
                        (void)base64_decode(request.early, &early, &early_length, NULL);
                (void)detach_keys_parse(request.detach_keys, &keys, NULL);
        }
        json_done(&oci_process_table, &process);
        json_done(&monitor_request_table, &request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *)data;
        MonitorStart start = {};
        ExitRecord record = {};

        read_request(text, size);
        (void)json_parse(&monitor_start_table, text, size, &start, NULL);
        json_done(&monitor_start_table, &start);
        (void)json_parse(&exit_record_table, text, size, &record, NULL);
        json_done(&exit_record_table, &record);
        return 0;
}
