/* explore-example.h: for tests: a report of three layers with a waste of 330 of 1650 bytes, hostile
 * names and everything that can be found. */
#pragma once

#include "cli/explore-report.h"

static const char *const example_lines[] = {
        "{\"File\":{\"Path\":\"bin\",\"Layer\":0,\"Change\":\"added\",\"Kind\":\"directory\","
        "\"Mode\":493}}",
        "{\"File\":{\"Path\":\"bin/su\",\"Layer\":0,\"Change\":\"added\",\"Kind\":\"file\","
        "\"Size\":1000,\"Mode\":2541,\"Findings\":[\"setuid\"]}}",
        "{\"File\":{\"Path\":\"bin/tool\",\"Layer\":1,\"Change\":\"added\",\"Kind\":\"file\","
        "\"Size\":200,\"Mode\":493}}",
        "{\"File\":{\"Path\":\"bin/tool\",\"Layer\":2,\"Change\":\"changed\",\"Kind\":\"file\","
        "\"Size\":300,\"Mode\":493,\"Wasted\":300}}",
        "{\"File\":{\"Path\":\"etc\",\"Layer\":0,\"Change\":\"added\",\"Kind\":\"directory\","
        "\"Mode\":493}}",
        "{\"File\":{\"Path\":\"etc/</script><b>\\u001b[2J\",\"Layer\":1,\"Change\":\"added\","
        "\"Kind\":\"file\",\"Size\":120,\"Mode\":438,\"Uid\":7,\"Gid\":8,"
        "\"Findings\":[\"world-writable\"]}}",
        "{\"File\":{\"Path\":\"etc/id_rsa\",\"Layer\":1,\"Change\":\"added\",\"Kind\":\"file\","
        "\"Size\":30,\"Mode\":384,\"Wasted\":30,"
        "\"Findings\":[\"secret: an SSH private key by its name\"]}}",
        "{\"File\":{\"Path\":\"etc/id_rsa\",\"Layer\":2,\"Change\":\"removed\",\"Kind\":\"file\","
        "\"Size\":30,\"Mode\":384}}",
        "{\"Summary\":{\"Id\":\"sha256:abc\",\"Names\":[\"demo:latest\"],\"Size\":1650,\"Paths\":5,"
        "\"Wasted\":330,\"Efficiency\":0.8,\"Setuid\":1,\"Setgid\":0,\"WorldWritable\":1,"
        "\"Secrets\":1,\"Layers\":["
        "{\"Digest\":\"sha256:aaa\",\"CreatedBy\":\"/bin/sh -c #(nop) ADD x in / \",\"Size\":1000,"
        "\"Added\":3,\"AddedBytes\":1000},"
        "{\"Digest\":\"sha256:bbb\",\"CreatedBy\":\"RUN make <all> && x # buildkit\",\"Size\":350,"
        "\"Added\":3,\"AddedBytes\":350,\"Wasted\":30},"
        "{\"Digest\":\"sha256:ccc\",\"CreatedBy\":\"/bin/sh -c rm /etc/id_rsa\",\"Size\":300,"
        "\"Changed\":1,\"ChangedBytes\":300,\"Removed\":1,\"RemovedBytes\":30,\"Wasted\":300}]}}",
};

static inline int example_report(Report *report, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(example_lines); i++)
                r = report_add(report, example_lines[i], strlen(example_lines[i]), err);
        return r < 0 ? r : report_end(report, err);
}
