/* uncovered.c: the catalogue: the drills that there are, and what of it no drill tries, so that
 * nobody takes it for tried. */
#include "drill/drill.h"

const DrillSet *const drill_sets[] = {
        &runtime_drills, &bundle_drills,   &exec_drills,  &flood_drills,
        &api_drills,     &copy_drills,     &image_drills, &build_drills,
        &network_drills, &registry_drills, NULL
};

const Uncovered uncovered[] = {
        { "ten million entries, 10 GiB of zeros",
          "a layer may have four million and 256 GiB, too many to try at hand: the limits' tests "
          "in src/image/unpack-test.c" },
        { "a client's directory that changes while it is copied and bound (CVE-2024-23651)",
          "what this sends to a build is an archive: tests/build-drills.bats" },
        { "firewalls that are reloaded (CVE-2025-54388, CVE-2025-54410)",
          "a drill reloads no firewall of its host: tests/firewall.bats" },
        { "ARP between neighbours that no policy selects",
          "one can claim the other's address, as in Docker: docs/net.md says what helps" },
};
const size_t uncovered_count = ELEMENTS(uncovered);
